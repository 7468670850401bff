"""How latents lie in the pixels of a clip: the only home of the arithmetic between frames and latents.

An image model has a latent for each frame. A video model has one for several frames, and in causal autoencoders the
first frame has one to itself (4n + 1 frames make n + 1 latents). Does not import torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from vedit.types import FrameRange


@dataclass(frozen=True, kw_only=True)
class ScaleFactors:
    """Frames and pixels to one latent cell along each axis.

    Raises:
        ValueError: a factor below 1.
    """

    time: int = 1
    height: int = 8
    width: int = 8
    first_frame_alone: bool = False
    """The first frame has a latent to itself, as in causal video autoencoders."""

    def __post_init__(self) -> None:
        if min(self.time, self.height, self.width) < 1:
            raise ValueError(f"scale factors are at least 1, got {self.time}, {self.height} and {self.width}")

    @property
    def frame_by_frame(self) -> bool:
        """Each frame has a latent of its own."""
        return self.time == 1

    @property
    def cell(self) -> int:
        """Pixels to a latent cell along each side. Raises ValueError where cells are not square."""
        if self.height != self.width:
            raise ValueError(f"cells of {self.height} x {self.width} pixels are not square")
        return self.height

    @property
    def _lone(self) -> int:
        """Frames at the beginning whose latents stand for one frame each."""
        return int(self.first_frame_alone)

    def latents(self, frames: int) -> int:
        """Latents of so many frames from the clip's first on; the last group may be filled in part."""
        lone = min(self._lone, frames)
        return lone + ceil((frames - lone) / self.time)

    def frames(self, latents: int) -> int:
        """Frames that so many latents from the first on stand for."""
        lone = min(self._lone, latents)
        return lone + (latents - lone) * self.time

    def latent_of(self, frame: int) -> int:
        """The latent that holds a frame; both are counted from the clip's first."""
        return frame if frame < self._lone else self._lone + (frame - self._lone) // self.time

    def span(self, latents: FrameRange, *, count: int) -> FrameRange:
        """The frames of a range of latents, in a clip of `count` frames that both are counted in."""
        return FrameRange(start=min(self.frames(latents.start), count), stop=min(self.frames(latents.stop), count))

    def first_frames(self, frames: int) -> tuple[int, ...]:
        """The first frame of each latent in a clip of so many frames: what is drawn for a frame is keyed by it."""
        return tuple(self.frames(latent) for latent in range(self.latents(frames)))


@dataclass(frozen=True, kw_only=True)
class LatentShape:
    """The axes of a clip's latents, (T, C, h, w)."""

    latents: int
    channels: int
    height: int
    width: int

    @classmethod
    def from_pixels(cls, frames: int, height: int, width: int, *, channels: int, factors: ScaleFactors) -> LatentShape:
        """Those of a clip of so many frames and pixels.

        Raises:
            ValueError: height or width is no multiple of its factor.
        """
        if height % factors.height or width % factors.width:
            raise ValueError(
                f"the sides {height} and {width} are no multiples of {factors.height} and {factors.width} pixels"
            )
        return cls(
            latents=factors.latents(frames),
            channels=channels,
            height=height // factors.height,
            width=width // factors.width,
        )

    @property
    def axes(self) -> tuple[int, int, int, int]:
        """(T, C, h, w)."""
        return self.latents, self.channels, self.height, self.width
