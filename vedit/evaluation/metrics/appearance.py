"""How far the look has moved from the source, in colours and in fine texture. Neither far nor near is better."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.definition import Definition
from vedit.evaluation.tally import Tally, changing

if TYPE_CHECKING:
    from vedit.evaluation.definition import Score
    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.motion import Marks
    from vedit.evaluation.picture import Picture, Plane

PATCH = 7
_COLOUR_STEP, _TEXTURE_STEP = 4, 8
"""Pixels of a frame between those that are looked at, and between patches."""
_QUANTILES = 64
_TURNS = 4
"""Rotations of the axes of colour: 12 directions."""
_LEAST = 32
"""Pixels or patches that a distribution is told from."""
_NOTHING = "the mask lets nothing change"

FIGURES = (
    Definition(
        name="colour_distance",
        title="Colours moved by",
        unit="ΔE",
        better="neither",
        ideal=0.0,
        variant=(
            "sliced Wasserstein distance of order 2 between the distributions of a frame's pixels in CIE L*a*b* (D65, "
            "1976), source against result: every 4th pixel of every 4th row, 12 directions (4 fixed rotations of the "
            "axes), 64 quantiles, times the square root of 3, so that a shift of all pixels by d gives d; inside the "
            "mask where there is one; mean over frames"
        ),
        paper="Rabin et al., Wasserstein Barycenter and its Application to Texture Mixing, 2011",
        places=1,
    ),
    Definition(
        name="texture_distance",
        title="Fine texture moved by",
        unit="levels",
        better="neither",
        ideal=0.0,
        variant=(
            "the same between the distributions of a frame's 7x7 patches of fine luma (less its Gaussian of 3 pixels "
            "at a shorter side of 256), at full and at half size: patches 8 pixels of the frame apart, 49 fixed "
            "directions, root mean square over quantiles and directions, in levels of 255, mean of both sizes; twice "
            "the source's contrast and nothing else gives the RMS of the source's fine luma; inside the mask where "
            "there is one; mean over frames"
        ),
        paper="Karras et al., Progressive Growing of GANs, 2018, section 5 (on patches at several sizes)",
        places=2,
    ),
)


class Appearance:
    """The metric."""

    figures = FIGURES
    quick = True
    whole_shot = False

    def start(self, setting: Setting) -> AppearanceMeasure:
        return AppearanceMeasure()


class AppearanceMeasure:
    """The metric at work."""

    def __init__(self) -> None:
        self._colour = Tally("colour_distance", _NOTHING)
        self._texture = Tally("texture_distance", _NOTHING)

    def push(self, step: Step) -> None:
        inside = changing(step)
        first, second = (colour_sketch(picture, inside) for picture in (step.source, step.result))
        if first is not None and second is not None:
            self._colour.add(step.frame, float(np.sqrt(3 * np.square(first - second).mean())))
        pairs = [
            (texture_sketch(step.source, inside, halves=halves), texture_sketch(step.result, inside, halves=halves))
            for halves in (0, 1)
        ]
        found = [
            255 * float(np.sqrt(np.square(source - result).mean()))
            for source, result in pairs
            if source is not None and result is not None
        ]
        if found:
            self._texture.add(step.frame, sum(found) / len(found))

    def finish(self) -> tuple[Score, ...]:
        return self._colour.score(), self._texture.score()


METRIC = Appearance()


def colour_sketch(picture: Picture, inside: Marks | None = None) -> Plane | None:
    """(quantiles, directions) of the pixels in L*a*b*; None where there are too few."""
    every = (slice(None, None, _COLOUR_STEP),) * 2
    lab = np.asarray(cv2.cvtColor(np.ascontiguousarray(picture.rgb[every]), cv2.COLOR_RGB2Lab), np.float32)
    pixels = lab.reshape(-1, 3) if inside is None else lab[inside[every]]
    return quantiles(pixels @ colour_directions()) if len(pixels) >= _LEAST else None


def texture_sketch(picture: Picture, inside: Marks | None = None, *, halves: int = 0) -> Plane | None:
    """(quantiles, directions) of patches of fine luma at a power of 1/2 of the size; None where there are too few."""
    fine = picture.fine
    for _ in range(halves):
        height, width = fine.shape[0] // 2, fine.shape[1] // 2
        if min(height, width) < PATCH:
            return None
        fine = cv2.resize(fine[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    step = max(1, _TEXTURE_STEP >> halves)
    if min(fine.shape) < PATCH:
        return None
    patches = np.lib.stride_tricks.sliding_window_view(fine, (PATCH, PATCH))[::step, ::step]
    if inside is None:
        rows = patches.reshape(-1, PATCH * PATCH)
    else:
        # By the middle of each patch, where it lies in the frame.
        middle = np.arange(0, max(inside.shape)) * (step << halves) + (PATCH // 2 << halves)
        rows = patches[inside[np.ix_(middle[: patches.shape[0]], middle[: patches.shape[1]])]].reshape(-1, PATCH**2)
    return quantiles(rows @ directions(PATCH * PATCH)) if len(rows) >= _LEAST else None


def quantiles(values: Plane) -> Plane:
    """(n, K) -> (64, K): each column's values at evenly spaced ranks, linear between neighbours."""
    ordered = np.sort(values, axis=0)
    place = np.clip((np.arange(_QUANTILES) + 0.5) / _QUANTILES * len(values) - 0.5, 0, len(values) - 1)
    low = place.astype(int)
    high = np.minimum(low + 1, len(values) - 1)
    share = (place - low).astype(np.float32)[:, None]
    return np.asarray(ordered[low] * (1 - share) + ordered[high] * share, np.float32)


@cache
def directions(size: int, turn: int = 0) -> Plane:
    """(size, size): a rotation of all axes, the same at every call.

    Orthogonal directions vary less than independent ones, and a full set of them gives a shift its exact length
    (Rowland et al., "Orthogonal Estimation of Wasserstein Distances", 2019).
    """
    drawn = np.random.default_rng(turn).standard_normal((size, size))
    return np.asarray(np.linalg.qr(drawn)[0], np.float32)


@cache
def colour_directions() -> Plane:
    """(3, 12)."""
    return np.concatenate([directions(3, turn) for turn in range(_TURNS)], axis=1)
