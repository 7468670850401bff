"""Family `sd`: the SD 1.x layout (UNet, autoencoder, CLIP text encoder, ControlNets), wrapped once for the stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch

from vedit.checks.finite import check_weights, finite, precision_of
from vedit.diffusion.adapters.cross_frame import FrameMemory, cross_frame_attention
from vedit.diffusion.adapters.regional_prompts import RegionalPrompts, regional_prompts
from vedit.diffusion.distilled import from_timesteps
from vedit.diffusion.trajectory import trajectory
from vedit.errors import ModelError
from vedit.latent_shape import ScaleFactors
from vedit.models.distilled import SETTINGS, DistilledWeights, Schedule, distilled_in, serving
from vedit.models.families.modules import ModuleOffload, weights_digest
from vedit.models.families.sd_configs import cell_of
from vedit.models.families.sd_controls import ControlBranches, ignores_text
from vedit.models.families.sd_files import Components, Target, load_components
from vedit.models.family import Adapters, Traits
from vedit.models.lora import Lora, read_lora
from vedit.models.words import heard, unknown_words, vocabulary_of
from vedit.ranges import from_symmetric, to_symmetric
from vedit.types import PromptEmbeds

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    from vedit.diffusion.solvers import Trajectory
    from vedit.models.source import ModelSource
    from vedit.options.request import RestyleOptions
    from vedit.types import ControlInput

CODEC_BATCH = 8
"""Frames that the autoencoder takes at once, where memory has not run out."""


@dataclass(frozen=True, kw_only=True)
class LoadedDistilled:
    """Few-step weights and how they are used."""

    tier: DistilledWeights
    lora: Lora
    unet: UNet2DConditionModel
    """That they change."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights. The steps are told by the trajectories of whoever uses them."""
        return self.lora.fingerprint

    @property
    def folder(self) -> Path:
        """Where they lie."""
        return self.tier.folder

    def merged(self) -> AbstractContextManager[None]:
        """The weights in the UNet for as long as the context lasts."""
        return self.lora.merged(self.unet)


@dataclass(frozen=True, kw_only=True)
class SDModel:
    """A loaded model of this family; see `vedit.models.family.Model`."""

    name: str
    traits: Traits
    denoiser: SDDenoiser
    codec: SDCodec
    text: SDTextEncoder
    scheduler_config: Mapping[str, object]
    control_kinds: tuple[str, ...]
    device: torch.device
    fast: tuple[LoadedDistilled, ...] = ()
    """The fast tiers that the model's folder has, in the order in which they are asked whether they serve a look."""

    def fast_for(self, options: RestyleOptions) -> tuple[LoadedDistilled, Schedule] | None:
        """The fast tier that serves a look, and its steps; None where none does."""
        found = serving((fast.tier for fast in self.fast), options)
        return None if found is None else (next(fast for fast in self.fast if fast.tier is found[0]), found[1])

    def schedule(self, *, steps: int, strength: float = 1.0) -> Trajectory:
        """See `vedit.diffusion.trajectory.trajectory`."""
        return trajectory(self.scheduler_config, steps=steps, strength=strength)

    def through(self, levels: Sequence[float]) -> Trajectory:
        """See `vedit.diffusion.distilled.from_timesteps`."""
        return from_timesteps(self.scheduler_config, [round(level) for level in levels])

    @property
    def adapters(self) -> Adapters:
        """What the UNet and its ControlNets can be given."""
        return Adapters(cross_frame=self.cross_frame, regional=self.regional)

    def cross_frame(self) -> AbstractContextManager[FrameMemory]:
        """Cross-frame attention in the UNet for as long as the context lasts."""
        return cross_frame_attention(self.denoiser.unet)

    def regional(self) -> AbstractContextManager[RegionalPrompts]:
        """Prompts for parts of the picture in the UNet and the ControlNets for as long as the context lasts."""
        return regional_prompts(self.denoiser.unet, *self.denoiser.controlnets.values())

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """SHA-256 of each part's weights as they are loaded, wherever they came from; fast tiers have their own."""
        return self._digests

    @cached_property
    def _digests(self) -> dict[str, str]:
        parts: dict[str, torch.nn.Module] = {
            "unet": self.denoiser.unet,
            "vae": self.codec.vae,
            "text_encoder": self.text.encoder,
            **{f"controlnet:{kind}": net for kind, net in self.denoiser.controlnets.items()},
        }
        return {name: weights_digest(module) for name, module in parts.items()}

    @property
    def precision(self) -> str:
        """The number format that the networks compute in: float32, float16."""
        return precision_of(self.denoiser.unet.dtype)

    @property
    def can_offload(self) -> bool:
        """Whether there is host memory beside the device's."""
        return self.device.type != "cpu"

    def set_memory(self, *, batch: int, tiled: bool, offloaded: bool) -> None:
        """Do with less memory; see `vedit.memory.MemoryBudget`."""
        self.codec.batch = min(CODEC_BATCH, batch)
        self.codec.tiled = tiled
        turns = ModuleOffload(self.device, self.denoiser.modules, (self.codec.vae,)) if offloaded else None
        self.denoiser.turns = self.codec.turns = turns
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class SDDenoiser:
    """UNet with its ControlNets; see `vedit.protocols.Denoiser`. Its levels are the scheduler's timesteps."""

    joint = False

    def __init__(self, unet: UNet2DConditionModel, controlnets: Mapping[str, ControlNetModel]) -> None:
        self.unet = unet
        self._branches = ControlBranches(controlnets)
        self.turns: ModuleOffload | None = None

    @property
    def controlnets(self) -> Mapping[str, ControlNetModel]:
        """By kind of control."""
        return self._branches.nets

    @property
    def modules(self) -> tuple[torch.nn.Module, ...]:
        """UNet and ControlNets."""
        return (self.unet, *self.controlnets.values())

    @torch.inference_mode()
    def __call__(
        self,
        x: torch.Tensor,
        level: float,
        prompt: PromptEmbeds,
        controls: Sequence[ControlInput],
    ) -> torch.Tensor:
        """Raw output of the UNet, with what the control branches add to it (`vedit.models.families.sd_controls`)."""
        if self.turns is not None:
            self.turns.take(self.unet)
        dtype, timestep = self.unet.dtype, round(level)
        text = prompt.states.to(dtype).expand(len(x), -1, -1)
        added = self._branches(x, timestep, text, controls)
        output = self.unet(
            x.to(dtype),
            timestep,
            encoder_hidden_states=text,
            down_block_additional_residuals=None if added is None else added.down,
            mid_block_additional_residual=None if added is None else added.middle,
            return_dict=False,
        )[0]
        return output.to(x.dtype)


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
        """Frames that go through the network together: `batch`, or one by one where that is quicker.

        A CPU has enough to do with one frame. With more, every layer's output is fresh memory that the system clears
        first, a fifth of the time. Convolutions give a frame the same bits alone; the attention in `AutoencoderKL` is
        not known to.
        """
        convolutions_alone = "encoder_block_out_channels" in self.vae.config
        return 1 if convolutions_alone and self.vae.device.type == "cpu" else self.batch

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


class SDTextEncoder:
    """CLIP text encoder; `words` is what the model was trained on, None where it takes any text."""

    def __init__(self, tokenizer: CLIPTokenizer, encoder: CLIPTextModel, words: frozenset[str] | None) -> None:
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.words = words

    @torch.inference_mode()
    def __call__(self, text: str) -> PromptEmbeds:
        """States of the last layer, (1, L, D), padded to the model's length as SD 1.x was trained; of the words that
        the model knows alone, where it knows but some."""
        ids = token_ids(self.tokenizer, [heard(text, self.words)])
        states = self.encoder(ids.to(self.encoder.device))[0]
        precision = precision_of(self.encoder.dtype)
        return PromptEmbeds(states=finite(states, f"text encoder's states of {text[:40]!r}", precision=precision))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of the text that the model was not trained on, in order, each once."""
        return unknown_words(text, self.words)


def token_ids(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Token ids (N, L) of N texts, padded or cut to the model's length."""
    return tokenizer(
        list(texts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def usual_precision(device: str) -> torch.dtype:
    """What the networks compute in on a device where nothing speaks against it."""
    return torch.float16 if torch.device(device).type in ("cuda", "mps") else torch.float32


def load(
    source: ModelSource,
    *,
    name: str,
    traits: Traits,
    device: str,
    controls: Sequence[str],
    fast: bool = True,
    precision: str | None = None,
) -> SDModel:
    """Load a model of this family; see `vedit.models.load.load`."""
    dtype: torch.dtype = usual_precision(device) if precision is None else getattr(torch, precision)
    target = Target(device=torch.device(device), dtype=dtype)
    parts: Components = load_components(source, controls=controls, target=target)
    if parts.unet.config["in_channels"] != parts.vae.config["latent_channels"]:
        raise ModelError(
            f"the UNet of {name} takes {parts.unet.config['in_channels']} channels, its autoencoder gives "
            f"{parts.vae.config['latent_channels']}",
            remedy="inpainting and instruct checkpoints are not supported; use a text-to-image one",
        )
    _check_branches(parts, name)
    for module in (parts.unet, parts.vae, parts.text_encoder, *parts.controlnets.values()):
        # Channels last halves the time of the convolutions on a CPU, and suits tensor cores.
        torch.nn.Module.to(module.requires_grad_(False).eval(), device)
        module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    named = {"UNet": parts.unet, "autoencoder": parts.vae, "text encoder": parts.text_encoder}
    for part, module in (named | {f"ControlNet {kind}": net for kind, net in parts.controlnets.items()}).items():
        check_weights(part, module)
    codec, known = SDCodec(parts.vae), vocabulary_of(Path(source.base))
    return SDModel(
        name=name,
        traits=traits,
        denoiser=SDDenoiser(parts.unet, parts.controlnets),
        codec=codec,
        text=SDTextEncoder(parts.tokenizer, parts.text_encoder, None if known is None else known.words),
        scheduler_config=parts.scheduler_config,
        control_kinds=tuple(parts.controlnets),
        device=torch.device(device),
        fast=_fast(Path(source.base), parts) if fast else (),
    )


def _check_branches(parts: Components, name: str) -> None:
    """Raises ModelError for a ControlNet of another network: its residuals, or its text, would have other widths."""
    for kind, net in parts.controlnets.items():
        for key in ("block_out_channels", "layers_per_block", "cross_attention_dim", "in_channels"):
            # A config read from JSON has lists where the defaults are tuples.
            own, wanted = (list(v) if isinstance(v, tuple) else v for v in (net.config[key], parts.unet.config[key]))
            # A ControlNet without cross-attention takes no text, whatever its config says.
            if own != wanted and not (key == "cross_attention_dim" and ignores_text(net)):
                raise ModelError(
                    f"the ControlNet for {kind} has a {key} of {own}, the UNet of {wanted}",
                    remedy=f"use one that was made for {name}",
                )


def _fast(base: Path, parts: Components) -> tuple[LoadedDistilled, ...]:
    """The fast tiers of a model. Raises ModelError for one that does not fit the model."""
    tiers, count = distilled_in(base), parts.scheduler_config.get("num_train_timesteps", 1000)
    for tier in tiers:
        if isinstance(count, int) and tier.noisiest >= count:
            raise ModelError(
                f"{tier.folder / SETTINGS} does not fit the model: it begins at timestep {tier.noisiest} of {count}",
                remedy=f"fetch the model again, or remove its folder {tier.folder.name}/",
            )
    return tuple(
        LoadedDistilled(tier=tier, lora=read_lora(tier.weights, parts.unet, scale=tier.scale), unet=parts.unet)
        for tier in tiers
    )
