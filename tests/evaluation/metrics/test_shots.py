"""`vedit.evaluation.metrics.shots`: shots that change colours alike, and apart by what is known."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.made_pictures import Frames, blurred_noise, still
from vedit.evaluation.metrics.shots import METRIC, apart
from vedit.testing.metrics import scores_of

H, W, COUNT = 128, 192, 4
COLOUR, SHARED = (figure.name for figure in METRIC.figures)


def scene(seed: int, tint: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Frames:
    """One shot: grey clouds, or coloured ones."""
    return still(np.asarray(blurred_noise(H, W, seed=seed, sigma=6, contrast=0.12) + tint, np.float32), COUNT)


def clip(*shots: Frames) -> tuple[Frames, tuple[int, ...]]:
    return np.concatenate(shots), tuple(COUNT * number for number in range(1, len(shots)))


def shifted(source: Frames, lab: tuple[float, float, float], *, shot: int) -> Frames:
    """The source, one shot of it moved in CIE L*a*b*."""
    result = source.copy()
    for frame in result[COUNT * shot : COUNT * (shot + 1)]:
        frame[:] = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2Lab) + np.array(lab, np.float32), cv2.COLOR_Lab2RGB)
    return result


def value(source: Frames, result: Frames | None, cuts: tuple[int, ...], **told: Any) -> float:
    found = scores_of(METRIC, source, result, cuts=cuts, **told)[COLOUR].value
    assert found is not None
    return found


def test_the_source_itself_is_ideal_and_one_shot_says_nothing() -> None:
    source, cuts = clip(scene(1), scene(2))
    assert value(source, None, cuts) == 0
    for score in scores_of(METRIC, source, 1 - source).values():
        assert score.value is None
        assert "one shot" in score.why


@pytest.mark.parametrize("shift", [(10.0, 0.0, 0.0), (0.0, 6.0, 8.0), (4.0, -2.0, 4.0)])
def test_a_shot_that_is_off_is_off_by_that_length(shift: tuple[float, float, float]) -> None:
    """(10), (6, 8) -> 10 and (4, 2, 4) -> 6. Of three shots the others see half of it, so the mean is 2/3."""
    expected = float(np.linalg.norm(shift))
    source, cuts = clip(scene(1), scene(2))
    assert value(source, shifted(source, shift, shot=1), cuts) == pytest.approx(expected, rel=0.02)
    source, cuts = clip(scene(1), scene(1), scene(1))
    found = scores_of(METRIC, source, shifted(source, shift, shot=2), cuts=cuts)
    assert found[COLOUR].value == pytest.approx(expected * 2 / 3, rel=0.02)
    assert found[SHARED].value == pytest.approx(100, abs=3)
    halves = [expected / 2, expected / 2, expected]
    assert list(found[COLOUR].series.values()) == pytest.approx(halves, rel=0.02)
    assert list(found[COLOUR].series) == [0, 4, 8]


def test_one_change_of_all_colours_is_one_look_however_the_shots_differ() -> None:
    """Darker by half, in a bright shot and a dark one: their changes differ, those of like colours do not."""
    source, cuts = clip(scene(1) + np.float32(0.15), scene(2) - np.float32(0.15))
    assert value(source, np.asarray(source * 0.5, np.float32), cuts) < 0.5


def test_strokes_are_no_colours() -> None:
    source, cuts = clip(scene(1), scene(2))
    strokes = np.where(np.indices((H, W)).sum(0) % 2, 0.1, -0.1)[None, :, :, None].astype(np.float32)
    result = source.copy()
    result[COUNT:] += strokes
    assert value(source, result, cuts) == pytest.approx(0, abs=1e-3)


def test_shots_without_a_colour_in_common_are_not_compared() -> None:
    source, cuts = clip(scene(1, (0.3, -0.2, -0.2)), scene(2, (-0.2, -0.2, 0.3)))
    found = scores_of(METRIC, source, np.asarray(source * 0.5, np.float32), cuts=cuts)
    assert found[COLOUR].value is None
    assert "hardly a colour" in found[COLOUR].why
    assert found[SHARED].value == pytest.approx(0, abs=5)


def test_what_a_mask_leaves_is_not_looked_at() -> None:
    source, cuts = clip(scene(1), scene(2))
    mask = np.zeros((H, W), np.float32)
    mask[:, : W // 2] = 1
    result = source.copy()
    result[COUNT:, :, W // 2 :] += 0.2
    assert value(source, result, cuts, mask=mask) == pytest.approx(0, abs=1e-3)
    assert value(source, result, cuts) > 5


def test_shares_and_lengths_are_those_of_a_plain_loop() -> None:
    generator = np.random.default_rng(3)
    own, others = (
        np.stack([generator.integers(0, 40, 30), *generator.standard_normal((3, 30))]).astype(np.float64)
        for _ in range(2)
    )
    off = shared = 0.0
    for box in range(30):
        shares = own[0, box] / own[0].sum(), others[0, box] / others[0].sum()
        if min(shares) >= 0.001:
            changes = own[1:, box] / own[0, box], others[1:, box] / others[0, box]
            off += min(shares) * float(np.linalg.norm(changes[0] - changes[1]))
            shared += min(shares)
    assert apart(own, own + others) == pytest.approx((off, shared))
