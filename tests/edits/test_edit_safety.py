"""`vedit plan` and `vedit edit` replace and forget nothing that is not their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.edits.test_edit_again import PLAN, Frames, change, edit, folder, one_model, sampled, shown, source_of
from tests.support.clips import CUT, FRAMES
from vedit.cli import main
from vedit.edits.confined_paths import NamedFiles
from vedit.media.writing.write import VideoWriter
from vedit.models.ref import ModelRef
from vedit.options.request import RestyleOptions
from vedit.render import run as render
from vedit.store.frames import UNTOUCHED, FinishedFrames, FinishedShot
from vedit.types import FrameRange

__all__ = ["folder", "one_model", "sampled", "shown"]
HEAD = PLAN.split("[[shot]]")[0]


def shots(folder: Path, *told: str) -> None:
    """Write the plan with these shots, each `START..STOP` and its lines."""
    lines = HEAD
    for number, text in enumerate(told, start=1):
        frames, *more = text.split("\n")
        start, _, stop = frames.partition("..")
        lines += "\n".join([f'[[shot]]\nnumber = {number}\nframes = "#{start}..#{stop}"', *more, ""])
    (folder / "plan.toml").write_text(lines)


def kept(first: int, stop: int, key: str, begins: int | None = None) -> FinishedShot:
    return FinishedShot(frames=FrameRange(start=first, stop=stop), key=key, first=first if begins is None else begins)


def test_the_comparison_replaces_nothing_though_the_result_is_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--range", "#0..#2")
    assert edit(folder, *words) == 0
    mine = {name: f"{name}, mine".encode() for name in ("cmp_0001.png", "cmp_0077.png", "cmp.mka", "one.mp4")}
    for name, data in mine.items():
        (folder / name).write_bytes(data)
    for name in ("cmp_%04d.png", "one.mp4"):
        assert edit(folder, *words, "--side-by-side", str(folder / name)) == 2
        assert "exists; use --overwrite" in capsys.readouterr().err
    assert {name: (folder / name).read_bytes() for name in mine} == mine
    (folder / "cmp_0001.png").unlink()
    (folder / "cmp_0077.png").unlink()
    assert edit(folder, *words, "--side-by-side", str(folder / "cmp_%04d.png")) == 2, "the sound is the user's"
    assert (folder / "cmp.mka").read_bytes() == mine["cmp.mka"]
    words = (*words, "-o", str(folder / "p_%02d.png"), "--preset", "edit")
    assert edit(folder, *words, "--side-by-side", str(folder / "p_##.png")) == 2
    assert "p_##.png is named twice" in capsys.readouterr().err


def test_a_file_that_takes_the_place_of_a_result_while_it_is_rendered_stays(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert edit(folder, "--range", "#0..#2") == 0
    before = VideoWriter.write

    def write(self: VideoWriter, frames: Any) -> None:
        (folder / "graded").write_bytes(b"graded meanwhile")
        (folder / "graded").replace(folder / "out.mov")
        before(self, frames)

    monkeypatch.setattr(VideoWriter, "write", write)
    assert edit(folder, "--range", "#0..#2") == 1
    assert "out.mov appeared meanwhile" in capsys.readouterr().err
    assert (folder / "out.mov").read_bytes() == b"graded meanwhile"


def test_stills_replace_only_stills(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = folder / "out.preview.png"
    for _ in range(2):
        assert edit(folder, "--preview", "stills") == 0, "stills of an earlier run are replaced"
    drawn_on = sheet.read_bytes() + b"\0"
    sheet.write_bytes(drawn_on)
    capsys.readouterr()
    assert edit(folder, "--preview", "stills") == 2
    assert "out.preview.png exists, and is no preview that was written here" in capsys.readouterr().err
    assert sheet.read_bytes() == drawn_on
    assert edit(folder, "--preview", "stills", "--overwrite") == 0
    assert main(["edit", "--help"], standalone_mode=False) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "OUT.preview.png, is replaced in the same way: vedit knows its own by a mark inside it." in told


def test_a_lock_keeps_the_last_look_where_shots_were_split(
    folder: Path, sampled: list[int], shown: Callable[[], Frames]
) -> None:
    shots(folder, f"0..{FRAMES}")
    assert edit(folder) == 0
    whole = shown()
    shots(folder, f"0..{CUT}\nlocked = true", f'{CUT}..{FRAMES}\nprompt = "night"')
    assert edit(folder) == 0
    split = shown()
    assert np.array_equal(split[:CUT], whole[:CUT]) and not np.array_equal(split[CUT:], whole[CUT:])
    shots(folder, f"0..{CUT}\nlocked = true", f'{CUT}..{FRAMES}\nprompt = "night"\nlocked = true')
    sampled.clear()
    assert edit(folder) == 0 and sampled == []
    assert np.array_equal(shown(), split)
    # A shot over both was never rendered as one.
    shots(folder, "0..4\nlocked = true", f"4..{FRAMES}\nlocked = true")
    assert edit(folder) == 2


def test_what_was_rendered_last_is_known_frame_by_frame(tmp_path: Path) -> None:
    shelf = FinishedFrames(tmp_path)
    whole, part = FrameRange(start=0, stop=20), FrameRange(start=6, stop=9)
    shelf.keep_only([kept(0, 12, UNTOUCHED), kept(12, 20, UNTOUCHED)], source="s", rendered=whole)
    assert shelf.remembered(FrameRange(start=8, stop=15), source="s") == kept(8, 15, UNTOUCHED, 0)
    for key in "AB":
        (tmp_path / "frames" / f"{key}-e3b0c44298fc1c14.mkv").touch()  # the hash of nothing
    shelf.keep_only([kept(0, 12, "A"), kept(12, 20, "B", 10)], source="s", rendered=whole)
    shelf.keep_only([kept(6, 9, UNTOUCHED)], source="s", rendered=part)
    found = shelf.remembered(FrameRange(start=9, stop=12), source="s")
    assert found is not None and (found.key, found.first) == ("A", 0)
    found = shelf.remembered(FrameRange(start=13, stop=14), source="s")
    assert found is not None and (found.key, found.first) == ("B", 10)
    assert shelf.remembered(FrameRange(start=5, stop=7), source="s") is None, "it straddles two renders"
    assert shelf.remembered(part, source="another") is None


def test_a_part_throws_no_finished_shot_away(folder: Path, sampled: list[int], shown: Callable[[], Frames]) -> None:
    shots(folder, f"0..{CUT}", f'{CUT}..{FRAMES}\nprompt = "night"')
    assert edit(folder) == 0
    first = shown()
    units = {path.name for path in (folder / "out.mov.vedit" / "units").iterdir()}
    assert edit(folder, "--range", "#1..#3") == 0
    assert units < {path.name for path in (folder / "out.mov.vedit" / "units").iterdir()}
    shown()
    sampled.clear()
    assert edit(folder) == 0 and sampled == []
    assert np.array_equal(shown(), first)
    assert units == {path.name for path in (folder / "out.mov.vedit" / "units").iterdir()}, "a whole render clears up"


def test_a_render_under_one_look_leaves_what_a_plan_has_locked(
    folder: Path, sampled: list[int], shown: Callable[[], Frames]
) -> None:
    assert edit(folder) == 0
    first = shown()
    words = ["--quality", "draft", "--steps", "1", "--control", "none", "--range", "#0..#2"]
    command = ["restyle", str(folder / "in.mov"), "-o", str(folder / "out.mov"), "-p", "ink", "-q", "--overwrite"]
    assert main([*command, *words, "--fresh"], standalone_mode=False) == 0
    change(folder, 1, 'prompt = "comic"', "locked = true")
    shown()
    sampled.clear()
    assert edit(folder, "--overwrite") == 0 and sampled == []
    assert np.array_equal(shown(), first)


def test_a_draft_costs_what_a_draft_costs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[RestyleOptions] = []
    before = render.make_job

    def make(request: render.RenderRequest, model: ModelRef, **more: object) -> render.Job:
        asked.extend((request.looks or {}).values())
        return before(request, model, **more)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(render, "make_job", make)
    change(folder, 1, 'quality = "high"', "fixed_point = 3")
    assert edit(folder, "--preview", "draft", "--dry-run") == 0
    assert [look.resolved() for look in asked] == [RestyleOptions(quality="draft").resolved()]


def test_the_result_may_lie_outside_where_the_user_says_so(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = folder / "plan.toml"
    plan.write_text(PLAN.replace('"out.mov"', '"../out.mov"'))
    assert edit(folder, "--dry-run") == 2
    assert edit(folder, "--dry-run", "-o", str(tmp_path_factory.mktemp("elsewhere") / "out.mov")) == 0


def test_pictures_of_a_named_sequence_lie_in_the_folder_too(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    mattes, names = folder / "mattes", ("mattes/m_%02d.png", "mattes/m_##.png", "mattes")
    mattes.mkdir()
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    outside.write_bytes(b"secret")
    (mattes / "m_01.png").write_bytes(b"mine")
    (mattes / "m_02.png").symlink_to(mattes / "m_01.png")
    files = NamedFiles(path=folder / "plan.toml")
    assert [files.place(name) for name in names] == [folder / name for name in names]
    (mattes / "m_02.png").unlink()
    (mattes / "m_02.png").symlink_to(outside)
    for name in names:
        change(folder, 1, f'mask = "{name}"')
        assert edit(folder, "--dry-run") == 2
        assert f"names {name} (m_02.png), which is outside its folder" in capsys.readouterr().err
        assert replace(files, anywhere=True).place(name) == folder / name


def test_nothing_is_left_of_a_plan_that_cannot_be_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", str(folder / "in.mov"), "-o", str(folder / "new.toml")]
    assert main([*words, "--prompt", os.fsdecode(b"\xff")], standalone_mode=False) == 2
    assert "is not Unicode" in capsys.readouterr().err
    assert not (folder / "new.thumbnails").exists()
    mine = folder / "new.thumbnails" / "shot_001.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert main(words, standalone_mode=False) == 2
    assert "shot_001.png exists; use --overwrite" in capsys.readouterr().err
    assert mine.read_bytes() == b"mine" and not (folder / "new.toml").exists()
    assert main([*words, "--overwrite"], standalone_mode=False) == 0
    assert mine.read_bytes() != b"mine"


def test_a_file_nested_too_deep_is_an_error_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = "[" * 20000 + "]" * 20000
    (folder / "plan.toml").write_text(f'source = "in.mov"\nx = {deep}\n')
    assert edit(folder, "--dry-run") == 2
    assert "plan.toml is nested too deep" in capsys.readouterr().err
    (folder / "plan.toml").write_text(PLAN)
    (folder / "out.mov").write_bytes(b"mine")
    for sound in ('""', '"a\\u0000b"', '".."'):
        record = f'{{"format": 1, "output": "out.mov", "recipe": {{"looks": []}}, "sound": {sound}}}'
        (folder / "out.mov.vedit.json").write_text(record)
        assert edit(folder, "--dry-run") == 2
    (folder / "out.mov.vedit.json").write_text(f'{{"format": {deep}}}')
    assert edit(folder, "--dry-run") == 2
    assert (folder / "out.mov").read_bytes() == b"mine" and "Traceback" not in capsys.readouterr().err
    assert len(source_of(folder)) == FRAMES
