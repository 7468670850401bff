"""How much is decoded before the user has to say that it is meant: a few bytes can ask for terabytes of pixels."""

from __future__ import annotations

from pathlib import Path

from vedit.errors import MediaError

MAX_SIDE = 16384
MAX_PIXELS = 2**28
"""Of one frame: 16384 x 16384."""
MAX_TOTAL_PIXELS = 2**43
"""Of all frames: 39 hours of 1920x1080 at 30 frames/s, 10 hours of 3840x2160."""

MAX_CHEAP_PIXELS = 2**33
"""Of all frames of pictures that hardly take a byte: 4,000 frames of 1920x1080."""
CHEAP = 2000
"""Pixels for a byte of the file, beyond which it declares them for nothing; stills and drawings take more bytes."""

REMEDY = "add --allow-huge if it is meant, or cut it down first"


def check_size(width: int, height: int, path: Path | str, *, allow_huge: bool = False) -> None:
    """Raises MediaError where a frame is larger than is decoded without being told to."""
    if allow_huge:
        return
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise MediaError(
            f"{path}: {width}x{height} is larger than {MAX_SIDE} on a side or {MAX_PIXELS} pixels", remedy=REMEDY
        )


def check_declared(
    frames: int, width: int, height: int, size: int, path: Path | str, *, allow_huge: bool = False
) -> None:
    """Raises MediaError where pictures whose canvas and number cost nothing to declare are too many for their bytes.

    Args:
        frames: that are declared.
        width: of the canvas.
        height: of the canvas.
        size: bytes of the file, or of all files of a sequence.
        path: for the message.
        allow_huge: it is meant.
    """
    check_total(frames, width, height, path, allow_huge=allow_huge)
    pixels = frames * width * height
    if not allow_huge and pixels > MAX_CHEAP_PIXELS and pixels > CHEAP * size:
        raise MediaError(
            f"{path}: {frames} frames of {width}x{height} in {size} bytes are more than {MAX_CHEAP_PIXELS} pixels that "
            "take no room",
            remedy=REMEDY,
        )


def check_total(frames: int, width: int, height: int, path: Path | str, *, allow_huge: bool = False) -> None:
    """Raises MediaError where a clip holds more pixels than are decoded without being told to."""
    if not allow_huge and frames * width * height > MAX_TOTAL_PIXELS:
        raise MediaError(
            f"{path}: {frames} frames of {width}x{height} are more than {MAX_TOTAL_PIXELS} pixels", remedy=REMEDY
        )
