"""Texture that was drawn on the scene, and texture that was drawn on the screen."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.made_frames import HEIGHT, WIDTH, Frames, canvas, grey, noise, pan, panned, still
from tests.support.made_steps import heats_of
from vedit.evaluation.definition import Score
from vedit.evaluation.metrics.anchoring import METRIC, drawn
from vedit.evaluation.picture import Picture
from vedit.testing.metrics import scores_of

FRAMES, STEP = 12, 3
"""8 frames make 24 pixels: far beyond the 4 or so over which strokes of sigma 1 resemble themselves."""
HALF = HEIGHT // 2


def scores(source: Frames, result: Frames | None = None) -> dict[str, Score]:
    return scores_of(METRIC, source, result)


def strokes(*, riding: bool, deviation: float = 0.04) -> Frames:
    """(FRAMES, HEIGHT, WIDTH, 1): drawn once, and moved as the scene or left on the screen."""
    step = STEP if riding else 0
    wide = noise(HEIGHT, WIDTH + STEP * (FRAMES - 1), sigma=1, deviation=deviation, seed=11)
    return panned(wide, FRAMES, step=step)[..., None]


def half_flat() -> Frames:
    """A pan over texture above and over something next to flat below: spots of 1.5 levels."""
    width = WIDTH + STEP * (FRAMES - 1)
    picture = 0.5 * canvas(HEIGHT, width) + 0.25
    picture[HALF:] = 0.5 + noise(HEIGHT, width, sigma=2, deviation=1.5 / 255, seed=4)[HALF:]
    return grey(panned(picture, FRAMES, step=STEP))


@pytest.fixture(scope="module")
def source() -> Frames:
    return 0.5 + 0.6 * (pan(FRAMES, step=STEP) - 0.5)


def test_the_source_s_own_texture_rides_on_the_scene(source: Frames) -> None:
    found = scores(source)
    assert found["anchoring"].value == pytest.approx(1, abs=0.02)
    assert found["anchoring_screen"].value == pytest.approx(0, abs=0.05)


# Moved along, what rides is itself again: 1; 24 pixels further it is something else: 0. And the other way round.
@pytest.mark.parametrize(("riding", "scene", "screen"), [(True, 1, 0), (False, 0, 1)], ids=["riding", "stuck"])
def test_strokes_are_told_by_what_they_stick_to(source: Frames, riding: bool, scene: float, screen: float) -> None:
    found = scores(source, np.clip(source + strokes(riding=riding), 0, 1))
    assert found["anchoring"].value == pytest.approx(scene, abs=0.06)
    assert found["anchoring_screen"].value == pytest.approx(screen, abs=0.06)
    assert found["anchoring"].series.keys() == {8, 9, 10, 11}


def test_strokes_half_of_which_are_stuck_are_half_of_each(source: Frames) -> None:
    both = (strokes(riding=True) + np.roll(strokes(riding=False), 40, axis=1)) * np.sqrt(0.5)
    found = scores(source, np.clip(source + both.astype(np.float32), 0, 1))
    assert found["anchoring"].value == pytest.approx(0.5, abs=0.08)
    assert found["anchoring_screen"].value == pytest.approx(0.5, abs=0.08)


def test_new_strokes_in_every_frame_stick_to_nothing(source: Frames) -> None:
    fresh = np.stack([noise(HEIGHT, WIDTH, sigma=1, deviation=0.04, seed=t) for t in range(FRAMES)])[..., None]
    found = scores(source, np.clip(source + fresh, 0, 1))
    assert found["anchoring"].value == pytest.approx(0, abs=0.05)
    assert found["anchoring_screen"].value == pytest.approx(0, abs=0.05)


def test_a_frozen_video_stays_on_the_screen(source: Frames) -> None:
    found = scores(source, still(source))
    # Not all of 1: what happens to lie by the source's own strokes is taken for them.
    assert (found["anchoring_screen"].value or 0) > 0.85
    assert abs(found["anchoring"].value or 1) < 0.1


def test_flat_parts_are_told_apart() -> None:
    source = half_flat()
    result = source.copy()
    result[:, :HALF] += strokes(riding=True)[:, :HALF]
    result[:, HALF:] += strokes(riding=False, deviation=0.02)[:, HALF:]
    found = scores(source, np.clip(result, 0, 1))
    assert found["anchoring"].value == pytest.approx(1, abs=0.1)
    assert found["anchoring_screen"].value == pytest.approx(0, abs=0.1)
    # A little of the riding strokes reaches over the line between both.
    assert found["anchoring_flat"].value == pytest.approx(0, abs=0.15)
    assert found["anchoring_flat_screen"].value == pytest.approx(1, abs=0.15)
    own = scores(source)
    assert (own["anchoring_flat"].value or 0) > 0.6


def test_where_the_source_does_not_ride_on_the_flow_nothing_is_said() -> None:
    # Large shapes that flow can follow, and fine detail that is new in every frame.
    width = WIDTH + STEP * (FRAMES - 1)
    shapes = panned(0.5 + noise(HEIGHT, width, sigma=6, deviation=0.15), FRAMES, step=STEP)
    grain = np.stack([noise(HEIGHT, WIDTH, sigma=0.7, deviation=0.04, seed=t) for t in range(FRAMES)])
    source = grey(shapes + grain)
    found = scores(source, np.clip(source + strokes(riding=True), 0, 1))
    assert found["anchoring"].value is None
    assert found["anchoring_screen"].value is None
    assert "does not ride on the flow" in found["anchoring"].why
    # Of the source itself the figure is given: it is the reason.
    assert abs(scores(source)["anchoring"].value or 1) < 0.3


@pytest.mark.parametrize(
    ("clip", "why"),
    [
        (still(pan(FRAMES, step=0)), "no textured part moves far enough within 8 frames and stays in sight"),
        (pan(8, step=STEP), "no shot has 9 frames"),
    ],
    ids=["still", "short"],
)
def test_what_does_not_move_or_is_too_short_tells_nothing(clip: Frames, why: str) -> None:
    found = scores(clip, np.clip(clip + strokes(riding=False)[: len(clip)], 0, 1))
    assert (found["anchoring"].value, found["anchoring"].why) == (None, why)


def test_another_contrast_is_not_drawn(source: Frames) -> None:
    found = scores(source, 0.2 + 0.5 * source)
    assert found["anchoring"].value is None
    assert "nothing was drawn in textured parts" in found["anchoring"].why
    assert (found["drawn_levels"].value or 9) < 0.5


def test_what_was_drawn_is_what_the_source_does_not_explain(source: Frames) -> None:
    picture = Picture(source[0])
    added = strokes(riding=False)[0]
    rest = drawn(picture, Picture((0.7 * source[0] + 0.1 + added).astype(np.float32)))
    fine = Picture(np.repeat(0.5 + added, 3, axis=2)).fine
    assert np.corrcoef(rest.ravel(), fine.ravel())[0, 1] > 0.95
    assert rest.std() == pytest.approx(fine.std(), rel=0.1)


def test_the_heat_is_where_texture_is_stuck() -> None:
    source = half_flat()
    result = source.copy()
    result[:, :HALF] += strokes(riding=True)[:, :HALF]
    result[:, HALF:] += strokes(riding=False, deviation=0.02)[:, HALF:]
    heats = heats_of(METRIC, source, np.clip(result, 0, 1))
    assert heats[7] is None
    assert heats[-1] is not None
    riding, stuck = heats[-1][8 : HALF - 8, : WIDTH - 40], heats[-1][HALF + 8 : -8, : WIDTH - 40]
    assert stuck.mean() > 5 * riding.mean()


def test_the_edge_of_a_mask_is_not_held_against_what_is_inside() -> None:
    """A scene that moves, with a texture that moves along in a box that stands: of the box's rim nothing is told."""
    clip = pan(12, step=3, height=160, width=224)
    box = np.zeros(clip.shape[1:3], np.float32)
    box[8:152, 8:216] = 1
    texture = noise(160, 264, sigma=1.5, deviation=0.1, seed=5)
    strokes = panned(texture, 12, step=3, height=160, width=224)[..., None]
    light = np.where(box[None, ..., None] > 0, np.clip(clip + strokes + 0.2, 0, 1), clip).astype(np.float32)
    found = scores_of(METRIC, clip, light, mask=box)
    assert (found["anchoring"].value or 0) > 0.9
    assert abs(found["anchoring_screen"].value or 1) < 0.3
