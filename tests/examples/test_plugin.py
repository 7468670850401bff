"""The example of a plug-in, installed beside vedit in an environment of its own, and used from the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.support.clips import CUT, lossless, picture
from tests.support.forked import RENDERING, Forked, Kind
from vedit.cli import main

ROOT = Path(__file__).parents[2]


class Installed:
    """A virtual environment with the plug-in, which sees vedit and the packages of the one that runs the tests.

    Its Python has all that renders need loaded once, and forks for each call.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "env", with_pip=False)
        source = folder / "plugin"
        shutil.copytree(ROOT / "examples" / "plugin", source)
        site = next((folder / "env").rglob("site-packages"))
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "-q"]
        done = subprocess.run(
            [*pip, "--target", str(site), str(source)], capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode and ("setuptools" in done.stderr or "No module named pip" in done.stderr):
            pytest.skip("this environment has no pip or no setuptools to build a distribution with")
        assert done.returncode == 0, done.stderr
        seen = [str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]
        (site / "vedit_tests.pth").write_text("\n".join(seen) + "\n", "utf-8")
        self.server = Forked(
            load=RENDERING,
            python=folder / "env" / "bin" / "python",
            environment={"PYTHONPATH": ""},
            cwd=folder,
        )

    def vedit(self, *words: str) -> str:
        """What a command prints. Raises AssertionError where it fails."""
        return self._done(words, "vedit")

    def python(self, code: str) -> str:
        """What a program prints. Raises AssertionError where it fails."""
        return self._done([code], "code")

    def _done(self, words: Sequence[str], kind: Kind) -> str:
        ended = self.server.run(words, kind=kind, seconds=300, start=False)
        assert ended.code == 0, ended.err
        return ended.out


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    made = Installed(tmp_path_factory.mktemp("plugin"))
    with made.server:
        yield made


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lossless(tmp_path_factory.mktemp("clip") / "one shot.mkv", [picture(t) for t in range(CUT)])


def test_its_parts_keep_the_contracts(installed: Installed) -> None:
    installed.python(
        "from vedit.testing.contracts import check_preprocessor, check_shot_detector;"
        "check_preprocessor('posterized'); check_shot_detector('brightness')",
    )
    installed.python(
        "from vedit.testing.contracts import check_attention, check_pipeline, check_upscaler;"
        "check_pipeline('image-to-image'); check_attention('first-frame'); check_upscaler('bicubic')",
    )
    installed.python("from vedit.testing.contracts import check_metric; check_metric('warmth')")


def test_its_detector_finds_shots(installed: Installed, clip: Path) -> None:
    told = json.loads(installed.vedit("shots", str(clip), "--detector", "brightness", "--json"))
    assert len(told["shots"]) == 1


def test_its_maps_are_made_and_steer_a_render(installed: Installed, clip: Path) -> None:
    out = clip.parent
    installed.vedit("controls", str(clip), "--kind", "posterized", "-o", str(out / "maps.mkv"))
    assert (out / "maps.mkv").is_file()
    words = ("--prompt", "woodcut", "--quality", "draft", "--range", "#0..#2", "--control", "posterized", "--json")
    told = json.loads(installed.vedit("restyle", str(clip), *words, "-o", str(out / "out.mkv")))
    assert told["contract"]["ok"]
    recipe = json.loads((out / "out.mkv.vedit.json").read_text("utf-8"))["recipe"]
    assert recipe["controls"] == ["posterized:1@0-1"]
    assert "controlnet:tile" in recipe["model_sha256"]


def test_its_family_keeps_the_contract_and_renders(installed: Installed, clip: Path) -> None:
    model, out = clip.with_name("model"), clip.with_name("video.mkv")
    installed.python(
        "from pathlib import Path; from vedit.testing.contracts import check_family;"
        "from vedit.testing.video_family import write_fake_video;"
        f"check_family(str(write_fake_video(Path({str(model)!r}))))",
    )
    words = ("--prompt", "night", "--quality", "draft", "--model", str(model), "--json", "-o", str(out))
    told = json.loads(installed.vedit("restyle", str(clip), *words))
    assert told["contract"]["ok"]
    recipe = json.loads(out.with_name("video.mkv.vedit.json").read_text("utf-8"))["recipe"]
    assert (recipe["steps"], list(recipe["model_sha256"])) == (2, ["model"])


def test_its_metric_measures_and_is_required(installed: Installed, clip: Path) -> None:
    words = ("evaluate", str(clip), str(clip), "--quick", "--metric", "warmth")
    told = json.loads(installed.vedit(*words, "--require", "warmth<1", "--json"))
    assert (told["figures"]["warmth"]["value"], told["figures"]["warmth"]["metric"]) == (0, "warmth")
    assert told["required"] == [{"requirement": "warmth<1", "met": True, "found": "0.000 levels"}]
    listed = installed.vedit("evaluate", "--list")
    assert "warmth         ready  (from vedit-example)" in listed


PLUGGED = {"pipeline": "image-to-image", "attention": "first-frame", "upscale": "bicubic"}


def test_its_pipeline_attention_and_upscaler_render(
    installed: Installed, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = clip.with_name("plugged.mkv")
    words = ["--prompt", "night", "--quality", "draft", "--range", "#0..#3", "--strength", "0.6", "--json"]
    words += [word for option, name in PLUGGED.items() for word in (f"--{option}", name)]
    told = json.loads(installed.vedit("restyle", str(clip), *words, "-o", str(out)))
    assert told["contract"]["ok"]
    record = json.loads(out.with_name("plugged.mkv.vedit.json").read_text("utf-8"))
    recipe = record["recipe"]
    assert {kind: recipe[kind] for kind in PLUGGED} == PLUGGED
    of = {"of": "vedit-example", "version": "0.1.0"}
    assert recipe["plug-ins"] == {kind: {"name": name, **of} for kind, name in PLUGGED.items()}
    installed.vedit("again", str(out), "-o", str(clip.with_name("again.mkv")))
    # Where the plug-in is not installed, the record is refused before anything begins, in one line.
    capsys.readouterr()
    code = main(["again", str(out), "-o", str(clip.with_name("refused.mkv"))], standalone_mode=False)
    told = capsys.readouterr().err
    assert code == 2
    assert "pipeline is 'image-to-image'; use one of restyle" in told
    assert "Traceback" not in told and len(told.splitlines()) == 1


def test_its_parts_are_listed(installed: Installed) -> None:
    code = (
        "import json\n"
        "from vedit import doctor\n"
        "doctor.vision_wheel.ask_apart = lambda *_: ('', 'not asked')  # each question starts a Python\n"
        "print(json.dumps({one.name: one.found for one in doctor.examine()}))"
    )
    parts = json.loads(installed.python(code))
    assert parts["pipelines"] == "restyle, image-to-image (vedit-example 0.1.0)"
    assert parts["upscalers"] == "guided, lanczos, bicubic (vedit-example 0.1.0)"
