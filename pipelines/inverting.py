"""Where sampling begins: the source plus noise, or what its inversion leads to, by the method that is asked for.

`fixed-point` solves each step of the sampling for its noisy end (AIDI, Pan et al. 2023; with ControlNet as in RAVE,
Kara et al. 2024); `ddim` takes the steps the other way without solving (Song et al. 2021); `ddpm` finds the noise maps
of a stochastic sampling (Huberman-Spiegelglas et al. 2024). What an inversion found is kept for later renders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vedit.checks.finite import finite
from vedit.diffusion.blending import SourceAt, inverted_source, noised_source, source_between
from vedit.diffusion.conditioning import Conditioning, FrameConditioning, Memory, bind
from vedit.diffusion.ddpm_inversion import NoiseMaps, level_noise, noise_maps, noised_levels, stochastic, turned_noise
from vedit.diffusion.distilled import single_pass_inversion
from vedit.diffusion.few_steps import turned
from vedit.diffusion.inversion_cache import HALF, inversion_facts, kept_inversion
from vedit.diffusion.noise import frame_noise
from vedit.diffusion.samplers import Fresh, invert, invert_plainly
from vedit.diffusion.solvers import add_noise
from vedit.diffusion.steps import implied_noise
from vedit.diffusion.variation import varied
from vedit.models.attention import attention_facts
from vedit.progress.spent import spent_on
from vedit.types import Latents

if TYPE_CHECKING:
    from vedit.diffusion.injecting import NoisySource
    from vedit.diffusion.samplers import Denoise, Take
    from vedit.diffusion.steps import Step
    from vedit.pipelines.pipeline import OnStep
    from vedit.pipelines.prepared import PreparedRestyle


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Where sampling begins, and how it goes on from there."""

    noisy: Latents
    source_at: SourceAt
    """The source's own trajectory, at the steps' clean ends."""
    source_noisy: NoisySource | None = None
    """The same at their noisy ends; None: the source was not inverted in whole."""
    take: Take | None = None
    """How a step is taken; None: as the trajectory's solver does."""
    fresh: Fresh | None = None
    """What solvers draw that draw noise behind a step; None: the beginning is for none of them."""


def describing(restyler: PreparedRestyle, guides: FrameConditioning) -> Conditioning:
    """What the source is inverted under: its own description, and the controls as they act there."""
    controls = tuple(replace(one, spec=one.spec.inverting) for one in guides.controls)
    return Conditioning(prompt=restyler.source_prompt, controls=controls)


@spent_on("invert")
def beginning(
    restyler: PreparedRestyle,
    guides: FrameConditioning,
    source: Latents,
    numbers: Sequence[int],
    memory: Memory | None,
    on_step: OnStep,
) -> Beginning:
    """Where the sampling of some frames begins.

    Args:
        restyler: from `vedit.pipelines.prepared.prepare`.
        guides: what steers the frames.
        source: their clean latents.
        numbers: theirs in the source, which key their noise.
        memory: of the attention method that is open.
        on_step: told after each step.
    """
    options, path = restyler.options, restyler.trajectory
    if options.begins == "noise":
        noise = _noise(restyler, guides, source, numbers)
        return Beginning(
            noisy=add_noise(source, noise, path),
            source_at=noised_source(source.data, noise),
            fresh=lambda step: turned(noise, step.index + 1),
        )
    describe = describing(restyler, guides)
    denoise = bind(restyler.model.denoiser, describe, batch=options.batch, memory=memory)
    amount = (options.variation or 0.0) if path.steps else 0.0
    if options.inversion == "ddpm" and path.steps:
        drawn = _noise(restyler, guides, source, numbers) if amount else None
        return _by_noise_maps(restyler, denoise, source, describe, drawn, on_step)
    injects = options.injection is not None
    held = guides.mask is not None and not restyler.uses_single_pass_inversion and not amount
    passed = _inverted(restyler, denoise, source, describe, on_step, whole=held or injects)
    noisy = Latents(data=passed[-1])
    if amount:
        noise = _noise(restyler, guides, source, numbers)
        noisy = Latents(data=varied(noisy.data, source.data, noise, path.steps[0], amount=amount))
    own = inverted_source(passed)
    if path.steps and restyler.inversion != path:
        # In fewer steps the inversion does not stop where sampling does.
        own = source_between(passed, restyler.inversion)
    source_at = own
    # Nor does a single pass, and with variation the sampling does not begin at the source's.
    if path.steps and (restyler.uses_single_pass_inversion or amount):
        source_at = noised_source(source.data, implied_noise(noisy.data, source.data, path.steps[0]))
    return Beginning(
        noisy=noisy,
        source_at=source_at,
        source_noisy=_at_noisy_ends(own, passed[-1], path.steps) if injects else None,
    )


def _at_noisy_ends(own: SourceAt, noisiest: torch.Tensor, steps: Sequence[Step]) -> NoisySource:
    """A trajectory that is known at the clean ends of steps and where they begin, at their noisy ends."""
    return lambda step: own(steps[step.index - 1]) if step.index else noisiest


def _by_noise_maps(
    restyler: PreparedRestyle,
    denoise: Denoise,
    source: Latents,
    describe: Conditioning,
    drawn: torch.Tensor | None,
    on_step: OnStep,
) -> Beginning:
    """The beginning of a stochastic sampling, and the noise maps that it takes its steps with.

    Args:
        restyler: from `prepare`.
        denoise: bound to `describe`.
        source: clean latents.
        describe: what the source is described by.
        drawn: noise of the seed, of which maps and beginning take a part; None: no part.
        on_step: told after each step.
    """
    path, precision, options = restyler.trajectory, restyler.model.precision, restyler.options
    noise = level_noise(source.data.shape[1:], path)
    levels = noised_levels(source.data, noise, path)

    def walk() -> Iterator[torch.Tensor]:
        for done, added in enumerate(noise_maps(denoise, levels, path), start=1):
            on_step("invert", done / len(path.steps))
            yield finite(added, f"noise map {done} of {len(path.steps)}", precision=precision)

    found = _kept(restyler, source, describe, walk, noise=noise, whole=True)
    maps, noisy = NoiseMaps(solver=stochastic(path), added=tuple(reversed(found))), levels[-1]
    if drawn is not None:
        amount = options.variation or 0.0
        begun, *others = turned_noise(drawn, options.seed, len(path.steps) + 1)
        maps = maps.varied(others, amount)
        noisy = varied(noisy, source.data, begun, path.steps[0], amount=amount)
    own = inverted_source(levels)
    return Beginning(
        noisy=Latents(data=noisy, level=path.steps[0].level),
        source_at=own,
        source_noisy=_at_noisy_ends(own, levels[-1], path.steps),
        take=maps.take,
    )


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
    if restyler.options.begins == "noise":
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

    def walk() -> Iterator[torch.Tensor]:
        if restyler.uses_single_pass_inversion:
            led = finite(single_pass_inversion(denoise, source.data, path), "inverted latents", precision=precision)
            on_step("invert", 1.0)
            yield led
            return
        plain = restyler.options.inversion == "ddim"
        steps = (
            invert_plainly(denoise, source, path)
            if plain
            else invert(denoise, source, path, fixed_point=restyler.fixed_point)
        )
        for done, latents in enumerate(steps, start=1):
            finite(latents.data, f"latents of inversion step {done} of {len(path.steps)}", precision=precision)
            on_step("invert", done / len(path.steps))
            yield latents.data

    if not path.steps:
        return [source.data]
    return [source.data, *_kept(restyler, source, describe, walk, whole=whole)]


def _kept(
    restyler: PreparedRestyle,
    source: Latents,
    describe: Conditioning,
    walk: Callable[[], Iterator[torch.Tensor]],
    *,
    whole: bool,
    noise: Sequence[torch.Tensor] = (),
) -> list[torch.Tensor]:
    """What an inversion makes, from the disk or made now: all of it, or the last alone.

    What is only held beside the sampling (noise maps, the source's states on the way) is rounded to half precision, so
    that it is the same whether it is found or made; where the sampling begins is not.
    """
    options, count = restyler.options, len(restyler.inversion.steps)
    if restyler.uses_single_pass_inversion:
        count = 1
    halves = count if noise else count - 1 if options.injection is not None else 0

    def made() -> list[torch.Tensor]:
        passed: list[torch.Tensor] = []
        for data in walk():
            # Where the last alone is wanted no other is held.
            passed = [*passed, data] if whole else [data]
        return [data.to(HALF).to(data) if number < halves else data for number, data in enumerate(passed)]

    if restyler.inversions is None:
        return made()
    facts = inversion_facts(
        source,
        describe,
        restyler.inversion,
        fixed_point=restyler.fixed_point,
        **attention_facts(options),
        batch=options.batch,
        fingerprint=restyler.inversion_fingerprint,
        method=options.inversion,
        noise=noise,
        halves=halves,
    )
    return kept_inversion(restyler.inversions, facts, source.data, count, made, whole=whole, halves=halves)
