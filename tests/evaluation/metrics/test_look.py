"""`vedit.evaluation.metrics.look`: the look that was asked for is told from others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.support.made_pictures import Frames
from vedit.evaluation.definition import Score
from vedit.evaluation.look_features import COUNT, look_features, to_side
from vedit.evaluation.metrics.look import FRAMES, METRIC, Statistics, statistics
from vedit.evaluation.picture import LUMA
from vedit.models.looks import ADDITIONS
from vedit.models.resolve import resolve
from vedit.models.source import DEFAULT
from vedit.sample_clip.clip import sample_frames
from vedit.testing.metrics import scores_of

CLIP: Frames = np.asarray(np.stack([frame.transpose(1, 2, 0) for frame in sample_frames(4)]) / 255, np.float32)


def scores(result: Frames | None, prompt: str, **told: Any) -> dict[str, Score]:
    asked: dict[str, Any] = {"prompts": (prompt,), "model": DEFAULT, **told}
    return scores_of(METRIC, CLIP, result, **asked)


def value(score: Score) -> float:
    assert score.value is not None, score.why
    return score.value


def grey() -> Frames:
    return np.repeat((CLIP @ LUMA)[..., None], 3, axis=3)


def sepia() -> Frames:
    return np.asarray(grey() * np.array([1.0, 0.85, 0.62]) + np.array([0.05, 0.03, 0.0]), np.float32).clip(0, 1)


@pytest.mark.parametrize(
    ("prompt", "result"), [("black and white", grey()), ("sepia", sepia())], ids=["black and white", "sepia"]
)
def test_a_result_in_the_look_is_nearest_to_it_and_another_is_not(prompt: str, result: Frames) -> None:
    found, own = scores(result, prompt), scores(None, prompt)
    assert value(found["look_rank"]) == 1
    assert f"nearest: {prompt}" in found["look_rank"].why
    assert value(own["look_rank"]) > 3
    assert value(found["look_distance"]) < 0.7 * value(own["look_distance"])
    assert list(found["look_distance"].series) == [0, 1, 2, 3]


def test_the_photograph_is_nearest_to_photographs() -> None:
    assert "photograph" in scores(None, "woodcut")["look_rank"].why


def test_the_statistics_are_of_the_looks_that_the_model_lists() -> None:
    known = resolve(DEFAULT).vocabulary
    assert known is not None
    listed = [look.name for look in known.looks if look.kind not in ADDITIONS]
    told = statistics()
    assert list(told.names) == ["photograph", *listed]
    assert told.middle.shape == (COUNT,)
    assert told.directions.shape == (COUNT, told.places.shape[1])
    # Each look's own middle is nearest to itself, and no two are one.
    apart = np.square(told.places[:, None] - told.places).mean(axis=2) ** 0.5
    assert (apart + 9 * np.eye(len(apart))).min() > 0.3


def test_distances_are_root_mean_squares_in_the_directions() -> None:
    """Of (3, 4) less the middle (1, 1): (2, 3), doubled along the first: (4, 3); 12.5 ** 0.5 and 2 ** 0.5."""
    told = Statistics(
        names=("a", "b"),
        middle=np.array([1.0, 1.0]),
        directions=np.array([[2.0, 0.0], [0.0, 1.0]]),
        places=np.array([[0.0, 0.0], [4.0, 1.0]]),
    )
    assert told.distances(np.array([3.0, 4.0])) == pytest.approx([12.5**0.5, 2**0.5])


def test_features_are_numbers_for_any_picture() -> None:
    flat, noise = np.full((256, 300, 3), 0.5, np.float32), np.random.default_rng(0).random((256, 300, 3), np.float32)
    for pair in ((flat, flat), (flat, noise), (noise, flat), (noise, noise)):
        found = look_features(*pair)
        assert found.shape == (COUNT,)
        assert np.isfinite(found).all()


@pytest.mark.parametrize("size", [(512, 768), (128, 192), (256, 300)])
def test_frames_of_other_sizes_are_brought_to_the_side(size: tuple[int, int]) -> None:
    made = to_side(np.full((*size, 3), 0.25, np.float32))
    assert min(made.shape[:2]) == 256
    assert made == pytest.approx(0.25, abs=1e-5)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"model": "sd15"}, "embedded alone"),
        ({"model": None}, "embedded alone"),
        ({"prompts": ()}, "no prompt"),
        ({"prompts": ("woodcut", "night")}, "several prompts"),
        ({"prompts": ("woodcut at night",)}, "does not name one look"),
        ({"mask": np.eye(320, 480, dtype=np.float32)}, "only a part"),
    ],
)
def test_where_it_says_nothing_it_says_why(told: dict[str, Any], why: str) -> None:
    for score in scores(grey(), "woodcut", **told).values():
        assert score.value is None
        assert why in score.why


def test_a_clip_of_any_length_costs_a_few_frames() -> None:
    long = np.repeat(CLIP, 8, axis=0)
    found = scores_of(METRIC, long, long, prompts=("night",), model=DEFAULT)
    assert len(found["look_rank"].series) == FRAMES
