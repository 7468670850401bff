"""The memory of frames as arrays, and how swscale is told to work: everywhere in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Without accurate rounding RGB is a code value too dark, and 10-bit 4:2:0 of odd sizes differs from run to run.
FLAGS = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)

Sample = TypeVar("Sample", np.uint8, np.uint16, np.float16, np.float32)


def plane_of(frame: VideoFrame, index: int, dtype: type[Sample], *, samples: int = 1) -> npt.NDArray[Sample]:
    """Plane `index` of a frame as (H, W * samples), without a copy; `samples` is how many a pixel has in this plane."""
    plane = frame.planes[index]
    memory = np.frombuffer(cast("bytes", memoryview(cast("bytes", plane))), dtype=dtype)
    return memory.reshape(plane.height, -1)[:, : plane.width * samples]
