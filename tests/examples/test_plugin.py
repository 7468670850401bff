"""The example of a plug-in, installed beside vedit in an environment of its own, and used from the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from vedit.sample_clip.clip import write_sample

ROOT = Path(__file__).parents[2]


class Installed:
    """A virtual environment with the plug-in, which sees vedit and the packages of the one that runs the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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

    def run(self, *words: str) -> str:
        """What a Python of the environment prints. Raises AssertionError where it fails."""
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        done = subprocess.run(
            [str(self._folder / "env" / "bin" / "python"), *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._folder,
            env=kept,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "sample.mp4"
    write_sample(path, frames=6)
    return path


def test_its_parts_keep_the_contracts(installed: Installed) -> None:
    installed.run(
        "-c",
        "from vedit.testing.contracts import check_preprocessor, check_shot_detector;"
        "check_preprocessor('posterized'); check_shot_detector('brightness')",
    )
    installed.run(
        "-c",
        "from vedit.testing.contracts import check_attention, check_pipeline, check_upscaler;"
        "check_pipeline('image-to-image'); check_attention('first-frame'); check_upscaler('bicubic')",
    )
    installed.run("-c", "from vedit.testing.contracts import check_metric; check_metric('warmth')")


def test_its_detector_finds_shots(installed: Installed, clip: Path) -> None:
    told = json.loads(installed.run("-m", "vedit", "shots", str(clip), "--detector", "brightness", "--json"))
    assert len(told["shots"]) == 1


def test_its_maps_are_made_and_steer_a_render(installed: Installed, clip: Path) -> None:
    out = clip.parent
    installed.run("-m", "vedit", "controls", str(clip), "--kind", "posterized", "-o", str(out / "maps.mp4"))
    assert (out / "maps.mp4").is_file()
    words = ("--prompt", "woodcut", "--quality", "draft", "--range", "#0..#2", "--control", "posterized", "--json")
    told = json.loads(installed.run("-m", "vedit", "restyle", str(clip), *words, "-o", str(out / "out.mp4")))
    assert told["contract"]["ok"]
    recipe = json.loads((out / "out.mp4.vedit.json").read_text("utf-8"))["recipe"]
    assert recipe["controls"] == ["posterized:1@0-1"]
    assert "controlnet:tile" in recipe["model_sha256"]


def test_its_family_keeps_the_contract_and_renders(installed: Installed, clip: Path) -> None:
    model, out = clip.with_name("model"), clip.with_name("video.mp4")
    installed.run(
        "-c",
        "from pathlib import Path; from vedit.testing.contracts import check_family;"
        "from vedit.testing.video_family import write_fake_video;"
        f"check_family(str(write_fake_video(Path({str(model)!r}))))",
    )
    words = ("--prompt", "night", "--quality", "draft", "--model", str(model), "--json", "-o", str(out))
    told = json.loads(installed.run("-m", "vedit", "restyle", str(clip), *words))
    assert told["contract"]["ok"]
    recipe = json.loads(out.with_name("video.mp4.vedit.json").read_text("utf-8"))["recipe"]
    assert (recipe["steps"], list(recipe["model_sha256"])) == (2, ["model"])


def test_its_metric_measures_and_is_required(installed: Installed, clip: Path) -> None:
    words = ("evaluate", str(clip), str(clip), "--quick", "--metric", "warmth")
    told = json.loads(installed.run("-m", "vedit", *words, "--require", "warmth<1", "--json"))
    assert (told["figures"]["warmth"]["value"], told["figures"]["warmth"]["metric"]) == (0, "warmth")
    assert told["required"] == [{"requirement": "warmth<1", "met": True, "found": "0.000 levels"}]
    listed = installed.run("-m", "vedit", "evaluate", "--list")
    assert "warmth         ready  (from vedit-example)" in listed


PLUGGED = {"pipeline": "image-to-image", "attention": "first-frame", "upscale": "bicubic"}


def test_its_pipeline_attention_and_upscaler_render(installed: Installed, clip: Path) -> None:
    out = clip.with_name("plugged.mp4")
    words = ["--prompt", "night", "--quality", "draft", "--range", "#0..#3", "--strength", "0.6", "--json"]
    words += [word for option, name in PLUGGED.items() for word in (f"--{option}", name)]
    told = json.loads(installed.run("-m", "vedit", "restyle", str(clip), *words, "-o", str(out)))
    assert told["contract"]["ok"]
    record = json.loads(out.with_name("plugged.mp4.vedit.json").read_text("utf-8"))
    recipe = record["recipe"]
    assert {kind: recipe[kind] for kind in PLUGGED} == PLUGGED
    of = {"of": "vedit-example", "version": "0.1.0"}
    assert recipe["plug-ins"] == {kind: {"name": name, **of} for kind, name in PLUGGED.items()}
    installed.run("-m", "vedit", "again", str(out), "-o", str(clip.with_name("again.mp4")))
    # Where the plug-in is not installed, the record is refused before anything begins, in one line.
    done = subprocess.run(
        [sys.executable, "-m", "vedit", "again", str(out), "-o", str(clip.with_name("refused.mp4"))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 2
    assert "pipeline is 'image-to-image'; use one of restyle" in done.stderr
    assert "Traceback" not in done.stderr


def test_its_parts_are_listed(installed: Installed, clip: Path) -> None:
    told = json.loads(installed.run("-m", "vedit", "doctor", "--json"))
    parts = {one["name"]: one["found"] for one in told["findings"]}
    assert parts["pipelines"] == "restyle, image-to-image (vedit-example 0.1.0)"
    assert parts["upscalers"] == "guided, lanczos, bicubic (vedit-example 0.1.0)"
