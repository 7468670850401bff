"""Stable Diffusion (UNet, autoencoder, CLIP text encoders, ControlNets), loaded and wrapped once for the stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from diffusers.models.unets.unet_motion_model import UNetMotionModel

from vedit.checks.finite import check_weights, precision_of
from vedit.diffusion.adapters.cross_frame import FrameMemory, cross_frame_attention
from vedit.diffusion.adapters.injection import SourceStates, source_injection
from vedit.diffusion.adapters.regional_prompts import RegionalPrompts, regional_prompts
from vedit.diffusion.distilled import from_timesteps
from vedit.diffusion.trajectory import trajectory
from vedit.errors import ModelError
from vedit.models.attention_kernels import AUTO
from vedit.models.distilled import SETTINGS, DistilledWeights, Schedule, distilled_in, serving
from vedit.models.families.animatediff_denoiser import AnimateDiffDenoiser
from vedit.models.families.block_offload import BlockOffload, CudaLane
from vedit.models.families.modules import ModuleOffload, Turns, usual_precision
from vedit.models.families.sd_adapters import encoding, facts, sampling
from vedit.models.families.sd_codec import CODEC_BATCH, SDCodec
from vedit.models.families.sd_configs import cell_of
from vedit.models.families.sd_controls import ControlNet
from vedit.models.families.sd_denoiser import SDDenoiser
from vedit.models.families.sd_digests import ReadFrom, digests_of
from vedit.models.families.sd_files import QUANTIZED, Components, Target, load_components
from vedit.models.families.sd_ip_adapter import IpAdapter, load_ip_adapter
from vedit.models.families.sd_loras import LORAS
from vedit.models.families.sd_regimes import regime_path
from vedit.models.families.sd_text import SDTextEncoder
from vedit.models.families.sdxl_denoiser import SDXLDenoiser
from vedit.models.families.sdxl_text import SDXLTextEncoder
from vedit.models.family import Adapters, InNetwork, Traits
from vedit.models.lora import Lora, read_lora
from vedit.models.words import vocabulary_of

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.diffusion.conditioning import Memory
    from vedit.diffusion.solvers import Trajectory
    from vedit.models.loading import Loading
    from vedit.models.source import ModelSource
    from vedit.options.request import RestyleOptions
    from vedit.registry.regimes import Regime


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
    read: ReadFrom
    fast: tuple[LoadedDistilled, ...] = ()
    """The fast tiers that the model's folder has, in the order in which they are asked whether they serve a look."""

    quantize: str | None = None
    """What the weights of its network are quantised to; None is not at all."""
    pictures: IpAdapter | None = None
    """What reads a look's references; None: they give the result their palette."""
    offload: str = "none"
    """What waits in host memory (`vedit.options.request.Offload`)."""
    blocks: BlockOffload | None = None
    """What brings the networks' blocks, where these wait."""

    def fast_for(self, options: RestyleOptions) -> tuple[LoadedDistilled, Schedule] | None:
        """The fast tier that serves a look, and its steps; None where none does."""
        if self.traits.regime_of(options) is not None:
            return None
        found = serving((fast.tier for fast in self.fast), options)
        return None if found is None else (next(fast for fast in self.fast if fast.tier is found[0]), found[1])

    def schedule(self, *, steps: int, strength: float = 1.0, regime: Regime | None = None) -> Trajectory:
        """See `vedit.diffusion.trajectory.trajectory`, and of a regime `vedit.models.families.sd_regimes`."""
        if regime is not None:
            return regime_path(self.scheduler_config, regime, steps=steps, strength=strength)
        return trajectory(self.scheduler_config, steps=steps, strength=strength)

    def through(self, levels: Sequence[float]) -> Trajectory:
        """See `vedit.diffusion.distilled.from_timesteps`."""
        return from_timesteps(self.scheduler_config, [round(level) for level in levels])

    @property
    def adapters(self) -> Adapters:
        """What the UNet and its ControlNets can be given."""
        return Adapters(
            cross_frame=self.cross_frame if self.traits.cross_frame else None,
            self_attention=self.self_attention if self.traits.self_attention else None,
            regional=self.regional if self.traits.regions else None,
            injection=self.injection if self.traits.injection else None,
            encoding=lambda options: encoding(self, options),
            sampling=lambda options: sampling(self, options),
            masked=lambda options: LORAS.masked(self, options),
            facts=lambda options: facts(self, options),
            pictures=None if self.pictures is None else self.pictures.read,
        )

    def cross_frame(self) -> AbstractContextManager[FrameMemory]:
        """Cross-frame attention in the UNet for as long as the context lasts."""
        return cross_frame_attention(self.denoiser.unet)

    def self_attention(self, put: InNetwork) -> AbstractContextManager[Memory]:
        """An attention method in the UNet for as long as the context lasts."""
        return put(self.denoiser.unet)

    def regional(self) -> AbstractContextManager[RegionalPrompts]:
        """Prompts for parts of the picture in the UNet and the ControlNets for as long as the context lasts."""
        nets = [net for net in self.denoiser.controlnets.values() if isinstance(net, ControlNet)]
        return regional_prompts(self.denoiser.unet, *nets)

    def injection(self) -> AbstractContextManager[SourceStates]:
        """The source's features and attention in the UNet's decoder, taken and given within the context."""
        return source_injection(self.denoiser.unet)

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """SHA-256 of each part's weights as they are loaded, wherever they came from, and what they are quantised to;
        and the kernel of their attention, where one was asked for. Fast tiers have their own."""
        attention = self.denoiser.attention
        return self._digests if attention == AUTO else {**self._digests, "attention_backend": attention}

    @cached_property
    def _digests(self) -> dict[str, str]:
        parts: dict[str, torch.nn.Module] = {
            "unet": self.denoiser.unet,
            "vae": self.codec.vae,
            **self.text.encoders,
            **{f"controlnet:{kind}": net for kind, net in self.denoiser.controlnets.items()},
        }
        found = digests_of(parts, self.read)
        if self.quantize is None:
            return found
        return {name: f"{told} {self.quantize}" if name in QUANTIZED else told for name, told in found.items()}

    @property
    def precision(self) -> str:
        """The number format that the networks compute in: float32, float16, bfloat16."""
        return precision_of(self.denoiser.unet.dtype)

    @property
    def can_offload(self) -> bool:
        """Whether there is host memory beside the device's that is not in use already."""
        return self.device.type != "cpu" and self.offload == "none"

    def set_memory(self, *, batch: int, tiled: bool, offloaded: bool) -> None:
        """Do with less memory; see `vedit.memory.MemoryBudget`."""
        self.codec.batch = min(CODEC_BATCH, batch)
        self.codec.tiled = tiled
        turns: Turns | None = self.blocks
        if turns is None and (offloaded or self.offload == "model"):
            turns = ModuleOffload(self.device, self.denoiser.modules, (self.codec.vae,))
        self.denoiser.turns = self.codec.turns = turns
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def target_of(loading: Loading) -> Target:
    """Where a model goes, and as what: in float16 an autoencoder computes in float32 where it says that it overflows,
    and beside a network in bfloat16 unless its decoder is asked for in that too. On a CPU, which computes in more than
    files have, large weights rest."""
    asked, device = loading.computes_in, torch.device(loading.device)
    dtype: torch.dtype = usual_precision(loading.device) if asked is None else getattr(torch, asked)
    return Target(
        device=device,
        dtype=dtype,
        sampled_in=None if loading.sampled_in is None else getattr(torch, loading.sampled_in),
        decoded_in=None if loading.decoded_in is None else getattr(torch, loading.decoded_in),
        rests=device.type == "cpu",
        quantize=loading.quantized,
    )


def load(
    source: ModelSource,
    loading: Loading,
    *,
    name: str,
    traits: Traits,
    controls: Sequence[str],
    fast: bool = True,
) -> SDModel:
    """Load a model of this family; see `vedit.models.load.load`."""
    target = target_of(loading)
    read = ReadFrom.of(source, controls, loading)
    host = target if loading.offload == "none" else replace(target, device=torch.device("cpu"))
    parts: Components = load_components(source, controls=controls, target=host)
    if parts.unet.config["in_channels"] != parts.vae.config["latent_channels"]:
        raise ModelError(
            f"the UNet of {name} takes {parts.unet.config['in_channels']} channels, its autoencoder gives "
            f"{parts.vae.config['latent_channels']}",
            remedy="inpainting and instruct checkpoints are not supported; use a text-to-image one",
        )
    named: dict[str, torch.nn.Module] = {
        "UNet": parts.unet,
        "autoencoder": parts.vae,
        "text encoder": parts.text_encoder,
    }
    if parts.text_encoder_2 is not None:
        named["second text encoder"] = parts.text_encoder_2
    called = {True: "ControlNet", False: "T2I-Adapter"}
    named |= {f"{called[isinstance(net, ControlNet)]} {kind}": net for kind, net in parts.controlnets.items()}
    waiting = (parts.unet, parts.vae, *parts.controlnets.values())
    for module in dict.fromkeys(named.values()):
        # Channels last halves the time of the convolutions on a CPU, and suits tensor cores.
        torch.nn.Module.to(module.requires_grad_(False).eval(), (host if module in waiting else target).device)
        module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    for part, module in named.items():
        check_weights(part, module)
    known, denoiser = vocabulary_of(Path(source.base)), denoiser_of(parts)
    model = SDModel(
        name=name,
        traits=traits,
        denoiser=denoiser,
        codec=SDCodec(parts.vae),
        text=_text(parts, None if known is None else known.words),
        scheduler_config=parts.scheduler_config,
        control_kinds=tuple(parts.controlnets),
        device=target.device,
        read=read,
        fast=_fast(Path(source.base), parts) if fast else (),
        quantize=loading.quantized,
        pictures=_pictures(source, parts, target, attention=loading.attention_backend),
        offload=loading.offload,
        blocks=_blocks(denoiser, parts, target.device) if loading.offload == "group" else None,
    )
    model.set_memory(batch=CODEC_BATCH, tiled=False, offloaded=False)
    for part in (denoiser, model.codec, model.text):
        part.attention = loading.attention_backend
    # By now every tensor lies where it stays.
    return replace(model, read=read.into(dict.fromkeys(named.values())))


def _pictures(source: ModelSource, parts: Components, target: Target, *, attention: str) -> IpAdapter | None:
    """What reads a look's references, where the model has it."""
    if source.ip_adapter is None or source.image_encoder is None:
        return None
    places = (Path(source.ip_adapter), Path(source.image_encoder))
    reader = load_ip_adapter(*places, parts.unet, device=target.device, dtype=parts.unet.dtype)
    return replace(reader, attention=attention)


def _blocks(denoiser: SDDenoiser, parts: Components, device: torch.device) -> BlockOffload:
    return BlockOffload(device, denoiser.modules, (parts.vae,), CudaLane(device))


def denoiser_of(parts: Components) -> SDDenoiser:
    """The networks that are evaluated, as the pipelines call them."""
    if isinstance(parts.unet, UNetMotionModel):
        return AnimateDiffDenoiser(parts.unet, parts.controlnets)
    if parts.text_encoder_2 is None:
        return SDDenoiser(parts.unet, parts.controlnets)
    return SDXLDenoiser(parts.unet, parts.controlnets, cell=cell_of(parts.vae.config))


def _text(parts: Components, words: frozenset[str] | None) -> SDTextEncoder:
    if parts.text_encoder_2 is None or parts.tokenizer_2 is None:
        return SDTextEncoder(parts.tokenizer, parts.text_encoder, words)
    return SDXLTextEncoder(
        parts.tokenizer,
        parts.text_encoder,
        parts.tokenizer_2,
        parts.text_encoder_2,
        words,
        zeros_for_empty=parts.zeros_for_empty,
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
