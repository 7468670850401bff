"""Vedit's own pipeline, `restyle`, as `vedit.pipelines.pipeline` asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from vedit.diffusion.carried_noise import FORMAT as CARRIED
from vedit.models.attention import attention_facts
from vedit.pipelines.pipeline import FramesOf, GuidesOf, OnStep, ignore_step
from vedit.pipelines.restyle import PreparedRestyle, prepare
from vedit.pipelines.restyle_windows import restyle_stills, restyle_window

if TYPE_CHECKING:
    import torch

    from vedit.diffusion.conditioning import FrameConditioning
    from vedit.diffusion.inversion_cache import TensorCache
    from vedit.models.family import Model, Traits
    from vedit.options.request import RestyleOptions
    from vedit.types import FrameRange, Latents


@dataclass(frozen=True, kw_only=True)
class RestyledWindows(PreparedRestyle):
    """A prepared restyle that makes windows; see `vedit.pipelines.pipeline.Prepared`."""

    @property
    def steps(self) -> int:
        """Sampling steps; with 0 the source's frames pass through."""
        return len(self.trajectory.steps)

    @property
    def facts(self) -> dict[str, object]:
        """The steps, the guidance, how frames see one another, and what is drawn."""
        options, drawn, injection = self.options, self.drawn, self.options.injection
        inverted = [[step.facts for step in self.inversion.steps], self.fixed_point]
        return {
            "sampled": [step.facts for step in self.trajectory.steps],
            # Without variation an inversion draws no noise, and a start from noise has no inversion.
            "inverted": inverted if options.begins == "inversion" else None,
            **({} if options.inversion == "fixed-point" else {"inversion": options.inversion}),
            **({} if injection is None else {"inject": [injection.features, injection.attention]}),
            "guidance": self.guidance,
            **({} if self.model.traits.regime_of(options) is None else {"solver": self.trajectory.solver.name}),
            **attention_facts(options),
            "seed": None if drawn is None else drawn.seed,
            **({"variation": options.variation, "noise": CARRIED} if drawn is not None else {}),
        }

    @property
    def recipe(self) -> dict[str, object]:
        """The steps, and those of a fast tier, which `--steps` does not ask for."""
        if not self.few_steps:
            return {"steps": self.steps}
        fast = {
            "sampling": [_as_recorded(step.level) for step in self.trajectory.steps],
            "inversion": [_as_recorded(step.level) for step in self.inversion.steps],
            "fixed_point": self.fixed_point,
        }
        return {"steps": self.steps, "fast": fast}

    def window(
        self,
        shot: FrameRange,
        window: FrameRange,
        frames_of: FramesOf,
        guides_of: GuidesOf,
        on_step: OnStep = ignore_step,
        *,
        anchor: int | None = None,
        batch: int | None = None,
    ) -> Latents:
        """See `restyle_window`."""
        restyler = self if batch is None else replace(self, options=replace(self.options, batch=batch))
        return restyle_window(restyler, shot, window, frames_of, guides_of, on_step, anchor)

    def stills(
        self,
        frames: torch.Tensor,
        numbers: Sequence[int],
        guides: FrameConditioning,
        on_step: OnStep = ignore_step,
        *,
        shared: bool = False,
    ) -> Latents:
        """See `restyle_stills`."""
        return restyle_stills(self, frames, numbers, guides, on_step, shared=shared)


class RestylePipeline:
    """Invert the source into noise, sample it again under the prompt; see `vedit.pipelines.pipeline.Pipeline`."""

    inverts = True
    few_steps = True
    enters_adapters = True

    def draws(self, options: RestyleOptions) -> bool:
        """From noise, and with a variation."""
        return options.draws

    def check(self, options: RestyleOptions, traits: Traits) -> None:
        """It makes what the model can."""

    def prepare(self, model: Model, options: RestyleOptions, inversions: TensorCache | None = None) -> RestyledWindows:
        """See `vedit.pipelines.restyle.prepare`."""
        made = prepare(model, options, inversions)
        parts: dict[str, Any] = {one.name: getattr(made, one.name) for one in fields(made)}
        return RestyledWindows(**parts)


PIPELINE = RestylePipeline()


def _as_recorded(level: float) -> float:
    """A level of the schedule; a whole one as an integer, as records have had them from the first on."""
    return int(level) if level.is_integer() else level
