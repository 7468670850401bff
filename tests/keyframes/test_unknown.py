"""What neither of two keys shows is drawn; what one of them shows is not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.motion import texture
from vedit.flow.motion import Motion, Pair, standing
from vedit.keyframes.choosing import choose_keys
from vedit.keyframes.unknown import unknown_frames
from vedit.options.keyframes import Spacing

SIZE = (64, 80)
STILL = Pair(ahead=standing(SIZE), back=standing(SIZE))


def with_guest(there: range, side: int = 20) -> list[np.ndarray]:
    """Nine frames that show the same, but for a square that is in some of them."""
    frames = [texture(*SIZE) for _ in range(9)]
    for number in there:
        frames[number][20 : 20 + side, 30 : 30 + side] = 1 - frames[number][20 : 20 + side, 30 : 30 + side]
    return frames


def added(frames: list[np.ndarray], pair: Pair = STILL) -> tuple[int, ...]:
    return unknown_frames(frames, [pair] * (len(frames) - 1))


def test_what_comes_and_goes_between_two_keys_is_drawn_once() -> None:
    assert added(with_guest(range(3, 6))) == (3,)


@pytest.mark.parametrize("there", [range(5), range(3, 9), range(0)])
def test_what_a_key_shows_is_not_drawn_again(there: range) -> None:
    assert added(with_guest(there)) == ()


def test_a_speck_is_not_worth_a_key() -> None:
    assert added(with_guest(range(3, 6), side=6)) == ()


def test_where_nothing_can_be_followed_every_frame_is_drawn() -> None:
    lost = Motion(to=standing(SIZE).to, seen=np.zeros(SIZE, np.float32))
    assert added(with_guest(range(0)), Pair(ahead=lost, back=lost)) == (1, 2, 3, 4, 5, 6, 7)


def test_what_is_followed_along_the_motion_is_known() -> None:
    canvas = texture(SIZE[0], SIZE[1] + 8)
    frames = [canvas[:, number : number + SIZE[1]] for number in range(9)]
    step = np.zeros((*SIZE, 2), np.float32)
    step[..., 0] = -1
    pair = Pair(ahead=Motion(to=step, seen=standing(SIZE).seen), back=Motion(to=-step, seen=standing(SIZE).seen))
    assert added(frames, pair) == ()
    assert added(frames) != ()  # as if it stood still


@pytest.mark.parametrize("count", [1, 2])
def test_neighbours_have_nothing_between_them(count: int) -> None:
    assert added(with_guest(range(0))[:count]) == ()


@pytest.mark.parametrize(("drawn", "keys"), [(True, (100, 103, 108)), (False, (100, 108))])
def test_a_shot_has_such_keys_where_a_model_draws_them(drawn: bool, keys: tuple[int, ...]) -> None:
    frames = with_guest(range(3, 6))
    shown = ((frame, STILL if number else None) for number, frame in enumerate(frames))
    # Whatever the distance that is asked for: nothing is due by itself here.
    assert choose_keys(100, shown, Spacing(farthest=8), drawn=drawn) == keys
