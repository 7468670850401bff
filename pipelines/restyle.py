"""Restyle: invert the source into noise under its own description, sample it again under the prompt.

    frames -> guides (controls, mask, regions)
    frames -> encode -> invert (or add noise) -> sample -> latents of the new look
                              outside the mask: the source's, at every step

Shots under one look can share an anchor: a frame of the source, wherever it lies, that is sampled with every window and
whose change of colours all of them take. Nothing else ever crosses a cut.

Where a model has a fast tier that can do what is asked (`vedit.models.distilled`), the source is inverted in fewer
steps, with the model's own weights, and sampled with the few-step ones.

Both passes see the same controls and the same cross-frame attention, so that sampling under the source's own
description and no guidance retraces the inversion (DDIM inversion, Song et al. 2021; with ControlNet as in RAVE,
Kara et al. 2024; fixed point as in AIDI, Pan et al. 2023).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vedit.checks.finite import finite
from vedit.control_maps.maps import control_maps
from vedit.diffusion.blending import SourceAt, blend_outside, inverted_source, noised_source, pool_mask, source_between
from vedit.diffusion.color_match import match_to_anchor
from vedit.diffusion.conditioning import Conditioning, Control, FrameConditioning, Memory, bind
from vedit.diffusion.distilled import aligned_to, single_pass_inversion, thinned
from vedit.diffusion.inversion_cache import TensorCache, inversion_facts, kept_inversion
from vedit.diffusion.noise import Drawn, frame_noise
from vedit.diffusion.palette import Palette, take_palette
from vedit.diffusion.prompts import equally_long, led, side_by_side
from vedit.diffusion.samplers import Denoise, invert, sample
from vedit.diffusion.solvers import Trajectory, add_noise
from vedit.diffusion.steps import implied_noise
from vedit.diffusion.variation import varied
from vedit.errors import ModelError
from vedit.latent_shape import LatentShape
from vedit.models.attention import attending, attention_facts
from vedit.options.controls import branch, settled
from vedit.options.travel import by_frame
from vedit.pipelines.pipeline import GuidesOf, OnStep, ignore_step
from vedit.pipelines.references import palette_of
from vedit.registry.attention import NONE
from vedit.types import ControlSpec, Latents, PromptEmbeds

if TYPE_CHECKING:
    from vedit.latent_shape import ScaleFactors
    from vedit.models.family import FewSteps, Model
    from vedit.options.request import RestyleOptions


@dataclass(frozen=True, kw_only=True)
class PreparedRestyle:
    """A model and options made ready: prompts encoded, trajectory laid out."""

    model: Model
    options: RestyleOptions
    trajectory: Trajectory
    """What is sampled."""
    inversion: Trajectory
    """What is inverted: `path`, or where a fast tier or fewer steps of the inversion stop on the way to its begin."""
    source_prompt: PromptEmbeds
    prompt: PromptEmbeds
    """Of all frames; of one that changes over the clip those at `prompt_frames`, one behind the other."""
    negative: PromptEmbeds
    controls: tuple[ControlSpec, ...]
    regions: tuple[PromptEmbeds, ...]
    guidance: float
    fixed_point: int
    """Evaluations of each step of the inversion; none where it leaps."""
    fast: FewSteps | None = None
    """The fast tier whose weights sample; None: the model's own do."""
    prompt_frames: tuple[int, ...] = ()
    """Where the prompt is led to, as frames of the source (`vedit.options.travel`); none: it does not change."""
    negative_frames: tuple[int, ...] = ()
    inversions: TensorCache | None = None
    """Where inversions are kept for later renders."""
    palette: Palette | None = None
    """The colours that the result takes, of the look's references."""

    @property
    def fingerprint(self) -> dict[str, str]:
        """Of the parts of the model that the look uses: what other shots of the render need decides nothing here."""
        brings = self.model.adapters.facts
        return {
            **self.inversion_fingerprint,
            **({"fast": self.fast.fingerprint} if self.fast is not None else {}),
            **({} if brings is None else brings(self.options)),
            **({} if self.palette is None else {"palette": self.palette.digest}),
        }

    @property
    def inversion_fingerprint(self) -> dict[str, str]:
        """Of the parts that invert, in the fast tier too: the model's own."""
        used = {f"controlnet:{branch(spec.kind)}" for spec in self.controls}
        parts = self.model.fingerprint
        return {name: digest for name, digest in parts.items() if not name.startswith("controlnet:") or name in used}

    @property
    def few_steps(self) -> bool:
        """Whether it is sampled with a fast tier's weights."""
        return self.fast is not None

    @property
    def uses_single_pass_inversion(self) -> bool:
        """Inverted by `vedit.diffusion.distilled.single_pass_inversion`, as the fast tier's schedule asks."""
        return self.fast is not None and self.fixed_point == 0

    @property
    def drawn(self) -> Drawn | None:
        """What is drawn from the seed; None where it decides nothing."""
        if not (self.options.draws and self.trajectory.steps):
            return None
        codec = self.model.codec
        return Drawn(seed=self.options.seed, channels=codec.channels, cell=codec.factors.cell)

    @contextmanager
    def sampling(self) -> Generator[None]:
        """The weights that sample, with what the look brings, in the network for as long as the context lasts."""
        brings = self.model.adapters.sampling
        with (
            nullcontext() if self.fast is None else self.fast.merged(),
            nullcontext() if brings is None else brings(self.options),
        ):
            yield


def prepare(model: Model, options: RestyleOptions, inversions: TensorCache | None = None) -> PreparedRestyle:
    """Encode the prompts and lay out the trajectory. Raises InputError for a control the model has no branch for."""
    options = settled(options, model.control_kinds, model=model.name)
    traits, guidance = model.traits, options.guidance
    traits.check(options, model=model.name)
    quality = traits.quality(options)
    fixed_point = quality.fixed_point
    fast, schedule = model.fast_for(options) or (None, None)
    if schedule is None:
        path = inversion = model.schedule(steps=quality.steps, strength=options.strength)
        if options.inversion_steps is not None:
            whole = [step.level for step in model.schedule(steps=quality.steps).steps]
            inversion = aligned_to(model.through(thinned(path, whole, options.inversion_steps)), path)
    else:
        path, inversion = (
            model.through(steps) for steps in (schedule.taken(options.strength), schedule.stops(options.strength))
        )
        inversion, guidance, fixed_point = aligned_to(inversion, path), 1.0, schedule.fixed_point
    source_prompt, brings = model.text(options.source_prompt), model.adapters.encoding
    # Where only regions change, the rest is described as what it is.
    prompt_frames, said = by_frame(options.prompt or options.source_prompt)
    negative_frames, denied = by_frame(options.negative_prompt)
    with nullcontext() if brings is None else brings(options):
        read = [model.text(text) for text in (*said, *denied, *(region.prompt for region in options.regions))]
        read = equally_long(read, lambda: model.text(""))
    prompts, negatives = read[: len(said)], read[len(said) : len(said) + len(denied)]
    return PreparedRestyle(
        model=model,
        options=options,
        trajectory=path,
        inversion=inversion,
        source_prompt=source_prompt,
        prompt=side_by_side(prompts),
        negative=side_by_side(negatives),
        prompt_frames=prompt_frames,
        negative_frames=negative_frames,
        controls=options.controls,
        regions=read[len(said) + len(denied) :],
        guidance=traits.guidance if guidance is None else guidance,
        fixed_point=fixed_point,
        fast=fast,
        inversions=inversions,
        palette=palette_of(model, options),
    )


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
    change = Conditioning(
        prompt=side_by_side(targets) if targets else led(restyler.prompt, restyler.prompt_frames, numbers),
        apart=bool(targets),
        negative=led(restyler.negative, restyler.negative_frames, numbers),
        guidance=restyler.guidance,
        controls=guides.controls,
        regions=guides.regions,
    )
    source, factors = Latents(data=_encoded(model, frames)), model.codec.factors
    if guides.mask is not None and not guides.mask[int(shared) :].any():
        return replace(source, source=source.data)
    cells = None if guides.mask is None else pool_mask(guides.mask, factors)
    with ExitStack() as adapters:
        # A frame by itself sees no other: under several prompts it may not meet itself either.
        memory = None if targets else adapters.enter_context(attending(model, options, tuple(numbers), frames))
        noisy, source_at = _beginning(restyler, guides, source, numbers, memory, on_step)
        if targets:
            noisy = Latents(data=noisy.data.expand(len(targets), -1, -1, -1), level=noisy.level)
        adapters.enter_context(restyler.sampling())
        opened = model.adapters.regional if guides.regions else None
        regional = None if opened is None else adapters.enter_context(opened())
        denoise = bind(model.denoiser, change, batch=options.batch, memory=memory, regional=regional)
        keep = None if cells is None else blend_outside(cells, source_at)
        clean = noisy
        for done, latents in enumerate(sample(denoise, noisy, path, keep=keep), start=1):
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


def _beginning(
    restyler: PreparedRestyle,
    guides: FrameConditioning,
    source: Latents,
    numbers: Sequence[int],
    memory: Memory | None,
    on_step: OnStep,
) -> tuple[Latents, SourceAt]:
    """Where sampling begins, and the source's own trajectory from there on."""
    options, path = restyler.options, restyler.trajectory
    if options.start == "noise":
        noise = _noise(restyler, guides, source, numbers)
        return add_noise(source, noise, path), noised_source(source.data, noise)
    describe = Conditioning(prompt=restyler.source_prompt, controls=guides.controls)
    denoise = bind(restyler.model.denoiser, describe, batch=options.batch, memory=memory)
    amount = (options.variation or 0.0) if path.steps else 0.0
    whole = guides.mask is not None and not restyler.uses_single_pass_inversion and not amount
    passed = _inverted(restyler, denoise, source, describe, on_step, whole=whole)
    noisy = Latents(data=passed[-1])
    if amount:
        noise = _noise(restyler, guides, source, numbers)
        noisy = Latents(data=varied(noisy.data, source.data, noise, path.steps[0], amount=amount))
    # In fewer steps the inversion does not stop where sampling does, and with variation not at the source's.
    if path.steps and (restyler.uses_single_pass_inversion or amount):
        return noisy, noised_source(source.data, implied_noise(noisy.data, source.data, path.steps[0]))
    if path.steps and restyler.inversion != path:
        return noisy, source_between(passed, restyler.inversion)
    return noisy, inverted_source(passed)


def _noise(
    restyler: PreparedRestyle, guides: FrameConditioning, source: Latents, numbers: Sequence[int]
) -> torch.Tensor:
    """The noise of these latents, (T, C, h, w): as steered, else each drawn for the first frame of its own; beside an
    inversion the first one's for all, so that it does not flicker."""
    firsts = restyler.model.codec.factors.first_frames(len(numbers))
    if guides.noise is not None:
        noise = guides.noise if len(guides.noise) == len(firsts) else guides.noise[list(firsts)]
        return noise.to(source.data)
    keys = [numbers[first] for first in firsts]
    if restyler.options.start == "noise":
        return frame_noise(source.data.shape[1:], seed=restyler.options.seed, frames=keys).to(source.data)
    first = frame_noise(source.data.shape[1:], seed=restyler.options.seed, frames=keys[:1])
    return first.to(source.data).expand_as(source.data)


def _inverted(
    restyler: PreparedRestyle,
    denoise: Denoise,
    source: Latents,
    describe: Conditioning,
    on_step: OnStep,
    *,
    whole: bool,
) -> list[torch.Tensor]:
    """The source's latents, (T, C, h, w), and where their inversion leads: after each step, or after the last alone."""
    path, precision = restyler.inversion, restyler.model.precision

    def walk() -> list[torch.Tensor]:
        if restyler.uses_single_pass_inversion:
            led = finite(single_pass_inversion(denoise, source.data, path), "inverted latents", precision=precision)
            on_step("invert", 1.0)
            return [led]
        passed: list[torch.Tensor] = []
        for done, latents in enumerate(invert(denoise, source, path, fixed_point=restyler.fixed_point), start=1):
            finite(latents.data, f"latents of inversion step {done} of {len(path.steps)}", precision=precision)
            on_step("invert", done / len(path.steps))
            passed = [*passed, latents.data] if whole else [latents.data]
        return passed

    if not path.steps:
        return [source.data]
    if restyler.inversions is None:
        return [source.data, *walk()]
    facts = inversion_facts(
        source,
        describe,
        path,
        fixed_point=restyler.fixed_point,
        **attention_facts(restyler.options),
        batch=restyler.options.batch,
        fingerprint=restyler.inversion_fingerprint,
    )
    count = 1 if restyler.uses_single_pass_inversion else len(path.steps)
    return [source.data, *kept_inversion(restyler.inversions, facts, source.data, count, walk, whole=whole)]
