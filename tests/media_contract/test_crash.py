"""Power cuts in the middle of a render: nothing under the final name before the end, and the same pixels at the end."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media_contract.conftest import Results
from tests.media_contract.crash import Killed, Program, forked_off, killed_runs, started
from tests.support.forked import RENDERING, Forked
from vedit.media.contract.verify import verify
from vedit.media.reading.read import open_video
from vedit.store.unit_files import unit_files
from vedit.store.units import units_folder, work_folder
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import FrameRange

pytestmark = pytest.mark.media

WIDTH, HEIGHT = 128, 128
SETTINGS = ("--prompt", "watercolor painting", "--quality", "draft", "--window", "6", "-q")
SMALL = ("--control", "none", "--size", "128", "--steps", "2")


def moving(path: Path, frames: int) -> Path:
    """A soft pattern that moves, with a cut in the middle and sound."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for t in range(frames):
            wave = 60 * np.sin((columns - 2 * t) / 11) * np.cos(rows / 17)
            base = (200, 90, 60) if t < frames // 2 else (20, 60, 220)
            picture = np.stack([np.clip(c / 2 + 30 + wave, 0, 255) for c in base], axis=2).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        samples = av.AudioFrame.from_ndarray(
            (np.sin(np.arange(48000 * frames // 25) / 20) * 0.2).astype(np.float32)[None], format="fltp", layout="mono"
        )
        samples.sample_rate = 48000
        container.mux([*sound.encode(samples), *sound.encode(None), *video.encode(None)])
    return path


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


def test_kill_at_random_moments(tmp_path: Path, full: bool, results: Results) -> None:
    kills, frames = (30, 96) if full else (5, 24)
    # At small scale a model of random weights: which one it is does not matter here.
    model = () if full else ("--model", str(write_tiny_sd(tmp_path / "model", controls=())), *SMALL)
    source = moving(tmp_path / "source.mov", frames)
    calm, output = tmp_path / "calm" / "out.mov", tmp_path / "stormy" / "out.mov"
    calm.parent.mkdir()
    output.parent.mkdir()

    with Forked(load=RENDERING) as server:

        def command(target: Path) -> Program:
            words = ["restyle", str(source), *SETTINGS, *model, "-o", str(target)]
            # In full each run starts a Python, as users have it; at small scale the moments all fall into its work.
            return started(sys.executable, "-m", "vedit", *words) if full else forked_off(server, words)

        undisturbed = command(calm)(600)
        assert undisturbed.code == 0, undisturbed.stderr
        runs = killed_all_along(source, output, command(output), kills, undisturbed.seconds)
        if not output.exists():
            assert command(output)(600).code == 0
    assert np.array_equal(pixels(output), pixels(calm))
    assert verify(source, output).ok
    assert not work_folder(output).exists()
    results.add(
        "crash",
        kills=sum(not run.finished for run in runs),
        runs=len(runs) + 1,
        frames=frames,
        pixels="equal to those of the undisturbed render",
        **{"under the final name before the end": "nothing"},
    )


def killed_all_along(source: Path, output: Path, program: Program, kills: int, seconds: float) -> list[Killed]:
    """Runs that are killed within so many seconds; nothing stands under the final name, and no unit is ever lost."""
    most = 0

    def units() -> int:
        return sum(1 for _ in unit_files(units_folder(work_folder(output))))

    def look(run: Killed) -> None:
        nonlocal most
        if output.exists():
            # Killed behind the renaming, if at all: what has the final name is whole.
            assert verify(source, output).ok
            if not run.finished:
                again(run)
            return
        assert not run.finished
        assert units() >= most, "a finished unit was lost"
        assert {path.name for path in output.parent.iterdir()} <= {work_folder(output).name}
        most = units()

    def again(_: Killed) -> None:
        nonlocal most
        shutil.rmtree(output.parent)
        output.parent.mkdir()
        most = 0

    return killed_runs(
        program,
        kills,
        seed=0,
        longest=seconds,
        shortest=0.2,
        after_each=look,
        on_finished=again,
        limit=9 * kills,
    )
