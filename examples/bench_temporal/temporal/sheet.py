"""A sheet for each clip: the same small part of consecutive frames, a row for the source and for each variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.display.contact_sheet import sheet_bytes
from vedit.media.writing.atomic import write_whole

if TYPE_CHECKING:
    from vedit.types import IntFrames

LARGEST = 250_000
"""Bytes of a sheet."""
CELL = 104
"""Pixels of a cell's width."""
SHARE = 0.4
"""Side of the part, of the frame's shorter side."""
_QUALITIES = (88, 80, 72, 62, 52, 42, 32)


def busiest(frames: Sequence[IntFrames], side: int) -> tuple[int, int]:
    """Top and left of the square of a side in which a clip changes most from frame to frame.

    Args:
        frames: (3, H, W) each, at least two.
        side: pixels, at most H and W.
    """
    planes = [np.asarray(frame, np.float32).mean(0) for frame in frames]
    change = np.mean([np.abs(b - a) for a, b in pairwise(planes)], axis=0)
    sums = cv2.integral(change.astype(np.float64))
    boxes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(int(np.argmax(boxes)), boxes.shape)
    return int(top), int(left)


def write_sheet(
    path: Path,
    source: Sequence[IntFrames],
    results: Mapping[str, Mapping[str, Sequence[IntFrames]]],
    *,
    across: int,
    side: int | None = None,
    cell: int = CELL,
) -> Path:
    """Write a clip's sheet as JPEG, below `LARGEST` bytes.

    Args:
        path: of the file.
        source: the frames, (3, H, W) of 8 bits.
        results: label of the variant -> look -> frames of the same size.
        across: consecutive frames for each look, from the middle of the clip.
        side: pixels of the square; None is a share of the frame.
        cell: pixels that it is drawn at; the same as `side` shows them as they are.
    """
    side = min(side or max(1, round(SHARE * min(source[0].shape[1:]))), *source[0].shape[1:])
    top, left = busiest(source, side)
    first = max(0, (len(source) - across) // 2)
    looks = list(dict.fromkeys(look for own in results.values() for look in own))

    def parts(frames: Sequence[IntFrames]) -> list[IntFrames]:
        return [_part(frame, top, left, side, cell) for frame in frames[first : first + across]]

    rows = [[part for _ in looks for part in parts(source)]]
    labels = [[f"source #{first + n}" if number == 0 else "" for number in range(len(looks)) for n in range(across)]]
    for label, own in results.items():
        row: list[IntFrames] = []
        texts: list[str] = []
        for look in looks:
            if look in own:
                cells = parts(own[look])
                row += cells
                texts += [label, look, *[""] * (len(cells) - 2)][: len(cells)]
        rows.append(row)
        labels.append(texts)
    png = sheet_bytes(rows, labels, path.with_suffix(".png"), cell_width=cell)
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None  # it was encoded above
    write_whole(path, _below(picture))
    return path


def _part(frame: IntFrames, top: int, left: int, side: int, cell: int) -> IntFrames:
    """The square, no smaller than a cell: pixels of small clips are drawn larger."""
    part = np.ascontiguousarray(frame[:, top : top + side, left : left + side].transpose(1, 2, 0))
    shown = cv2.resize(part, (cell, cell), interpolation=cv2.INTER_AREA if side > cell else cv2.INTER_CUBIC)
    return np.ascontiguousarray(np.asarray(shown, np.uint8).transpose(2, 0, 1))


def _below(picture: cv2.typing.MatLike) -> bytes:
    """The picture as JPEG of the best quality that is small enough, else at half the size."""
    for quality in _QUALITIES:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if len(data) <= LARGEST:
            return data.tobytes()
    height, width = picture.shape[:2]
    return _below(cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA))
