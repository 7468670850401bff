"""Windows with overlap over a shot, so that a clip of any length runs in bounded memory."""

from __future__ import annotations

from math import ceil

from vedit.types import FrameRange, Window


def windows(frames: FrameRange, *, size: int, overlap: int) -> tuple[Window, ...]:
    """Windows of at most `size` frames, as even as can be, that cover `frames`; neighbours share `overlap` of them.

    A frame's weights over the windows that hold it sum to 1; they rise and fall linearly across an overlap. At most
    two windows hold a frame.

    Raises:
        ValueError: unless size >= 1 and 0 <= overlap <= size / 3.
    """
    if size < 1 or not 0 <= overlap <= size // 3:
        raise ValueError(f"windows need size >= 1 and 0 <= overlap <= size / 3, got size {size}, overlap {overlap}")
    length = len(frames)
    if length == 0:
        return ()
    count = 1 if length <= size else ceil((length - overlap) / (size - overlap))
    base, longer = divmod(length + (count - 1) * overlap, count)
    result: list[Window] = []
    start = frames.start
    for i in range(count):
        stop = start + base + (i < longer)
        weights = _ramps(stop - start, rise=overlap if i else 0, fall=overlap if i < count - 1 else 0)
        result.append(Window(frames=FrameRange(start=start, stop=stop), weights=weights))
        start = stop - overlap
    return tuple(result)


def _ramps(size: int, *, rise: int, fall: int) -> tuple[float, ...]:
    """Weights 1, but for a linear rise over the first frames and a linear fall over the last."""
    up = [(i + 1) / (rise + 1) for i in range(rise)]
    down = [1 - (i + 1) / (fall + 1) for i in range(fall)]
    return (*up, *[1.0] * (size - rise - fall), *down)
