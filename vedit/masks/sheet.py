"""A contact sheet of mattes: a row of frames for each shot, the mask tinted, with the share that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.display.contact_sheet import contact_sheet
from vedit.ranges import full_scale

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from vedit.types import Clip, Shot

_SHOWN = 4
"""Frames of each shot in the contact sheet."""
_CELL = 320
"""Pixels of the width of a cell: cells of all shots are held until the sheet is drawn."""
_TINT = np.array([255, 48, 48], np.float32)


class MatteSheet:
    """Collects small copies of frames under their mattes while these are made, then draws them.

    Args:
        shots: of the masked part.
    """

    def __init__(self, shots: Sequence[Shot]) -> None:
        self._numbers = {shot: shown_frames(shot) for shot in shots}
        self._shown = {number for numbers in self._numbers.values() for number in numbers}
        self._cells: dict[int, npt.NDArray[np.uint8]] = {}

    def take(self, clip: Clip, mattes: torch.Tensor) -> None:
        """Frames with their mattes (T, 1, H, W) in [0, 1]."""
        for number in self._shown & set(range(clip.start, clip.start + len(clip))):
            self._cells[number] = _small(tinted(clip, mattes, number - clip.start))

    def draw(self, areas: Sequence[float], path: Path) -> None:
        """Write the sheet.

        Args:
            areas: the share that the matte covers, of each frame from the first shot's first on.
            path: where to, see `contact_sheet`.

        Raises:
            InputError: the file cannot be written.
        """
        first = min(shot.frames.start for shot in self._numbers)
        rows = [[self._cells[number] for number in numbers] for numbers in self._numbers.values()]
        labels = [
            [f"shot {shot.number}, #{number}: {100 * areas[number - first]:.1f} %" for number in numbers]
            for shot, numbers in self._numbers.items()
        ]
        contact_sheet(rows, labels, path, cell_width=_CELL)


def shown_frames(shot: Shot) -> list[int]:
    """Frames of a shot for the contact sheet: the first, the last, and some evenly between."""
    last = shot.frames.stop - 1
    return sorted({round(place) for place in np.linspace(shot.frames.start, last, min(_SHOWN, len(shot.frames)))})


def tinted(clip: Clip, mattes: torch.Tensor, number: int) -> npt.NDArray[np.uint8]:
    """A frame of 8 bits, (3, H, W): red lies over the mask, what is outside is darker."""
    picture = clip.frames[number, :3].astype(np.float32) * np.float32(255 / full_scale(clip.bit_depth))
    matte = mattes[number].numpy()
    over = picture * np.float32(0.5) + _TINT[:, None, None] * np.float32(0.5)
    return np.round(over * matte + picture * np.float32(0.55) * (1 - matte)).astype(np.uint8)


def _small(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(3, H, W), no wider than a cell."""
    height, width = picture.shape[1:]
    if width <= _CELL:
        return picture
    size = (_CELL, max(1, round(height * _CELL / width)))
    scaled = cv2.resize(np.ascontiguousarray(picture.transpose(1, 2, 0)), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), np.uint8)
