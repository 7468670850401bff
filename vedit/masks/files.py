"""Masks from files: videos and image sequences beside the clip, and single pictures."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.errors import InputError, MediaError
from vedit.media.aligned import align, goes_by_part
from vedit.media.color.convert import is_float
from vedit.media.reading.addresses import check_address
from vedit.media.reading.limits import check_size
from vedit.media.reading.read import open_video
from vedit.media.reading.sequence import find_sequence
from vedit.media.reading.source import STILLS
from vedit.ranges import full_scale
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.masks.source import MatteSource, Plane
    from vedit.types import IntFrames, VideoMetadata

_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""ITU-R BT.709; of grey it is the grey, whatever the weights."""
_EXACT = {"png", "ffv1", "exr", "tiff", "bmp", "rawvideo", "qtrle", "huffyuv", "ffvhuff", "utvideo", "dpx"}
"""Codecs that return what went in; the others leave a ripple beside each edge, and never quite black or white."""
_RIPPLE = 4 / 255


class PictureLayer:
    """One picture that holds for every frame.

    Args:
        picture: (H, W) of the clip's size.
        source: the clip.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, picture: Plane, source: MatteSource) -> None:
        if picture.shape != source.size:
            raise ValueError(f"the picture is {picture.shape}, the clip {source.size}")
        self._picture = picture

    def __call__(self, frames: FrameRange) -> Plane:
        return np.broadcast_to(self._picture, (len(frames), *self._picture.shape))

    def close(self) -> None:
        """Nothing is open."""


class VideoLayer:
    """A mask video or image sequence: each frame of the clip has the mask frame that is shown at its time.

    The alpha channel is the mask where there is one that shows anything through, else the brightness is.

    Args:
        path: of the mask.
        source: the clip. The mask covers the whole of it, or exactly its masked part.

    Raises:
        MediaError: it cannot be read, or its length or times are not the clip's; with both lengths.
        InputError: it has another aspect than the clip.
    """

    def __init__(self, path: Path, source: MatteSource) -> None:
        self._source = source
        images = find_sequence(path) is not None
        # A sequence goes by number, so its rate is of no account; naming one keeps the reader from warning of it.
        self._reader = open_video(path, rate=source.index.rate if images else None, allow_huge=source.allow_huge)
        try:
            metadata = self._reader.metadata
            check_aspect(path.name, (metadata.height, metadata.width), source.size)
            self._numbers = align(
                source.index, self._reader.index(), part=source.frames, timed=not images, name=path.name
            )
            self._alpha = metadata.has_alpha and self._shows_through()
        except BaseException:
            self._reader.close()
            raise
        self.by_part = goes_by_part(self._numbers, source.frames)
        """The file goes with the masked part, not with the whole clip."""
        said = "alpha channel" if self._alpha else "brightness"
        opaque = " (its alpha channel is opaque)" if metadata.has_alpha and not self._alpha else ""
        self.notes: tuple[str, ...] = (f"{path.name}: its {said} is the mask{opaque}",)

    def __call__(self, frames: FrameRange) -> Plane:
        first = self._source.frames.start
        wanted = self._numbers[frames.start - first : frames.stop - first]
        distinct = sorted(set(wanted))
        planes: dict[int, Plane] = {}
        # Runs of neighbours are read in one go; a mask of a higher rate is read frame by frame.
        for _, group in groupby(enumerate(distinct), key=lambda pair: pair[1] - pair[0]):
            run = [number for _, number in group]
            clip = self._reader.read(FrameRange(start=run[0], stop=run[-1] + 1))
            for number, frame in zip(run, clip.frames, strict=True):
                planes[number] = self._plane(frame)
        return (
            np.stack([planes[number] for number in wanted]) if wanted else np.zeros((0, *self._source.size), np.float32)
        )

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _shows_through(self) -> bool:
        """Whether the alpha channel is not opaque throughout, by a few frames over the whole length."""
        opaque = full_scale(self._reader.metadata.bit_depth)
        places = sorted({round(place) for place in np.linspace(self._numbers[0], self._numbers[-1], 5)})
        return any(
            int(self._reader.read(FrameRange(start=number, stop=number + 1)).frames[0, 3].min()) < opaque
            for number in places
        )

    def _plane(self, frame: IntFrames) -> Plane:
        metadata = self._reader.metadata
        value = frame[3] if self._alpha else None
        plane = (value if value is not None else _brightness(frame)) * np.float32(1 / full_scale(metadata.bit_depth))
        return fitted(_true_levels(np.asarray(plane, np.float32), metadata, alpha=self._alpha), self._source.size)


def is_picture(path: Path) -> bool:
    """Whether a path is a single still image rather than a video or an image sequence."""
    return path.suffix.lower() in STILLS and find_sequence(path) is None


def read_picture(path: Path, size: tuple[int, int], *, allow_huge: bool = False) -> Plane:
    """A mask picture at a clip's size: (H, W) float32 in [0, 1], its alpha channel if that shows anything through.

    Args:
        path: PNG, TIFF, JPEG or what else OpenCV reads; 8 or 16 bits, or floats.
        size: (height, width).

    Raises:
        MediaError: it cannot be read.
        InputError: it has another aspect.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        check_address(str(path))
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise MediaError(f"{path}: {reason}", remedy="check the path") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if len(data) else None
    except cv2.error:
        image = None
    if image is None:
        raise MediaError(f"{path} is not a picture that can be read", remedy="save it as PNG, 8 or 16 bits")
    check_size(image.shape[1], image.shape[0], path, allow_huge=allow_huge)
    check_aspect(path.name, image.shape[:2], size)
    scale = {"uint8": 255, "uint16": 65535}.get(image.dtype.name, 1)
    planes = np.asarray(image, np.float32).reshape(*image.shape[:2], -1) / np.float32(scale)
    alpha = planes[..., -1] if planes.shape[2] in (2, 4) else None
    if alpha is not None and float(alpha.min()) < 1:
        plane = alpha
    else:
        plane = planes[..., 2::-1] @ _LUMA if planes.shape[2] >= 3 else planes[..., 0]
    return fitted(np.clip(np.nan_to_num(plane), 0, 1), size)


def check_aspect(name: str, given: tuple[int, int], wanted: tuple[int, int]) -> None:
    """Raises InputError where a picture (height, width) is not the clip's, or that scaled evenly to whole pixels."""
    height, width = given
    if abs(width - wanted[1] * height / wanted[0]) > 1 and abs(height - wanted[0] * width / wanted[1]) > 1:
        raise InputError(
            f"{name} is {width}x{height}, the clip is {wanted[1]}x{wanted[0]}",
            remedy="export the mask with the clip's frame size, or an even scaling of it",
        )


def fitted(plane: Plane, size: tuple[int, int]) -> Plane:
    """(h, w) at another size: areas are averaged on the way down, so that a thin mask does not vanish."""
    if plane.shape == size:
        return plane
    shrinks = plane.shape[0] >= size[0] and plane.shape[1] >= size[1]
    scaled = cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.float32)


def _brightness(frame: IntFrames) -> Plane:
    """(3 or 4, H, W) integers -> luma as floats on the same scale."""
    return np.asarray(np.tensordot(_LUMA, frame[:3].astype(np.float32), 1), np.float32)


def _true_levels(plane: Plane, metadata: VideoMetadata, *, alpha: bool) -> Plane:
    """What the mask's author drew: linear light as linear, the ripple of a lossy codec as the black or white it was."""
    if is_float(metadata.pixel_format) and not alpha:
        low = plane / np.float32(12.92)
        return np.where(plane <= 0.04045, low, ((plane + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4))
    if metadata.codec in _EXACT:
        return plane
    return np.clip((plane - np.float32(_RIPPLE)) / np.float32(1 - 2 * _RIPPLE), 0, 1)
