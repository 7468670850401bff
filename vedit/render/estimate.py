"""What a render will cost, before a model is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.media.rates import NO_RATE
from vedit.media.reading.sequence import is_still
from vedit.render.conditioning import plain
from vedit.render.costs import Outline, seconds_of
from vedit.render.evaluations import (
    evaluations,
    few_steps_for,
    footprint_of_look,
    is_measured,
    outline_of_look,
    scene_of,
    sizes_of_look,
    steps_taken,
)
from vedit.render.measured_costs import paces_of
from vedit.render.notes import dear_looks
from vedit.render.outcome import RenderPlan
from vedit.render.peaks import (
    BASE_BYTES,
    CARRIED_BYTES,
    TAKEN_BYTES,
    WINDOW_BYTES,
    Peaks,
    full_size_bytes,
    highest,
    peaks,
)

if TYPE_CHECKING:
    from vedit.models.footprint import Scene
    from vedit.models.sizes import Sizes
    from vedit.render.job import Job


def describe_job(job: Job) -> RenderPlan:
    """The plan as a user reads it, with estimates."""
    rate = job.index.rate
    looks, memory = job.looks(), estimate_memory(job)
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
        device=job.loading.device,
        **job.loading.settings(),
        steps=max((steps_taken(job.model, look.request.options) for look in looks), default=0),
        network_evaluations_per_frame=max((_evaluations(look) for look in looks), default=0),
        peak_memory_bytes=None if memory is None else memory.host,
        peak_device_bytes=None if memory is None else memory.device,
        seconds=estimate_seconds(job),
        notes=(
            *job.notes,
            *dear_looks(job.model, (look.request.options for look in looks if not look.request.options.only_painted)),
        ),
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


_BATCH_BYTES, _FRAME_BYTES = 150, 450
"""A working pixel of the batch, in the activations of the embedded model's networks on a CPU, and of the one frame that
its autoencoder takes there."""


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
        loading=job.loading,
        frames=job.frames,
        looks=tuple(
            outline_of_look(
                job.model,
                look.request.options,
                look.fit,
                tuple(shot.frames for shot in look.changed_shots),
                job.loading,
            )
            for look in job.looks()
        ),
        scanned=0 if is_scanned else len(job.index),
        searched=len(job.frames) if job.request.shots is None else 0,
        codec=job.output.encoding.name,
    )


def estimate_memory(job: Job) -> Peaks | None:
    """Peak memory, of none of its parts for more frames than the longest shot has; None where the size of the model is
    not known."""
    found = [_peaks_of_look(look) for look in job.looks() or (job,)]
    known = [one for one in found if one is not None]
    return highest(known) if len(known) == len(found) else None


def _peaks_of_look(job: Job) -> Peaks | None:
    """The peaks of a job of one look, or of one whose shots all pass through."""
    options = job.request.options
    longest = max((len(shot.frames) for shot in job.own_shots), default=0)
    scene = scene_of(options, job.fit, longest, job.loading)
    together = min(job.frames_at_once, max((len(shot.frames) for shot in job.shots), default=1))
    # Of several looks these are jobs of one each; where none is left, every shot passes through.
    changes = job.request.looks is None and (options.only_painted or steps_taken(job.model, options) > 0)
    pixels = job.metadata.width * job.metadata.height
    full = full_size_bytes(pixels, together=together, frames=len(job.frames), changes=changes)
    if options.spacing is not None:
        full += job.fit.outer[0] * job.fit.outer[1] * (CARRIED_BYTES + together * TAKEN_BYTES)
    if options.only_painted:
        return Peaks(host=BASE_BYTES + full, device=None)
    if is_measured(job.model, job.loading) and job.device == "cpu":
        found = sizes_of_look(job.model, options)
        return None if found is None else Peaks(host=_measured_bytes(found, scene, full, changes=changes), device=None)
    model = footprint_of_look(job.model, scene, options)
    return None if model is None else peaks(model, scene, full, samples=changes)


def _measured_bytes(found: Sizes, scene: Scene, full: int, *, changes: bool) -> int:
    """Host memory of a render with the embedded model on a CPU, as it was measured."""
    each = scene.batch * _BATCH_BYTES + _FRAME_BYTES + scene.window * WINDOW_BYTES
    return BASE_BYTES + found.all * 4 + (scene.height * scene.width * each if changes else 0) + full
