"""One frame and its neighbours, moved onto it, as one frame: in two bands, and with the contrast it was drawn with.

In the spirit of Bonneel et al., "Blind Video Temporal Consistency", 2015, and Lai et al., 2018, without training:

- what is coarse, brightness and colour, is a mean of the frames in which the source is as bright and coloured there: a
  fade stays a fade;
- what is fine, strokes and edges, is a mean of the frames in which the source's own pixels bear the motion out. Strokes
  then travel with what they are painted on. Where the frames before and those behind draw different things, the side
  that is like the frame itself is taken alone: what opens or comes into being is not smeared over the time around it.

Only flicker is pulled: what the source's own difference along the motion accounts for is left, so that a look which
follows the source faithfully, such as a plain regrade, passes as it is. A mean of strokes that differ is grey, so the
fine band is brought to the contrast that these frames were drawn with; but nowhere far beyond what the frame itself or
the source shows, which would be grit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import log
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import torch

from vedit.flow.motion import Motion
from vedit.flow.planes import as_image, blurred, moved, power
from vedit.threads import each_on_a_thread

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]
    Size = tuple[int, int]

SIGMA, FINEST = 3.0, 1.2
"""Pixels of the working size; finer differences are texture, and still finer ones are brought to their contrast apart:
a mean loses those first."""
AROUND, NEAR = 6.0, 3.0
"""Pixels over which contrast and flicker are measured; and those over which the two sides are told apart."""
COARSE_TOLERANCE, FINE_TOLERANCE = 1.5, 1.5
"""Times the source's own difference along the motion, in variance, that a result's may have before it is flicker."""
GAIN = (0.25, 2.0)
"""Variance of the result's detail over the source's, within which this is scaled by it."""
DOUBT, DARK_DOUBT = 0.17, 0.02
"""Difference between the source and its moved neighbour at which the neighbour's fine band counts 1/e: the first times
the brightness there, plus the second."""
FLAT = 4 / 255
"""Deviation of the source's fine band at which a place counts 1/e as flat."""
KEPT = 0.95
"""Share of the strokes of the frame before that stays in flat parts."""
FADE = 0.015
"""Difference of the whole frame's brightness or colour at which a neighbour's coarse band counts 1/e."""
SHADE, SHADE_SIGMA = 0.04, 8.0
"""The same of a place, over so many pixels. Errors of the flow look alike, so more is let pass."""
UNLIKE = (3.0, 8.0)
"""Times as far from the frame as the other side, in variance, at which a side begins to give way, and has given way."""
CONTRAST = (0.67, 2.5)
"""How far the fine band is made weaker or stronger."""
BEYOND = 1.2
"""Variance of the fine band over that of the frame as it was drawn, or of the source if that is stronger."""
_FLOOR = 1e-6
"""Variance of the fine band, in [0, 1] squared, below which nothing is drawn."""
_APART = (12 / 255) ** 2
"""Variance of what a side differs by from a frame that says nothing yet: flicker is as much."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_HALF, _QUARTER = 2, 4
"""Times smaller: what is coarse is joined so, and what is measured around a place."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What is kept of a frame while others are joined with it; nobody writes to it."""

    picture: Plane
    """(H, W, 4): the result's RGB and the source's luma."""
    coarse: Plane
    """(H / 2, W / 2, 4): the same without what is fine."""
    shade: Plane
    """(H / 4, W / 4, 3): the source's RGB, over `SHADE_SIGMA`."""
    drawn: Plane
    """(H / 4, W / 4, 2): variance of the result's fine band, apart for the finest and the rest."""
    most: Plane
    """(H / 4, W / 4, 2): the larger of that and the source's."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A frame that another is joined with."""

    frame: Prepared
    path: Motion
    """From the frame that it is joined with to it."""
    weight: float


def prepared(source: torch.Tensor, result: torch.Tensor) -> Prepared:
    """A frame of source and result, (3, H, W) in [0, 1]."""
    seen, drawn = as_image(source), as_image(result)
    picture = cast("Plane", cv2.merge([*cv2.split(drawn), np.ascontiguousarray(seen @ _LUMA)]))
    half, quarter = (_smaller(picture, times) for times in (_HALF, _QUARTER))
    variances = [
        cast("Plane", cv2.merge([_shrunk(blurred(power(band), AROUND), quarter) for band in _bands(_fine(image))]))
        for image in (drawn, seen)
    ]
    return Prepared(
        picture=picture,
        coarse=_shrunk(blurred(picture, SIGMA), half),
        shade=_shrunk(blurred(seen, SHADE_SIGMA), quarter),
        drawn=variances[0],
        most=np.maximum(*variances),
    )


def joined(
    frame: Prepared,
    weight: float,
    before: Iterable[Neighbour],
    behind: Iterable[Neighbour],
    settled: tuple[Plane, Motion] | None = None,
) -> Plane:
    """A frame joined with its neighbours, (H, W, 3) in [0, 1].

    Args:
        frame: as it was drawn.
        weight: its own.
        before: those earlier in time; each side is asked for on a thread of its own.
        behind: those later.
        settled: the frame before as it was joined, and the way there; None at a shot's beginning.
    """
    sides = _told_apart(frame, list(each_on_a_thread(lambda one: _side(frame, one), (before, behind))))
    drawn, own = _fine(frame.picture), np.float32(weight)
    fine = _mean(drawn, own, [(_fine(side.picture), side.weight) for side in sides]) - drawn
    coarse = _mean(frame.coarse, own, [(side.coarse, side.known) for side in sides]) - frame.coarse
    variance = _mean(frame.drawn, own, [(side.drawn, side.believed) for side in sides])
    size, quarter = _size(frame.picture), _size(frame.drawn)
    own_levels = blurred(np.square(drawn[..., 3]), AROUND)
    contrast = _contrast(drawn, own_levels)
    coarse_share = _flickers(coarse, _resized(contrast, _size(coarse)), COARSE_TOLERANCE, AROUND / _HALF)
    fine_share = _flickers(fine, contrast, FINE_TOLERANCE, AROUND)
    strokes = drawn[..., :3] + _weighed(fine, fine_share)
    if settled is not None:
        strokes += _ridden(*settled, strokes, own_levels)
    result = (frame.picture - drawn)[..., :3] + _resized(_weighed(coarse, coarse_share), size)
    for number, band in enumerate(_bands(strokes)):
        found = _shrunk(blurred(power(band), AROUND), quarter) + np.float32(_FLOOR)
        gain = np.sqrt((variance[..., number] + np.float32(_FLOOR)) / found).clip(*CONTRAST)
        limit = np.sqrt((BEYOND * frame.most[..., number] + np.float32(_FLOOR)) / found)
        result += _resized(np.minimum(gain, limit), size)[..., None] * band
    return np.asarray(result.clip(0, 1), np.float32)


def _ridden(before: Plane, path: Motion, strokes: Plane, own_levels: Plane) -> Plane:
    """What makes the strokes (H, W, 3) ride on the scene where the source is flat: those of the frame before are
    carried on. A mean of frames would keep there what is drawn alike in the same place of the screen.

    Args:
        before: the frame before, (H, W, 3).
        path: to it.
        strokes: of the frame.
        own_levels: variance of the source's fine band, (H, W).
    """
    carried = moved(_fine(before), path.to, cubic=True)
    levels = own_levels / np.float32(FLAT**2)
    share = np.float32(KEPT) * path.seen * np.exp(-levels * levels)
    return np.asarray(share[..., None] * (carried - strokes), np.float32)


@dataclass(frozen=True, kw_only=True)
class _Side:
    """The neighbours on one side as one: means, and the weights that they have; sizes as of `Prepared`."""

    picture: Plane
    weight: Plane
    coarse: Plane
    known: Plane
    drawn: Plane
    believed: Plane


def _side(frame: Prepared, neighbours: Iterable[Neighbour]) -> _Side:
    """The frames on one side, moved onto a frame."""
    luma = cast("Plane", cv2.extractChannel(frame.picture, 3))
    doubt = np.float32(1) / (DARK_DOUBT + DOUBT * blurred(luma, AROUND))
    half, quarter = _size(frame.coarse), _size(frame.drawn)
    sums = [np.zeros_like(plane) for plane in (frame.picture, frame.coarse, frame.drawn)]
    weights = [np.full(plane.shape[:2], _FLOOR, np.float32) for plane in sums]
    for one in neighbours:
        picture = moved(one.frame.picture, one.path.to)
        change = blurred(cast("Plane", cv2.absdiff(cv2.extractChannel(picture, 3), luma)), 1.0) * doubt
        share = np.asarray(np.float32(one.weight) * one.path.seen * np.exp(-change * change), np.float32)
        trust, believed = cv2.split(_shrunk(cast("Plane", cv2.merge([one.path.seen, share])), quarter))
        at_quarter, at_half = (_shrunk_flow(one.path.to, smaller) for smaller in (quarter, half))
        alike = _alike(moved(one.frame.shade, at_quarter, cubic=True) - frame.shade, np.asarray(trust, np.float32))
        known = _resized(np.asarray(np.float32(one.weight) * trust * alike, np.float32), half)
        near = moved(one.frame.coarse, at_half, cubic=True)
        found = ((picture, share), (near, known), (moved(one.frame.drawn, at_quarter), np.asarray(believed)))
        for (plane, part), total, weight in zip(found, sums, weights, strict=True):
            cv2.accumulateProduct(plane, cv2.merge([part] * plane.shape[2]), total)
            weight += part
    picture, coarse, drawn = (total / weight[..., None] for total, weight in zip(sums, weights, strict=True))
    return _Side(picture=picture, weight=weights[0], coarse=coarse, known=weights[1], drawn=drawn, believed=weights[2])


def _alike(change: Plane, trust: Plane) -> Plane:
    """(h, w) in [0, 1]: how far the source is as bright and coloured in two frames, by the difference of its shades."""
    fading = (change * trust[..., None]).sum((0, 1)) / max(float(trust.sum()), 1e-3)
    return np.asarray(np.exp(-power(change) / SHADE**2 - float(np.square(fading).mean()) / FADE**2), np.float32)


def _told_apart(frame: Prepared, sides: list[_Side]) -> list[_Side]:
    """The sides, of which one that is not like the frame gives way where the other is."""
    away = [blurred(power((frame.picture - side.picture)[..., :3]), NEAR) + np.float32(_APART) for side in sides]
    first = np.log(away[0] / away[1])
    low, high = (log(times) for times in UNLIKE)
    told: list[_Side] = []
    for side, unlike in zip(sides, (first, -first), strict=True):
        left = 1 - ((unlike - low) / (high - low)).clip(0, 1)
        half, quarter = (_shrunk(left, _size(plane)) for plane in (side.coarse, side.drawn))
        weights = {"weight": side.weight * left, "known": side.known * half, "believed": side.believed * quarter}
        told.append(replace(side, **weights))
    return told


def _mean(own: Plane, weight: np.float32, others: Iterable[tuple[Plane, Plane]]) -> Plane:
    """Of a plane (h, w, C) with one weight, and others with weights (h, w)."""
    total, weights = own * weight, np.full(own.shape[:2], weight, np.float32)
    for plane, share in others:
        total += share[..., None] * plane
        weights += share
    return np.asarray(total / weights[..., None], np.float32)


def _flickers(difference: Plane, contrast: Plane, tolerance: float, sigma: float) -> Plane:
    """(h, w) in [0, 1]: how far the results' difference is more than the source's own.

    Where the flow misses a little the source differs from its moved self, and a result that follows it faithfully
    differs as much, times its contrast: that is no flicker, and pulling it together would soften it.

    Args:
        difference: (h, w, 4), the results' in RGB and the source's in luma.
        contrast: variance of the result's fine band over that of the source's, (h, w).
        tolerance: times the source's variance which pass.
        sigma: pixels over which is measured.
    """
    found = blurred(power(difference[..., :3]), sigma)
    own = blurred(contrast * np.square(difference[..., 3]), sigma)
    excess = np.maximum(found - np.float32(tolerance) * own, 0)
    return np.asarray(excess / (excess + np.float32(0.3) * own + np.float32(_FLOOR)), np.float32)


def _weighed(image: Plane, share: Plane) -> Plane:
    """The colours of (h, w, 4) by a share (h, w)."""
    return np.asarray(share[..., None] * image[..., :3], np.float32)


def _contrast(drawn: Plane, own_levels: Plane) -> Plane:
    """(H, W): variance of the result's fine band, of (H, W, 4), over that of the source's, which is given."""
    levels = blurred(power(drawn[..., :3]), AROUND) + np.float32(_FLOOR)
    return np.asarray((levels / (own_levels + np.float32(_FLOOR))).clip(*GAIN), np.float32)


def _fine(image: Plane) -> Plane:
    return image - blurred(image, SIGMA)


def _bands(fine: Plane) -> tuple[Plane, Plane]:
    """A fine band as its finest part and the rest."""
    rest = blurred(fine, FINEST)
    return fine - rest, rest


def _size(image: Plane) -> Size:
    """(width, height), as cv2 has it."""
    return image.shape[1], image.shape[0]


def _smaller(image: Plane, times: int) -> Size:
    return max(1, image.shape[1] // times), max(1, image.shape[0] // times)


def _shrunk(image: Plane, size: Size) -> Plane:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)


def _resized(image: Plane, size: Size) -> Plane:
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _shrunk_flow(flow: Plane, size: Size) -> Plane:
    """A flow in pixels of the frame made smaller."""
    return _shrunk(flow, size) * np.array([size[0] / flow.shape[1], size[1] / flow.shape[0]], np.float32)
