"""What a user should know of a render before it begins, in lines."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from vedit.models.regimes import hinted, told
from vedit.models.resolve import known_models
from vedit.models.source import DEFAULT
from vedit.options.controls import keeping
from vedit.options.loras import masks_of
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines.pipeline import load_pipeline
from vedit.pipelines.seeds import draws
from vedit.registry.pipelines import OWN
from vedit.render.evaluations import ordinary_evaluations, steps_taken
from vedit.render.fitting import fit_of
from vedit.render.prompts import made_looks, word_notes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vedit.media.writing.output_spec import OutputSpec
    from vedit.models.ref import ModelRef
    from vedit.types import Fit, VideoMetadata


def notes_of(
    request: RenderRequest,
    model: ModelRef,
    by_recipes: Sequence[str],
    output: OutputSpec,
    fit: Fit,
    source: VideoMetadata,
    device: str,
) -> tuple[str, ...]:
    """What the user should know of a settled request, on this machine.

    Args:
        request: with the controls that will act.
        model: that it asks for.
        by_recipes: what is said of looks that were asked for by a name of the model's.
        output: what is written.
        fit: how the frames lie at the working size.
        source: of the clip.
        device: that the networks run on.
    """
    looks = request.drawn_looks
    return (
        *dict.fromkeys(note for options in looks for note in keeping(options)),
        *by_recipes,
        *little_space(output, fit, keep_frames=request.keep_frames),
        *(() if request.only_painted else what_it_is(model)),
        *few_step_notes(looks, model),
        *other_sizes(looks, model, source),
        *word_notes(made_looks(request), model),
        *(palettes(looks) if model.source.ip_adapter is None else ()),
        *idle_strengths(looks, model),
        *idle_seeds(looks),
        *lora_masks(looks),
        *(() if request.only_painted else larger_model(model, device)),
    )


def dear_looks(model: ModelRef, looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """What keeps looks from the model's fast tier, where they cost more for it; a line for each cost and reason."""
    notes: dict[str, None] = {}
    for look in looks:
        if not load_pipeline(look.pipeline).few_steps:
            continue  # it makes no use of a tier, whatever is asked for
        tier = next((tier for tier in model.distilled if tier.draws(look)), None)
        if tier is None:
            continue
        schedule, why = tier.steps_of(look), tier.beyond(look)
        if schedule is None or not why:
            continue
        cost, fewer = ordinary_evaluations(model.traits, look), schedule.evaluations(look)
        if cost > fewer:
            told = f"{look.quality} quality takes {cost} network evaluations a frame, not the {fewer} of the fast tier"
            notes[f"{told}, because of: {', '.join(why)}"] = None
    return tuple(notes)


def few_step_notes(looks: Iterable[RestyleOptions], model: ModelRef) -> tuple[str, ...]:
    """How settled looks of a few-step model are sampled, and how that was told; a line for each way. Where nothing
    tells a few-step model for certain, a line for each name that speaks of one."""
    traits, notes = model.traits, dict[str, None]()
    for look in looks:
        regime = traits.regime_of(look)
        if regime is not None:
            notes[told(regime, look, model=model.name, steps=traits.quality(look).steps)] = None
        elif look.regime is None:
            places = (*([] if model.base is None else [model.base]), *(one.path for one in look.loras if one.weight))
            notes |= {line: None for place in places if (line := hinted(place)) is not None}
    return tuple(notes)


def what_it_is(model: ModelRef) -> tuple[str, ...]:
    """Lines on what is particular about a model, and where nothing is known of its size."""
    unknown = (
        ()
        if model.sizes() is not None
        else (f"nothing is known of the size of {model.name}, so neither of the memory and time that it takes",)
    )
    return (*model.notes, *unknown)


# Of latents kept per frame: 16 channels of 4 bytes in cells of 8 x 8 pixels, the most of the families there are.
_UNIT_BYTES_PER_PIXEL = 1.0
# Of the written file: 1080p at CRF 14 comes to 0.02 to 0.2; a lossless or intermediate codec to more.
_FILE_BYTES_PER_PIXEL = {"h264": 0.2, "hevc": 0.2, "av1": 0.2, "vp9": 0.2}
_LARGE_FILE_BYTES_PER_PIXEL = 3.0
# Of frames kept losslessly: FFV1 takes a half to three quarters of the 3 bytes of a pixel, more at a larger depth.
_KEPT_BYTES_PER_PIXEL = 3.0


def little_space(output: OutputSpec, fit: Fit, *, keep_frames: bool) -> tuple[str, ...]:
    """A warning where the disk may be full before the render is done; what is finished would be kept."""
    frames = len(output.frames)
    units = frames * fit.outer[0] * fit.outer[1] * _UNIT_BYTES_PER_PIXEL
    rate = _FILE_BYTES_PER_PIXEL.get(output.encoding.name, _LARGE_FILE_BYTES_PER_PIXEL)
    rate += _KEPT_BYTES_PER_PIXEL if keep_frames else 0
    needed = units + frames * output.encoding.width * output.encoding.height * rate
    free = shutil.disk_usage(output.path.parent).free
    if needed < free:
        return ()
    return (f"{output.path.parent} has {free / 1e9:.1f} GB free, the render may need {needed / 1e9:.1f} GB",)


def idle_strengths(looks: Iterable[RestyleOptions], model: ModelRef) -> tuple[str, ...]:
    """A line for each strength of settled looks that is too little for a single step."""
    notes = dict[str, None]()
    for look in looks:
        if look.regenerated > 0 and look.pipeline in OWN and not steps_taken(model, look):
            notes[
                f"strength {look.regenerated:g} is less than one of the steps of {look.quality} quality, so nothing is "
                "regenerated: give more of it, or more --steps"
            ] = None
    return tuple(notes)


def other_sizes(looks: Iterable[RestyleOptions], model: ModelRef, source: VideoMetadata) -> tuple[str, ...]:
    """A line for each size that is asked for and that the model does not work at."""
    notes = dict[str, None]()
    for look in looks:
        worked = min(fit_of((source.width, source.height), look, model.traits).inner)
        if look.short_side is None or worked == look.short_side:
            continue
        why = f"{model.name} takes no smaller frames" if worked > look.short_side else "the source has no more"
        notes[f"the shorter side is worked at {worked} pixels, not {look.short_side}: {why}"] = None
    return tuple(notes)


def idle_seeds(looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """A line for each seed that is given and decides nothing."""
    idle = dict.fromkeys(options.seed for options in looks if options.seed and not draws(options))
    return tuple(
        f"the seed {seed} decides nothing: nothing is drawn from it without a variation, of 0.6 for instance"
        for seed in idle
    )


def palettes(looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """What references are used for."""
    names = dict.fromkeys(str(spec.path.name) for look in looks for spec in look.references if spec.weight > 0)
    return (f"the result takes palette and tone of {', '.join(names)}, not its strokes",) if names else ()


def lora_masks(looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """A line for looks whose LoRAs act in masks, for which the network is evaluated more often."""
    most = max((len(masks_of(look.loras)) for look in looks), default=0)
    return (
        (f"LoRAs act in {most} masks: each step is sampled {1 + most} times",)
        if most > 1
        else (("LoRAs act in a mask: each step is sampled twice",) if most else ())
    )


def larger_model(model: ModelRef, device: str) -> tuple[str, ...]:
    """A line that names a model for this machine's GPU, where one is there and was not asked for."""
    if device != "cuda" or model.name != DEFAULT:
        return ()
    larger = [info.name for info in known_models() if info.present and info.name != DEFAULT]
    return tuple(f"a larger model is on this machine: add --model {name} to use it" for name in larger[:1])
