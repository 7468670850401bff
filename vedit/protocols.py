"""The seams: what a part must offer to be used by the next. Shapes are the contract; ranges are in `vedit.types`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from vedit.types import Clip, ControlInput, FrameIndex, FrameRange, PromptEmbeds, Shot, VideoMetadata


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


@runtime_checkable
class ShotDetector(Protocol):
    """Sees every frame once, in order, and says where shots begin."""

    def push(self, clip: Clip) -> None: ...

    def finish(self) -> Sequence[Shot]:
        """Shots that cover the clip without gap or overlap."""
        ...


class Preprocessor(Protocol):
    """The frames of one shot -> its control frames, streaming.

    Takes float (T, 3, H, W) in [0, 1], in order, in chunks of any lengths; yields control frames of the same height
    and width, (T, 3, H, W) in [0, 1], in order, in chunks of any lengths, in all as many as came. How the shot is cut
    into chunks changes nothing; nothing that grows with the shot is held in memory.
    """

    def __call__(self, chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]: ...


class Mattes(Protocol):
    """Where the picture changes: frames of one shot -> float (T, 1, H, W) in [0, 1] at the source's size, 1 = edit."""

    def __call__(self, frames: FrameRange) -> torch.Tensor: ...


class Denoiser(Protocol):
    """A model of any family, wrapped once: x (T, C, h, w) at an integer timestep -> its raw output, same shape.

    The raw output is epsilon or v, as the model's scheduler config says. The prompt is one for all frames, (1, L, D),
    or one for each. Only controls of branches that the model has may be given; their frames have the pixel size of x,
    and a single one holds for all of x. Tensors are not written to once they were given: a model may keep what it made
    of one for as long as the caller holds it.
    """

    def __call__(
        self,
        x: torch.Tensor,
        timestep: int,
        prompt: PromptEmbeds,
        controls: Sequence[ControlInput],
    ) -> torch.Tensor: ...


class VideoCodec(Protocol):
    """Frames float (T, 3, H, W) in [0, 1] <-> scaled latents (T, C, H / factor, W / factor)."""

    @property
    def factor(self) -> int: ...

    @property
    def channels(self) -> int: ...

    def encode(self, frames: torch.Tensor) -> torch.Tensor: ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor: ...


class TextEncoder(Protocol):
    """Text -> prompt embeddings; knows which words mean something to it."""

    def __call__(self, text: str) -> PromptEmbeds: ...

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words that the model was not trained on; empty where it knows any text."""
        ...


class FlowMatcher(Protocol):
    """The flow of one pair: RGB in [0, 1], (3, h, w) -> (h, w, 2) pixels, x then y, from the first to the second."""

    def __call__(self, first: torch.Tensor, second: torch.Tensor) -> npt.NDArray[np.float32]: ...
