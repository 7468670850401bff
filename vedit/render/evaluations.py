"""How often a look has the network evaluated, and how large a model it has evaluated: what its costs go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.models.attention import load_attention
from vedit.options.controls import branch
from vedit.options.request import RestyleOptions
from vedit.pipelines.pipeline import load_pipeline
from vedit.registry.attention import OWN
from vedit.render.costs import LookOutline

if TYPE_CHECKING:
    from vedit.models.distilled import DistilledWeights, Schedule
    from vedit.models.family import Traits
    from vedit.models.ref import ModelRef
    from vedit.models.sizes import Sizes
    from vedit.types import Fit, FrameRange


def few_steps_for(model: ModelRef, options: RestyleOptions) -> tuple[DistilledWeights, Schedule] | None:
    """The few-step weights that serve a look, and their steps; None where none do, or its pipeline takes none."""
    return model.distilled_for(options) if load_pipeline(options.pipeline).few_steps else None


def steps_taken(model: ModelRef, options: RestyleOptions) -> int:
    """Sampling steps: the part of the trajectory, or of the fast tier's, that the strength regenerates."""
    served = few_steps_for(model, options)
    return len(served[1].taken(options.regenerated)) if served else model.traits.taken(options)


def evaluations(model: ModelRef, options: RestyleOptions) -> int:
    """Network evaluations a frame, inversion included; a guided step is two.

    Args:
        model: that is evaluated.
        options: of the look.

    Raises:
        ModelError: its fast tier does not fit it.
    """
    if not load_pipeline(options.pipeline).inverts:
        return _sampling_evaluations(model, options)
    served = few_steps_for(model, options)
    return served[1].evaluations(options) if served else ordinary_evaluations(model.traits, options)


def ordinary_evaluations(traits: Traits, options: RestyleOptions) -> int:
    """Of the model's own trajectory, or of its few-step regime's."""
    steps, fixed_point = traits.taken(options), traits.quality(options).fixed_point
    each = fixed_point if options.inversion == "fixed-point" else 1
    inverting = each * _inversion_steps(traits, options) if options.begins == "inversion" else 0
    injecting = 0 if options.injection is None else options.injection.steps_of(steps)
    return inverting + injecting + steps * (2 if traits.scale(options) != 1 else 1)


def _inversion_steps(traits: Traits, options: RestyleOptions) -> int:
    """Of the model's own trajectory: as many as are sampled, or the part of those asked for that lies below."""
    taken, whole = traits.taken(options), traits.quality(options).steps
    count = options.inversion_steps
    if count is None or not taken:
        return taken
    return 1 + sum(number * whole // count > whole - taken for number in range(count))


def outline_of_look(model: ModelRef, options: RestyleOptions, fit: Fit, shots: tuple[FrameRange, ...]) -> LookOutline:
    """What the costs of one look go by."""
    every, sampling = evaluations(model, options), _sampling_evaluations(model, options)
    return LookOutline(
        options=options,
        fit=fit,
        sizes=sizes_of_look(model, options),
        inverting=every - sampling,
        sampling=sampling,
        shots=shots,
        attention=_attention(model.traits, options),
    )


def _attention(traits: Traits, options: RestyleOptions) -> float:
    """What an evaluation takes under a look's attention method, in those with cross-frame attention."""
    name = options.attention_method
    # Without a place for it, vedit's own methods leave the network as it is, all of them.
    return 1.0 if name in OWN and not traits.cross_frame else load_attention(name).cost


def _sampling_evaluations(model: ModelRef, options: RestyleOptions) -> int:
    """Of `evaluations`, those of the sampling."""
    steps = steps_taken(model, options)
    return steps if few_steps_for(model, options) or model.traits.scale(options) == 1 else 2 * steps


def sizes_of_look(model: ModelRef, options: RestyleOptions) -> Sizes | None:
    """Of a model with the control branches that a look uses."""
    return model.sizes({branch(spec.kind) for spec in options.controls})
