"""`vedit doctor`: what it finds on a healthy installation, and on ones broken on purpose by fakes on the path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from tests.support.plugged import plugged_in
from vedit import doctor
from vedit.cli.doctor import doctor_command
from vedit.doctor import Finding
from vedit.errors import ModelError
from vedit.models import load as loading
from vedit.models.families import stable_diffusion
from vedit.models.resolve import resolve
from vedit.registry.metrics import metrics
from vedit.registry.preprocessors import preprocessors
from vedit.registry.upscalers import upscalers
from vedit.weights import store as weights
from vedit.weights import torchvision as vision_wheel

BROKEN = "raise RuntimeError('operator torchvision::nms does not exist')"


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def put_package(folder: Path, name: str, code: str, *, number: str, metadata: str | None = None) -> None:
    """A package that says a version, its metadata that of the wheel on PyPI: without the build tag."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code, "utf-8")
    (package / "version.py").write_text(f"__version__ = {number!r}\ngit_version = 'abc'\n", "utf-8")
    information = folder / f"{name}-{metadata or number}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {metadata or number}\n", "utf-8"
    )


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of the module path."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_what_is_kept_and_what_was_cut_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VEDIT_CACHE_DAYS", raising=False)
    for name, files in (("a" * 32, ("whole", "tensors.safetensors")), ("b" * 32, ("kept", "000000.png"))):
        (tmp_path / "cache" / name).mkdir(parents=True)
        for file in files:
            (tmp_path / "cache" / name / file).write_bytes(bytes(100_000_000 if file.endswith("s") else 0))
    (tmp_path / "cache" / "costs.json").write_text("{}", "utf-8")
    finding, measured = doctor._kept()  # pyright: ignore[reportPrivateUsage]
    assert measured.found.startswith(f"costs.json in {tmp_path / 'cache'}, by which estimates go")
    assert finding.state == "ok"
    assert finding.found.startswith(
        f"1 inversions and 1 maps and mattes, 100 MB, in {tmp_path / 'cache'}, which can be"
    )
    assert finding.found.endswith(
        "up to 4 GB (VEDIT_CACHE_GB), each until it was not used for 30 days (VEDIT_CACHE_DAYS)"
    )
    assert not list(doctor._unfinished())  # pyright: ignore[reportPrivateUsage]
    part = tmp_path / "hub" / "models--house--nets" / "blobs" / ("c" * 64 + ".vedit-part")
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(10))
    (finding,) = doctor._unfinished()  # pyright: ignore[reportPrivateUsage]
    assert finding.state == "note" and str(part) in finding.found and "goes on where it stopped" in finding.remedy


def test_small_tables_are_told_for_what_they_are_and_no_file_of_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))  # a folder that others use too
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    for name in ("package.json", "rates.json", "bfloat16.json", "digests.json", "findings.json"):
        (tmp_path / name).write_text("{}", "utf-8")
    kept, *tables = doctor._kept()  # pyright: ignore[reportPrivateUsage]
    assert kept.found.endswith("at any time; nothing more (VEDIT_CACHE_GB is 0)"), "no word on days"
    assert [(one.name, one.found.split()[0]) for one in tables] == [
        ("measured here", "rates.json"),
        ("measured here", "bfloat16.json"),
        ("found out here", "digests.json"),
        ("found out here", "findings.json"),
    ]
    assert not any("estimates" in one.found for one in tables[2:])


def matching(build: str) -> str:
    """The torchvision that belongs to the installed torch, as a wheel of another build."""
    minor = int(torch.__version__.split(".")[1])
    return f"0.{minor + 15}.0+{build}"


def other_build() -> str:
    return "cu130" if torch.version.cuda is None else "cpu"


def found(part: Iterator[Finding]) -> Finding:
    [finding] = part
    return finding


def test_this_installation_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor_command.main(["--json"], standalone_mode=False) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is True
    states = {finding["name"]: finding for finding in told["findings"]}
    assert states["torch build"]["found"].startswith(torch.__version__)
    for name in ("python", "diffusers", "transformers", "av", "cv2", "torchvision", "decord", "encoders", "weights"):
        assert states[name]["state"] == "ok", states[name]
    assert states["diffusers"]["found"] == version("diffusers")
    assert "h264" in states["encoders"]["found"]
    assert states[weights.FOLDER_VARIABLE]["state"] == "note"


def test_torchvision_of_another_build_is_named_with_the_fix(path: Path) -> None:
    number = matching(other_build())
    put_package(path, "torchvision", BROKEN, number=number, metadata=number.partition("+")[0])
    finding = found(doctor._torchvision())  # pyright: ignore[reportPrivateUsage]
    assert finding.state == "broken"
    for part in (number, torch.__version__, "torchvision::nms does not exist"):
        assert part in finding.found
    assert "pip uninstall torchvision" in finding.remedy
    build = torch.__version__.partition("+")[2]
    assert not build or f"https://download.pytorch.org/whl/{build}" in finding.remedy
    assert number.rpartition(".")[0] in finding.remedy, "the wheel that fits"


def test_a_broken_torchvision_is_told_by_exit_code_1(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put_package(path, "torchvision", BROKEN, number=matching(other_build()))
    monkeypatch.setattr(doctor, "examine", lambda: tuple(doctor._torchvision()))  # pyright: ignore[reportPrivateUsage]
    assert doctor_command.main([], standalone_mode=False) == 1
    told = capsys.readouterr()
    assert told.out.startswith("BROKEN  torchvision") and "-> run: pip uninstall torchvision" in told.out
    assert told.err == "vedit: 1 thing broken: torchvision\n"


def test_versions_alone_tell_the_trap(path: Path) -> None:
    assert vision_wheel.vision_fault() is None, "it is not installed"
    put_package(path, "torchvision", BROKEN, number=matching(other_build()))
    fault = vision_wheel.vision_fault()
    assert fault is not None and other_build() in fault.message


@pytest.mark.parametrize("number", ["0.1.0", "0.1.0+cpu"])
def test_torchvision_of_another_release_is_a_fault(number: str, path: Path) -> None:
    put_package(path, "torchvision", "", number=number)
    assert vision_wheel.vision_fault() is not None


def test_a_torchvision_that_fits_is_healthy(path: Path) -> None:
    build = torch.__version__.partition("+")[2]
    put_package(path, "torchvision", "", number=matching(build) if build else matching("")[:-1])
    assert vision_wheel.vision_fault() is None
    assert found(doctor._torchvision()).state == "ok"  # pyright: ignore[reportPrivateUsage]


def test_loading_says_it_in_one_line(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What transformers and diffusers die of, at whatever import, is told as what it is."""
    put_package(path, "torchvision", BROKEN, number=matching(other_build()))

    def die(name: str) -> None:
        raise ModuleNotFoundError("Could not import module 'X'. Are this object's requirements defined correctly?")

    folder = tmp_path / "weights" / "dpt-large"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").touch()
    with pytest.raises(ModelError) as told:
        weights.load_from("dpt-large", lambda _: die("transformers"))
    assert "pip uninstall torchvision" in str(told.value) and "\n" not in str(told.value)
    monkeypatch.setattr(stable_diffusion, "import_module", die)
    with pytest.raises(ModelError, match="pip uninstall torchvision"):
        loading.load(resolve("embedded"))


def test_other_import_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(name: str) -> None:
        raise ModuleNotFoundError("no module")

    monkeypatch.setattr(stable_diffusion, "import_module", die)
    with pytest.raises(ModuleNotFoundError):
        loading.load(resolve("embedded"))


def test_two_flavours_of_opencv_are_noted(path: Path) -> None:
    information = path / "opencv_contrib_python-5.0.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: opencv-contrib-python\nVersion: 5.0.0\n")
    finding = found(doctor._opencv())  # pyright: ignore[reportPrivateUsage]
    assert finding.state == "note" and "opencv-contrib-python" in finding.found
    assert "pip install opencv-python-headless" in finding.remedy
    put_package(path, "cv2", "raise ImportError('libGL.so.1: cannot open shared object file')", number="5.0.0")
    assert found(doctor._opencv()).state == "broken"  # pyright: ignore[reportPrivateUsage]


def test_a_dependency_that_is_too_old_is_broken(path: Path) -> None:
    information = path / "diffusers-0.1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: diffusers\nVersion: 0.1.0\n")
    findings = {finding.name: finding for finding in doctor._requirements()}  # pyright: ignore[reportPrivateUsage]
    assert findings["diffusers"].state == "broken" and "0.1.0" in findings["diffusers"].found
    assert "pip install 'diffusers" in findings["diffusers"].remedy
    assert findings["transformers"].state == "ok"


def test_controlnet_aux_by_detector(path: Path) -> None:
    """One part of it is there, the others lack what they import."""
    put_package(path, "controlnet_aux", "raise ImportError('timm')", number="0.0.10")
    (path / "controlnet_aux" / "hed.py").write_text("", "utf-8")
    (path / "controlnet_aux" / "lineart.py").write_text("import a_package_that_is_absent", "utf-8")
    findings = {finding.name: finding for finding in doctor._controlnet_aux()}  # pyright: ignore[reportPrivateUsage]
    assert findings["controlnet-aux"].state == "ok"
    assert findings["controlnet-aux"].found == "works for softedge-hed"
    assert findings["lineart-aux"].state == "note" and "a_package_that_is_absent" in findings["lineart-aux"].found


def test_every_preprocessor_of_the_extra_is_tried() -> None:
    assert {e.name for e in preprocessors() if e.needs.extra == "controlnet-aux"} == set(doctor.DETECTORS)


def test_altered_weights_are_broken(tmp_path: Path) -> None:
    folder = tmp_path / "weights" / "dpt-large"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    record = {"revision": "a" * 40, "files": {"model.safetensors": {"size": 7, "sha256": "0" * 64}}}
    (folder / weights.RECORD).write_text(json.dumps(record), "utf-8")
    findings = {finding.name: finding for finding in doctor._weights()}  # pyright: ignore[reportPrivateUsage]
    assert findings["dpt-large"].state == "broken" and "--force" in findings["dpt-large"].remedy


def test_little_space_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LITTLE_SPACE", 10**18)
    for finding in doctor._space():  # pyright: ignore[reportPrivateUsage]
        assert finding.state == "note" and "GB free at" in finding.found


def test_a_part_of_a_plug_in_that_cannot_be_loaded_is_named() -> None:
    targets = {"sound": "vedit.finishing.guided:lanczos", "gone": "no_such_module:upscaler"}
    figures = {"warmth": "vedit.evaluation.metrics.drift:METRIC", "lens": "pathlib:Path", "three": "math:pi"}
    with plugged_in(upscalers, "vedit.upscalers", targets), plugged_in(metrics, "vedit.metrics", figures):
        findings = {one.name: one for one in doctor._parts()}  # pyright: ignore[reportPrivateUsage]
    assert findings["upscalers"].found.startswith("guided, lanczos, sound (vedit-other of an unknown version), gone")
    assert findings["gone"].state == "broken"
    assert "no_such_module" in findings["gone"].found
    assert findings["gone"].remedy == "reinstall or uninstall vedit-other"
    assert "sound" not in findings and "warmth" not in findings
    # What can be loaded is held to the protocol, which a class does not keep by making what does.
    assert "'lens' of vedit-other is no metric but the class Path" in findings["lens"].found
    assert "'three' of vedit-other is no metric but float" in findings["three"].found
    assert "warmth (vedit-other of an unknown version)" in findings["metrics"].found
