"""Restyle: invert the source into noise under its own description, sample it again under the prompt.

    frames -> guides (controls, mask, regions)
    frames -> encode -> invert (or add noise) -> sample -> latents of the new look
                              outside the mask: the source's, at every step

Shots under one look can share an anchor: a frame of the source, wherever it lies, that is sampled with every window and
whose change of colours all of them take where they show the like. Nothing else ever crosses a cut.

Where a model has a fast tier that can do what is asked (`vedit.models.distilled`), the source is inverted in fewer
steps, with the model's own weights, and sampled with the few-step ones.

Both passes see the same controls and the same cross-frame attention, so that sampling under the source's own
description and no guidance retraces the inversion (`vedit.pipelines.inverting`); a control may act otherwise while the
source is inverted. The source's features and attention can steer the sampling beside it (`vedit.diffusion.injecting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from vedit.checks.finite import finite
from vedit.control_maps.maps import control_maps
from vedit.diffusion.blending import blend_outside, pool_mask
from vedit.diffusion.color_match import match_to_anchor
from vedit.diffusion.conditioning import Conditioning, Control, FrameConditioning, bind
from vedit.diffusion.injecting import with_injection
from vedit.diffusion.palette import take_palette
from vedit.diffusion.prompts import led, side_by_side
from vedit.diffusion.samplers import sample
from vedit.errors import ModelError
from vedit.latent_shape import LatentShape
from vedit.models.attention import attending, attention_facts
from vedit.options.loras import masks_of
from vedit.pipelines.inverting import beginning, describing
from vedit.pipelines.pipeline import GuidesOf, OnStep, ignore_step
from vedit.pipelines.prepared import PreparedRestyle as PreparedRestyle
from vedit.pipelines.prepared import prepare as prepare
from vedit.progress.spent import spending, spent_on
from vedit.registry.attention import NONE
from vedit.types import Latents, PromptEmbeds

if TYPE_CHECKING:
    from vedit.diffusion.conditioning import Memory, Regional
    from vedit.diffusion.samplers import Denoise
    from vedit.diffusion.steps import Step
    from vedit.latent_shape import ScaleFactors
    from vedit.models.family import Model
    from vedit.pipelines.inverting import Beginning


def own_guides(restyler: PreparedRestyle) -> GuidesOf:
    """The guides that come from the frames alone: the control maps, computed from those sampled together."""

    def guides(numbers: Sequence[int], frames: torch.Tensor) -> FrameConditioning:
        maps = control_maps(restyler.controls, frames)
        return FrameConditioning(
            controls=tuple(Control(spec=s, map=m) for s, m in zip(restyler.controls, maps, strict=True))
        )

    return guides


def restyle_frames(
    restyler: PreparedRestyle,
    frames: torch.Tensor,
    numbers: Sequence[int],
    guides: FrameConditioning,
    on_step: OnStep = ignore_step,
    *,
    shared: bool = False,
    targets: Sequence[PromptEmbeds] = (),
) -> Latents:
    """Frames of one shot, sampled together; the first is the anchor.

    Args:
        restyler: from `prepare`.
        frames: (T, 3, H, W) in [0, 1], H and W multiples of the model's.
        numbers: the frames' indices in the source, which key their noise.
        guides: controls, mask and regions of these frames, at their size.
        on_step: told after each step.
        shared: the anchor stands for the look of several shots, and the others take its change of colours too.
        targets: prompts in the place of the restyler's, for a frame by itself and without regions: it is inverted once
            and sampled under each of them.

    Returns:
        Clean latents (T, C, h, w), one for each frame or for each of `targets`, with the source's; where no pixel of a
        cell is in the mask, those of the source.

    Raises:
        ValueError: several frames or regions with `targets`.
        NotFiniteError: NaN or infinity came up, in the step that it names.
    """
    model, options, path = restyler.model, restyler.options, restyler.trajectory
    if targets and (len(frames) != 1 or guides.regions or shared):
        raise ValueError("several prompts are for a frame by itself and without regions")
    if targets and "attention" in attention_facts(options):
        # It is opened for none of them below, and what is kept of the inversion is not to be taken for the method's.
        restyler = replace(restyler, options=replace(options, attention=NONE))
    change = _change(restyler, guides, numbers, targets)
    source, factors = Latents(data=_encoded(model, frames)), model.codec.factors
    if guides.mask is not None and not guides.mask[int(shared) :].any():
        return replace(source, source=source.data)
    cells = None if guides.mask is None else pool_mask(guides.mask, factors)
    with ExitStack() as adapters:
        # A frame by itself sees no other: under several prompts it may not meet itself either.
        memory = None if targets else adapters.enter_context(attending(model, options, tuple(numbers), frames))
        begun = beginning(restyler, guides, source, numbers, memory, on_step)
        noisy = begun.noisy
        if targets:
            noisy = Latents(data=noisy.data.expand(len(targets), -1, -1, -1), level=noisy.level)
        # Beside an injection the network also runs on the source, as it was inverted: without what the look brings.
        step_by_step = options.injection is not None
        if not step_by_step:
            adapters.enter_context(restyler.sampling())
        opened = model.adapters.regional if guides.regions else None
        regional = None if opened is None else adapters.enter_context(opened())
        in_masks = model.adapters.masked if guides.weight_masks else None
        with restyler.sampling() if step_by_step and in_masks is not None else nullcontext():
            weights = None if in_masks is None else adapters.enter_context(in_masks(options))
        denoise = bind(model.denoiser, change, batch=options.batch, memory=memory, regional=regional, weights=weights)
        denoise = _injected(denoise, restyler, guides, begun, adapters, memory=memory, regional=regional)
        keep = None if cells is None else blend_outside(cells, begun.source_at)
        clean = noisy
        sampled = sample(denoise, noisy, path, take=begun.take, keep=keep, fresh=begun.fresh)
        with spending("sample"):
            for done, latents in enumerate(sampled, start=1):
                finite(latents.data, f"latents of sampling step {done} of {len(path.steps)}", precision=model.precision)
                on_step("sample", done / len(path.steps))
                clean = latents
    clean = replace(clean, source=source.data)
    if shared:
        clean = replace(clean, data=match_to_anchor(clean.data, source.data, look_cells(guides, factors)))
    if restyler.palette is None:
        return clean
    taken = take_palette(clean.data, source.data, frames, restyler.palette, cells, singly=bool(targets))
    return replace(clean, data=taken)


def _change(
    restyler: PreparedRestyle, guides: FrameConditioning, numbers: Sequence[int], targets: Sequence[PromptEmbeds]
) -> Conditioning:
    """What the frames are sampled under. Raises ValueError where masks of LoRAs are missing."""
    if len(guides.weight_masks) != len(masks_of(restyler.options.loras)):
        raise ValueError("LoRAs that act in masks need these among the guides")
    factors = restyler.model.codec.factors
    return Conditioning(
        prompt=side_by_side(targets) if targets else led(restyler.prompt, restyler.prompt_frames, numbers),
        apart=bool(targets),
        negative=led(restyler.negative, restyler.negative_frames, numbers),
        guidance=restyler.guidance,
        controls=guides.controls,
        regions=guides.regions,
        weight_masks=tuple(pool_mask(mask, factors) for mask in guides.weight_masks),
    )


def _injected(
    denoise: Denoise,
    restyler: PreparedRestyle,
    guides: FrameConditioning,
    begun: Beginning,
    adapters: ExitStack,
    *,
    memory: Memory | None,
    regional: Regional | None,
) -> Denoise:
    """The sampling's denoise function with the source's states in it, where the look asks for them; what the look
    brings is in the network while it samples alone."""
    model, options = restyler.model, restyler.options
    injection, opened = options.injection, model.adapters.injection
    if injection is None or not restyler.trajectory.steps:
        return denoise
    assert opened is not None and begun.source_noisy is not None  # the model's traits say so; nothing starts from noise
    states = adapters.enter_context(opened())
    source = bind(model.denoiser, describing(restyler, guides), batch=options.batch, memory=memory, regional=regional)

    def target(x: torch.Tensor, step: Step) -> torch.Tensor:
        with restyler.sampling():
            return denoise(x, step)

    return with_injection(target, source, states, begun.source_noisy, injection)


@spent_on("to latents")
def _encoded(model: Model, frames: torch.Tensor) -> torch.Tensor:
    """The source's latents. Raises ModelError where the codec's are not of the shape that it says."""
    codec, (count, _, height, width) = model.codec, frames.shape
    latents = codec.encode(frames.to(model.device))
    shape = LatentShape.from_pixels(count, height, width, channels=codec.channels, factors=codec.factors)
    if latents.shape != shape.axes:
        raise ModelError(
            f"{model.name} makes latents {tuple(latents.shape)} of {count} frames, where its factors say {shape.axes}",
            remedy="its family is at fault: run vedit.testing.contracts.check_family on the model",
        )
    return latents


def look_cells(guides: FrameConditioning, factors: ScaleFactors) -> torch.Tensor | None:
    """The cells that take on the look that the prompt gives, (T, 1, h, w) in [0, 1]; None is all."""
    cells = None if guides.mask is None else pool_mask(guides.mask, factors)
    # A region has a look of its own, which the prompt says nothing of.
    for region in guides.regions:
        outside = 1 - pool_mask(region.mask, factors)
        cells = outside if cells is None else cells * outside
    return cells
