"""What a render will cost, before a model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.media.rates import NO_RATE
from vedit.media.reading.sequence import is_still
from vedit.render.conditioning import plain
from vedit.render.costs import AUTOENCODER, Outline, seconds_of
from vedit.render.evaluations import (
    evaluations,
    few_steps_for,
    outline_of_look,
    sizes_of_look,
    steps_taken,
)
from vedit.render.measured_costs import paces_of
from vedit.render.notes import dear_looks
from vedit.render.outcome import RenderPlan

if TYPE_CHECKING:
    from vedit.models.sizes import Sizes
    from vedit.render.job import Job


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
        model=job.model.name,
        device=job.device,
        steps=max((steps_taken(job.model, look.request.options) for look in looks), default=0),
        network_evaluations_per_frame=max((_evaluations(look) for look in looks), default=0),
        peak_memory_bytes=estimate_memory(job),
        seconds=estimate_seconds(job),
        notes=(*job.notes, *dear_looks(job.model, (look.request.options for look in looks))),
        settings=_settings(job),
        bars={number: bars.sides for number, bars in job.bars.items()},
    )


def _settings(job: Job) -> dict[str, object]:
    if job.request.looks is None:
        return _look_settings(job)
    return {
        "looks": [{"shots": [shot.number for shot in look.own_shots], **_look_settings(look)} for look in job.looks()],
        "untouched": [shot.number for shot in job.shots if shot.number not in job.request.looks],
        "locked": sorted(job.request.locked),
    }


def _look_settings(job: Job) -> dict[str, object]:
    options = job.request.options
    served = few_steps_for(job.model, options)
    return {
        **plain(options),
        "variation": options.variation or 0.0,
        "guidance": served[0].guidance if served else job.model.traits.scale(options),
    }


def _evaluations(job: Job) -> int:
    return evaluations(job.model, job.request.options)


_BASE_BYTES = 520 * 10**6
"""Of the process before a frame is read: a render at strength 0 peaks there."""
_BATCH_BYTES = 540
"""A working pixel of the batch, in the activations of the embedded model's networks."""
_UNET_BATCH_BYTES, _FRAME_BYTES = 150, 450
"""The same on a CPU, where the embedded autoencoder takes frames one by one: of the batch, and of the one frame."""
_LARGE_BATCH_BYTES = 3000
"""The same in AutoencoderKL, whose layers are wider than those of any UNet at the working size."""
_WINDOW_BYTES = 110
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
        model=job.model.name,
        device=job.device,
        frames=job.frames,
        looks=tuple(
            outline_of_look(job.model, look.request.options, look.fit, tuple(shot.frames for shot in look.own_shots))
            for look in job.looks()
        ),
        scanned=0 if is_scanned else len(job.index),
        searched=len(job.frames) if job.request.shots is None else 0,
        codec=job.output.encoding.name,
    )


def estimate_memory(job: Job) -> int | None:
    """Peak host memory (device memory for weights on a GPU): libraries, weights, one batch, one window, a few full-size
    frames, none of them of more frames than the longest shot has; None where the size of the model is not known."""
    found = [_memory_of_look(look) for look in job.looks() or (job,)]
    known = [figure for figure in found if figure is not None]
    return max(known) if len(known) == len(found) else None


def _memory_of_look(job: Job) -> int | None:
    """The peak of a job of one look, or of one whose shots all pass through."""
    found = sizes_of_look(job.model, job.request.options)
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
    batch = min(options.batch, window)
    if found.vae > 2 * AUTOENCODER:
        activations = batch * _LARGE_BATCH_BYTES
    elif job.device == "cpu":
        activations = batch * _UNET_BATCH_BYTES + _FRAME_BYTES
    else:
        activations = batch * _BATCH_BYTES
    return job.fit.outer[0] * job.fit.outer[1] * (activations + window * _WINDOW_BYTES)


def _changes(job: Job) -> bool:
    """Whether the strength of the job's look regenerates anything."""
    return steps_taken(job.model, job.request.options) > 0
