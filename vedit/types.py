"""What passes between the stages: frozen, keyword-only values. A stage returns a new one and never mutates its input.

Axes: T frames, C channels, H rows, W columns; h, w are the latent grid. Time is rational: an integer pts times a
`Fraction` time base; frame ranges are half-open. Importing this module does not import torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vedit.checks.arguments import checked
from vedit.control_spec import CONTROL_BOUNDS as CONTROL_BOUNDS
from vedit.control_spec import ControlSchedule as ControlSchedule
from vedit.control_spec import ControlSpec as ControlSpec
from vedit.errors import SettingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    IntFrames = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

Rotation = Literal[0, 90, 180, 270]
FieldOrder = Literal["progressive", "tt", "bb", "tb", "bt", "unknown"]


@checked
@dataclass(frozen=True, kw_only=True, order=True)
class FrameRange:
    """Frames start, start + 1, ... stop - 1, counted from the first frame that the decoder presents."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise SettingError(
                f"a frame range is {self.start}..{self.stop}", remedy="give 0 <= start <= stop; stop is exclusive"
            )

    def __len__(self) -> int:
        return self.stop - self.start

    def __contains__(self, frame: object) -> bool:
        return isinstance(frame, int) and self.start <= frame < self.stop


@checked
@dataclass(frozen=True, kw_only=True)
class ColorTags:
    """Colour description by the code points of ITU-T H.273; 2 is 'unspecified'."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool | None = None
    """None where the file does not say."""


@checked
@dataclass(frozen=True, kw_only=True)
class StreamInfo:
    """One stream besides the video that is edited."""

    index: int
    kind: Literal["audio", "subtitle", "data", "attachment", "video"]
    codec: str
    time_base: Fraction
    language: str | None = None
    start_pts: int | None = None
    size: tuple[int, int] | None = None
    """(width, height) of a video, as coded."""
    frames: int | None = None
    """Or packets, where the header says."""
    picture: bool = False
    """A cover or thumbnails beside the film."""
    channels: int | None = None
    """Of a sound track."""
    layout: str | None = None
    """FFmpeg's name of its channels, for instance "stereo" or "5.1"."""
    sample_rate: int | None = None
    """Samples a second of a sound track."""


@checked
@dataclass(frozen=True, kw_only=True)
class VideoMetadata:
    """What `probe` reads from the headers, without decoding.

    `width` and `height` are pixels in display orientation (after rotation); the sample aspect ratio is kept as a
    tag and is given in display orientation too (inverted on quarter turns).
    """

    path: Path
    container: tuple[str, ...]
    """FFmpeg's names of the format, for instance ("mov", "mp4", "m4a", ...)."""
    codec: str
    stream_index: int
    coded_width: int
    coded_height: int
    width: int
    height: int
    sample_aspect_ratio: Fraction
    rotation: Rotation
    """Degrees clockwise by which the coded picture is turned for display, before `mirrored`."""
    mirrored: bool
    """The picture is flipped left to right after the turn."""
    time_base: Fraction
    average_rate: Fraction | None
    start_pts: int | None
    declared_frames: int | None
    """What the header says; the truth is `FrameIndex`."""
    duration: Fraction | None
    """Seconds, from the header."""
    pixel_format: str
    bit_depth: int
    has_alpha: bool
    color: ColorTags
    field_order: FieldOrder
    timecode: str | None
    streams: tuple[StreamInfo, ...]
    chapters: int = 0
    metadata: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def audio(self) -> tuple[StreamInfo, ...]:
        """The audio streams."""
        return tuple(stream for stream in self.streams if stream.kind == "audio")


@checked
@dataclass(frozen=True, kw_only=True)
class FrameIndex:
    """The presentation times of every frame the decoder presents, edit lists applied, in display order."""

    pts: tuple[int, ...]
    time_base: Fraction
    last_duration: int
    """Ticks that the last frame is shown."""
    rate: Fraction | None
    """The exact rate where all pts lie on one grid within half a tick (24000/1001 stays that), else None: VFR."""
    moved: tuple[int, ...] = ()
    """Frames whose time is not the file's own, which repeats, steps back or is missing there."""

    def __len__(self) -> int:
        return len(self.pts)

    def seconds(self, frame: int) -> Fraction:
        """When frame `frame` is shown, in seconds after the first frame."""
        return (self.pts[frame] - self.pts[0]) * self.time_base

    def span(self, frames: FrameRange) -> tuple[Fraction, Fraction]:
        """When a range of frames begins and is over, in seconds after the first frame."""
        start = self.seconds(frames.start)
        if frames.stop < len(self):
            return start, self.seconds(frames.stop)
        return start, self.seconds(frames.stop - 1) + self.last_duration * self.time_base


@checked
@dataclass(frozen=True, kw_only=True)
class Clip:
    """Decoded frames: integer RGB or RGBA in display orientation, (T, 3 or 4, H, W).

    Depth 8 is uint8; 10 to 16 is uint16, where `bit_depth` says how many of its bits are used.
    """

    frames: IntFrames
    bit_depth: int
    pts: tuple[int, ...]
    time_base: Fraction
    start: int
    """Index of the first frame in the source."""
    color: ColorTags = ColorTags()

    def __post_init__(self) -> None:
        shape = getattr(self.frames, "shape", None)
        if not isinstance(shape, tuple) or len(shape) != 4:
            found = type(self.frames).__name__ if shape is None else f"of shape {shape}"
            raise SettingError(f"the frames of a clip are {found}", remedy="give an array (T, 3 or 4, H, W)")

    def __len__(self) -> int:
        return int(self.frames.shape[0])

    def _repr_png_(self) -> bytes:
        """Up to five frames, spread evenly, for a notebook."""
        from vedit.thumbnail import png, thumbnail, tiled

        count = min(5, len(self))
        shown = [round(n * (len(self) - 1) / max(1, count - 1)) for n in range(count)]
        return png(tiled([[thumbnail(self.frames[n], self.bit_depth) for n in shown]]))


@checked
@dataclass(frozen=True, kw_only=True)
class Shot:
    """A run of frames from one camera: windows, anchors and flow stop at its edges."""

    number: int
    """From 1."""
    frames: FrameRange


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Black bars around the picture of a shot: rows above and below it, columns on its left and right."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def __bool__(self) -> bool:
        return any(self.sides.values())

    @property
    def sides(self) -> dict[str, int]:
        """Width in pixels by side."""
        return {"top": self.top, "bottom": self.bottom, "left": self.left, "right": self.right}

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """The rows and columns of the picture in a frame of that size."""
        return slice(self.top, height - self.bottom), slice(self.left, width - self.right)


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How a source frame lies in the model's frame: scaled evenly to `inner`, then padded to `outer`."""

    source: tuple[int, int]
    """(height, width) of the source."""
    inner: tuple[int, int]
    """(height, width) after the even scaling."""
    outer: tuple[int, int]
    """(height, width) after padding to the model's multiple."""
    top: int
    left: int


@dataclass(frozen=True, kw_only=True)
class ControlMap:
    """A control for each frame: float (T, 3, H, W) in [0, 1] at the model's size."""

    kind: str
    frames: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class ControlInput:
    """One control as a network call sees it."""

    branch: str
    """The model's control branch that it is for."""
    frames: torch.Tensor
    """Float (T, 3, H, W) in [0, 1]."""
    scale: float = 1.0
    mask: torch.Tensor | None = None
    """Float (T, 1, H, W) in [0, 1]: where it acts; None is everywhere."""


@dataclass(frozen=True, kw_only=True)
class OpticalFlow:
    """Dense motion between neighbours, (T-1, 2, H, W) pixels, x then y.

    `forward[t]` takes a pixel of frame t to frame t+1; `backward[t]` takes a pixel of frame t+1 to frame t.
    The occlusions are (T-1, 1, H, W) bool, true where a pixel of frame t (forward) or t+1 (backward) has no match.
    """

    forward: torch.Tensor
    backward: torch.Tensor
    forward_occlusion: torch.Tensor
    backward_occlusion: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class PromptEmbeds:
    """What a model is told of a text: all tensors that its encoders made of it, each with the same first axis."""

    states: torch.Tensor
    """The encoder's states: float (1, L, D); (T, L, D) where frames have prompts of their own."""
    others: Mapping[str, torch.Tensor] = field(default_factory=dict[str, "torch.Tensor"])
    """What else the family's denoiser takes, by the family's own names: a second encoder's pooled state, a mask of the
    tokens that are there."""

    def __len__(self) -> int:
        """1, or the number of frames."""
        return len(self.states)

    def part(self, frames: slice | list[int]) -> PromptEmbeds:
        """Those of some of the frames, by their places; of a prompt for all, itself."""
        if len(self) == 1:
            return self
        return PromptEmbeds(states=self.states[frames], others={key: one[frames] for key, one in self.others.items()})


@dataclass(frozen=True, kw_only=True)
class Latents:
    """Latents (T, C, h, w), scaled as the denoiser wants them; T counts latents, of which a video model has fewer than
    there are frames (`vedit.latent_shape`)."""

    data: torch.Tensor
    level: float = 0.0
    """The noise level, in the units of the model's schedule; 0 is clean."""
    source: torch.Tensor | None = None
    """Clean latents of the frames that these were made of, or of the one frame that all of them were made of; None:
    not at hand."""

    def part(self, start: int, stop: int | None = None) -> Latents:
        """Some of the latents, with the source's of the same; a single one of the source is that of all."""
        data, source = self.data[start:stop], self.source
        if source is not None and len(source) == len(self.data):
            source = source[start:stop]
        return replace(self, data=data, source=source)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Frames that are sampled together, with the weight of each of their latents in the blend with its neighbours."""

    frames: FrameRange
    weights: tuple[float, ...]
