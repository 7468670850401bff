"""What is left of motion that was made up."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.made_frames import Frames, grey, noise, pan, still, turning
from tests.support.made_steps import heats_of
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.motion import METRIC
from vedit.evaluation.picture import Picture
from vedit.evaluation.texture import surely_followed
from vedit.testing.metrics import scores_of

FRAMES = 6


def error(source: Frames, result: Frames | None = None, cuts: tuple[int, ...] = ()) -> Score:
    return scores_of(METRIC, source, result, cuts=cuts)["motion_error"]


def test_the_source_loses_none_of_its_own_motion() -> None:
    assert error(pan(FRAMES, step=3)).value == 0


# A result that moves by v where the source moves by d is off by |v - d| everywhere: |v - d| / d.
@pytest.mark.parametrize(
    ("speed", "expected"), [(0, 1.0), (2, 0.5), (4, 0.0), (8, 1.0), (-4, 2.0)], ids=lambda value: f"{value}"
)
def test_another_speed_is_told_by_its_share_of_the_source_s(speed: int, expected: float) -> None:
    source = pan(FRAMES, step=4)
    result = pan(FRAMES, step=speed, seed=7)
    assert error(source, result).value == pytest.approx(expected, abs=0.02)


def test_a_frozen_result_has_lost_a_rotation_whole() -> None:
    source = turning(FRAMES, degrees=1.5)
    # |0 - F| / |F| is 1 whatever F is.
    assert error(source, still(source)).value == pytest.approx(1, abs=1e-6)


def test_a_pan_that_runs_backwards_is_as_wrong_as_can_be_by_its_own_speed() -> None:
    source = pan(FRAMES, step=4)
    # -F in place of F: |-F - F| / |F|.
    assert error(source, source[::-1].copy()).value == pytest.approx(2, abs=0.02)


def test_shuffled_frames_move_faster_than_the_source_and_both_ways() -> None:
    source = pan(FRAMES, step=2)
    # Of frames 0 2 1 3 5 4 the steps are 2, -1, 2, 2, -1 of the source's: off by 1, 2, 1, 1, 2 of them.
    assert error(source, source[[0, 2, 1, 3, 5, 4]]).value == pytest.approx(7 / 5, abs=0.03)


def test_each_frame_has_its_own_error() -> None:
    source = pan(FRAMES, step=3)
    result = np.concatenate([source[:3], np.repeat(source[2:3], 3, axis=0)])
    # Three frames that move, then three that stand: the pairs (2, 3), (3, 4), (4, 5) stand.
    assert error(source, result).series == pytest.approx({1: 0, 2: 0, 3: 1, 4: 1, 5: 1}, abs=1e-3)


def test_a_brighter_result_moves_all_the_same() -> None:
    source = pan(FRAMES, step=3)
    assert (error(source, 0.3 + 0.6 * source).value or 0) < 0.05


def test_a_still_source_has_no_motion_to_lose() -> None:
    source = still(pan(FRAMES, step=3))
    found = error(source, pan(FRAMES, step=3))
    assert (found.value, found.why) == (None, "nothing moves in this clip")


def test_a_single_frame_has_no_motion() -> None:
    assert error(pan(1, step=3)).why == "no two frames of a shot follow each other"


def test_a_cut_is_no_motion() -> None:
    source = np.concatenate([still(pan(3, step=0)), still(pan(3, step=0, seed=9))])
    assert error(source, still(source), cuts=(3,)).why == "nothing moves in this clip"


def test_the_heat_is_the_speed_that_a_frozen_result_lacks() -> None:
    source = pan(FRAMES, step=4)
    first, *others = heats_of(METRIC, source, still(source))
    assert first is None
    # 4 px of a shorter side of 128, times how sure the texture is.
    assert np.quantile(np.stack([heat for heat in others if heat is not None]), 0.9) == pytest.approx(4 / 128, rel=0.15)


def test_only_texture_tells_where_a_place_went() -> None:
    height, width = 64, 96
    plain = np.full((1, height, width), 0.5, np.float32)
    stripes = np.broadcast_to(0.5 + 0.2 * np.sin(np.arange(width, dtype=np.float32) / 2), (1, height, width))
    spots = 0.5 + noise(height, width, sigma=1.5, deviation=0.1)[None]
    sure = [surely_followed(Picture(grey(planes.astype(np.float32))[0])) for planes in (plain, stripes, spots)]
    assert sure[0].max() < 1e-6
    assert sure[1].max() < 1e-3
    assert np.median(sure[2]) > 0.8
