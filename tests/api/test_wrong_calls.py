"""Whatever a caller gets wrong is an error of `vedit.errors`, in one line: no bare ValueError, TypeError or OSError."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vedit
from tests.support.clips import FRAMES, two_shots
from vedit.errors import VeditError

# What a call needs beside what is wrong with it. The files are absent: what gets past the arguments ends there.
CALLS: dict[str, dict[str, object]] = {
    "restyle": {"source": "absent.mp4", "prompt": "night"},
    "plan": {"source": "absent.mp4", "prompt": "night"},
    "preview": {"source": "absent.mp4", "prompt": "night"},
    "edit": {"plan_file": "absent.toml"},
    "timeline": {"timeline_file": "absent.fcpxml"},
    "mask": {"source": "absent.mp4", "mask": "box:0,0,9,9"},
    "controls": {"source": "absent.mp4", "kinds": "tile", "output": "maps.mkv"},
    "check_controls": {"source": "absent.mp4"},
    "open_video": {"path": "absent.mp4"},
    "probe": {"path": "absent.mp4"},
    "detect_shots": {"source": "absent.mp4"},
}
NUMBERS = (-1, 2.5, float("nan"), 10**400, True)
TEXTS = ("", "a\0b", "nothing/of/the/kind", "x" * 300)
WRONG = (object(), None, *NUMBERS, *TEXTS, b"bytes", [object()], {1: 2})
DRY = {"plan": {}, "edit": {"dry_run": True}, "timeline": {"dry_run": True}}


def parameters(name: str) -> list[str]:
    return list(inspect.signature(getattr(vedit, name)).parameters)


def call(name: str, given: dict[str, object]) -> None:
    """Raises AssertionError where a call ends in another error than one of `vedit.errors`."""
    function: Callable[..., Any] = getattr(vedit, name)
    try:
        function(**given)
    except VeditError as error:
        assert "\n" not in str(error)
    except Exception as error:
        raise AssertionError(f"vedit.{name}(**{given!r}) ends in {type(error).__name__}: {error}") from error


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_argument_of_any_kind_is_an_error_of_ours(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for parameter in parameters(name):
        for wrong in WRONG:
            call(name, {**CALLS[name], parameter: wrong})
    for given in ({**CALLS[name], "no_such": 1}, {}):
        with pytest.raises(VeditError):
            getattr(vedit, name)(**given)
    assert not list(tmp_path.iterdir()), "nothing is written"


@pytest.mark.parametrize("name", DRY)
def test_a_wrong_argument_is_an_error_of_ours_on_a_clip_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    two_shots(tmp_path / "in.mov")
    (tmp_path / "plan.toml").write_text(
        f'source = "in.mov"\n[[shot]]\nnumber = 1\nframes = "#0..#{FRAMES}"\nprompt = "night"\n'
    )
    event = "001  AX       V     C        01:00:00:00 01:00:00:05 00:00:00:00 00:00:00:05"
    (tmp_path / "cut.edl").write_text(f"TITLE: cut\n{event}\n* FROM CLIP NAME: in.mov\n* VEDIT: night\n")
    fine: dict[str, dict[str, object]] = {
        "plan": {"source": "in.mov", "prompt": "night"},
        "edit": {"plan_file": "plan.toml"},
        "timeline": {"timeline_file": "cut.edl", "rate": 24},
    }
    before = sorted(tmp_path.iterdir())
    for parameter in parameters(name):
        if parameter in DRY[name] or parameter.startswith("on_"):
            continue
        for wrong in (-1, *TEXTS[1:]):
            call(name, {**fine[name], **DRY[name], parameter: wrong})
    assert sorted(tmp_path.iterdir()) == before, "nothing is written"
