"""A source that is replaced, cut short, removed or written to while it is rendered."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from vedit.errors import VeditError
from vedit.media.contract.identity import identity
from vedit.media.reading.read import open_video
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.write import VideoWriter
from vedit.progress.callbacks import Progress
from vedit.types import FrameRange

Make = Callable[..., Path]
Sound = Callable[..., object]
RATE = Fraction(25)


def replaced(source: Path) -> None:
    other = source.with_name("other" + source.suffix)
    other.rename(source)


def cut(source: Path) -> None:
    os.truncate(source, source.stat().st_size // 2)


def grown(source: Path) -> None:
    with source.open("ab") as file:
        file.write(b"more")


def removed(source: Path) -> None:
    source.unlink()


CHANGES = [(replaced, "changed or replaced"), (cut, "cut short"), (grown, "written to"), (removed, "was removed")]


@pytest.fixture
def clip(make: Make, sound: Sound) -> Path:
    """A clip, and another of the same length, size and sound beside it."""
    source = make(name="in.mp4", frames=40, rate=RATE, sounds=(sound(),))
    make(name="other.mp4", frames=40, rate=RATE, sounds=(sound(),), color=(90, 20, 200))
    return source


@pytest.mark.parametrize(("change", "told"), CHANGES)
@pytest.mark.parametrize("at", [0, 16, 40], ids=["at the first frame", "in the middle", "before it is checked"])
@pytest.mark.parametrize("name", ["out.mp4", "out_%03d.png"])
def test_identity(clip: Path, change: Callable[[Path], None], told: str, at: int, name: str) -> None:
    done: list[int] = []

    def progress(step: Progress) -> None:
        ready = step.done >= at if step.stage == "write" else step.stage == "verify"
        if ready and not done:
            done.append(step.done)
            change(clip)

    with pytest.raises(VeditError, match=told) as caught:
        identity(clip, clip.with_name(name), on_progress=progress)
    assert done and caught.value.exit_code == 1 and caught.value.remedy
    assert {path.name for path in clip.parent.iterdir()} <= {"in.mp4", "other.mp4"}


@pytest.mark.parametrize(("change", "told"), CHANGES)
def test_between_the_reads(clip: Path, change: Callable[[Path], None], told: str) -> None:
    with open_video(clip) as reader:
        reader.read(FrameRange(start=0, stop=4))
        change(clip)
        with pytest.raises(VeditError, match=told):
            reader.read(FrameRange(start=20, stop=24))


def test_the_hash_at_the_end_is_that_of_the_beginning(clip: Path) -> None:
    """Its size and times are as they were: only the hash can tell."""
    with open_video(clip) as reader:
        plan = plan_output(clip.with_name("out.mp4"), reader.metadata, reader.index())
        with VideoWriter(plan) as writer:
            writer.write(reader.read(plan.frames).frames)
            with pytest.raises(VeditError, match="was changed while it was read"):
                writer.finish(source_sha256="0" * 64)
    assert not plan.path.exists()


def test_pictures_of_a_sequence(make: Make, tmp_path: Path) -> None:
    source = make(name="in.mp4", frames=6, rate=RATE)
    identity(source, tmp_path / "in_%02d.png")
    with pytest.raises(VeditError, match=r"changed or replaced|was removed"):
        identity(
            tmp_path / "in_%02d.png",
            tmp_path / "out.mp4",
            rate=RATE,
            on_progress=lambda step: (tmp_path / "in_06.png").unlink(missing_ok=True),
        )
    assert not (tmp_path / "out.mp4").exists()


def test_an_output_folder_that_goes_away(make: Make, tmp_path: Path) -> None:
    source = make(name="in.mp4", frames=40, rate=RATE)
    folder = tmp_path / "out"
    folder.mkdir()
    with pytest.raises(VeditError, match=r"the folder .*out was removed meanwhile") as caught:
        identity(source, folder / "o.mp4", on_progress=lambda step: shutil.rmtree(folder, ignore_errors=True))
    assert caught.value.exit_code == 1
