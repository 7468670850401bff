"""How often a look has the network evaluated, and how large a model it has evaluated: what its costs go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.models.attention import load_attention
from vedit.models.footprint import Footprint, Scene
from vedit.models.source import DEFAULT
from vedit.options.controls import branch
from vedit.options.injection import INJECTED
from vedit.options.loras import masks_of
from vedit.options.request import RestyleOptions
from vedit.pipelines.pipeline import load_pipeline
from vedit.registry.attention import NONE, OWN
from vedit.render.costs import FrameSeconds, LookOutline

if TYPE_CHECKING:
    from vedit.models.distilled import DistilledWeights, Schedule
    from vedit.models.family import Traits
    from vedit.models.loading import Loading
    from vedit.models.ref import ModelRef
    from vedit.models.sizes import Sizes
    from vedit.types import Fit, FrameRange


def few_steps_for(model: ModelRef, options: RestyleOptions) -> tuple[DistilledWeights, Schedule] | None:
    """The few-step weights that serve a look, and their steps; None where none do, or its pipeline takes none."""
    return model.distilled_for(options) if load_pipeline(options.pipeline).few_steps else None


def steps_taken(model: ModelRef, options: RestyleOptions) -> int:
    """Sampling steps: the part of the trajectory, or of the fast tier's, that the strength regenerates."""
    if options.only_painted:
        return 0
    served = few_steps_for(model, options)
    return len(served[1].taken(options.regenerated)) if served else model.traits.taken(options)


def evaluations(model: ModelRef, options: RestyleOptions) -> int:
    """Network evaluations a frame, inversion included; a guided step is two, and each mask of LoRAs repeats them.

    Args:
        model: that is evaluated.
        options: of the look.

    Raises:
        ModelError: its fast tier does not fit it.
    """
    if options.only_painted:
        return 0
    if not load_pipeline(options.pipeline).inverts:
        return _sampling_evaluations(model, options)
    served = few_steps_for(model, options)
    once = served[1].evaluations(options) if served else ordinary_evaluations(model.traits, options)
    return once + len(masks_of(options.loras)) * _sampled_once(model, options)


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


def outline_of_look(
    model: ModelRef,
    options: RestyleOptions,
    fit: Fit,
    shots: tuple[FrameRange, ...],
    loading: Loading,
) -> LookOutline:
    """What the costs of one look go by."""
    every, sampling = evaluations(model, options), _sampling_evaluations(model, options)
    measured = is_measured(model, loading)
    longest = max((len(shot) for shot in shots), default=0)
    scene = scene_of(options, fit, longest, loading)
    found = None if measured else footprint_of_look(model, scene, options)
    return LookOutline(
        options=options,
        fit=fit,
        # Where nothing is known of what a model computes, no other one's figures stand in for it.
        sizes=sizes_of_look(model, options) if measured or found is not None else None,
        taken=None if found is None else frame_seconds(found, loading.device),
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
    return (1 + len(masks_of(options.loras))) * _sampled_once(model, options)


def _sampled_once(model: ModelRef, options: RestyleOptions) -> int:
    """Those of the sampling under one set of weights."""
    steps = steps_taken(model, options)
    return steps if few_steps_for(model, options) or model.traits.scale(options) == 1 else 2 * steps


def is_measured(model: ModelRef, loading: Loading) -> bool:
    """Whether what estimates rest on was measured with this model: the embedded one, in what suits the device."""
    return model.name == DEFAULT and loading.is_usual


def scene_of(options: RestyleOptions, fit: Fit, longest: int, loading: Loading) -> Scene:
    """What a look has the networks work on, in shots of up to so many frames."""
    together = options.window if options.spacing is None else options.batch
    window = max(1, min(together, longest) + (options.anchor is not None))
    injection = options.injection
    return Scene(
        height=fit.outer[0],
        width=fit.outer[1],
        batch=min(options.batch, window),
        window=window,
        loading=loading,
        cross_frame=options.attention_method in OWN and options.attention_method != NONE,
        injected=() if injection is None else tuple(name for name in INJECTED if getattr(injection, name)),
    )


def footprint_of_look(model: ModelRef, scene: Scene, options: RestyleOptions) -> Footprint | None:
    """What a model takes with the control branches that a look uses; None where that is not known."""
    return model.footprint({branch(spec.kind) for spec in options.controls}, scene)


def frame_seconds(found: Footprint, device: str) -> FrameSeconds:
    """What a frame takes on this machine, by what it computes in a second."""
    from vedit.render.machine_rates import rates_of

    rates = rates_of(device, found.precision)
    return FrameSeconds(
        encode=rates.seconds(found.encode.work),
        evaluate=rates.seconds(found.denoise.work),
        decode=rates.seconds(found.decode.work),
    )


def sizes_of_look(model: ModelRef, options: RestyleOptions) -> Sizes | None:
    """Of a model with the control branches that a look uses."""
    return model.sizes({branch(spec.kind) for spec in options.controls})
