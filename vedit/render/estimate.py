"""What a render will cost and what its user should know of it before a model is loaded."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from vedit.media.reading.sequence import is_still
from vedit.models import default_guidance, known_models, sizes, what_to_know
from vedit.models.distilled import fast_tiers, tier_for
from vedit.options.controls import branch
from vedit.options.request import NO_RATE, RenderPlan, RestyleOptions
from vedit.render.conditioning import plain
from vedit.render.costs import AUTOENCODER, LookOutline, Outline, seconds_of
from vedit.render.measured_costs import paces_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vedit.media.writing.output_plan import OutputPlan
    from vedit.models.sizes import Sizes
    from vedit.options.request import RenderRequest
    from vedit.render.job import Job
    from vedit.types import Fit, FrameRange


def describe_job(job: Job) -> RenderPlan:
    """The plan as a user reads it, with estimates."""
    rate = job.index.rate
    looks = job.looks()
    # One figure for all shots: of the look that is worked at the largest size, and of the longest trajectory.
    fit = max((look.fit for look in looks), key=lambda fit: fit.outer, default=job.fit)
    return RenderPlan(
        source=str(job.request.source),
        output=str(job.output.path),
        frames=len(job.frames),
        first_frame=job.frames.start,
        shots=tuple((shot.frames.start, shot.frames.stop) for shot in job.shots),
        rate=NO_RATE if is_still(job.metadata.path) else "variable" if rate is None else str(rate),
        source_size=(job.metadata.width, job.metadata.height),
        working_size=(fit.outer[1], fit.outer[0]),
        model=job.request.model,
        device=job.device,
        steps=max((steps_taken(job.request.model, look.request.options) for look in looks), default=0),
        network_evaluations_per_frame=max((_evaluations(look) for look in looks), default=0),
        peak_memory_bytes=estimate_memory(job),
        seconds=estimate_seconds(job),
        notes=(*job.notes, *_dear_looks(job.request.model, (look.request.options for look in looks))),
        settings=_settings(job),
        bars={number: bars.sides for number, bars in job.bars.items()},
    )


def steps_taken(model: str, options: RestyleOptions) -> int:
    """Sampling steps: the part of the trajectory, or of the fast tier's, that the strength regenerates."""
    served = tier_for(model, options)
    return len(served[1].taken(options.strength)) if served else _ordinary_steps(options)


def _ordinary_steps(options: RestyleOptions) -> int:
    steps = options.resolved().steps
    return min(int(steps * options.strength), steps)


def _settings(job: Job) -> dict[str, object]:
    if job.request.looks is None:
        return _look_settings(job)
    return {
        "looks": [{"shots": [shot.number for shot in look.own_shots], **_look_settings(look)} for look in job.looks()],
        "untouched": [shot.number for shot in job.shots if shot.number not in job.request.looks],
        "locked": sorted(job.request.locked),
    }


def _look_settings(job: Job) -> dict[str, object]:
    model, options = job.request.model, job.request.options
    served = tier_for(model, options)
    return {
        **plain(options),
        "variation": options.variation or 0.0,
        "guidance": served[0].guidance if served else _guidance(model, options),
    }


def evaluations(model: str, options: RestyleOptions) -> int:
    """Network evaluations a frame, inversion included; a guided step is two.

    Args:
        model: by any name that `vedit.models.resolve` takes.
        options: of the look.

    Raises:
        ModelError: there is no such model, or its fast tier does not fit it.
    """
    served = tier_for(model, options)
    return served[1].evaluations(options) if served else _ordinary_evaluations(model, options)


def _evaluations(job: Job) -> int:
    return evaluations(job.request.model, job.request.options)


def _ordinary_evaluations(model: str, options: RestyleOptions) -> int:
    """Of the model's own trajectory."""
    steps, fixed_point = _ordinary_steps(options), options.resolved().fixed_point
    inverting = fixed_point * _inversion_steps(options) if options.start == "inversion" else 0
    return inverting + steps * (2 if _guidance(model, options) != 1 else 1)


def _inversion_steps(options: RestyleOptions) -> int:
    """Of the model's own trajectory: as many as are sampled, or the part of those asked for that lies below."""
    taken, whole, count = _ordinary_steps(options), options.resolved().steps, options.inversion_steps
    if count is None or not taken:
        return taken
    return 1 + sum(number * whole // count > whole - taken for number in range(count))


def _guidance(model: str, options: RestyleOptions) -> float:
    return default_guidance(model) if options.guidance is None else options.guidance


def _dear_looks(model: str, looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """What keeps looks from the model's fast tier, where they cost more for it; a line for each cost and reason."""
    tiers = fast_tiers(model)
    notes: dict[str, None] = {}
    for look in looks:
        tier = next((tier for tier in tiers if tier.draws(look)), None)
        if tier is None:
            continue
        schedule, why = tier.schedules.get(look.quality), tier.beyond(look)
        if schedule is None or not why:
            continue
        cost, fewer = _ordinary_evaluations(model, look), schedule.evaluations(look)
        if cost > fewer:
            told = f"{look.quality} quality takes {cost} network evaluations a frame, not the {fewer} of the fast tier"
            notes[f"{told}, because of: {', '.join(why)}"] = None
    return tuple(notes)


_BASE_BYTES = 520 * 10**6
"""Of the process before a frame is read: a render at strength 0 peaks there."""
_BATCH_BYTES = 540
"""A working pixel of the batch, in the activations of the embedded model's networks."""
_LARGE_BATCH_BYTES = 3000
"""The same in AutoencoderKL, whose layers are wider than those of any UNet at the working size."""
_WINDOW_BYTES = 130
"""A working pixel of the window: the frames, what the controls draw of them, and what is made of both."""
_FULL_BYTES = 105
"""A pixel of the frames that are finished together, with the copies on the way and those in the encoder."""
_FULL_BYTES_AT_ONCE = 12
"""A pixel of each such frame beside the first."""
_HELD_FRAMES, _HELD_BYTES = 60, 2.5
"""Frames that an encoder holds to look ahead, and a pixel of each."""


def estimate_seconds(job: Job) -> float | None:
    """Rough wall time on this machine, start-up, reading, writing and checking included; None where the size of the
    model is not known."""
    outline = outline_of(job)
    return seconds_of(outline, paces=paces_of(outline))


def outline_of(job: Job, *, is_scanned: bool = False) -> Outline:
    """What the costs of a job go by.

    Args:
        job: to be rendered.
        is_scanned: the times of its frames were known and needed no decode.
    """
    return Outline(
        pixels=job.metadata.width * job.metadata.height,
        source_codec=job.metadata.codec,
        model=job.request.model,
        device=job.device,
        frames=job.frames,
        looks=tuple(
            outline_of_look(job.request, look.request.options, look.fit, tuple(shot.frames for shot in look.own_shots))
            for look in job.looks()
        ),
        scanned=0 if is_scanned else len(job.index),
        searched=len(job.frames) if job.request.shots is None else 0,
        codec=job.output.encoding.name,
    )


def outline_of_look(
    request: RenderRequest, options: RestyleOptions, fit: Fit, shots: tuple[FrameRange, ...]
) -> LookOutline:
    """What the costs of one look of a request go by."""
    every, sampling = evaluations(request.model, options), _sampling_evaluations(request.model, options)
    return LookOutline(
        options=options,
        fit=fit,
        sizes=_sizes(request, options),
        inverting=every - sampling,
        sampling=sampling,
        shots=shots,
    )


def _sampling_evaluations(model: str, options: RestyleOptions) -> int:
    """Of `evaluations`, those of the sampling."""
    steps = steps_taken(model, options)
    return steps if tier_for(model, options) or _guidance(model, options) == 1 else 2 * steps


def estimate_memory(job: Job) -> int | None:
    """Peak host memory (device memory for weights on a GPU): libraries, weights, one batch, one window, a few full-size
    frames, none of them of more frames than the longest shot has; None where the size of the model is not known."""
    found = [_memory_of_look(look) for look in job.looks() or (job,)]
    known = [figure for figure in found if figure is not None]
    return max(known) if len(known) == len(found) else None


def _memory_of_look(job: Job) -> int | None:
    """The peak of a job of one look, or of one whose shots all pass through."""
    found = _sizes(job.request, job.request.options)
    if found is None:
        return None
    full = job.metadata.width * job.metadata.height
    together = min(job.frames_at_once, max((len(shot.frames) for shot in job.shots), default=1))
    return int(
        _BASE_BYTES
        + found.all * (4 if job.device == "cpu" else 2)
        + (_sampling_bytes(job, found) if job.request.looks is None and _changes(job) else 0)
        + full * (_FULL_BYTES + (together - 1) * _FULL_BYTES_AT_ONCE + min(len(job.frames), _HELD_FRAMES) * _HELD_BYTES)
    )


def _sampling_bytes(job: Job, found: Sizes) -> int:
    """Of one batch and one window of a look's longest shot."""
    options = job.request.options
    longest = max((len(shot.frames) for shot in job.own_shots), default=0)
    # An anchor is sampled together with each window.
    window = min(options.window, longest) + (options.anchor is not None)
    wide = _LARGE_BATCH_BYTES if found.vae > 2 * AUTOENCODER else _BATCH_BYTES
    return job.fit.outer[0] * job.fit.outer[1] * (min(options.batch, window) * wide + window * _WINDOW_BYTES)


def _changes(job: Job) -> bool:
    """Whether the strength of the job's look regenerates anything."""
    return steps_taken(job.request.model, job.request.options) > 0


def _sizes(request: RenderRequest, options: RestyleOptions) -> Sizes | None:
    """Of the model that is asked for, with the control branches that a look uses."""
    kinds = {branch(spec.kind) for spec in options.controls}
    return sizes(request.model, dict(request.controlnets), kinds=kinds)


def what_it_is(model: str) -> tuple[str, ...]:
    """Lines on what is particular about a model, and where nothing is known of its size."""
    unknown = (
        ()
        if sizes(model) is not None
        else (f"nothing is known of the size of {model}, so neither of the memory and time that it takes",)
    )
    return (*what_to_know(model), *unknown)


# Of latents kept per frame: 16 channels of 4 bytes in cells of 8 x 8 pixels, the most of the families there are.
_UNIT_BYTES_PER_PIXEL = 1.0
# Of the written file: 1080p at CRF 14 comes to 0.02 to 0.2; a lossless or intermediate codec to more.
_FILE_BYTES_PER_PIXEL = {"h264": 0.2, "hevc": 0.2, "av1": 0.2, "vp9": 0.2}
_LARGE_FILE_BYTES_PER_PIXEL = 3.0
# Of frames kept losslessly: FFV1 takes a half to three quarters of the 3 bytes of a pixel, more at a larger depth.
_KEPT_BYTES_PER_PIXEL = 3.0


def little_space(output: OutputPlan, fit: Fit, *, keep_frames: bool) -> tuple[str, ...]:
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


def idle_seeds(looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """A line for each seed that is given and decides nothing."""
    idle = dict.fromkeys(options.seed for options in looks if options.seed and not options.draws)
    return tuple(
        f"the seed {seed} decides nothing: nothing is drawn from it without a variation, of 0.6 for instance"
        for seed in idle
    )


def larger_model(request: RenderRequest, device: str) -> tuple[str, ...]:
    """A line that names a model for this machine's GPU, where one is there and was not asked for."""
    if device != "cuda" or request.model != "embedded":
        return ()
    larger = [info.name for info in known_models() if info.present and info.name != "embedded"]
    return tuple(f"a larger model is on this machine: add --model {name} to use it" for name in larger[:1])
