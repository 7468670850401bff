"""Contact sheets: a few frames in one labelled picture, for a look before a render is paid for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.errors import InputError
from vedit.media.writing.atomic import write_whole
from vedit.thumbnail import is_signed, signed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from vedit.types import IntFrames

    Image = npt.NDArray[np.uint8]

_GAP = 6
_BAND = 22
"""Pixels of a line of text."""
_PAPER = 24
_INK = (225, 225, 225)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SCALE = 0.42


_FORMATS: dict[str, list[int]] = {
    ".png": [],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 92],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 92],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 92],
}


def check_sheet(path: Path) -> None:
    """Raises InputError where a contact sheet cannot be written in the format that the name says."""
    if path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path} is no picture that can be written", remedy=f"name it {' or '.join(_FORMATS)}")


def is_sheet(path: Path) -> bool:
    """Whether a PNG is a contact sheet that was written here, and is as it was written."""
    try:
        return not path.is_symlink() and is_signed(path.read_bytes())
    except OSError:
        return False


def contact_sheet(
    rows: Sequence[Sequence[IntFrames]],
    labels: Sequence[Sequence[str]],
    path: Path,
    *,
    bit_depth: int = 8,
    cell_width: int = 320,
) -> Path:
    """Write frames as one picture, a row of cells for each row given.

    Args:
        rows: see `sheet_bytes`.
        labels: see `sheet_bytes`.
        path: where to, as PNG, JPEG or WebP by its ending; the file appears complete or not at all.
        bit_depth: of the frames.
        cell_width: pixels.

    Returns:
        The path.

    Raises:
        ValueError: no frames, labels that do not match them, or deep frames without their depth.
        InputError: the file cannot be written, or has another ending.
    """
    write_whole(path, sheet_bytes(rows, labels, path, bit_depth=bit_depth, cell_width=cell_width))
    return path


def sheet_bytes(
    rows: Sequence[Sequence[IntFrames]],
    labels: Sequence[Sequence[str]],
    path: Path,
    *,
    bit_depth: int = 8,
    cell_width: int = 320,
) -> bytes:
    """What `contact_sheet` writes.

    Args:
        rows: single frames, integers (3 or 4, H, W) RGB(A) of `bit_depth`; alpha is ignored. Rows may differ in
            length, frames in size. Frames are scaled down, never up.
        labels: a text under each frame, in the shape of `rows`; none where it is empty.
        path: names the format by its ending.
        bit_depth: of the frames.
        cell_width: pixels.

    Raises:
        ValueError: as `contact_sheet`.
        InputError: another ending, or a format that cannot hold the size.
    """
    check_sheet(path)
    if not any(len(row) for row in rows):
        raise ValueError("a contact sheet needs at least one frame")
    if [len(row) for row in labels] != [len(row) for row in rows]:
        raise ValueError("labels must have the shape of the rows")
    if bit_depth == 8 and any(frame.dtype != np.uint8 for row in rows for frame in row):
        raise ValueError("frames of 16-bit integers need their bit_depth")
    bands: list[Image] = []
    for row, texts in zip(rows, labels, strict=True):
        cells = [_cell(frame, bit_depth, text, cell_width) for frame, text in zip(row, texts, strict=True)]
        if cells:
            bands.append(_stack(cells, across=True))
    sheet = cv2.copyMakeBorder(
        _stack(bands, across=False), _GAP, _GAP, _GAP, _GAP, cv2.BORDER_CONSTANT, value=(_PAPER,) * 3
    )
    suffix = path.suffix.lower()
    try:
        done, data = cv2.imencode(suffix, cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), _FORMATS[suffix])
    except cv2.error:
        done, data = False, None
    if not done or data is None:
        # JPEG holds 65535 pixels a side, WebP 16383.
        size = f"{sheet.shape[1]}x{sheet.shape[0]}"
        raise InputError(f"{path} cannot hold a sheet of {size} pixels", remedy="name it .png")
    told = data.tobytes()
    return signed(told) if suffix == ".png" else told


def _cell(frame: IntFrames, bit_depth: int, text: str, width: int) -> Image:
    """The frame, no wider than the cell, with its label below."""
    image = (np.ascontiguousarray(frame[:3].transpose(1, 2, 0)) >> (bit_depth - 8)).astype(np.uint8)
    scale = min(1.0, width / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return _stack([small, _text(text, width)], across=False, gap=0) if text else small


def _text(text: str, width: int) -> Image:
    """One line, shortened to the width; what the font lacks (it is ASCII only) becomes a question mark."""
    band = np.full((_BAND, width, 3), _PAPER, np.uint8)
    shown = text.encode("ascii", "replace").decode()
    while len(shown) > 1 and cv2.getTextSize(shown, _FONT, _SCALE, 1)[0][0] > width - 4:
        shown = shown.removesuffix("...")[:-1] + "..." if len(shown) > 4 else shown[:-1]
    cv2.putText(band, shown, (2, _BAND - 7), _FONT, _SCALE, _INK, 1, cv2.LINE_AA)
    return band


def _stack(images: Sequence[Image], *, across: bool, gap: int = _GAP) -> Image:
    """Images in a row or a column on paper, aligned to the top left."""
    axis, other = (1, 0) if across else (0, 1)
    extent = max(image.shape[other] for image in images)
    length = sum(image.shape[axis] for image in images) + gap * (len(images) - 1)
    sheet = np.full((extent, length, 3) if across else (length, extent, 3), _PAPER, np.uint8)
    at = 0
    for image in images:
        height, width = image.shape[:2]
        row, column = (0, at) if across else (at, 0)
        sheet[row : row + height, column : column + width] = image
        at += image.shape[axis] + gap
    return sheet
