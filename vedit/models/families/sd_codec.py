"""The autoencoder of a Stable Diffusion, as the stages call it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import torch

from vedit.checks.finite import finite, precision_of
from vedit.errors import ModelError
from vedit.latent_shape import ScaleFactors
from vedit.models.families.sd_configs import cell_of
from vedit.ranges import from_symmetric, to_symmetric

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    from vedit.models.families.modules import ModuleOffload

CODEC_BATCH = 8
"""Frames that the autoencoder takes at once, where memory has not run out."""


def frames_at_once(device: str, batch: int) -> int:
    """Frames of a batch that go through the autoencoder together: as many as memory allows, or one by one on a CPU.

    A CPU has enough to do with one frame. With more, every layer's output is fresh memory that the system clears
    first, a fifth of the time, and an `AutoencoderKL` holds a gigabyte for each frame of 512x512.
    """
    return 1 if torch.device(device).type == "cpu" else min(CODEC_BATCH, batch)


class SDCodec:
    """Autoencoder with its scaling; `AutoencoderTiny` and `AutoencoderKL` alike."""

    def __init__(self, vae: AutoencoderTiny | AutoencoderKL, *, batch: int = CODEC_BATCH) -> None:
        self.vae = vae
        self.batch = batch
        self.scaling = float(vae.config["scaling_factor"])
        self.shift = float(vae.config.get("shift_factor") or 0.0)
        if not 0 < self.scaling < math.inf or not math.isfinite(self.shift):
            raise ModelError(
                f"the autoencoder's config.json has scaling_factor {self.scaling:g} and shift_factor {self.shift:g}",
                remedy="both are finite and the first is above 0: SD 1.x has 0.18215 and no shift",
            )
        self.turns: ModuleOffload | None = None
        self.tiled = False
        """Decode in overlapping tiles, blended: less memory, and seams that are hard to see."""

    context = 0
    """Frames are decoded each by itself."""

    @property
    def factors(self) -> ScaleFactors:
        """A latent for each frame."""
        side = cell_of(self.vae.config)
        return ScaleFactors(height=side, width=side)

    @property
    def channels(self) -> int:
        """Numbers to a latent cell."""
        return int(self.vae.config["latent_channels"])

    @contextmanager
    def _awake(self, *, tiled: bool = False) -> Generator[None]:
        if self.turns is not None:
            self.turns.take(self.vae)
        self.vae.use_tiling = tiled
        try:
            yield
        finally:
            self.vae.use_tiling = False

    @property
    def at_once(self) -> int:
        """Frames that go through the network together."""
        return frames_at_once(self.vae.device.type, self.batch)

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """(T, 3, H, W) in [0, 1] -> float32 (T, C, h, w): the mode where the encoder gives a distribution, so that the
        same frame always gives the same latents."""
        with self._awake():
            pieces = [self._encode(part) for part in frames.split(self.at_once)]
        latents = (torch.cat(pieces) - self.shift) * self.scaling
        return finite(latents, "autoencoder's latents of the source", precision=precision_of(self.vae.dtype))

    def _encode(self, frames: torch.Tensor) -> torch.Tensor:
        encoded = self.vae.encode(to_symmetric(frames).to(self.vae.device, self.vae.dtype), return_dict=False)[0]
        latents = encoded if isinstance(encoded, torch.Tensor) else encoded.mode()
        return latents.float()

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """float32 (T, C, h, w) -> (T, 3, H, W) in [0, 1]."""
        scaled = (latents / self.scaling + self.shift).to(self.vae.dtype)
        decode = cast("Callable[..., tuple[torch.Tensor]]", self.vae.decode)
        # Only here: decoding takes the memory; diffusers tiles the encoding of small autoencoders for 4 channels only.
        with self._awake(tiled=self.tiled):
            parts = scaled.to(self.vae.device).split(self.at_once)
            pieces = [decode(part, return_dict=False)[0].float() for part in parts]
        # Before infinity is clipped.
        decoded = finite(torch.cat(pieces), "decoded frames", precision=precision_of(self.vae.dtype))
        return from_symmetric(decoded)
