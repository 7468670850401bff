"""The seams: what a part must offer to be used by the next. Shapes are the contract; ranges are in `vedit.types`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    from vedit.latent_shape import ScaleFactors
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
    """A model of any family, wrapped once: x (T, C, h, w) at a noise level -> its raw output, same shape.

    The level is in the units of the model's schedule (`vedit.diffusion.steps.Step.level`): a family whose network wants
    a whole timestep makes one of it. What the raw output is the trajectory's solver knows. The prompt is one for all
    frames, (1, L, D), or one for each. Only controls of branches that the model has may be given; their frames have the
    pixel size and the number of the frames that x stands for, and a single one holds for all of them. Tensors are not
    written to once they were given: a model may keep what it made of one for as long as the caller holds it.
    """

    @property
    def joint(self) -> bool:
        """It denoises a window at once: its latents are never cut into several calls."""
        ...

    def __call__(
        self,
        x: torch.Tensor,
        level: float,
        prompt: PromptEmbeds,
        controls: Sequence[ControlInput],
    ) -> torch.Tensor: ...


class VideoCodec(Protocol):
    """Frames float (T, 3, H, W) in [0, 1] <-> scaled latents (T', C, h, w) of the shape that `factors` say.

    The frames are a clip from its first on. A last group that they do not fill is filled up with its last frame, so
    that decoding gives the frames of whole groups, `factors.frames(T')`.
    """

    @property
    def factors(self) -> ScaleFactors: ...

    @property
    def channels(self) -> int: ...

    @property
    def context(self) -> int:
        """Latents before a part of a clip that are decoded with it, for what the decoder carries on from them; at least
        1 where the clip's first frame has a latent to itself."""
        ...

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


@runtime_checkable
class Upscaler(Protocol):
    """The change that a model made of a frame, carried up to the frame's full size.

    Takes float32 frames in [0, 1]: the source (3, H, W) at the size that is asked for, and (3, h, w) the source as the
    model saw it and what it made of that. Gives the result, finite (3, H, W); what leaves [0, 1] is clipped. A frame's
    result depends on nothing but these.
    """

    def __call__(self, source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor: ...
