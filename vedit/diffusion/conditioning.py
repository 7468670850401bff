"""What steers the denoiser, and the one place where frames are cut into network calls."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch

from vedit.diffusion.guiders import classifier_free
from vedit.options.controls import branch
from vedit.types import ControlInput

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from vedit.diffusion.samplers import Denoise
    from vedit.diffusion.steps import Step
    from vedit.protocols import Denoiser
    from vedit.types import ControlMap, ControlSpec, PromptEmbeds


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control map with how strongly, when and where it acts."""

    spec: ControlSpec
    map: ControlMap
    mask: torch.Tensor | None = None
    """(T, 1, H, W) in [0, 1] at the map's size; None is everywhere."""

    def at(self, places: Sequence[int]) -> Control:
        """That of some of the frames, by their places among these."""
        shown = replace(self.map, frames=_at(self.map.frames, places))
        return replace(self, map=shown, mask=None if self.mask is None else _at(self.mask, places))


@dataclass(frozen=True, kw_only=True)
class RegionConditioning:
    """A part of the picture with a prompt of its own."""

    prompt: PromptEmbeds
    mask: torch.Tensor
    """(T, 1, H, W) in [0, 1], pixels of the model's frame; 1 is inside."""


@dataclass(frozen=True, kw_only=True)
class FrameConditioning:
    """Everything but prompts that steers one set of frames sampled together; T of each tensor is theirs."""

    controls: tuple[Control, ...] = ()
    mask: torch.Tensor | None = None
    """(T, 1, H, W) in [0, 1], pixels of the model's frame, 1 = edit; None is everywhere."""
    regions: tuple[RegionConditioning, ...] = ()
    noise: torch.Tensor | None = None
    """(T, C, h, w), standard normal: what is drawn of the seed for each frame. None: where anything is drawn, the first
    frame's for all beside an inversion, else each frame's own."""
    weight_masks: tuple[torch.Tensor, ...] = ()
    """(T, 1, H, W) in [0, 1] each: where other weights of the network act (`MaskedWeights`)."""

    def at(self, places: Sequence[int]) -> FrameConditioning:
        """What steers some of the frames, by their places among these."""

        return FrameConditioning(
            controls=tuple(one.at(places) for one in self.controls),
            mask=None if self.mask is None else _at(self.mask, places),
            regions=tuple(replace(region, mask=_at(region.mask, places)) for region in self.regions),
            noise=None if self.noise is None else _at(self.noise, places),
            weight_masks=tuple(_at(mask, places) for mask in self.weight_masks),
        )


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """Prompt, what to move away from, controls and regions; `guidance` 1 leaves `negative` unused."""

    prompt: PromptEmbeds
    """Of all frames, or one for each, (T, L, D)."""
    apart: bool = False
    """The latents are no clip, but a frame under several prompts: a denoiser of clips sees them one by one."""
    negative: PromptEmbeds | None = None
    guidance: float = 1.0
    controls: tuple[Control, ...] = ()
    regions: tuple[RegionConditioning, ...] = ()
    """Where another prompt holds; the negative is shared by all."""
    weight_masks: tuple[torch.Tensor, ...] = ()
    """(T, 1, h, w) in [0, 1] each, cells of the latents: where other weights act, in the order of `MaskedWeights`."""

    def at(self, places: Sequence[int]) -> Conditioning:
        """That of some of the frames, by their places among these."""
        listed = list(places)
        return replace(
            self,
            prompt=self.prompt.part(listed),
            negative=None if self.negative is None else self.negative.part(listed),
            controls=tuple(one.at(places) for one in self.controls),
            regions=tuple(replace(region, mask=_at(region.mask, places)) for region in self.regions),
            weight_masks=tuple(_at(mask, places) for mask in self.weight_masks),
        )


Parts = Sequence[torch.Tensor]
"""Frames cut into network calls."""


class Memory(Protocol):
    """What remembers frames between network calls (`vedit.diffusion.adapters.cross_frame.FrameMemory`)."""

    def clear(self) -> None: ...


@runtime_checkable
class KeysFirst(Memory, Protocol):
    """A memory of frames that the others are made after (`vedit.diffusion.adapters.key_frames`)."""

    @property
    def order(self) -> tuple[int, ...]:
        """The places of all frames, as they go through the network: keys, then the others."""
        ...

    @property
    def keys(self) -> int:
        """How many are keys; they and the others are never in one call."""
        ...


class Regional(Protocol):
    """What gives parts of the picture a prompt of their own
    (`vedit.diffusion.adapters.regional_prompts.RegionalPrompts`)."""

    def show(self, regions: Sequence[RegionConditioning]) -> None:
        """The regions of the frames in the next network call; none leave the call's own prompt everywhere."""
        ...


class MaskedWeights(Protocol):
    """Weights of a network that act in masks (LoRAs there)."""

    def under(self, number: int) -> AbstractContextManager[None]:
        """Those of a mask, by its number, for as long as the context lasts."""
        ...


def bind(
    denoiser: Denoiser,
    conditioning: Conditioning,
    *,
    batch: int,
    memory: Memory | None = None,
    regional: Regional | None = None,
    weights: MaskedWeights | None = None,
) -> Denoise:
    """A denoiser with its conditioning bound: (x (T, C, h, w), step) -> raw output, guidance included.

    Latents go through the network in order, at most `batch` at a time, or all at once where the denoiser is joint;
    `memory` is cleared before each pass over them, so the first frame of `x` is the anchor of cross-frame attention,
    and says the order where it wants another one. A control map of one frame is that of all.

    Where weights act in masks, the network is evaluated once more under each of them, and what that changes is added
    within the mask, as MultiDiffusion (Bar-Tal et al. 2023) has several evaluations in one picture. Where masks
    overlap, the changes add up.

    Raises:
        ValueError: a batch below 1, or regions or masks of weights without the adapter that they need.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")
    if conditioning.regions and regional is None:
        raise ValueError("regions need the regional prompts of the model")
    if conditioning.weight_masks and weights is None:
        raise ValueError("masks of weights need the weights of the model that act in them")
    if denoiser.joint:
        # All there are of anything, the maps of frames included; a frame under several prompts is no clip.
        batch = 1 if conditioning.apart else sys.maxsize
    if not isinstance(memory, KeysFirst):
        return _bound(denoiser, conditioning, batch, memory, regional, weights)
    order, keys = list(memory.order), memory.keys
    sizes = [*_calls(keys, batch), *_calls(len(order) - keys, batch)]
    places = [order.index(place) for place in range(len(order))]
    run = _bound(denoiser, conditioning.at(order), sizes, memory, regional, weights)
    return lambda x, step: run(x[order], step)[places]


def _bound(
    denoiser: Denoiser,
    conditioning: Conditioning,
    sizes: int | list[int],
    memory: Memory | None,
    regional: Regional | None,
    weights: MaskedWeights | None,
) -> Denoise:
    """See `bind`; `sizes` are the frames of every network call, or of each."""
    # Cut once: a model may keep what it made of a tensor for as long as it meets the same one again.
    inputs = [_inputs(control, sizes) for control in conditioning.controls]

    def run(parts: Parts, step: Step, prompt: PromptEmbeds, regions: tuple[RegionConditioning, ...]) -> torch.Tensor:
        if memory is not None:
            memory.clear()
        active = [
            cut
            for control, cut in zip(conditioning.controls, inputs, strict=True)
            if control.spec.scale > 0 and step.active(control.spec.start, control.spec.end)
        ]
        outputs: list[torch.Tensor] = []
        start = 0
        for i, x in enumerate(parts):
            part = slice(start, start + len(x))
            start = part.stop
            if regional is not None:
                regional.show([replace(region, mask=region.mask[part]) for region in regions])
            outputs.append(denoiser(x, step.level, prompt.part(part), [_part(cut, i) for cut in active]))
        return torch.cat(outputs)

    def blended(
        parts: Parts, step: Step, prompt: PromptEmbeds, regions: tuple[RegionConditioning, ...]
    ) -> torch.Tensor:
        made = plain = run(parts, step, prompt, regions)
        if weights is None:
            return plain
        for number, mask in enumerate(conditioning.weight_masks):
            # A whole pass each: what frames remember of one another is of the same weights.
            with weights.under(number):
                made = made + mask.to(plain) * (run(parts, step, prompt, regions) - plain)
        return made

    def denoise(x: torch.Tensor, step: Step) -> torch.Tensor:
        parts = x.split(sizes)
        conditional = blended(parts, step, conditioning.prompt, conditioning.regions)
        if conditioning.negative is None or conditioning.guidance == 1:
            return conditional
        unguided = blended(parts, step, conditioning.negative, ())
        return classifier_free(conditional, unguided, scale=conditioning.guidance)

    return denoise


def _part(cut: Sequence[ControlInput], number: int) -> ControlInput:
    """What the control is in one network call."""
    return cut[0] if len(cut) == 1 and len(cut[0].frames) == 1 else cut[number]


def _calls(count: int, batch: int) -> list[int]:
    """Frames of each network call, where there are so many in all."""
    return [min(batch, count - done) for done in range(0, count, batch)]


def _at(values: torch.Tensor, places: Sequence[int]) -> torch.Tensor:
    """Those of some frames; of one that is for all, itself."""
    return values if len(values) == 1 else values[list(places)]


def _inputs(control: Control, sizes: int | list[int]) -> list[ControlInput]:
    """The control as each network call sees it, of so many frames or of each so many; one frame is that of all."""

    def cut(values: torch.Tensor) -> Sequence[torch.Tensor]:
        return [values] if len(values) == 1 else values.split(sizes)

    frames = cut(control.map.frames)
    masks = [None] * len(frames) if control.mask is None else cut(control.mask)
    return [
        ControlInput(branch=branch(control.map.kind), frames=part, scale=control.spec.scale, mask=mask)
        for part, mask in zip(frames, masks, strict=True)
    ]
