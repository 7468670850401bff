"""A contact sheet of control maps: frames across the clip, the source above and a row for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from vedit.preprocessors.flow import FULL_SPEED, draw_flow
from vedit.ranges import to_integer, to_unit
from vedit.types import FrameIndex, FrameRange

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.protocols import Reader

COLUMNS = 6
CELL = 320
"""Pixels of a cell's width."""


class ControlSheet:
    """Collects small copies of maps while they are written, then draws them.

    Args:
        kinds: a row for each, in order.
        part: the frames that are written; the sheet shows up to `COLUMNS` of them, evenly spread.
    """

    def __init__(self, kinds: tuple[str, ...], part: FrameRange) -> None:
        count = min(COLUMNS, len(part))
        self._kinds = kinds
        self._part = part
        self.numbers = tuple(part.start + (2 * n + 1) * len(part) // (2 * count) for n in range(count))
        self._cells: dict[tuple[str, int], npt.NDArray[np.float32]] = {}

    def take(self, kind: str, start: int, maps: torch.Tensor) -> None:
        """Maps (T, C, H, W) of frames `start`, `start` + 1, ...: pictures in [0, 1], data, or motion (C = 2)."""
        for number in self.numbers:
            if start <= number < start + len(maps):
                shown = maps[number - start]
                if len(shown) == 2:
                    shown = draw_flow(shown[None], full_speed=FULL_SPEED * min(shown.shape[-2:]))[0]
                self._cells[kind, number] = _small(shown)

    def draw(self, reader: Reader, index: FrameIndex) -> tuple[list[list[npt.NDArray[np.uint8]]], list[list[str]]]:
        """The rows of pictures and their labels, as `contact_sheet` takes them."""
        sources: list[npt.NDArray[np.uint8]] = []
        for number in self.numbers:
            clip = reader.read(FrameRange(start=number, stop=number + 1))
            sources.append(_levels(_small(to_unit(clip.frames[0, :3], clip.bit_depth))))
        times = [f"#{n}  {float(index.seconds(n)):.3f} s" for n in self.numbers]
        rows = [sources, *(self._row(kind, sources) for kind in self._kinds)]
        return rows, [times, *([kind] * len(self.numbers) for kind in self._kinds)]

    def _row(self, kind: str, sources: list[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
        """A kind's cells; data beyond [0, 1] is stretched over all of them, what is absent (no pair) is black."""
        found = [self._cells.get((kind, number)) for number in self.numbers]
        values = [cell for cell in found if cell is not None]
        low = min((float(np.nanmin(cell)) for cell in values), default=0.0)
        high = max((float(np.nanmax(cell)) for cell in values), default=1.0)
        if low >= -1e-3 and high <= 1 + 1e-3:
            low, high = 0.0, 1.0
        return [
            np.zeros_like(source) if cell is None else _levels((cell - low) / max(high - low, 1e-12))
            for cell, source in zip(found, sources, strict=True)
        ]


def _small(image: torch.Tensor) -> npt.NDArray[np.float32]:
    """(1 or 3, H, W) no wider than a cell, as (3, h, w)."""
    picture = np.ascontiguousarray(image.float().expand(3, -1, -1).permute(1, 2, 0).cpu().numpy(), dtype=np.float32)
    height, width = picture.shape[:2]
    if width > CELL:
        picture = cv2.resize(picture, (CELL, max(1, round(height * CELL / width))), interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.float32).transpose(2, 0, 1)


def _levels(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return to_integer(torch.from_numpy(np.nan_to_num(image)), 8).astype(np.uint8)
