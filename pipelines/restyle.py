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

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vedit.checks.finite import finite
from vedit.control_maps.maps import control_maps
from vedit.diffusion.blending import blend_outside, inverted_source, noised_source, pool_mask, source_between
from vedit.diffusion.color_match import match_to_anchor
from vedit.diffusion.conditioning import Conditioning, Control, FrameConditioning, bind
from vedit.diffusion.distilled import aligned_to, from_timesteps, implied_noise, single_pass_inversion, thinned
from vedit.diffusion.inversion_cache import TensorCache, inversion_facts, kept_inversion
from vedit.diffusion.noise import Drawn, frame_noise
from vedit.diffusion.samplers import Denoise, invert, sample
from vedit.diffusion.trajectory import Trajectory, add_noise, trajectory
from vedit.diffusion.variation import varied
from vedit.diffusion.windows import windows
from vedit.models.facts import default_guidance
from vedit.options.controls import branch, settled
from vedit.options.request import OVERLAP
from vedit.types import ControlSpec, FrameRange, Latents, PromptEmbeds, Window

if TYPE_CHECKING:
    from vedit.models.families.sd import LoadedDistilled, Model
    from vedit.options.request import RestyleOptions

OnStep = Callable[[str, float], None]
"""Called with the stage's name and the part of it that is done, in (0, 1]."""
GuidesOf = Callable[[Sequence[int], torch.Tensor], FrameConditioning]
"""What steers frames that are sampled together, by their indices in the source and themselves, (T, 3, H, W)."""


def ignore_step(stage: str, part: float) -> None:
    """The caller that does not want to know."""


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
    negative: PromptEmbeds
    controls: tuple[ControlSpec, ...]
    regions: tuple[PromptEmbeds, ...]
    guidance: float
    fixed_point: int
    """Evaluations of each step of the inversion; none where it leaps."""
    fast: LoadedDistilled | None = None
    """The fast tier whose weights sample; None: the model's own do."""
    inversions: TensorCache | None = None
    """Where inversions are kept for later renders."""

    @property
    def fingerprint(self) -> dict[str, str]:
        """Of the parts of the model that the look uses: what other shots of the render need decides nothing here."""
        return {**self.inversion_fingerprint, **({"fast": self.fast.fingerprint} if self.fast is not None else {})}

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
        return Drawn(seed=self.options.seed, channels=codec.channels, cell=codec.factor)

    def sampling(self) -> AbstractContextManager[None]:
        """The weights that sample, in the UNet for as long as the context lasts."""
        return nullcontext() if self.fast is None else self.fast.lora.merged(self.model.denoiser.unet)


def prepare(model: Model, options: RestyleOptions, inversions: TensorCache | None = None) -> PreparedRestyle:
    """Encode the prompts and lay out the trajectory. Raises InputError for a control the model has no branch for."""
    options = settled(options, model.control_kinds, model=model.name)
    quality, guidance, fixed_point = options.resolved(), options.guidance, options.resolved().fixed_point
    fast, schedule = model.fast_for(options) or (None, None)
    if schedule is None:
        path = inversion = trajectory(model.scheduler_config, steps=quality.steps, strength=options.strength)
        if options.inversion_steps is not None:
            whole = [step.timestep for step in trajectory(model.scheduler_config, steps=quality.steps).steps]
            stops = thinned(path, whole, options.inversion_steps)
            inversion = aligned_to(from_timesteps(model.scheduler_config, stops), path)
    else:
        path, inversion = (
            from_timesteps(model.scheduler_config, steps)
            for steps in (schedule.taken(options.strength), schedule.stops(options.strength))
        )
        inversion, guidance, fixed_point = aligned_to(inversion, path), 1.0, schedule.fixed_point
    return PreparedRestyle(
        model=model,
        options=options,
        trajectory=path,
        inversion=inversion,
        source_prompt=model.text(options.source_prompt),
        # Where only regions change, the rest is described as what it is.
        prompt=model.text(options.prompt or options.source_prompt),
        negative=model.text(options.negative_prompt),
        controls=options.controls,
        regions=tuple(model.text(region.prompt) for region in options.regions),
        guidance=default_guidance(model.name) if guidance is None else guidance,
        fixed_point=fixed_point,
        fast=fast,
        inversions=inversions,
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
    describe = Conditioning(prompt=restyler.source_prompt, controls=guides.controls)
    change = Conditioning(
        prompt=PromptEmbeds(states=torch.cat([one.states for one in targets])) if targets else restyler.prompt,
        negative=restyler.negative,
        guidance=restyler.guidance,
        controls=guides.controls,
        regions=guides.regions,
    )
    source = Latents(data=model.codec.encode(frames.to(model.device)))
    if guides.mask is not None and not guides.mask[int(shared) :].any():
        return replace(source, source=source.data)
    cells = None if guides.mask is None else pool_mask(guides.mask, space=model.codec.factor)
    with ExitStack() as adapters:
        # A frame by itself sees no other: under several prompts it may not meet itself either.
        memory = adapters.enter_context(model.cross_frame()) if options.cross_frame and not targets else None
        if options.start == "inversion":
            denoise = bind(model.denoiser, describe, batch=options.batch, memory=memory)
            amount = (options.variation or 0.0) if path.steps else 0.0
            whole = guides.mask is not None and not restyler.uses_single_pass_inversion and not amount
            passed = _inverted(restyler, denoise, source, describe, on_step, whole=whole)
            noisy, source_at = Latents(data=passed[-1]), inverted_source(passed)
            if amount:
                noise = _drawn(restyler, guides, source, numbers)
                noisy = Latents(data=varied(noisy.data, source.data, noise, path.steps[0], amount=amount))
            # In fewer steps the inversion does not stop where sampling does, and with variation not at the source's.
            if path.steps and (restyler.uses_single_pass_inversion or amount):
                source_at = noised_source(source.data, implied_noise(noisy.data, source.data, path.steps[0]))
            elif path.steps and restyler.inversion != path:
                source_at = source_between(passed, restyler.inversion)
        else:
            noise = guides.noise
            if noise is None:
                noise = frame_noise(source.data.shape[1:], seed=options.seed, frames=numbers)
            noise = noise.to(source.data)
            noisy, source_at = add_noise(source, noise, path), noised_source(source.data, noise)
        if targets:
            noisy = Latents(data=noisy.data.expand(len(targets), -1, -1, -1), timestep=noisy.timestep)
        adapters.enter_context(restyler.sampling())
        regional = adapters.enter_context(model.regional()) if guides.regions else None
        denoise = bind(model.denoiser, change, batch=options.batch, memory=memory, regional=regional)
        keep = None if cells is None else blend_outside(cells, source_at)
        clean = noisy
        for done, latents in enumerate(sample(denoise, noisy, path, keep=keep), start=1):
            finite(latents.data, f"latents of sampling step {done} of {len(path.steps)}", precision=model.precision)
            on_step("sample", done / len(path.steps))
            clean = latents
    clean = replace(clean, source=source.data)
    if not shared:
        return clean
    # A region has a look of its own, which the anchor's prompt says nothing of.
    for region in guides.regions:
        outside = 1 - pool_mask(region.mask, space=model.codec.factor)
        cells = outside if cells is None else cells * outside
    return replace(clean, data=match_to_anchor(clean.data, source.data, cells))


def shot_windows(options: RestyleOptions, shot: FrameRange, *, size: int | None = None) -> tuple[Window, ...]:
    """The windows that a shot is sampled in; `size` is what memory has left of the window that was asked for."""
    size = options.window if size is None else size
    overlap = OVERLAP if options.overlap is None else options.overlap
    return windows(shot, size=size, overlap=min(overlap, size // 3))


def restyle_window(
    restyler: PreparedRestyle,
    shot: FrameRange,
    window: FrameRange,
    frames_of: Callable[[FrameRange], torch.Tensor],
    guides_of: GuidesOf,
    on_step: OnStep = ignore_step,
    anchor: int | None = None,
) -> Latents:
    """One window of a shot, by itself: it depends on no other window, so windows can be kept and made anew singly.

    The window is sampled together with the shot's first frame, the anchor of cross-frame attention, so that all
    windows share one look; or with the anchor that shots share.

    Args:
        restyler: from `prepare`.
        shot: frames of the source that belong together.
        window: part of the shot.
        frames_of: a range of the shot, or the anchor alone -> (T, 3, H, W) in [0, 1] at the model's size.
        guides_of: what steers the anchor and the window's frames, or `own_guides`.
        on_step: told after each step.
        anchor: a frame of the source that stands for the look of several shots; None, or the shot's first: the shot
            has a look to itself.

    Returns:
        Clean latents (T, C, h, w) of the window's frames, with the source's.
    """
    numbers, frames = list(range(window.start, window.stop)), frames_of(window)
    first = shot.start if anchor is None else anchor
    shared = first != shot.start
    beside = shared or window.start != first
    if beside:
        numbers = [first, *numbers]
        frames = torch.cat([frames_of(FrameRange(start=first, stop=first + 1)), frames])
    latents = restyle_frames(restyler, frames, numbers, guides_of(numbers, frames), on_step, shared=shared)
    return latents.part(1) if beside else latents


def join_windows(
    parts: Sequence[Window], latents_of: Callable[[Window], Latents]
) -> Iterator[tuple[FrameRange, Latents]]:
    """The windows of a shot as one: their latents in order, blended where they overlap, each frame once; with the
    source's where the window that a piece begins with has them."""
    pending = torch.empty(0)
    for i, window in enumerate(parts):
        made = latents_of(window)
        data = made.data * torch.tensor(window.weights).to(made.data).view(-1, 1, 1, 1)
        if len(pending):
            data = torch.cat([data[: len(pending)] + pending, data[len(pending) :]])
        start = window.frames.start
        stop = parts[i + 1].frames.start if i + 1 < len(parts) else window.frames.stop
        pending = data[stop - start :]
        yield FrameRange(start=start, stop=stop), replace(made, data=data).part(0, stop - start)


def _drawn(
    restyler: PreparedRestyle, guides: FrameConditioning, source: Latents, numbers: Sequence[int]
) -> torch.Tensor:
    """The noise of these frames, (T, C, h, w): as steered, or the first one's for all, so that it does not flicker."""
    if guides.noise is not None:
        return guides.noise.to(source.data)
    first = frame_noise(source.data.shape[1:], seed=restyler.options.seed, frames=numbers[:1])
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
        cross_frame=restyler.options.cross_frame,
        batch=restyler.options.batch,
        fingerprint=restyler.inversion_fingerprint,
    )
    count = 1 if restyler.uses_single_pass_inversion else len(path.steps)
    return [source.data, *kept_inversion(restyler.inversions, facts, source.data, count, walk, whole=whole)]
