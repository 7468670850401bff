"""What a model would take for frames of some size, without a clip: memory, time, and the cheapest setting that fits."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vedit.checks.rationals import shown
from vedit.errors import InputError, ModelError
from vedit.geometry import working_fit
from vedit.memory import MemoryBudget, smaller
from vedit.models.check import checked
from vedit.models.quantisation import NONE
from vedit.options.controls import branch
from vedit.options.request import RestyleOptions
from vedit.render.costs import Outline, seconds_of
from vedit.render.evaluations import evaluations, footprint_of_look, outline_of_look, scene_of
from vedit.render.measured_costs import paces_of
from vedit.render.peaks import Peaks, full_size_bytes, peaks
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.models.footprint import Footprint, Scene
    from vedit.models.loading import Loading
    from vedit.models.ref import ModelRef
    from vedit.types import Fit

_TOGETHER = 8
"""Frames at full size that are finished together, of the sizes that models work at."""
_CODEC = "h264"
_NEXT = {NONE: ("int8", "nf4"), "int8": ("nf4",)}
"""What weights are quantised to next where memory is short: of eight and of four bits, what keeps most."""


@dataclass(frozen=True, kw_only=True)
class ModelPlan:
    """What a model takes, in bytes and seconds."""

    model: str
    device: str
    precision: str
    quantize: str
    """What the network's weights are quantised to; "none" is not at all."""
    offload: str
    """What waits in host memory beside a GPU; "none" is nothing."""
    attention_backend: str
    """The kernel that computes attention; "auto" is torch's choice."""
    size: tuple[int, int]
    """(width, height) that the networks work at."""
    frames: int
    batch: int
    window: int
    weights: Mapping[str, int]
    """Part -> bytes once it is loaded."""
    encode: int
    """What the pass holds at its peak beside the weights."""
    denoise: int
    decode: int
    reader: int
    """What looks at pictures: it is let go of before frames are sampled."""
    peak_memory_bytes: int
    """Of host memory."""
    peak_device_bytes: int | None
    """Of a GPU's memory; None on a CPU."""
    seconds: float | None
    evaluations: int
    """Of the network, for each frame."""
    fits: bool | None = None
    """Whether it does in the memory that was given; None: none was."""
    advice: str = ""
    """The cheapest setting that fits, or what stands against it."""


def plan_model(
    model: ModelRef,
    size: tuple[int, int],
    frames: int,
    options: RestyleOptions,
    loading: Loading,
    *,
    memory: int | None,
) -> ModelPlan:
    """What a render of one shot takes, were its source of the size that the model works at.

    Args:
        model: as it was found.
        size: (width, height) in pixels; sides are rounded up to what the model takes.
        frames: of the shot.
        options: of the look.
        loading: how it is loaded; the device need not be on this machine for the memory to be told.
        memory: bytes that it has to do with; None: as many as it takes.

    Raises:
        InputError: a control that the model has no branch for.
        SettingError: it cannot be loaded so.
        ModelError: its weights cannot be quantised; it is damaged, or not on this machine and not known.
    """
    model.check_quantized(loading.quantize)
    model.check_loading(loading)
    kinds = {branch(spec.kind) for spec in options.controls}
    absent = sorted(kinds - set(model.control_kinds))
    if absent:
        raise InputError(
            f"{model.name} has no control branch for {', '.join(absent)}",
            remedy=f"it has {', '.join(model.control_kinds) or 'none'}; leave the others out",
        )
    if model.base is not None:
        checked(model, controls=tuple(kinds))
    fit = working_fit(
        (size[1], size[0]),
        short_side=min(size),
        multiple_of=model.traits.size_multiple,
        minimum=model.traits.minimum_side,
    )
    options = model.traits.settled(options)
    scene = scene_of(options, fit, frames, loading)
    found = _known(model, scene, options)
    whole = _peaks(found, scene, fit, frames)
    advice = None if memory is None else _advised(model, scene, options, fit, frames, memory)
    return ModelPlan(
        model=model.name,
        device=loading.device,
        **{**loading.settings(), "precision": found.precision},
        size=(fit.outer[1], fit.outer[0]),
        frames=frames,
        batch=scene.batch,
        window=scene.window,
        weights=found.weights,
        encode=found.encode.peak,
        denoise=found.denoise.peak,
        decode=found.decode.peak,
        reader=found.reader,
        peak_memory_bytes=whole.host,
        peak_device_bytes=whole.device,
        seconds=_seconds(model, options, fit, frames, scene),
        evaluations=evaluations(model, options),
        fits=None if advice is None else advice.fits,
        advice="" if advice is None else str(advice),
    )


def _known(model: ModelRef, scene: Scene, options: RestyleOptions) -> Footprint:
    found = footprint_of_look(model, scene, options)
    if found is None:
        raise ModelError(
            f"what {shown(model.name)} takes is not known: it is not on this machine, or its family does not say",
            remedy=f"fetch it first: vedit models pull {model.name}",
        )
    return found


def _peaks(found: Footprint, scene: Scene, fit: Fit, frames: int, *, offloaded: bool = False) -> Peaks:
    full = full_size_bytes(fit.source[0] * fit.source[1], together=min(_TOGETHER, frames), frames=frames)
    return peaks(found, scene, full, offloaded=offloaded)


def _seconds(model: ModelRef, options: RestyleOptions, fit: Fit, frames: int, scene: Scene) -> float | None:
    """Of a render on this machine; None of a device that it has not."""
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[scene.loading.kind]:
        return None
    whole = FrameRange(start=0, stop=frames)
    outline = Outline(
        pixels=fit.source[0] * fit.source[1],
        source_codec=_CODEC,
        model=model.name,
        loading=scene.loading,
        frames=whole,
        looks=(outline_of_look(model, options, fit, (whole,), scene.loading),),
        scanned=frames,
        searched=frames,
        codec=_CODEC,
    )
    return seconds_of(outline, paces=paces_of(outline))


def _can_group(model: ModelRef, scene: Scene) -> bool:
    """Whether a model's blocks could wait in host memory, and do not."""
    return scene.loading.kind == "cuda" and model.traits.offloads and scene.loading.offload != "group"


@dataclass(frozen=True, kw_only=True)
class _Advice:
    """What a model needs to fit in some memory."""

    settings: tuple[str, ...] | None
    """The cheapest that fit; empty: as it was asked for it does. None: nothing fits."""
    least: int
    """Bytes of what takes least."""

    @property
    def fits(self) -> bool:
        """Whether it does as it was asked for."""
        return self.settings == ()

    def __str__(self) -> str:
        if self.settings is None:
            return f"nothing fits: the least is {self.least / 1e9:.1f} GB; use a smaller size or another precision"
        return ", ".join(self.settings)


def _advised(model: ModelRef, scene: Scene, options: RestyleOptions, fit: Fit, frames: int, memory: int) -> _Advice:
    """The first settings that fit: the rungs of the ladder of `vedit.memory`, each slower than the last, then the same
    with weights of fewer bits."""
    asked, least = scene.loading.quantize, math.inf
    fewer = _NEXT.get(asked, ()) if model.unquantizable is None else ()
    for quantize in (asked, *fewer):
        quantized = replace(scene, loading=scene.loading if quantize == asked else scene.loading.resting_in(quantize))
        said = () if quantize == asked else (f"--quantize {quantize}",)
        for settings, needed in _rungs(model, quantized, options, fit, frames):
            least = min(least, needed)
            if needed <= memory:
                return _Advice(settings=(*said, *settings), least=needed)
    return _Advice(settings=None, least=int(least))


def _rungs(
    model: ModelRef, scene: Scene, options: RestyleOptions, fit: Fit, frames: int
) -> Iterator[tuple[tuple[str, ...], int]]:
    """What is set on each rung, none of it on the first, and the bytes that are needed there."""
    first = footing = MemoryBudget(batch=scene.batch, window=scene.window)
    while footing is not None:
        on_rung = replace(scene, batch=min(footing.batch, footing.window), window=footing.window, tiled=footing.tiled)
        found = _known(model, on_rung, options)
        peak = _peaks(found, on_rung, fit, frames, offloaded=footing.offloaded)
        yield () if footing == first else (str(footing),), peak.host if peak.device is None else peak.device
        coded = max(found.encode.peak, found.decode.peak)
        stage = "decode" if coded > found.denoise.peak and footing.batch == 1 else "sample"
        can_offload = scene.loading.kind != "cpu" and scene.loading.offload == "none"
        below = smaller(footing, stage=stage, can_offload=can_offload)
        if below is None and _can_group(model, scene):
            in_blocks = replace(on_rung, loading=replace(scene.loading, offload="group"))
            told = (str(replace(footing, offloaded=False)), "--offload group")
            yield told, _peaks(found, in_blocks, fit, frames).device or 0
        footing = below
