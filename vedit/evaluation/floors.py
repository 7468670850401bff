"""What nobody gets below: the source after the losses that every render has, measured like a result."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
import torch

from vedit.errors import VeditError
from vedit.evaluation.metric import Frame
from vedit.evaluation.motion import LAG
from vedit.evaluation.picture import Picture, picture_of
from vedit.geometry import fit, unfit
from vedit.media.color.convert import BT709, FromRgb, ToRgb
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.types import ColorTags, FrameRange

if TYPE_CHECKING:
    from av.video.stream import VideoStream

    from vedit.evaluation.measure import Seen, Shown
    from vedit.media.reading.reader import VideoReader
    from vedit.protocols import VideoCodec
    from vedit.types import Fit, Shot

RE_ENCODED, AUTOENCODER = "re-encoded", "autoencoder"
CRF = 23
"""x264's own default: what most deliveries lose."""
FRAMES, CODED_FRAMES = 24, LAG + 4
"""Of the longest shot, from its first frame on, that are encoded, and that pass through the autoencoder."""
_BYTES = 256 << 20
"""Of frames that are read at once."""
_TAGS = ColorTags(primaries=BT709, transfer=BT709, matrix=BT709, full_range=False)


def span_of(shots: tuple[Shot, ...], count: int) -> FrameRange:
    """The first `count` frames of the longest shot."""
    longest = max(shots, key=lambda shot: len(shot.frames)).frames
    return FrameRange(start=longest.start, stop=min(longest.stop, longest.start + count))


def re_encoded(reader: VideoReader, span: FrameRange, size: tuple[int, int]) -> Shown:
    """The frames of a span as H.264 at CRF 23 leaves them; they are read and encoded now, and decoded as they pass.

    Args:
        reader: of the source, open.
        span: the frames.
        size: (h, w) at which they are measured.
    """
    held = _encode(reader, span)
    frames = _decode(held)
    places = iter(range(span.start, span.stop))

    def shown(seen: Seen) -> tuple[Frame, Picture] | None:
        if seen.number not in span:
            return None
        assert next(places) == seen.number, "a floor is measured frame by frame"
        pixels = next(frames)
        return Frame(pixels=pixels, bit_depth=8), picture_of(pixels, 8, size)

    return shown


def _encode(reader: VideoReader, span: FrameRange) -> io.BytesIO:
    metadata = reader.metadata
    odd = metadata.width % 2 or metadata.height % 2
    form = "yuv444p" if odd else "yuv420p"
    convert = FromRgb(form, matrix=BT709, full_range=False, bit_depth=metadata.bit_depth)
    held = io.BytesIO()
    with av.open(held, "w", format="matroska") as container:
        stream: VideoStream = container.add_stream("libx264", rate=25, options={"crf": str(CRF)})
        stream.width, stream.height, stream.pix_fmt = metadata.width, metadata.height, form
        for clip in reader.chunks(span, 1):
            container.mux(stream.encode(convert(clip.frames[0, :3].transpose(1, 2, 0))))
        container.mux(stream.encode(None))
    held.seek(0)
    return held


def _decode(held: io.BytesIO) -> Iterator[np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]]:
    with av.open(held, "r") as container:
        to_rgb: ToRgb | None = None
        for frame in container.decode(video=0):
            to_rgb = to_rgb or ToRgb(_TAGS, frame.height, 8, False)
            yield np.stack([np.asarray(plane, np.uint8) for plane in to_rgb(frame)])


@dataclass(frozen=True, kw_only=True)
class Coder:
    """A model's autoencoder, and the size at which it worked."""

    codec: VideoCodec
    device: torch.device
    fit: Fit


def coder(model: str, fit: Fit) -> Coder | None:
    """The autoencoder of a model that is on this machine; None where it is not, or is damaged.

    Args:
        model: its name or place.
        fit: how a frame lies in the model's.
    """
    try:
        loaded = load(resolve(model), fast=False)
    except VeditError:
        return None
    return Coder(codec=loaded.codec, device=loaded.device, fit=fit)


def through_autoencoder(coder: Coder, reader: VideoReader, span: FrameRange, size: tuple[int, int]) -> Shown:
    """The frames of a span, a few of a shot, encoded and decoded by a model's autoencoder and nothing else."""
    made: dict[int, torch.Tensor] = {}

    def shown(seen: Seen) -> tuple[Frame, Picture] | None:
        if seen.number not in span:
            return None
        if not made:
            made.update(enumerate(_coded(coder, reader, span), span.start))
        frame = made.pop(seen.number)
        pixels = (frame.clamp(0, 1) * 255 + 0.5).to(torch.uint8).numpy()
        return Frame(pixels=pixels, bit_depth=8), picture_of(pixels, 8, size)

    return shown


@torch.inference_mode()
def _coded(coder: Coder, reader: VideoReader, span: FrameRange) -> torch.Tensor:
    frames = torch.cat([fit(clip, coder.fit) for clip in reader.chunks(span, 1)])
    latents = coder.codec.encode(frames.to(coder.device))
    return unfit(coder.codec.decode(latents)[: len(span)].float().cpu(), coder.fit)


def affordable(span: FrameRange, height: int, width: int) -> FrameRange:
    """A span cut to what may be held of frames of a size."""
    most = max(2, _BYTES // (height * width * 3))
    return FrameRange(start=span.start, stop=min(span.stop, span.start + most))
