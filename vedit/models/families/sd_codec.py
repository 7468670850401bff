"""The autoencoder of a Stable Diffusion, as the stages call it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch

from vedit.checks.finite import finite, precision_of
from vedit.errors import ModelError
from vedit.latent_shape import ScaleFactors
from vedit.models.attention_kernels import AUTO, attending_by
from vedit.models.families.sd_configs import cell_of
from vedit.models.families.sd_tiles import tiled_decode, tiled_encode
from vedit.ranges import from_symmetric, to_symmetric
from vedit.weights.at_rest import Widening

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    from vedit.models.families.modules import Turns

CODEC_BATCH = 8
"""Frames that the autoencoder takes at once, where memory has not run out."""


def frames_at_once(device: str, batch: int) -> int:
    """Frames of a batch that go through the autoencoder together: as many as memory allows, or one by one on a CPU.

    A CPU has enough to do with one frame. With more, every layer's output is fresh memory that the system clears
    first, a fifth of the time, and an `AutoencoderKL` holds a gigabyte for each frame of 512x512.
    """
    return 1 if torch.device(device).type == "cpu" else min(CODEC_BATCH, batch)


def decoder_of(vae: AutoencoderTiny | AutoencoderKL) -> tuple[torch.nn.Module, ...]:
    """The modules that an autoencoder decodes with, in order."""
    before = getattr(vae, "post_quant_conv", None)
    return (vae.decoder,) if before is None else (before, vae.decoder)


def decodes_in(vae: AutoencoderTiny | AutoencoderKL, dtype: torch.dtype) -> None:
    """Let an autoencoder decode in another number format than it encodes in; one whose weights rest stays as it is."""
    parts = decoder_of(vae)
    if not any(isinstance(module, Widening) for part in parts for module in part.modules()):
        for part in parts:
            part.to(dtype)


def decoded_in(vae: AutoencoderTiny | AutoencoderKL) -> torch.dtype:
    """The number format that an autoencoder decodes in."""
    return next(decoder_of(vae)[0].parameters()).dtype


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
        self.turns: Turns | None = None
        self.attention = AUTO
        """The kernel that computes attention (`vedit.models.attention_kernels`)."""
        self.tiled = False
        """Work on a frame at a time, in bands of rows (`vedit.models.families.sd_tiles`): with less memory and in more
        time it gives the same, but for how sums are rounded."""

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

    @property
    def at_once(self) -> int:
        """Frames that go through the network together."""
        return 1 if self.tiled else frames_at_once(self.vae.device.type, self.batch)

    @torch.inference_mode()
    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        """(T, 3, H, W) in [0, 1] -> float32 (T, C, h, w): the mode where the encoder gives a distribution, so that the
        same frame always gives the same latents."""
        self._awake()
        with attending_by(self.attention):
            pieces = [self._encode(part) for part in frames.split(self.at_once)]
        latents = (torch.cat(pieces) - self.shift) * self.scaling
        return finite(latents, "autoencoder's latents of the source", precision=precision_of(self.vae.dtype))

    def _encode(self, frames: torch.Tensor) -> torch.Tensor:
        given = to_symmetric(frames).to(self.vae.device, self.vae.dtype)
        if self.tiled:
            return tiled_encode(self.vae, given).float()
        encoded = self.vae.encode(given, return_dict=False)[0]
        latents = encoded if isinstance(encoded, torch.Tensor) else encoded.mode()
        return latents.float()

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """float32 (T, C, h, w) -> (T, 3, H, W) in [0, 1]."""
        dtype = decoded_in(self.vae)
        scaled = (latents / self.scaling + self.shift).to(dtype)
        self._awake()
        with attending_by(self.attention):
            pieces = [self._decode(part) for part in scaled.to(self.vae.device).split(self.at_once)]
        # Before infinity is clipped.
        decoded = finite(torch.cat(pieces), "decoded frames", precision=precision_of(dtype))
        return from_symmetric(decoded)

    def _decode(self, latents: torch.Tensor) -> torch.Tensor:
        if self.tiled:
            return tiled_decode(self.vae, latents).float()
        decode = cast("Callable[..., tuple[torch.Tensor]]", self.vae.decode)
        return decode(latents, return_dict=False)[0].float()

    def _awake(self) -> None:
        if self.turns is not None:
            self.turns.take(self.vae)
