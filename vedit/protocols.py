"""The seams: what a part must offer to be used by the next. Shapes are the contract; ranges are in `vedit.types`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

    from vedit.types import Clip, FrameIndex, FrameRange, PromptEmbeds, Shot, VideoMetadata


class Reader(Protocol):
    """Exact frames by index, streaming; used as a context manager."""

    @property
    def metadata(self) -> VideoMetadata: ...

    def index(self) -> FrameIndex:
        """Times of all frames; decodes the clip once where the container cannot tell."""
        ...

    def read(self, frames: FrameRange) -> Clip:
        """The frames of the range, exactly; reading on from where the last call ended does not seek."""
        ...

    def chunks(self, frames: FrameRange, size: int) -> Iterator[Clip]:
        """The range in clips of at most `size` frames."""
        ...


class ShotDetector(Protocol):
    """Sees every frame once, in order, and says where shots begin."""

    def push(self, clip: Clip) -> None: ...

    def finish(self) -> Sequence[Shot]:
        """Shots that cover the clip without gap or overlap."""
        ...


class Preprocessor(Protocol):
    """Frames float (T, 3, H, W) in [0, 1] of one shot -> control frames of the same shape and range."""

    def __call__(self, frames: torch.Tensor) -> torch.Tensor: ...


class Denoiser(Protocol):
    """A model of any family, wrapped once: x (T, C, h, w) at an integer timestep -> its raw output, same shape.

    The raw output is epsilon or v, as the model's scheduler config says. `controls` maps a kind to its frames
    (T, 3, H, W) in [0, 1], H and W the pixel size of x, and its scale; only kinds the model has may be given.
    """

    def __call__(
        self,
        x: torch.Tensor,
        timestep: int,
        prompt: PromptEmbeds,
        controls: Mapping[str, tuple[torch.Tensor, float]],
    ) -> torch.Tensor: ...


class VideoCodec(Protocol):
    """Frames float (T, 3, H, W) in [0, 1] <-> scaled latents (T, C, H / factor, W / factor)."""

    @property
    def factor(self) -> int: ...

    def encode(self, frames: torch.Tensor) -> torch.Tensor: ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor: ...


class TextEncoder(Protocol):
    """Text -> prompt embeddings; knows which words mean something to it."""

    def __call__(self, text: str) -> PromptEmbeds: ...

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words that the model was not trained on; empty where it knows any text."""
        ...
