"""Fakes for authors of plugins and for tests: every seam of `vedit.protocols`, without weights, files or network.

The fakes are closed-form where the real thing is learnt: what they return can be computed on paper.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import torch
from torch.nn import functional as F

from vedit.latent_shape import ScaleFactors
from vedit.registry.entry import Needs
from vedit.types import Clip, ColorTags, FrameIndex, PromptEmbeds, VideoMetadata

if TYPE_CHECKING:
    from vedit.types import ControlInput, FrameRange, IntFrames


def moving_frames(count: int = 8, height: int = 48, width: int = 64, *, seed: int = 0) -> IntFrames:
    """(count, 3, height, width) uint8: soft random colours, another place for each seed, panned a pixel per frame."""
    generator = torch.Generator().manual_seed(seed)
    size = (height, width + count)
    picture = torch.rand(1, 3, 1, 1, generator=generator).expand(1, 3, *size) * 0.5
    for cells, amount in ((3, 0.4), (12, 0.1)):
        coarse = torch.rand(1, 3, cells, cells * size[1] // height + 1, generator=generator)
        picture = picture + amount * F.interpolate(coarse, size, mode="bilinear")
    whole = (picture[0] * 255).round().to(torch.uint8).numpy()
    return np.stack([whole[:, :, t : t + width] for t in range(count)])


@dataclass(frozen=True, kw_only=True)
class FakeReader:
    """A `Reader` of frames that are in memory."""

    frames: IntFrames = field(default_factory=moving_frames)
    """(T, 3 or 4, H, W)."""
    bit_depth: int = 8
    rate: Fraction = Fraction(24)
    pts: tuple[int, ...] | None = None
    """Ticks of `time_base`, for a variable frame rate; None is one grid at `rate`."""
    time_base: Fraction | None = None
    """None is one tick per frame."""
    reads: list[FrameRange] = field(default_factory=list["FrameRange"])
    """What was read so far, for tests that care."""

    @property
    def metadata(self) -> VideoMetadata:
        """As the headers of such a file would say."""
        index, (height, width) = self.index(), self.frames.shape[-2:]
        return VideoMetadata(
            path=Path("fake.mp4"),
            container=("mov", "mp4"),
            codec="h264",
            stream_index=0,
            coded_width=width,
            coded_height=height,
            width=width,
            height=height,
            sample_aspect_ratio=Fraction(1),
            rotation=0,
            mirrored=False,
            time_base=index.time_base,
            average_rate=self.rate,
            start_pts=index.pts[0] if index.pts else None,
            declared_frames=len(self.frames),
            duration=len(self.frames) / self.rate,
            pixel_format="yuv420p",
            bit_depth=self.bit_depth,
            has_alpha=self.frames.shape[1] == 4,
            color=ColorTags(),
            field_order="progressive",
            timecode=None,
            streams=(),
        )

    def index(self) -> FrameIndex:
        """The pts that were given, or one grid."""
        time_base = self.time_base or 1 / self.rate
        step = round(1 / (self.rate * time_base))
        pts = self.pts if self.pts is not None else tuple(range(0, step * len(self.frames), step))
        steps = {b - a for a, b in pairwise(pts)}
        rate = self.rate if steps <= {step} else None
        return FrameIndex(pts=pts, time_base=time_base, last_duration=step, rate=rate)

    def read(self, frames: FrameRange) -> Clip:
        """Raises IndexError where the range goes beyond the last frame."""
        if frames.stop > len(self.frames):
            raise IndexError(f"frames {frames.start}..{frames.stop} of a clip of {len(self.frames)}")
        self.reads.append(frames)
        index = self.index()
        return Clip(
            frames=self.frames[frames.start : frames.stop],
            bit_depth=self.bit_depth,
            pts=index.pts[frames.start : frames.stop],
            time_base=index.time_base,
            start=frames.start,
        )

    def chunks(self, frames: FrameRange, size: int) -> Iterator[Clip]:
        """The range in clips of at most `size` frames."""
        for start in range(frames.start, frames.stop, size):
            yield self.read(type(frames)(start=start, stop=min(start + size, frames.stop)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


@dataclass(frozen=True, kw_only=True)
class FakeDenoiser:
    """A `Denoiser` that knows its data: every latent value is a Gaussian around `target`, so the best answer is exact.

    With x = sqrt(a) x0 + sqrt(1 - a) e and x0 ~ N(m, s^2), the expected noise is
    sqrt(1 - a) (x - sqrt(a) m) / (a s^2 + 1 - a). The mean m is `mean`, moved by the prompt (the mean of its states)
    and by each control (its scale times the control's brightness about 0.5, averaged over each latent pixel, times the
    average of its mask there).
    """

    mean: float = 0.0
    spread: float = 1.0
    """The standard deviation s; 0 makes every sample land on the mean."""
    kinds: tuple[str, ...] = ("tile", "softedge")
    """Controls that the model has."""
    prediction: Literal["epsilon", "v_prediction"] = "epsilon"
    train_steps: int = 1000
    joint: bool = False
    """Whether it asks for a window at once."""

    def alpha(self, timestep: int) -> float:
        """The signal level a (diffusers' alphas_cumprod) of Stable Diffusion's `scaled_linear` schedule."""
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, self.train_steps, dtype=torch.float64) ** 2
        return float((1 - betas).cumprod(0)[timestep])

    def __call__(
        self,
        x: torch.Tensor,
        level: float,
        prompt: PromptEmbeds,
        controls: Sequence[ControlInput],
    ) -> torch.Tensor:
        """Raises ValueError for a control that the model does not have, or one of another size."""
        mean = torch.full_like(x, self.mean) + prompt.states.mean((1, 2), keepdim=True).unsqueeze(3)
        grid = (x.shape[-2], x.shape[-1])
        for control in controls:
            kind, frames = control.branch, control.frames
            if kind not in self.kinds:
                raise ValueError(f"the model has no control {kind!r}, only {', '.join(self.kinds)}")
            if len(frames) not in (1, len(x)):
                raise ValueError(f"{len(frames)} frames of the control {kind!r} for {len(x)} latents")
            change = control.scale * (F.adaptive_avg_pool2d(frames.mean(1, keepdim=True), grid) - 0.5)
            mean = mean + (change if control.mask is None else change * F.adaptive_avg_pool2d(control.mask, grid))
        a = self.alpha(round(level))
        epsilon = (1 - a) ** 0.5 * (x - a**0.5 * mean) / (a * self.spread**2 + 1 - a)
        if self.prediction == "epsilon":
            return epsilon
        clean = (x - (1 - a) ** 0.5 * epsilon) / a**0.5
        return a**0.5 * epsilon - (1 - a) ** 0.5 * clean


@dataclass(frozen=True, kw_only=True)
class FakeCodec:
    """A `VideoCodec`: each latent pixel is the mean colour of a block, in [-1, 1]; decoding repeats it.

    `decode(encode(x))` is x averaged over blocks, and encoding that again changes nothing.
    """

    factor: int = 8
    channels: int = 4
    """The fourth latent channel, and any beyond, is 0."""
    context: int = 0

    @property
    def factors(self) -> ScaleFactors:
        """A latent for each frame."""
        return ScaleFactors(height=self.factor, width=self.factor)

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """Raises ValueError where a side is no multiple of the factor."""
        if frames.shape[-1] % self.factor or frames.shape[-2] % self.factor:
            raise ValueError(f"sides must be multiples of {self.factor}, got {tuple(frames.shape[-2:])}")
        colour = F.avg_pool2d(frames, self.factor) * 2 - 1
        return F.pad(colour, (0, 0, 0, 0, 0, self.channels - 3))

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse, clipped to [0, 1]."""
        colour = ((latents[:, :3] + 1) / 2).clamp(0, 1)
        return F.interpolate(colour, scale_factor=self.factor, mode="nearest")


@dataclass(frozen=True, kw_only=True)
class FakeTextEncoder:
    """A `TextEncoder`: states drawn at random from a seed that is the text; the empty text is all zeros."""

    length: int = 4
    width: int = 8
    words: frozenset[str] | None = None
    """The words that mean something to it; None is all."""

    def __call__(self, text: str) -> PromptEmbeds:
        """The same states for the same text, on every machine."""
        if not text:
            return PromptEmbeds(states=torch.zeros(1, self.length, self.width))
        generator = torch.Generator().manual_seed(zlib.crc32(text.encode()))
        return PromptEmbeds(states=torch.randn(1, self.length, self.width, generator=generator))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of the text that are not in `words`, in their order."""
        return () if self.words is None else tuple(word for word in text.split() if word not in self.words)


@dataclass(frozen=True, kw_only=True)
class ConstantPreprocessor:
    """A `Preprocessor` that returns one brightness everywhere."""

    value: float = 0.5
    needs: ClassVar[Needs] = Needs(whole_shot=True)
    """Written as a stream, as those are that must see a whole shot."""

    def __call__(self, chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """A map for every frame, as the frames come."""
        return (torch.full_like(frames, self.value) for frames in chunks)
