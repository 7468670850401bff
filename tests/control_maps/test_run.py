"""`vedit.controls` and `vedit.check_controls`: maps written and measured from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import vedit
from tests.control_maps.test_export import clip, names
from tests.support.clips import FRAMES
from vedit.errors import VeditError

__all__ = ["clip"]


def test_maps_are_written_as_they_are_named(clip: Path, tmp_path: Path) -> None:
    written = vedit.controls(clip, "softedge, tile,softedge", f"{tmp_path}/", frames="#0..#3", side=32)
    assert names(tmp_path) == ["clip.controls.png", "clip.softedge.mp4", "clip.tile.mp4"]
    assert written.outputs == (tmp_path / "clip.softedge.mp4", tmp_path / "clip.tile.mp4")
    pictures = vedit.controls(str(clip), ["tile"], str(tmp_path / "tile_%02d.png"), frames="#0..#2")
    assert pictures.sheet is None and len(list(tmp_path.glob("tile_*.png"))) == 2


def test_a_clip_is_measured(clip: Path) -> None:
    found = vedit.check_controls(clip, "softedge", mask="box:0,0,50%,100%")
    assert len(found.shots) == 2 and sum(len(shot.figures.frames) for shot in found.shots) == FRAMES
    assert all(share == pytest.approx(0.5, abs=0.01) for shot in found.shots for share in shot.figures.mask)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kinds": "softegde"}, "did you mean 'softedge'"),
        ({"kinds": " , "}, "no kind of map is named"),
        ({"kinds": [3]}, "kinds is"),
        ({"file_format": "gif"}, "file_format is 'gif'"),
        ({"file_format": "flo", "output": "maps/"}, "flo holds optical flow"),
        ({"side": 4}, "side is 4; give 16 pixels or more"),
        ({"output": None}, "output is None"),
        ({"frames": "#9..#2"}, "#9..#2"),
        ({"short_side": 64}, "no argument 'short_side'"),
    ],
)
def test_a_wrong_argument_is_one_error(
    clip: Path, tmp_path: Path, given: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said: dict[str, object] = {"source": clip, "kinds": "tile", "output": tmp_path / "maps.mkv", **given}
    with pytest.raises(VeditError, match=message) as raised:
        vedit.controls(**said)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert "\n" not in str(raised.value) and names(tmp_path) == []
