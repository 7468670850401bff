"""`vedit edit` run again: what it replaces, what it renders anew, and what stays as it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.clips import CUT, FRAMES, two_shots
from tests.support.loaded import small_renders
from tests.support.recording import shots_sampled
from vedit.cli import main
from vedit.media.reading import reader
from vedit.media.reading.read import open_video
from vedit.media.writing.write import VideoWriter
from vedit.types import FrameRange

PLAN = f"""
source = "in.mov"
output = "out.mov"
[default]
prompt = "watercolor painting"
short_side = 64
steps = 1
controls = []
start = "noise"
[[shot]]
number = 1
frames = "#0..#{CUT}"
[[shot]]
number = 2
frames = "#{CUT}..#{FRAMES}"
untouched = true
"""
Frames = npt.NDArray[np.integer[Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    two_shots(tmp_path / "in.mov")
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


@pytest.fixture
def sampled() -> Iterator[list[int]]:
    """The first frames of the shots that were sampled, in order."""
    with shots_sampled() as seen:
        yield seen


def edit(folder: Path, *words: str) -> int:
    return main(["edit", str(folder / "plan.toml"), "-q", "--preset", "archive", *words], standalone_mode=False)


def trusted(path: Path, **_: object) -> None:
    """Files of our own are read without the process of their own that others are tried in first."""
    assert path.is_file()


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Loaded once for all renders of this file, which are small."""
    monkeypatch.setattr("vedit.media.reading.isolate.check_file", trusted)
    with small_renders():
        yield


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Frames]:
    """All frames that went to the encoder since the last call."""
    sent: list[Frames] = []
    before = VideoWriter.write

    def record(self: VideoWriter, frames: Any) -> None:
        sent.append(frames.copy())
        before(self, frames)

    def take() -> Frames:
        found = np.concatenate(sent)
        sent.clear()
        return found

    monkeypatch.setattr(VideoWriter, "write", record)
    return take


def source_of(folder: Path) -> Frames:
    with open_video(folder / "in.mov") as reader:
        return reader.read(FrameRange(start=0, stop=FRAMES)).frames


def test_only_a_result_that_is_as_it_was_written_is_replaced(
    folder: Path, sampled: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    out = folder / "out.mov"
    assert edit(folder) == 0
    assert edit(folder) == 0, "its own result is replaced"
    written = out.read_bytes()
    # The user regrades the result and gives the new file the old name.
    shutil.copyfile(folder / "in.mov", out)
    graded = out.read_bytes()
    sampled.clear()
    for words in ((), ("--dry-run",), ("--fresh",)):
        assert edit(folder, *words) == 2
        told = capsys.readouterr().err
        assert "out.mov is not as it was rendered: it was changed or replaced since; use --overwrite" in told
    assert out.read_bytes() == graded and sampled == []
    assert edit(folder, "--preview", "stills") == 0, "a look at the plan touches no result"
    assert edit(folder, "--overwrite") == 0
    assert out.stat().st_size == len(written)
    record = folder / "out.mov.vedit.json"
    record.write_text(record.read_text("utf-8").replace('"result"', '"other"'))
    assert edit(folder) == 2, "a record that does not say what was written proves nothing"


def test_a_result_without_its_record_is_not_replaced(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert edit(folder, "--no-sidecar") == 0
    assert not (folder / "out.mov.vedit.json").exists()
    capsys.readouterr()
    assert edit(folder, "--no-sidecar") == 2
    assert "out.mov exists; use --overwrite" in capsys.readouterr().err
    assert main(["edit", "--help"], standalone_mode=False) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Any other file needs --overwrite, and so does a result of --no-sidecar." in told


def test_pictures_are_replaced_as_one_result(folder: Path) -> None:
    # Three pictures and their sound: each of the four files belongs to the result.
    assert edit(folder, "-o", str(folder / "p_%02d.png"), "--preset", "edit", "--range", "#0..#3") == 0
    words = ("-o", str(folder / "p_%02d.png"), "--preset", "edit", "--range", "#0..#3")
    assert edit(folder, *words) == 0
    for name in ("p_02.png", "p.mka"):
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(before + b"\0")
        assert edit(folder, *words) == 2, name
        (folder / name).write_bytes(before)
    assert edit(folder, *words) == 0


def test_the_comparison_is_never_replaced_unasked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = folder / "both.mp4"
    assert edit(folder, "--side-by-side", str(both)) == 0
    before = both.read_bytes()
    capsys.readouterr()
    for words in ([], ["--dry-run"]):
        assert edit(folder, "--side-by-side", str(both), *words) == 2
        assert f"{both} exists" in capsys.readouterr().err
        assert both.read_bytes() == before
    assert edit(folder, "--side-by-side", str(both), "--overwrite") == 0


def test_a_draft_has_a_name_of_its_own(folder: Path, sampled: list[int]) -> None:
    named = folder / "named.mov"
    assert edit(folder, "-o", str(named), "--preview", "draft") == 0
    assert sorted(path.name for path in folder.glob("*.mov")) == ["in.mov", "named.draft.mov"]
    assert edit(folder, "-o", str(named)) == 0
    assert sorted(path.name for path in folder.glob("*.mov")) == ["in.mov", "named.draft.mov", "named.mov"]
    sampled.clear()
    assert edit(folder, "-o", str(named), "--preview", "draft") == 0, "a draft replaces a draft"
    assert sampled == [], "and goes on from it"


def test_the_clip_is_scanned_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[str] = []

    def counted(name: str) -> None:
        made: Callable[..., Any] = getattr(reader, name)

        def count(path: Path, *rest: Any, **more: Any) -> Any:
            scanned.append(path.name)
            return made(path, *rest, **more)

        monkeypatch.setattr(reader, name, count)

    for name in ("scan", "predict"):
        counted(name)
    for words in (("--dry-run",), ("--preview", "stills"), ()):
        scanned.clear()
        assert edit(folder, *words) == 0
        assert scanned.count("in.mov") == 1, words


def change(folder: Path, shot: int, *lines: str) -> None:
    """Write the plan anew with these lines said of one shot."""
    head, *shots = PLAN.split("[[shot]]")
    kept = [line for line in shots[shot - 1].splitlines() if line and not line.startswith("untouched")]
    shots[shot - 1] = "\n" + "\n".join([*kept, *lines]) + "\n"
    (folder / "plan.toml").write_text("[[shot]]".join([head, *shots]))


def test_a_shot_locked_after_it_passed_through_stays_the_source(
    folder: Path, sampled: list[int], shown: Callable[[], Frames]
) -> None:
    source = source_of(folder)
    assert edit(folder) == 0
    assert np.array_equal(shown()[CUT:], source[CUT:])
    change(folder, 2, 'prompt = "comic"', "locked = true")
    for words in ((), ("--fresh",), ("--range", f"#{CUT + 1}..#{FRAMES}"), ()):
        sampled.clear()
        assert edit(folder, *words) == 0
        assert np.array_equal(shown()[CUT - FRAMES + 1 :], source[CUT + 1 :])
        assert CUT not in sampled
    change(folder, 2, 'prompt = "comic"')
    assert edit(folder) == 0 and CUT in sampled, "the look was waiting for the key"
    assert not np.array_equal(shown()[CUT:], source[CUT:])


def test_a_clip_that_passed_through_as_a_whole_can_be_locked(
    folder: Path, sampled: list[int], shown: Callable[[], Frames]
) -> None:
    change(folder, 1, "untouched = true")
    assert edit(folder) == 0
    change(folder, 1, "locked = true")
    assert edit(folder) == 0 and sampled == []
    assert np.array_equal(shown()[FRAMES:], source_of(folder))


def test_a_lock_on_what_was_never_rendered_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(folder, 1, "locked = true")
    assert edit(folder) == 2
    err = capsys.readouterr().err
    assert "shot 1 is locked, but no finished frames of it are kept; render it once without the lock" in err
    assert not (folder / "out.mov").exists() and not (folder / "out.mov.vedit").exists()


@pytest.mark.parametrize(
    "words", [("--fresh",), ("--no-keep",), ("--fresh", "--no-keep"), ("--range", f"#{CUT}..#{FRAMES}", "--no-keep")]
)
def test_a_locked_shot_outlives_every_option(
    folder: Path, sampled: list[int], shown: Callable[[], Frames], words: tuple[str, ...]
) -> None:
    assert edit(folder) == 0
    first = shown()
    change(folder, 1, 'prompt = "comic"', "locked = true")
    sampled.clear()
    for more in (words, words, ()):
        assert edit(folder, *more) == 0
        assert sampled == []
    assert np.array_equal(shown()[-FRAMES:], first)


def test_a_part_of_a_locked_shot_is_that_part(folder: Path, sampled: list[int], shown: Callable[[], Frames]) -> None:
    assert edit(folder) == 0
    first = shown()
    change(folder, 1, 'prompt = "comic"', "locked = true")
    sampled.clear()
    assert edit(folder, "--range", f"#2..#{CUT + 1}") == 0
    assert np.array_equal(shown(), first[2 : CUT + 1])
    assert edit(folder) == 0, "the whole shot is still kept"
    assert np.array_equal(shown(), first) and sampled == []


def test_a_part_first_and_then_the_whole_under_a_mask(
    folder: Path, sampled: list[int], shown: Callable[[], Frames]
) -> None:
    change(folder, 1, 'mask = "box:0,0,50%,100%"', "feather = 4")
    assert edit(folder, "--range", f"#1..#{CUT + 2}") == 0
    part, source = shown(), source_of(folder)
    assert edit(folder) == 0
    whole = shown()
    assert (len(part), len(whole)) == (CUT + 1, FRAMES)
    for found, was in ((whole, source), (part, source[1 : CUT + 2])):
        right = found.shape[3] // 2 + 8
        assert np.array_equal(found[..., right:], was[..., right:]), "outside the mask it is the source"
        assert not np.array_equal(found[0, ..., : right // 2], was[0, ..., : right // 2])
    sampled.clear()
    assert edit(folder) == 0 and sampled == []
    assert np.array_equal(shown(), whole)
