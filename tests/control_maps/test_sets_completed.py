"""Sets of control maps and mattes that are there in part: the same command makes what is missing, keeps the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vedit.control_maps.export import write_controls
from vedit.errors import InputError
from vedit.masks.export import write_mattes
from vedit.options.masks import KeyedBox, MaskSpec
from vedit.sample_clip.clip import write_sample

MASK = MaskSpec(boxes=(KeyedBox(left=10, top=10, width=60, height=50),))


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_sample(tmp_path / "in.mp4", frames=3)
    return tmp_path / "in.mp4"


def seen(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What is in a folder, and which file it is."""
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in folder.iterdir() if path.is_file()}


def test_a_film_that_is_missing_is_made(clip: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    write_controls(clip, ["canny", "lineart"], maps)
    before = seen(maps)
    assert set(before) == {"in.canny.mp4", "in.lineart.mp4", "in.controls.png"}
    for gone in ("in.canny.mp4", "in.controls.png"):
        (maps / gone).unlink()
        made = write_controls(clip, ["canny", "lineart"], maps)
        after = seen(maps)
        assert after.keys() == before.keys()
        # The sheet's row of what is kept comes from its film, which is no float.
        assert all(after[name][1] == before[name][1] for name in before if name.endswith(".mp4"))
        assert after["in.lineart.mp4"] == before["in.lineart.mp4"], "it was not made again"
        assert any("in.lineart.mp4 is kept" in note for note in made.notes)


def test_nothing_is_made_twice(clip: Path, tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    write_controls(clip, ["canny"], maps)
    before = seen(maps)
    assert any("kept" in note for note in write_controls(clip, ["canny"], maps).notes)
    assert seen(maps) == before
    # A further kind joins them.
    write_controls(clip, ["canny", "lineart"], maps)
    assert seen(maps)["in.canny.mp4"] == before["in.canny.mp4"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("canny", "o_%02d.png"), ("lineart", "o_%02d.exr"), ("flow", "o_%02d.png"), ("flow", "o_%02d.exr")],
)
def test_numbered_files_that_are_missing(clip: Path, tmp_path: Path, kind: str, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    wanted = "png16" if (kind, name) == ("flow", "o_%02d.png") else None
    write_controls(clip, [kind], out / name, wanted=wanted)
    before = seen(out)
    (out / name.replace("%02d", "02")).unlink()
    write_controls(clip, [kind], out / name, wanted=wanted)
    assert {path: data for path, (_, data) in seen(out).items()} == {path: data for path, (_, data) in before.items()}
    before = seen(out)
    write_controls(clip, [kind], out / name, wanted=wanted)
    assert seen(out) == before


CHANGES: list[Callable[[Path, Path], object]] = [
    lambda clip, film: film.write_bytes(b"mine"),
    lambda clip, film: write_sample(clip, frames=4),
    lambda clip, film: film.write_bytes(clip.read_bytes()),
]


@pytest.mark.parametrize("change", CHANGES, ids=["another file", "another clip", "another film"])
def test_what_was_made_otherwise_is_refused(clip: Path, tmp_path: Path, change: Callable[[Path, Path], object]) -> None:
    film = tmp_path / "canny.mp4"
    write_controls(clip, ["canny"], film)
    change(clip, film)
    before = film.read_bytes()
    with pytest.raises(InputError, match="exists"):
        write_controls(clip, ["canny"], film)
    assert film.read_bytes() == before


def test_other_settings_are_refused(clip: Path, tmp_path: Path) -> None:
    write_controls(clip, ["canny"], tmp_path / "canny.mp4")
    with pytest.raises(InputError, match="exists"):
        write_controls(clip, ["canny"], tmp_path / "canny.mp4", short_side=64)
    write_mattes(clip, MASK, tmp_path / "matte.mkv")
    with pytest.raises(InputError, match="exists"):
        write_mattes(clip, MaskSpec(boxes=MASK.boxes, feather=3), tmp_path / "matte.mkv")


@pytest.mark.parametrize("name", ["matte.mkv", "matte_%02d.png"])
def test_a_matte_without_its_sheet(clip: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_mattes(clip, MASK, out / name, preview=out / "look.png")
    before = seen(out)
    (out / "look.png").unlink()
    report = write_mattes(clip, MASK, out / name, preview=out / "look.png")
    assert len(report.areas) == 3 and any("is kept" in note for note in report.notes)
    after = seen(out)
    assert after.pop("look.png")[1] == before.pop("look.png")[1] and after == before
