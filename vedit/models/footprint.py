"""What a model holds and computes, by its shapes alone: what plans of memory and time go by. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vedit.models.loading import Loading


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What networks are asked to work on."""

    height: int
    """Pixels at the working size."""
    width: int
    batch: int
    """Frames that go through the network together."""
    window: int
    """Frames that are sampled together, the anchor included."""
    loading: Loading = field(default_factory=Loading)
    """How they are loaded and compute."""
    tiled: bool = False
    """The autoencoder works in tiles."""
    cross_frame: bool = True
    """Frames see one another."""
    injected: tuple[str, ...] = ()
    """What is held of the source's states while a window is sampled: "features", "attention"."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a frame takes in one pass, in floating-point operations and bytes; a multiplication and an addition are two
    operations."""

    convolutions: float
    products: float
    """Matrix products."""
    attention: float
    """Fused attention."""
    moved: float
    """Bytes that all else reads and writes."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One pass of a batch through networks."""

    peak: int
    """Bytes of everything that is made in it and of what it leaves for the next, weights left out."""
    work: Work
    """Of each frame."""


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What a model takes in a scene. Its parts are in the order in which they are loaded."""

    precision: str
    """What the networks compute in: float32, float16, bfloat16."""
    weights: Mapping[str, int]
    """Part -> bytes once it is loaded."""
    stored: Mapping[str, int]
    """Part -> bytes of the same in its files."""
    encode: Pass
    """Frames to latents."""
    denoise: Pass
    """Latents through the network and its control branches, once."""
    decode: Pass
    """Latents to frames."""
    unpacked: Mapping[str, int] = field(default_factory=dict[str, int])
    """Part -> bytes that it takes beyond `weights` until its weights are quantised, which they are before the next part
    is loaded; parts that are not are left out."""
    standing: int = 0
    """Bytes of the network and its control branches that stay on a GPU where their blocks wait in host memory."""
    block: int = 0
    """Bytes of the largest block that comes and goes then; 0 where a family has none."""
    reader: int = 0
    """Bytes of what looks at pictures: it is loaded after all parts, and let go of before frames are sampled."""
    reader_stored: int = 0
    """Bytes of the same in its files."""

    @property
    def all_weights(self) -> int:
        """Bytes of all parts."""
        return sum(self.weights.values())

    @property
    def activations(self) -> int:
        """Bytes that the most demanding pass holds beside the weights, or what looks at pictures before them."""
        return max(self.encode.peak, self.denoise.peak, self.decode.peak, self.reader)

    @property
    def loading(self) -> int:
        """Bytes of host memory at the peak of loading: a part is there twice, from its file and as it is wanted."""
        held = peak = 0
        for part, size in self.weights.items():
            held += size
            peak = max(peak, held + self.unpacked.get(part, 0) + self.stored[part])
        return max(peak, held + self.reader + self.reader_stored)

    @property
    def settling(self) -> int:
        """Bytes of a device at the peak of loading."""
        held = peak = 0
        for part, size in self.weights.items():
            held += size
            peak = max(peak, held + self.unpacked.get(part, 0))
        return peak

    @property
    def largest_stored(self) -> int:
        """Bytes of the part that is largest in its file."""
        return max(*self.stored.values(), self.reader_stored)
