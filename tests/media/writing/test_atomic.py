"""Files that get their names together: what a failure, a kill or an older render leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vedit.errors import InputError, VeditError
from vedit.media.contract.verify import verify
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.media.writing.atomic import put_in_place
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.sidecar import sidecar_path
from vedit.media.writing.write import VideoWriter
from vedit.types import FrameRange

Make = Callable[..., Path]
Sound = Callable[..., object]


def write(source: Path, name: str, part: FrameRange | None = None, **asked: Any) -> OutputSpec:
    with open_video(source) as reader:
        options = OutputOptions(**asked)
        plan = plan_output(source.with_name(name), reader.metadata, reader.index(), frames=part, options=options)
        with VideoWriter(plan) as writer:
            writer.write(reader.read(plan.frames).frames)
            writer.finish(notes=("told", *plan.notes), used={"window": 24})
    return plan


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def full(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """The disk refuses the rename number `at`, and only that."""
    replace = Path.replace
    count = [0]

    def refusing(self: Path, target: Path) -> Path:
        count[0] += 1
        if count[0] == at:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refusing)


@pytest.mark.parametrize("at", range(1, 7))
def test_a_failure_brings_the_old_files_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    names = ("sound", "record", "film")
    for name in (*names, "stale"):
        (tmp_path / name).write_text(f"old {name}")
    before = content(tmp_path)
    moves = [(tmp_path / f"new {name}", tmp_path / name) for name in names]
    for temporary, _ in moves:
        temporary.write_text(temporary.name)
    full(monkeypatch, at)
    with pytest.raises(OSError, match="No space"):
        put_in_place(moves[2:], companions=moves[:2], stale=[tmp_path / "stale"])
    monkeypatch.undo()
    assert {name: data for name, data in content(tmp_path).items() if not name.startswith("new")} == before
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


@pytest.mark.parametrize("at", [1, 2, 4, 6])
def test_pictures_that_were_replaced_come_back(make: Make, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    source = make(frames=4)
    write(source, "s_%02d.png")
    before = content(source.parent)
    full(monkeypatch, at)
    with pytest.raises(VeditError, match="could not be written: No space") as caught:
        write(source, "s_%02d.png", FrameRange(start=0, stop=3), overwrite=True)
    assert caught.value.exit_code == 1
    monkeypatch.undo()
    assert content(source.parent) == before
    assert not [path for path in source.parent.iterdir() if path.is_dir()]


@pytest.mark.parametrize("name", ["o.mp4", "o.gif", "o_%02d.png"])
def test_no_film_without_its_record(make: Make, sound: Sound, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = make(frames=4, rate=Fraction(25), sounds=(sound(),))
    before = content(source.parent)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vedit.media.writing.sidecar.json.dump", refuse)
    with pytest.raises(VeditError, match="could not be written"):
        write(source, name)
    assert content(source.parent) == before and not [p for p in source.parent.iterdir() if p.is_dir()]


def test_a_kill_leaves_no_film_beside_the_record_of_another(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(frames=6)
    write(source, "o.mp4", FrameRange(start=0, stop=3))
    seen: list[tuple[bool, object]] = []
    replace = Path.replace
    output = source.with_name("o.mp4")

    def watched(self: Path, target: Path) -> Path:
        found = replace(self, target)
        record = sidecar_path(output)
        told = json.loads(record.read_text())["frames"]["stop"] if record.exists() else None
        seen.append((output.exists(), told))
        return found

    monkeypatch.setattr(Path, "replace", watched)
    write(source, "o.mp4", overwrite=True)
    # The old record goes first, then the film is replaced, and the new record comes last.
    assert seen == [(True, None), (True, None), (True, 6)]


def test_an_older_record_and_sound_go_with_their_result(make: Make, sound: Sound) -> None:
    loud = make(name="loud.mp4", frames=6, rate=Fraction(25), sounds=(sound(),))
    silent = make(name="silent.mp4", frames=6, rate=Fraction(25))
    write(loud, "o.gif", FrameRange(start=1, stop=4))
    assert loud.with_name("o.mka").exists()
    write(silent, "o.gif", sidecar=False, overwrite=True)
    assert not sidecar_path(silent.with_name("o.gif")).exists()
    assert not silent.with_name("o.mka").exists()
    assert verify(silent, silent.with_name("o.gif")).ok
    # A sound file that was not written here is not touched.
    silent.with_name("o.mka").write_bytes(b"mine")
    write(silent, "o.gif", sidecar=False, overwrite=True)
    assert silent.with_name("o.mka").read_bytes() == b"mine"


def test_a_record_without_its_result_is_not_taken_over(make: Make) -> None:
    source = make(frames=4)
    sidecar_path(source.with_name("o.mp4")).write_text("{}")
    with pytest.raises(InputError, match="exists"):
        write(source, "o.mp4", sidecar=False)


@pytest.mark.parametrize("name", ["o.mp4", "s_%02d.png"])
def test_what_appears_after_the_render_is_no_error_of_the_input(make: Make, name: str) -> None:
    source = make(frames=3)
    with open_video(source) as reader:
        plan = plan_output(source.with_name(name), reader.metadata, reader.index())
        with VideoWriter(plan) as writer:
            writer.write(reader.read(plan.frames).frames)
            source.with_name(name.replace("%02d", "01")).write_bytes(b"mine")
            with pytest.raises(VeditError, match="appeared meanwhile") as caught:
                writer.finish()
    assert caught.value.exit_code == 1 and caught.value.remedy
    assert source.with_name(name.replace("%02d", "01")).read_bytes() == b"mine"


def test_the_sidecar_holds_what_finish_is_told(make: Make) -> None:
    source = make(frames=3)
    plan = write(source, "o.gif")
    told = json.loads(sidecar_path(plan.path).read_text("utf-8"))
    assert told["notes"] == [*plan.notes, "told"]
    assert told["used"] == {"window": 24}


@pytest.mark.parametrize("name", ["o.mov", "s_%02d.png"])
def test_what_a_kill_left_without_pictures_is_replaced(make: Make, sound: Sound, name: str) -> None:
    """Killed between the names of record and sound and those of the pictures: the same command goes on."""
    source = make(name="in.mov", frames=4, rate=Fraction(25), sounds=(sound(),))
    plan = write(source, name)
    for path in [plan.path] if plan.pictures is None else plan.pictures.present():
        path.unlink()
    assert sidecar_path(plan.path).exists()
    write(source, name)
    assert verify(source, plan.path, rate=Fraction(25)).ok
