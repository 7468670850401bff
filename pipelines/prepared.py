"""A restyle made ready: prompts encoded, the sampling's and the inversion's steps laid out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from vedit.diffusion.ddpm_inversion import stochastic
from vedit.diffusion.distilled import aligned_to, thinned
from vedit.diffusion.noise import Drawn
from vedit.diffusion.palette import Palette
from vedit.diffusion.prompts import equally_long, side_by_side
from vedit.options.controls import branch, settled
from vedit.options.travel import by_frame
from vedit.pipelines.references import palette_of, seeing

if TYPE_CHECKING:
    from vedit.diffusion.inversion_cache import TensorCache
    from vedit.diffusion.solvers import Trajectory
    from vedit.models.family import FewSteps, Model
    from vedit.options.request import RestyleOptions
    from vedit.types import ControlSpec, PromptEmbeds


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
    traits = model.traits
    options = traits.settled(settled(options, model.control_kinds, model=model.name))
    traits.check(options, model=model.name)
    quality, guidance, regime = traits.quality(options), traits.scale(options), traits.regime_of(options)
    fixed_point = quality.fixed_point if options.inversion == "fixed-point" else 1
    fast, schedule = model.fast_for(options) or (None, None)
    if schedule is None:
        laid_out = model.schedule if regime is None else partial(model.schedule, regime=regime)
        path = inversion = laid_out(steps=quality.steps, strength=options.regenerated)
        if options.inversion_steps is not None:
            whole = [step.level for step in laid_out(steps=quality.steps).steps]
            inversion = aligned_to(model.through(thinned(path, whole, options.inversion_steps)), path)
    else:
        path, inversion = (
            model.through(steps) for steps in (schedule.taken(options.regenerated), schedule.stops(options.regenerated))
        )
        inversion, guidance, fixed_point = aligned_to(inversion, path), 1.0, schedule.fixed_point
    if options.inversion == "ddpm":
        stochastic(path)
    source_prompt, brings = model.text(options.source_prompt), model.adapters.encoding
    # Where only regions change, the rest is described as what it is.
    prompt_frames, said = by_frame(options.prompt or options.source_prompt)
    negative_frames, denied = by_frame(options.negative_prompt)
    with nullcontext() if brings is None else brings(options):
        read = [model.text(text) for text in (*said, *denied, *(region.prompt for region in options.regions))]
        # Some encoders give zeros for no text at all, which is not what a text goes on with.
        read = equally_long(read, lambda: model.text(" "))
    prompts, negatives = seeing(model, options, read[: len(said)], read[len(said) : len(said) + len(denied)])
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
        guidance=guidance,
        fixed_point=fixed_point,
        fast=fast,
        inversions=inversions,
        palette=palette_of(model, options),
    )
