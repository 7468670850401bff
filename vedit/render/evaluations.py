"""How often a look has the network evaluated, and how large a model it has evaluated: what its costs go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.models.distilled import distilled_for
from vedit.models.facts import sizes, traits_of
from vedit.options.controls import branch
from vedit.options.request import RestyleOptions
from vedit.pipelines.pipeline import load_pipeline
from vedit.render.costs import LookOutline

if TYPE_CHECKING:
    from vedit.models.distilled import DistilledWeights, Schedule
    from vedit.models.sizes import Sizes
    from vedit.options.request import RenderRequest
    from vedit.types import Fit, FrameRange


def few_steps_for(model: str, options: RestyleOptions) -> tuple[DistilledWeights, Schedule] | None:
    """The few-step weights that serve a look, and their steps; None where none do, or its pipeline takes none."""
    return distilled_for(model, options) if load_pipeline(options.pipeline).few_steps else None


def steps_taken(model: str, options: RestyleOptions) -> int:
    """Sampling steps: the part of the trajectory, or of the fast tier's, that the strength regenerates."""
    served = few_steps_for(model, options)
    return len(served[1].taken(options.strength)) if served else _ordinary_steps(model, options)


def _ordinary_steps(model: str, options: RestyleOptions) -> int:
    steps = traits_of(model).quality(options).steps
    return min(int(steps * options.strength), steps)


def evaluations(model: str, options: RestyleOptions) -> int:
    """Network evaluations a frame, inversion included; a guided step is two.

    Args:
        model: by any name that `vedit.models.resolve.resolve` takes.
        options: of the look.

    Raises:
        ModelError: there is no such model, or its fast tier does not fit it.
    """
    if not load_pipeline(options.pipeline).inverts:
        return _sampling_evaluations(model, options)
    served = few_steps_for(model, options)
    return served[1].evaluations(options) if served else ordinary_evaluations(model, options)


def ordinary_evaluations(model: str, options: RestyleOptions) -> int:
    """Of the model's own trajectory."""
    steps, fixed_point = _ordinary_steps(model, options), traits_of(model).quality(options).fixed_point
    inverting = fixed_point * _inversion_steps(model, options) if options.start == "inversion" else 0
    return inverting + steps * (2 if guidance_of(model, options) != 1 else 1)


def _inversion_steps(model: str, options: RestyleOptions) -> int:
    """Of the model's own trajectory: as many as are sampled, or the part of those asked for that lies below."""
    taken, whole = _ordinary_steps(model, options), traits_of(model).quality(options).steps
    count = options.inversion_steps
    if count is None or not taken:
        return taken
    return 1 + sum(number * whole // count > whole - taken for number in range(count))


def guidance_of(model: str, options: RestyleOptions) -> float:
    """The guidance scale of a look on the model's own trajectory."""
    return traits_of(model).guidance if options.guidance is None else options.guidance


def outline_of_look(
    request: RenderRequest, options: RestyleOptions, fit: Fit, shots: tuple[FrameRange, ...]
) -> LookOutline:
    """What the costs of one look of a request go by."""
    every, sampling = evaluations(request.model, options), _sampling_evaluations(request.model, options)
    return LookOutline(
        options=options,
        fit=fit,
        sizes=sizes_of_look(request, options),
        inverting=every - sampling,
        sampling=sampling,
        shots=shots,
    )


def _sampling_evaluations(model: str, options: RestyleOptions) -> int:
    """Of `evaluations`, those of the sampling."""
    steps = steps_taken(model, options)
    return steps if few_steps_for(model, options) or guidance_of(model, options) == 1 else 2 * steps


def sizes_of_look(request: RenderRequest, options: RestyleOptions) -> Sizes | None:
    """Of the model that is asked for, with the control branches that a look uses."""
    kinds = {branch(spec.kind) for spec in options.controls}
    return sizes(request.model, dict(request.controlnets), kinds=kinds)
