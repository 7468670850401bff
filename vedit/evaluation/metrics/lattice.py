"""The faint lattice with the period of the autoencoder's cells, in flat parts of full-size frames."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.evaluation.definition import Definition
from vedit.evaluation.picture import LUMA
from vedit.evaluation.tally import Tally
from vedit.ranges import full_scale

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.evaluation.definition import Score
    from vedit.evaluation.metric import Frame, Setting, Step
    from vedit.evaluation.motion import Marks
    from vedit.evaluation.picture import Plane

    Complex = npt.NDArray[np.complex64]
    Spectrum = npt.NDArray[np.float64]

USUAL_CELL = 8.0
"""Pixels, where nobody recorded them."""
LEAST_CELL = 3.0
"""Pixels: above it a line and its ground lie below the highest frequency that pixels hold."""
FLAT = 3.0
"""Levels of 255 that the source deviates at most, over a cell and a half, anywhere in a flat block."""
BLOCK = 4
"""Cells along a side of a block. In a Hann window of that length, lines half a cell's frequency apart do not see each
other, nor the mean."""
HARMONICS = 3
"""At most: lines at the period, its half and its third."""
MOST_BLOCKS, MOST_PIXELS = 1500, 2_500_000
"""Of the blocks of a frame that are measured, at most."""
_BESIDE = 0.5
NEAR = np.array([0, -1, 1])
"""A line and its neighbours, in steps of half the cell's frequency."""
_CLEAR = 4.0
"""Times the power of the ground that a line must have: a texture's spectrum bends by less, and noise of few blocks
varies by less."""
_NOBODY = "nobody recorded the model's cells: 8 pixels are taken"
_NO_BLOCK = "nowhere is the source flat enough to tell a lattice"

FIGURES = (
    Definition(
        name="lattice",
        title="Lattice of the model's cells in flat parts",
        unit="levels",
        better="lower",
        ideal=None,
        variant=(
            "amplitude, in levels of 255, of what repeats with the cells of the model's autoencoder; a sine of "
            "amplitude A across the columns gives A. Luma (BT.601) of the full-size frame in blocks of 4 cells, a "
            "cell apart, each less its plane, under a Hann window, projected on sine and cosine at the cell's "
            "frequency and its multiples up to 3, along rows, columns and both; only blocks where the source deviates "
            "by less than 3 levels everywhere over a cell and a half; squared amplitudes are averaged over blocks and "
            "frames. Lines of at least 4 times the power of their ground (the geometric mean of half a multiple below "
            "and above) are added as squares, less that ground. The cell is that of the result's record, else 8 "
            "pixels. A codec with blocks of 8 pixels leaves a lattice of its own: see the source's"
        ),
    ),
)


class Lattice:
    """The metric."""

    figures = FIGURES
    quick = False
    whole_shot = False

    def start(self, setting: Setting) -> LatticeMeasure:
        return LatticeMeasure(setting)


class LatticeMeasure:
    """The metric at work."""

    def __init__(self, setting: Setting) -> None:
        self._lines = Lines(setting.cell or USUAL_CELL)
        self._told = setting.cell is not None
        self._tally = Tally("lattice", _NO_BLOCK)
        self._power: Spectrum | None = None
        self._blocks = 0

    def push(self, step: Step) -> None:
        source, result = step.full_source, step.full_result
        if source.pixels.shape[1:] != result.pixels.shape[1:]:
            self._tally.nothing = "the result has another size than the source, so its cells lie elsewhere"
            return
        if self._lines.cell < LEAST_CELL or min(source.pixels.shape[1:]) < self._lines.side:
            self._tally.nothing = f"no lattice of {self._lines.cell:g} pixels a cell fits into the frame"
            return
        plain = levels(source)
        flat = self._lines.flat_blocks(plain)
        blocks = int(flat.sum())
        if blocks:
            power = self._lines.power(plain if step.is_source else levels(result), flat)
            self._tally.add(step.frame, amplitude(power))
            self._power = power * blocks if self._power is None else self._power + power * blocks
            self._blocks += blocks

    def finish(self) -> tuple[Score, ...]:
        value = None if self._power is None else amplitude(self._power / self._blocks)
        return (self._tally.score_of(value, "" if self._told else _NOBODY),)


METRIC = Lattice()


class Lines:
    """Spectral lines of what repeats along rows and columns.

    Args:
        cell: pixels of the period; it may be a fraction.
    """

    def __init__(self, cell: float) -> None:
        self.cell = cell
        self._hop = max(1, round(cell))
        self.side = BLOCK * self._hop
        """Pixels of a block's side."""
        self._harmonics = min(HARMONICS, int(cell / 2 - _BESIDE))
        places = np.arange(self.side) + 0.5 - self.side / 2
        window = 1 + np.cos(2 * np.pi * places / self.side)
        window /= window.sum()
        # Multiples of half the line's frequency, 0 among them: the lines are those at even places.
        turns = np.arange(2 * self._harmonics + 2) * _BESIDE / cell
        waves = window[:, None] * np.exp(-2j * np.pi * places[:, None] * turns)
        spread = float((window * places**2).sum())
        self._waves: Complex = waves.astype(np.complex64)
        self._slope: Plane = np.asarray(window * places / spread, np.float32)
        # What a slope of 1 looks like at each frequency, and what a constant does.
        self._of_slope: Complex = (waves * places[:, None]).sum(axis=0).astype(np.complex64)
        self._of_one: Complex = waves.sum(axis=0).astype(np.complex64)

    def flat_blocks(self, luma: Plane) -> Marks:
        """(rows, columns): blocks of a picture in levels of 255 that are flat, some of them where there are many."""
        reach = max(3, round(1.5 * self.cell)) | 1
        # Less the middle grey, so that float32 does not lose a deviation of a few levels in large squares.
        centred = luma - np.float32(127.5)
        mean = cv2.blur(centred, (reach, reach))
        variance = np.asarray(cv2.blur(centred * centred, (reach, reach)) - mean * mean, np.float32)
        # The largest of each cell, then of the cells of each block.
        rows, columns = (side // self._hop for side in variance.shape)
        cells = variance[: rows * self._hop, : columns * self._hop].reshape(rows, self._hop, columns, self._hop)
        windows = np.lib.stride_tricks.sliding_window_view(cells.max(axis=(1, 3)), (BLOCK, BLOCK))
        flat = np.asarray(windows.max(axis=(2, 3)) < FLAT**2)
        places = np.flatnonzero(flat)
        most = min(MOST_BLOCKS, MOST_PIXELS // self.side**2)
        if len(places) > most:
            flat[:] = False
            flat.flat[places[np.linspace(0, len(places) - 1, max(1, most)).astype(int)]] = True
        return flat

    def power(self, luma: Plane, flat: Marks) -> Spectrum:
        """(lines, 3): squared amplitudes, the mean over flat blocks: each line, and what lies below and above it."""
        power = self._spectrum(self._blocks(luma)[flat])
        lines = [2 * number for number in range(1, self._harmonics + 1)]
        found = [axis[line + NEAR] for line in lines for axis in (power[0, 0], power[0, :, 0])]
        for way in power:
            for down, across in product(lines, lines):
                found.append((way[down + NEAR, across] + way[down, across + NEAR]) / 2)
        return np.stack(found)

    def _spectrum(self, blocks: Plane) -> Spectrum:
        """(2, down, across): mean power at each pair of frequencies, falling and rising diagonals apart."""
        waves = self._waves
        across = blocks @ np.concatenate([waves.real, waves.imag], axis=1)
        count = waves.shape[1]
        rows = across[..., :count] + 1j * across[..., count:]  # (blocks, side, across)
        plane_down = np.einsum("y,byx->bx", self._slope, rows)[:, 0].real
        plane_across = np.einsum("byx,y,x->b", blocks, waves[:, 0].real, self._slope)
        found: list[Spectrum] = []
        for down in (waves, waves.conj()):
            spectrum = np.einsum("yd,byx->bdx", down, rows, optimize=True)
            mean = spectrum[:, :1, :1].copy()
            of_one = down.sum(axis=0)
            of_slope = self._of_slope if down is waves else self._of_slope.conj()
            spectrum -= mean * of_one[:, None] * self._of_one
            spectrum -= plane_down[:, None, None] * of_slope[:, None] * self._of_one
            spectrum -= plane_across[:, None, None] * of_one[:, None] * self._of_slope
            found.append((4 * np.abs(spectrum) ** 2).mean(axis=0, dtype=np.float64))
        return np.stack(found)

    def _blocks(self, plane: Plane) -> Plane:
        """(rows, columns, side, side), a cell apart; a view."""
        windows = np.lib.stride_tricks.sliding_window_view(plane, (self.side, self.side))
        return windows[:: self._hop, :: self._hop]


def amplitude(power: Spectrum) -> float:
    """Of the lines that stand out, less the ground beneath each; the rest is what texture and noise show too."""
    line, below, above = power.T
    ground = np.sqrt(below * above)
    stands_out = (line > _CLEAR * ground) & (line > below) & (line > above)
    return float(np.sqrt((line - ground)[stands_out].sum()))


def levels(frame: Frame) -> Plane:
    """(H, W): luma of a decoded frame in levels of 255."""
    scaled = LUMA * np.float32(255 / full_scale(frame.bit_depth))
    red, green, blue = frame.pixels[:3]
    return np.asarray(red * scaled[0] + green * scaled[1] + blue * scaled[2], np.float32)
