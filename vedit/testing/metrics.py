"""A metric on frames that are made up, so that its values can be held against those derived by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import isclose
from typing import TYPE_CHECKING, Any

import numpy as np

from vedit.evaluation.chosen import load_metric
from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.measure import Seen, itself, run_all
from vedit.evaluation.metric import Frame, Metric, Setting
from vedit.evaluation.motion import Estimator, estimator
from vedit.evaluation.picture import Picture
from vedit.ranges import full_scale
from vedit.registry.metrics import metrics
from vedit.testing.surroundings import shifted, world
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    import numpy.typing as npt

    Frames = npt.NDArray[np.float32]

MEANT = 40
"""Letters that an exact definition has at least."""
EXACT = 1e-6
"""By which a figure may miss its ideal."""


def scores_of(
    metric: Metric,
    source: Frames,
    result: Frames | None = None,
    *,
    mask: Frames | None = None,
    cuts: Sequence[int] = (),
    flow: Estimator = "dis",
    bit_depth: int = 8,
    exact: bool = True,
    joins: tuple[int, ...] = (),
    cell: float | None = None,
    prompts: tuple[str, ...] = (),
    model: str | None = None,
) -> dict[str, Score]:
    """Figure -> score.

    Args:
        metric: the metric.
        source: float (T, H, W, 3) in [0, 1], measured at this size.
        result: the same; None is the source itself.
        mask: (H, W) or (T, H, W) in [0, 1], 1 where the picture may change.
        cuts: frames at which a further shot begins.
        flow: the estimator.
        bit_depth: of the frames as "decoded".
        exact: pictures are these floats; else they are rounded to the depth, as decoded ones are.
        joins: see `Setting.joins`.
        cell: see `Setting.cell`.
        prompts: see `Setting.prompts`.
        model: see `Setting.model`.
    """
    edges = [0, *cuts, len(source)]
    shots = tuple(
        Shot(number=number, frames=FrameRange(start=start, stop=stop))
        for number, (start, stop) in enumerate(pairwise(edges), 1)
    )
    size = (source.shape[1], source.shape[2])
    masks = None if mask is None else np.broadcast_to(np.asarray(mask, np.float32), source.shape[:3])
    setting = Setting(
        size=size,
        full_size=size,
        rate=25.0,
        shots=shots,
        joins=joins,
        cell=cell,
        prompts=prompts,
        model=model,
        masked=mask is not None,
    )

    def shown(frame: Frames) -> tuple[Frame, Picture]:
        full = _decoded(frame, bit_depth)
        top = np.float32(full_scale(bit_depth))
        return full, Picture(frame if exact else full.pixels.transpose(1, 2, 0).astype(np.float32) / top)

    def frames() -> Iterator[Seen]:
        for shot in shots:
            for number in range(shot.frames.start, shot.frames.stop):
                full, picture = shown(np.asarray(source[number], np.float32))
                plane = None if masks is None else np.ascontiguousarray(masks[number])
                yield Seen(number=number, shot=shot, full=full, picture=picture, mask=plane, full_mask=plane)

    def of_result(seen: Seen) -> tuple[Frame, Picture]:
        assert result is not None
        return shown(np.asarray(result[seen.number], np.float32))

    results = itself if result is None else of_result
    return run_all({"it": metric}, {"result": setting}, frames(), {"result": results}, estimator(flow))["result"]["it"]


def check_metric(name: str) -> None:
    """A metric defines its figures in full, gives every one of them as a number or says why not, gives the ideal for a
    source against itself, the same whenever it is asked, and leaves its frames and the world as they were.

    Args:
        name: of the metric, as it is listed.

    Raises:
        AssertionError: it does not.
        InputError: there is none of that name, or it cannot be loaded.
    """
    metric = load_metric(metrics()[name])
    for figure in metric.figures:
        assert figure.name.isidentifier() and figure.name.islower(), f"{figure.name!r} is no name in snake case"
        assert figure.title and len(figure.variant) > MEANT, f"{figure.name} is not defined in full"
        assert "\n" not in figure.variant + figure.title, f"the definition of {figure.name} is one line"
    moving = np.stack([frame.permute(1, 2, 0).numpy() for frame in shifted((96, 128), 11)])
    before, state = moving.copy(), world()
    for figure, score in _scores(metric, moving):
        if figure.ideal is not None and score.value is not None:
            assert abs(score.value - figure.ideal) < EXACT, f"{figure.name} of a source against itself: {score.value}"
    changed = 1 - moving
    told, again = ([score for _, score in _scores(metric, moving, changed)] for _ in range(2))
    for first, second in zip(told, again, strict=True):
        # Sums are rounded by where an array happens to lie in memory.
        same = first.value is second.value or isclose(first.value or 0, second.value or 0, rel_tol=EXACT, abs_tol=EXACT)
        assert same, f"{first.name} depends on the measurement before: {first.value}, then {second.value}"
    for clip in (moving[:1], moving[:, :37, :53], np.zeros_like(moving[:3])):  # one frame, an odd size, all black
        _scores(metric, clip, 1 - clip)
        _scores(metric, clip, 1 - clip, cuts=(1,) if len(clip) > 1 else (), mask=np.zeros(clip.shape[1:3], np.float32))
    after = world()
    assert np.array_equal(before, moving), "the frames were changed"
    assert [key for key in state if state[key] != after[key]] == [], "it changed the world around it"


def _scores(
    metric: Metric, source: Frames, result: Frames | None = None, **more: Any
) -> list[tuple[Definition, Score]]:
    found = scores_of(metric, source, result, **more)
    assert found.keys() == {one.name for one in metric.figures}, f"it gives {sorted(found)}"
    for score in found.values():
        assert score.value is not None or score.why, f"{score.name} has no value, and does not say why"
    return [(one, found[one.name]) for one in metric.figures]


def _decoded(frame: Frames, bit_depth: int) -> Frame:
    codes = np.ascontiguousarray(np.rint(np.clip(frame, 0, 1) * full_scale(bit_depth)).transpose(2, 0, 1))
    pixels = codes.astype(np.uint8) if bit_depth == 8 else codes.astype(np.uint16)
    return Frame(pixels=pixels, bit_depth=bit_depth)
