"""One still picture as numbers: those that a look takes after, in whatever format they come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vedit.errors import InputError
from vedit.media.reading.picture_data import picture_data
from vedit.media.reading.read import open_video
from vedit.media.reading.sequence import find_sequence, is_still
from vedit.ranges import full_scale
from vedit.types import FrameRange

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.media.reading.reader import VideoReader

_BEHIND = 1.0
"""What shows through transparency: white, as paper."""


@dataclass(frozen=True, kw_only=True)
class Still:
    """A picture, upright."""

    picture: npt.NDArray[np.float32]
    """(H, W, 3) in [0, 1], before white where it is transparent."""
    opacity: npt.NDArray[np.float32]
    """(H, W, 1) in [0, 1]; 1 where there is no alpha channel."""
    colours: npt.NDArray[np.float32]
    """(H, W, 3) in [0, 1]: the picture's own, with nothing behind it; any where it is wholly transparent. Of an EXR
    they are darker where it is transparent in part, as the file has them."""
    warnings: tuple[str, ...] = ()
    """Of the reader."""


def read_still(path: Path) -> Still:
    """A picture through the one door for files of unknown origin (`vedit.media.reading.admitted`).

    Raises:
        InputError: it holds more than one picture.
        MediaError: it cannot be read.
    """
    with _opened(path) as reader:
        clip, warnings = reader.read(FrameRange(start=0, stop=1)), reader.warnings
    frame = clip.frames[0].transpose(1, 2, 0).astype(np.float32) * np.float32(1 / full_scale(clip.bit_depth))
    opacity = frame[..., 3:] if frame.shape[2] > 3 else np.ones_like(frame[..., :1])
    before_white = frame[..., :3] * opacity + np.float32(_BEHIND) * (1 - opacity)
    return Still(picture=before_white, opacity=opacity, colours=_own(path, frame[..., :3], opacity), warnings=warnings)


def check_still(path: Path) -> None:
    """Raises InputError or MediaError as `read_still` would, of which no picture is decoded but the first."""
    _opened(path).close()


def _own(path: Path, told: npt.NDArray[np.float32], opacity: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The colours of a picture without its opacity: some TIFFs hold them times that."""
    if float(opacity.min()) >= 1 or not picture_data(path).associated:
        return told
    return np.asarray((told / np.maximum(opacity, np.float32(1e-4))).clip(0, 1), np.float32)


def _opened(path: Path) -> VideoReader:
    if find_sequence(path) is not None:
        raise _no_still(path, "an image sequence")
    reader = open_video(path)
    try:
        # A video of many frames says so itself; where a file does not, those that it has are counted.
        count = 1 if is_still(path) else reader.metadata.declared_frames or len(reader.index())
        if count != 1:
            raise _no_still(path, f"a video of {count} frames")
    except BaseException:
        reader.close()
        raise
    return reader


def _no_still(path: Path, what: str) -> InputError:
    return InputError(f"{path} is {what}", remedy="give a still picture: PNG, JPEG, TIFF, DPX or EXR")
