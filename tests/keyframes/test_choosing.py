"""Keys lie where the picture has become another, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.motion import texture
from vedit.flow.motion import Motion, Pair, standing
from vedit.keyframes.choosing import choose_keys
from vedit.options.keyframes import Spacing

SIZE = (64, 80)
STILL = Pair(ahead=standing(SIZE), back=standing(SIZE))


def shot(frames: list[np.ndarray], pair: Pair = STILL) -> Iterator[tuple[np.ndarray, Pair | None]]:
    for number, frame in enumerate(frames):
        yield frame, pair if number else None


def test_a_still_shot_has_keys_as_far_apart_as_they_may_be() -> None:
    frames = [texture(*SIZE)] * 40
    assert choose_keys(100, shot(frames), Spacing(farthest=16)) == (100, 116, 132, 139)


def test_a_key_is_due_where_the_picture_has_become_another() -> None:
    frames = [texture(*SIZE)] * 10 + [1 - texture(*SIZE)] * 10
    # The first frame that looks otherwise is a key of its own.
    assert choose_keys(0, shot(frames), Spacing(farthest=16)) == (0, 10, 19)


def test_keys_are_no_closer_than_is_worth_carrying() -> None:
    frames = [texture(*SIZE, seed=number) for number in range(13)]
    assert choose_keys(0, shot(frames), Spacing(farthest=16, closest=4), drawn=False) == (0, 4, 8, 12)


def test_what_cannot_be_followed_is_due_too() -> None:
    lost = Motion(to=standing(SIZE).to, seen=np.full(SIZE, 0.2, np.float32))
    frames = [texture(*SIZE)] * 13
    assert choose_keys(0, shot(frames, Pair(ahead=lost, back=lost)), Spacing(), drawn=False) == (0, 4, 8, 12)


def test_what_moves_as_the_motion_says_is_the_same_picture() -> None:
    canvas = texture(SIZE[0], SIZE[1] + 60)
    frames = [canvas[:, number : number + SIZE[1]] for number in range(17)]
    step = np.zeros((*SIZE, 2), np.float32)
    step[..., 0] = -1
    pair = Pair(ahead=Motion(to=step, seen=standing(SIZE).seen), back=Motion(to=-step, seen=standing(SIZE).seen))
    moved = choose_keys(0, ((frame, pair if number else None) for number, frame in enumerate(frames)), Spacing())
    assert moved == (0, 4, 8, 12, 16) or moved == (0, 16)


def test_painted_frames_are_keys() -> None:
    assert choose_keys(0, shot([texture(*SIZE)] * 20), Spacing(), fixed=[3, 7]) == (0, 3, 7, 19)


@pytest.mark.parametrize("count", [1, 2])
def test_a_short_shot_is_drawn_whole(count: int) -> None:
    assert choose_keys(5, shot([texture(*SIZE)] * count), Spacing()) == tuple(range(5, 5 + count))
