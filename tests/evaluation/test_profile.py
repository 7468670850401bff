"""Lines of pixels over time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.support.made_frames import canvas, grey, pan, panned, still
from tests.support.made_steps import one_shot, steps_of, uniform_pair
from vedit.evaluation.motion import FlowPair
from vedit.evaluation.picture import Picture
from vedit.evaluation.profile import LONGEST_LINE, MOST_COLUMNS, Profile, Profiles


def profiles(source: np.ndarray, result: np.ndarray, *, cuts: tuple[int, ...] = ()) -> Profiles:
    edges = (0, *cuts, len(source))
    shots = tuple(one_shot(b - a, number=n, start=a) for n, (a, b) in enumerate(pairwise(edges), 1))
    profile = Profile()
    for step in steps_of(source, result, shots=shots):
        profile.push(step)
    found = profile.pictures()
    assert found is not None
    return found


def test_a_pan_runs_aslant_above_and_a_frozen_result_level_below() -> None:
    source = pan(8, step=3)
    found = profiles(source, still(source))
    height, width = source.shape[1:3]
    assert found.row.shape == (2 * width + 4, 8, 3)
    assert found.column.shape == (2 * height + 4, 8, 3)
    assert found.row.dtype == np.uint8
    assert found.frames == tuple(range(8))
    above, below = found.row[:width].astype(int), found.row[-width:].astype(int)
    # Three pixels up from each frame to the next: what is at x comes from x + 3.
    assert np.array_equal(above[:-3, 1:], above[3:, :-1])
    assert np.array_equal(below[:, 1:], below[:, :-1])


def test_the_lines_are_laid_where_most_moves() -> None:
    source = still(pan(8, step=0))
    source[:, 70:100, 120:170] = grey(panned(canvas(30, 80, seed=5), 8, step=3, height=30, width=50))
    found = profiles(source, source)
    rows = [y for y in range(128) if np.array_equal(found.row[:192, 0], np.rint(source[0, y] * 255).astype(np.uint8))]
    columns = [x for x in range(192) if np.array_equal(found.column[:128, 0], np.rint(source[0, :, x] * 255))]
    assert len(rows) == len(columns) == 1
    assert 70 <= rows[0] < 100
    assert 110 <= columns[0] < 170


def test_where_nothing_moves_they_run_through_the_middle() -> None:
    source = still(pan(3, step=0))
    found = profiles(source, source)
    assert np.array_equal(found.row[:192, 0], np.rint(source[0, 64] * 255).astype(np.uint8))
    assert np.array_equal(found.row[:192], found.row[-192:])


def test_every_shot_has_lines_of_its_own_and_no_frame_is_lost() -> None:
    source = np.concatenate([still(pan(7, step=0)), still(pan(2, step=0, seed=3)), still(pan(1, step=0, seed=4))])
    source[:7, 20:50, 60:130] = grey(panned(canvas(30, 110, seed=5), 7, step=4, height=30, width=70))
    found = profiles(source, source, cuts=(7, 9))
    assert found.frames == tuple(range(10))
    # The later shots stand still: their middle row.
    assert np.array_equal(found.row[:192, 8], np.rint(source[8, 64] * 255).astype(np.uint8))
    assert not np.array_equal(found.row[:192, 0], np.rint(source[0, 64] * 255).astype(np.uint8))


@pytest.mark.parametrize(("length", "every"), [(MOST_COLUMNS, 1), (MOST_COLUMNS + 1, 2), (3000, 4)])
def test_a_long_clip_is_thinned_in_time(length: int, every: int) -> None:
    # Each frame is as bright as its number says, modulo 251.
    source = np.broadcast_to(
        ((np.arange(length) % 251) / 255).astype(np.float32)[:, None, None, None], (length, 16, 24, 3)
    )

    def flow(_first: Picture, _second: Picture) -> FlowPair:
        return uniform_pair(16, 24, 0, 0)

    profile = Profile()
    for step in steps_of(source, source, flow=flow):
        profile.push(step)
    found = profile.pictures()
    assert found is not None
    assert found.frames == tuple(range(0, length, every))
    assert len(found.frames) <= MOST_COLUMNS
    assert found.row[0, :, 0].tolist() == [number % 251 for number in found.frames]


def test_long_lines_are_averaged_down() -> None:
    source = still(pan(2, step=0, height=64, width=2 * LONGEST_LINE))
    found = profiles(source, source)
    assert found.row.shape == (2 * LONGEST_LINE + 4, 2, 3)
    expected = source[0, 32].reshape(LONGEST_LINE, 2, 3).mean(1) * 255
    assert np.abs(found.row[:LONGEST_LINE, 0] - expected).max() <= 0.51


def test_without_frames_there_is_no_picture() -> None:
    assert Profile().pictures() is None
