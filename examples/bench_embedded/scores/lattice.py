"""The lattice of an autoencoder's cells in what is flat: how strong it is beside the source's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean

import cv2
import numpy as np
import torch
from trainer.looks import Look

from scores.data import Photographs, prompt_of
from scores.rendering import Subject
from scores.report import Bar, Cell, Table
from vedit.finishing.flatness import even_out

LIMIT = 2.0
FLAT = 2.5
"""Levels of 255 that a flat place deviates in the mean over a cell and its neighbours."""
HARMONICS = (1, 2, 3)
_REACH = 1.25
"""Cells: the Gaussian window in which a line is measured."""
_BESIDE = (0.6, 1.4)
"""Frequencies, over the line's, at which the ground beneath it is measured: outside the window's own width."""

Log = Callable[[str], None]


def flat_parts(picture: torch.Tensor, period: float) -> np.ndarray:
    """(3, H, W) in [0, 1] -> (H, W) bool: where it is flat over some cells around."""
    luma = _luma(picture)
    side = 2 * round(1.5 * period / 2) + 1
    mean = cv2.blur(luma, (side, side))
    deviation = np.sqrt(np.maximum(cv2.blur(luma * luma, (side, side)) - mean * mean, 0))
    return np.asarray(cv2.erode((deviation < FLAT).astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def lattice(picture: torch.Tensor, flat: np.ndarray, period: float, *, alone: bool = True) -> float:
    """Amplitude of what repeats with the cells, levels of 255: a sine across the columns of amplitude a gives a.

    The spectral lines at the first three harmonics of the period, along rows and columns, in a window that goes over
    the flat parts.

    Args:
        picture: (3, H, W) in [0, 1].
        flat: (H, W), where to look.
        period: pixels of a cell; it need not be a whole number.
        alone: less the ground beside each line, so that noise and texture of other sizes do not count; else with it.
    """
    if not flat.any():
        return float("nan")
    weight, sigma, luma = flat.astype(np.float32), _REACH * period, _luma(picture)
    share = np.maximum(_blur(weight, sigma), 1e-3)
    detail = (luma - _blur(luma * weight, sigma) / share) * weight

    def power(frequency: float, axis: int) -> float:
        place = np.arange(luma.shape[axis], dtype=np.float32).reshape((-1, 1) if axis == 0 else (1, -1))
        turned = 2 * np.pi * frequency * place
        parts = (_blur(detail * wave(turned).astype(np.float32), sigma) / share for wave in (np.cos, np.sin))
        return float(sum(4 * np.mean(part[flat] ** 2) for part in parts))

    total = 0.0
    for axis in (0, 1):
        for harmonic in HARMONICS:
            line = harmonic / period
            ground = fmean(power(line + (beside - 1) / period, axis) for beside in _BESIDE) if alone else 0.0
            total += power(line, axis) - ground
    return float(np.sqrt(max(0.0, total)))


def lattice_table(
    subject: Subject, looks: Sequence[Look], held_out: Photographs, *, count: int, settings: str, log: Log
) -> Table:
    """The lattice of results where photographs are flat, before and after it is evened out; of the flattest `count`."""
    period = subject.model.codec.factors.cell
    parts = [flat_parts(source, period) for source in held_out.sources()]
    used = sorted(range(len(parts)), key=lambda number: -float(parts[number].mean()))[:count]
    used = [number for number in used if parts[number].any()]
    sources = held_out.sources()[used]
    seen = subject.through_autoencoder(sources)

    def both(pictures: torch.Tensor) -> tuple[float, float]:
        pairs = list(zip(pictures, (parts[number] for number in used), strict=True))
        alone, whole = (fmean(lattice(*pair, period, alone=alone) for pair in pairs) for alone in (True, False))
        return alone, whole

    own = both(sources)[1]
    rows: list[tuple[Cell, ...]] = [
        (name, *both(pictures), *both(pictures))
        for name, pictures in (("(the source)", sources), ("(through the autoencoder)", seen))
    ]
    for look in looks:
        result = subject.pictures(prompt_of(look), sources)
        decoded, finished = both(result), both(even_out(sources, seen, result, period=period))
        rows.append((look.name, *decoded, *finished))
        log(f"lattice {look.name}: {decoded[0]:.3f}, evened out {finished[0]:.3f}; the source's lines {own:.3f}")
    return Table(
        title="Lattice",
        settings=f"{settings}; the flattest {len(used)}; levels of 255 at the period of a cell, {period} pixels",
        columns=("look", "lattice as decoded", "with the ground", "lattice as finished", "with the ground"),
        rows=tuple(rows),
        bars=tuple(
            Bar(
                what=f"lattice of {look.name} in flat parts over what the source has at its period",
                figure=float(row[3]) / max(own, 1e-6),
                sign="<=",
                limit=LIMIT,
            )
            for look, row in zip(looks, rows[2:], strict=True)
        ),
    )


def _luma(picture: torch.Tensor) -> np.ndarray:
    return picture.mean(0).numpy().astype(np.float32) * 255


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT))
