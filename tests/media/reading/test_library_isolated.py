"""Every public function meets a file in a process of its own first: bytes that kill a decoder kill no caller."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vedit
from tests.support.clips import FRAMES, two_shots
from vedit.errors import MediaError, SettingError
from vedit.gallery.pictures import make_gallery
from vedit.media.contract.identity import identity
from vedit.media.contract.verify import verify
from vedit.media.reading import admitted, isolate, source
from vedit.nle.looks import parse_looks
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.variations import variations
from vedit.types import ControlSpec

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals")
CRASH = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
LOOK = RestyleOptions(prompt="night")
LOOKS = parse_looks('[[look]]\nname = "dark"\nprompt = "night"\nclip = "*"\n')
OURS = {"bad.mp4", "bad.flv", "plan.toml", "cut.edl", "let_in.mp4"}

ENTRIES: dict[str, Callable[[Path], object]] = {
    "restyle": lambda clip: vedit.restyle(clip, prompt="night"),
    "plan": lambda clip: vedit.plan(clip, prompt="night"),
    "preview": lambda clip: vedit.preview(clip, prompt="night"),
    "open_video": vedit.open_video,
    "probe": vedit.probe,
    "detect_shots": vedit.detect_shots,
    "variations": lambda clip: variations(RenderRequest(source=clip, options=LOOK), 2),
    "gallery": lambda clip: make_gallery(RenderRequest(source=clip, options=LOOK), [LOOK]),
    "edit": lambda clip: vedit.edit(plan_of(clip)),
    "timeline": lambda clip: vedit.timeline(cut_of(clip), LOOKS, rate=24),
    "mask": lambda clip: vedit.mask(clip, "box:0,0,9,9", clip.with_name("matte.mkv")),
    "a mask's own file": lambda clip: vedit.mask(fine(clip), clip, clip.with_name("matte.mkv")),
    "controls": lambda clip: vedit.controls(clip, "softedge", clip.with_name("maps.mkv")),
    "check_controls": vedit.check_controls,
    "verify": lambda clip: verify(clip, clip),
    "identity": lambda clip: identity(clip, clip.with_name("same.mkv")),
    "a name for the result": lambda clip: vedit.restyle(shutil.copy(clip, clip.with_suffix(".flv")), prompt="night"),
}


def plan_of(clip: Path) -> Path:
    plan = clip.with_name("plan.toml")
    plan.write_text(f'source = "{clip.name}"\n[[shot]]\nnumber = 1\nframes = "#0..#{FRAMES}"\nprompt = "night"\n')
    return plan


def cut_of(clip: Path) -> Path:
    cut = clip.with_name("cut.edl")
    event = "001  AX       V     C        01:00:00:00 01:00:00:08 00:00:00:00 00:00:00:08"
    cut.write_text(f"TITLE: cut\nFCM: NON-DROP FRAME\n{event}\n* FROM CLIP NAME: {clip.name}\n")
    return cut


def fine(clip: Path) -> Path:
    """A file beside it that was let in before."""
    found = Path(shutil.copy(clip, clip.with_name("let_in.mp4")))
    admitted._known[str(found), None, False] = admitted._state(found) or ()  # pyright: ignore[reportPrivateUsage]
    return found


class Children:
    """The processes that files are met in; those for `bad` files die of it."""

    def __init__(self) -> None:
        self.met: list[str] = []
        self._run = subprocess.run

    def __call__(self, words: list[str], **options: Any) -> object:
        path = Path(words[-1])
        self.met.append(path.name)
        return self._run([sys.executable, "-c", CRASH] if path.stem == "bad" else words, **options)


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, isolated: None) -> Children:
    found = Children()
    monkeypatch.setattr(isolate.subprocess, "run", found)
    return found


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return two_shots(tmp_path / "fine.mp4")


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_a_file_that_kills_its_decoder_is_one_error(
    entry: Callable[[Path], object], clip: Path, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_here = source.av.open

    def opened(file: Any, *words: Any, **more: Any) -> Any:
        assert "bad" not in str(file), "it was opened in this process"
        return open_here(file, *words, **more)

    monkeypatch.setattr(source.av, "open", opened)
    with pytest.raises(MediaError, match=r"crashes the decoder \(SIGSEGV\); copy or export it again") as raised:
        entry(clip.rename(clip.with_name("bad.mp4")))
    assert "\n" not in str(raised.value) and len(children.met) == 1
    assert {path.name for path in clip.parent.iterdir()} <= OURS, "nothing is left behind"


def test_what_a_look_names_is_met_too(clip: Path, children: Children) -> None:
    bad = clip.with_name("bad.mp4")
    shutil.copy(clip, bad)
    shaped = [ControlSpec(kind="softedge", source=bad)]
    for call in (vedit.restyle, vedit.plan, vedit.preview):
        with pytest.raises(MediaError, match=r"bad\.mp4: reading it crashes the decoder"):
            call(clip, prompt="night", controls=shaped)
        with pytest.raises(MediaError, match=r"bad\.mp4: reading it crashes the decoder"):
            call(clip, prompt="night", mask=bad)
    with vedit.open_video(clip) as video, pytest.raises(MediaError, match="crashes the decoder"):
        video.render(clip.with_name("out.mp4"), {1: vedit.Edit("night", mask=bad)})


def test_a_file_is_met_once_and_again_when_it_has_changed(clip: Path, children: Children) -> None:
    for _ in range(2):
        with vedit.open_video(clip) as video:
            assert len(video) == 10
        vedit.plan(clip, prompt="night")
        vedit.detect_shots(clip)
    assert children.met == ["fine.mp4"]
    vedit.probe(clip, allow_huge=True)
    assert len(children.met) == 1, "within the limits it may be opened without them"
    status = clip.stat()
    os.utime(clip, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    vedit.probe(clip)
    assert len(children.met) == 2


def test_a_sequence_is_known_by_its_pictures(tmp_path: Path, clip: Path, children: Children) -> None:
    with vedit.open_video(clip) as video:
        identity(clip, tmp_path / "s_%02d.png")
        children.met.clear()
        for _ in range(2):
            assert vedit.probe(tmp_path / "s_%02d.png", rate=24).width == video.metadata.width
        assert children.met == ["s_%02d.png"]
    (tmp_path / "s_10.png").unlink()
    vedit.probe(tmp_path / "s_%02d.png", rate=24)
    assert len(children.met) == 2


def test_only_so_many_files_are_remembered(
    tmp_path: Path, clip: Path, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admitted, "REMEMBERED", 1)
    other = Path(shutil.copy(clip, tmp_path / "other.mp4"))
    for path in (clip, other, clip):
        vedit.probe(path)
    assert children.met == ["fine.mp4", "other.mp4", "fine.mp4"]


def test_a_setting_that_cannot_be_is_the_same_error_as_without_it(clip: Path, children: Children) -> None:
    with pytest.raises(SettingError, match=r"the rate .* is not between 0 and 1000"):
        vedit.open_video(clip, rate=-1)
    with pytest.raises(MediaError, match="track 7 is no video track"):
        vedit.open_video(clip, track=7)
    assert len(children.met) == 2
