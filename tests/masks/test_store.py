"""Computed mattes on disk: made once, and again where another process took them away while they are used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from vedit.errors import VeditError
from vedit.masks import MatteSource, SourceMattes
from vedit.masks.store import ShotStore
from vedit.options.masks import KeyedBox, KeyedPoint, MaskSpec
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    import numpy.typing as npt

ALL = FrameRange(start=0, stop=12)
CUT = 7
Planes = Iterator[tuple[int, "npt.NDArray[np.floating[Any]]"]]


class Counted:
    """Mattes of one grey for each frame; the second shot has none."""

    def __init__(self) -> None:
        self.shots: list[int] = []

    def __call__(self, shot: Shot) -> Planes | None:
        self.shots.append(shot.number)
        return None if shot.number == 2 else self._planes(shot)

    def _planes(self, shot: Shot) -> Planes:
        for number in range(shot.frames.start, shot.frames.stop):
            yield number, np.full((48, 64), (number + 1) / 255, np.float32)


@pytest.fixture
def clip(blank: Callable[..., MatteSource]) -> MatteSource:
    return blank(12, 48, 64, CUT)


def greys(store: ShotStore) -> list[int]:
    return [round(float(plane.max()) * 255) for plane in store(ALL)]


EXPECTED = [*range(1, CUT + 1), *[0] * (12 - CUT)]


def test_a_shot_is_computed_once(tmp_path: Path, clip: MatteSource) -> None:
    compute = Counted()
    for _ in range(2):
        assert greys(ShotStore(tmp_path / "flow", clip, compute)) == EXPECTED
    assert compute.shots == [1, 2]


@pytest.mark.parametrize("damage", ["removed", "one gone", "one empty", "marker empty"])
def test_what_went_away_while_it_is_used_is_computed_again(tmp_path: Path, clip: MatteSource, damage: str) -> None:
    """Another process removes files in any order: the marker may be the last, or there and not what was written."""
    compute = Counted()
    store = ShotStore(tmp_path / "cache" / "flow", clip, compute)
    assert greys(store) == EXPECTED
    picture = store.folder / "000002.png"
    if damage == "removed":
        shutil.rmtree(store.folder.parent)
    elif damage == "one gone":
        picture.unlink()
    elif damage == "one empty":
        picture.write_bytes(b"")
    else:
        (store.folder / f"shot-000000-{CUT:06d}").write_bytes(b"")
    assert greys(store) == EXPECTED
    assert compute.shots[:3] == [1, 2, 1]
    again = len(compute.shots)
    assert greys(store) == EXPECTED
    assert len(compute.shots) == again, "it is whole again"


def test_what_cannot_be_made_again_is_told(tmp_path: Path, clip: MatteSource) -> None:
    """Once more, and not for ever; the next run begins the shot anew."""
    made = Counted()
    store = ShotStore(tmp_path / "flow", clip, made)
    assert greys(store) == EXPECTED
    calls: list[int] = []

    def too_few(shot: Shot) -> Planes:
        calls.append(shot.number)
        return ((number, plane) for number, plane in made(shot) or () if number != 2)

    (store.folder / "000002.png").unlink()
    with pytest.raises(VeditError, match="is gone or damaged"):
        greys(ShotStore(store.folder, clip, too_few))
    assert calls == [1]


def test_a_disk_that_refuses_is_one_line(tmp_path: Path, clip: MatteSource) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VeditError, match="cannot keep a mask in"):
        greys(ShotStore(tmp_path / "file" / "flow", clip, Counted()))


def test_reading_marks_the_folder_as_used(tmp_path: Path, clip: MatteSource) -> None:
    store = ShotStore(tmp_path / "flow", clip, Counted())
    greys(store)
    os.utime(store.folder, (1_000_000, 1_000_000))
    greys(store)
    assert store.folder.stat().st_mtime > 1_000_000


@pytest.mark.parametrize(
    ("told", "by_part"),
    [
        ({"points": (KeyedPoint(x=3, y=4),)}, True),
        ({"points": (KeyedPoint(x=3, y=4, at="#2"),)}, False),
        ({"boxes": (KeyedBox(left=0, top=0, width=4, height=4),)}, False),
        ({"boxes": (KeyedBox(left=0, top=0, width=4, height=4),), "propagate": "sam2"}, True),
    ],
)
def test_a_subject_in_the_first_frame_of_the_part_is_another_one_under_another_part(
    clip: MatteSource, told: dict[str, Any], by_part: bool
) -> None:
    assert SourceMattes(MaskSpec(**told), clip, (), ExitStack()).by_part == by_part
