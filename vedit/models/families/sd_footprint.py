"""What a model of the Stable Diffusion layouts holds and computes: its own networks, run on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch

from vedit.checks.finite import precision_of
from vedit.diffusion.adapters.cross_frame import cross_frame_attention
from vedit.diffusion.adapters.injection import source_injection
from vedit.models.branches import own_controlnets
from vedit.models.families.block_offload import blocks_of
from vedit.models.families.sd import denoiser_of, target_of
from vedit.models.families.sd_codec import SDCodec, decoded_in, frames_at_once
from vedit.models.families.sd_configs import SD1
from vedit.models.families.sd_files import QUANTIZED, Components, Target, load_components, made
from vedit.models.families.sd_tiles import tiled_decode, tiled_encode
from vedit.models.families.sdxl_text import POOLED
from vedit.models.footprint import Footprint, Pass, Scene, Work
from vedit.models.ip_adapters import held_by
from vedit.models.quantised import quantise
from vedit.models.sizes import bytes_a_number
from vedit.models.source import SD15, ModelSource
from vedit.models.tracing import MemoryTrace, Traced
from vedit.types import ControlInput, PromptEmbeds
from vedit.weights.at_rest import lay_to_rest, resting_names
from vedit.weights.hub_cache import cached
from vedit.weights.packed import Packed

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.models.configs import Part

_TOKENS = 77
_META = torch.device("meta")
_HEAP_GAPS = 60 * 10**6
"""Bytes that a host's heap holds between its blocks; measured as what further passes add to the first."""
_PUBLISHED_BYTES = 2
"""A number in the files of the named model, where it is not on this machine: they are in half precision."""


def footprint(source: ModelSource, kinds: Collection[str], scene: Scene) -> Footprint | None:
    """What a model takes with the control branches of some kinds; None where its files are not on this machine.

    Args:
        source: where its parts are.
        kinds: of the controls that are used.
        scene: what it works on.

    Raises:
        ModelError: a part is missing or damaged.
    """
    parts = _on_meta(source, kinds, replace(target_of(scene.loading), device=_META))
    if parts is None:
        return None
    networks, wide = _networks(parts), parts.unet.dtype.itemsize
    evaluated = (parts.unet, *dict.fromkeys(parts.controlnets.values()))
    pictures, reader = held_by(source)
    for network in networks.values():
        # As they are loaded: kernels, and so what they make, follow the layout of the weights.
        network.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    with torch.inference_mode():
        return Footprint(
            precision=precision_of(parts.unet.dtype),
            weights={name: _bytes(network) for name, network in networks.items()}
            | {name: held.numbers * wide for name, held in pictures.items()},
            stored={name: _stored(source, name, network) for name, network in networks.items()}
            | {name: held.stored for name, held in pictures.items()},
            encode=_coded(parts, scene, decodes=False),
            denoise=_denoised(parts, scene),
            decode=_coded(parts, scene, decodes=True),
            unpacked={name: more for name, network in networks.items() if (more := _unpacked(network))},
            standing=sum(map(_standing, evaluated)),
            block=max((_bytes(block) for network in evaluated for block in blocks_of(network)), default=0),
            reader=reader.numbers * wide,
            reader_stored=reader.stored,
        )


def _unpacked(network: torch.nn.Module) -> int:
    """Bytes that a network takes beyond what it does now until its weights are packed."""
    more = 0
    for layer in network.modules():
        if isinstance(layer, Packed) and layer.came_in is not None:
            more += layer.packed_shape.numel() * layer.came_in.itemsize
            more -= sum(part.numel() * part.element_size() for part in layer.parts.values())
    return more


def _on_meta(source: ModelSource, kinds: Collection[str], target: Target) -> Components | None:
    """The networks without numbers in them; of the named model from what is known of it, where it is not here."""
    places = source.on_disk
    here = cached(source.base) is not None and all(
        cached(place) is not None for kind, place in source.controlnets.items() if kind in kinds
    )
    here = here and all(cached(place) is not None for place in source.added.values())
    if here:
        return load_components(places, controls=tuple(kinds), target=target)
    if (
        source.added
        or source.base != SD15.base
        or any(source.controlnets[kind] != SD15.controlnets.get(kind) for kind in kinds)
    ):
        return None
    built: dict[str, Any] = {part: _as_published(part, target) for part in ("unet", "vae", "text_encoder")}
    branches: dict[str, Any] = {kind: _as_published("controlnet", target) for kind in kinds}
    return Components(**built, tokenizer=cast("Any", None), scheduler_config={}, controlnets=branches)


def _as_published(part: Part, target: Target) -> torch.nn.Module:
    """A network of the named model as it would be loaded from its files, which are in half precision."""
    network, dtype = made(part, SD1[part]), target.dtype_of(part, SD1[part])
    resting = resting_names(network, lambda _: torch.float16, dtype) if target.rests else frozenset[str]()
    torch.nn.Module.to(network, dtype)  # diffusers' own has something to say of it
    for name in resting:
        parameter = network.get_parameter(name)
        parameter.data = parameter.data.half()
    lay_to_rest(network, resting, dtype)
    if target.quantize is not None and part in QUANTIZED:
        quantise(network, target.quantize)
    return network


def _networks(parts: Components) -> Mapping[str, torch.nn.Module]:
    """Every network by its part, each once, in the order in which they are loaded."""
    second = parts.text_encoder_2
    branches = {net: f"controlnet:{kind}" for kind, net in parts.controlnets.items()}
    return {
        "unet": parts.unet,
        "vae": parts.vae,
        "text_encoder": parts.text_encoder,
        **({} if second is None else {"text_encoder_2": second}),
        **{part: net for net, part in branches.items()},
    }


def _stored(source: ModelSource, part: str, network: torch.nn.Module) -> int:
    """Bytes of a part in its files."""
    if part == "unet" and source.unet is not None:
        return Path(source.unet).stat().st_size
    base = cached(source.base)
    numbers = sum(value.numel() for value in network.state_dict().values())
    kind = part.removeprefix("controlnet:")
    if kind == part:
        place = base if base is None or base.is_file() else base / part
    elif kind in source.controlnets:
        place = cached(source.controlnets[kind])
    else:
        place = None if base is None else base / own_controlnets(base)[kind]
    return numbers * _PUBLISHED_BYTES if place is None else round(numbers * bytes_a_number(place))


def _denoised(parts: Components, scene: Scene) -> Pass:
    """One evaluation of a window in parts, of which the first two are run: each later one leaves as much behind."""
    denoiser = denoiser_of(parts)
    batch = scene.window if denoiser.joint else min(scene.batch, scene.window)
    prompt, calls = _prompt(parts), ceil(scene.window / batch)
    cell, held = SDCodec(parts.vae).factors.cell, list[object]()
    trace = _trace(scene)

    def call() -> Traced:
        x = _empty(batch, parts.unet.config["in_channels"], scene.height // cell, scene.width // cell)
        controls = [
            ControlInput(branch=kind, frames=_empty(batch, 3, scene.height, scene.width)) for kind in parts.controlnets
        ]
        held.extend((x, *controls))
        with trace:
            denoiser(x, 1.0, prompt, controls)
        return trace.take()

    with cross_frame_attention(parts.unet) if scene.cross_frame and not denoiser.joint else nullcontext():
        first = call()
        second = call() if calls > 1 else first
        injected = _held_of_source(parts.unet, call, scene.injected) * calls
    more = max(0, second.left - first.left) * max(0, calls - 2)
    return Pass(peak=max(first.peak, second.peak) + more + injected + _gaps(scene), work=_each(second, batch))


def _held_of_source(unet: UNet2DConditionModel, call: Callable[[], object], injected: Collection[str]) -> int:
    """Bytes that a call of the network on the source leaves to be injected."""
    if not injected:
        return 0
    with (
        source_injection(unet) as states,
        states.taking(features="features" in injected, attention="attention" in injected),
    ):
        call()
        return states.held_bytes


def _coded(parts: Components, scene: Scene, *, decodes: bool) -> Pass:
    """A batch of frames through the autoencoder, one way or the other; a single one, in bands, where it is tiled."""
    codec, vae = SDCodec(parts.vae), parts.vae
    batch, cell = min(frames_at_once(scene.loading.kind, scene.batch), scene.window), codec.factors.cell
    if scene.tiled:
        batch = 1
    height, width = scene.height // cell, scene.width // cell
    sides = (codec.channels, height, width) if decodes else (3, height * cell, width * cell)
    x, trace = _empty(batch, *sides).to(decoded_in(vae) if decodes else vae.dtype), _trace(scene)
    with trace:
        if scene.tiled:
            _ = tiled_decode(vae, x) if decodes else tiled_encode(vae, x)
        else:
            _ = cast("Any", vae.decode if decodes else vae.encode)(x)
    found = trace.take()
    return Pass(peak=found.peak + _gaps(scene), work=_each(found, batch))


def _prompt(parts: Components) -> PromptEmbeds:
    """The states of a text of usual length, with its summary where the UNet is told one."""
    states = _empty(1, _TOKENS, int(parts.unet.config["cross_attention_dim"]))
    second = parts.text_encoder_2
    others = {} if second is None else {POOLED: _empty(1, int(cast("Any", second.config).projection_dim))}
    return PromptEmbeds(states=states, others=others)


def _each(found: Traced, frames: int) -> Work:
    """Of each frame."""
    return Work(
        convolutions=found.convolutions / frames,
        products=found.products / frames,
        attention=found.attention / frames,
        moved=found.moved / frames,
    )


def _empty(*sides: int) -> torch.Tensor:
    return torch.empty(sides, device=_META)


def _standing(network: torch.nn.Module) -> int:
    return _bytes(network) - sum(map(_bytes, blocks_of(network)))


def _bytes(network: torch.nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())


def _trace(scene: Scene) -> MemoryTrace:
    return MemoryTrace(scene.loading.kind, fused=scene.loading.attention_backend != "math")


def _gaps(scene: Scene) -> int:
    return _HEAP_GAPS if scene.loading.kind == "cpu" else 0
