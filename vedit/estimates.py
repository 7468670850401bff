"""What a render will cost and what its user should know of it before a model is loaded."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from vedit.guides import plain
from vedit.models import default_guidance, known_models, known_words, unknown_words
from vedit.models.fast import FastTier, Schedule, fast_tier
from vedit.options import RenderPlan, RestyleOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vedit.media.plan import OutputPlan
    from vedit.options import RenderRequest
    from vedit.planning import Job
    from vedit.types import Fit


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
        rate="variable" if rate is None else str(rate),
        source_size=(job.metadata.width, job.metadata.height),
        working_size=(fit.outer[1], fit.outer[0]),
        model=job.request.model,
        device=job.device,
        steps=max((steps_taken(job.request.model, look.request.options) for look in looks), default=0),
        network_evaluations_per_frame=max((_evaluations(look) for look in looks), default=0),
        peak_memory_bytes=max((estimate_memory(look) for look in looks), default=estimate_memory(job)),
        seconds=sum(estimate_seconds(look, _evaluations(look)) for look in looks),
        notes=(*job.notes, *_dear_looks(job.request.model, (look.request.options for look in looks))),
        settings=_settings(job),
    )


def steps_taken(model: str, options: RestyleOptions) -> int:
    """Sampling steps: the part of the trajectory, or of the fast tier's, that the strength regenerates."""
    served = _served(model, options)
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
    served = _served(model, options)
    return {**plain(options), "guidance": served[0].guidance if served else _guidance(model, options)}


def evaluations(model: str, options: RestyleOptions) -> int:
    """Network evaluations a frame, inversion included; a guided step is two.

    Args:
        model: by any name that `vedit.models.resolve` takes.
        options: of the look.

    Raises:
        ModelError: there is no such model, or its fast tier does not fit it.
    """
    served = _served(model, options)
    return served[1].evaluations(options) if served else _ordinary_evaluations(model, options)


def _evaluations(job: Job) -> int:
    return evaluations(job.request.model, job.request.options)


def _ordinary_evaluations(model: str, options: RestyleOptions) -> int:
    """Of the model's own trajectory."""
    inversion = options.resolved().fixed_point if options.start == "inversion" else 0
    return _ordinary_steps(options) * (inversion + (2 if _guidance(model, options) != 1 else 1))


def _guidance(model: str, options: RestyleOptions) -> float:
    return default_guidance(model) if options.guidance is None else options.guidance


def _served(model: str, options: RestyleOptions) -> tuple[FastTier, Schedule] | None:
    """The fast tier and its steps, where it serves the look."""
    tier = fast_tier(model)
    schedule = None if tier is None else tier.schedule(options)
    return None if tier is None or schedule is None else (tier, schedule)


def _dear_looks(model: str, looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """What keeps looks from the model's fast tier, where they cost more for it; a line for each cost and reason."""
    tier = fast_tier(model)
    if tier is None:
        return ()
    notes: dict[str, None] = {}
    for look in looks:
        schedule, why = tier.schedules.get(look.quality), tier.beyond(look)
        if schedule is None or not why:
            continue
        cost, fewer = _ordinary_evaluations(model, look), schedule.evaluations(look)
        if cost > fewer:
            told = f"{look.quality} quality takes {cost} network evaluations a frame, not the {fewer} of the fast tier"
            notes[f"{told}, because of: {', '.join(why)}"] = None
    return tuple(notes)


# Measured on 2 cores of an AVX-512 server with the embedded model, and scaled from there by pixels and cores; for
# other models by the size of their weights. They are for orientation and printed as such.
_CPU_EVALUATION_SECONDS = 0.045
_CPU_FIXED_SECONDS = 0.45
_CPU_CORES = 2
_REFERENCE_PIXELS = 256 * 256
_GPU_SPEEDUP = 120.0
_BASE_BYTES = 900 * 2**20


def estimate_seconds(job: Job, evaluations: int) -> float:
    """Rough wall time: network evaluations and autoencoder by working pixels, finishing by source pixels."""
    pixels = job.fit.outer[0] * job.fit.outer[1] / _REFERENCE_PIXELS
    weight = max(1.0, _model_bytes(job) / 32e6)
    speed = (os.cpu_count() or 1) / _CPU_CORES if job.device == "cpu" else _GPU_SPEEDUP
    network = (evaluations * _CPU_EVALUATION_SECONDS * weight + _CPU_FIXED_SECONDS) * pixels / speed
    finishing = job.metadata.width * job.metadata.height * 3e-7
    return sum(len(shot.frames) for shot in job.own_shots) * (network + finishing)


def estimate_memory(job: Job) -> int:
    """Peak host memory (device memory for weights on a GPU): libraries, weights, one batch, a few full-size frames."""
    working = job.fit.outer[0] * job.fit.outer[1]
    full = job.metadata.width * job.metadata.height
    options = job.request.options
    return int(
        _BASE_BYTES
        + 2 * _model_bytes(job)
        + options.batch * working * 3000
        + (options.window + 1) * working * 3 * 4 * 4
        + full * 3 * 4 * 12
    )


def _model_bytes(job: Job) -> int:
    known = {info.name: info.size_bytes for info in known_models()}
    return known.get(job.request.model, known["sd15"])


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


def strange_words(model: str, looks: Iterable[RestyleOptions]) -> tuple[str, ...]:
    """A line that names the words of the prompts which the model was not trained on."""
    prompts = [text for look in looks for text in (look.prompt, *(region.prompt for region in look.regions))]
    unknown = unknown_words(" ".join(prompts), known_words(model))
    if not unknown:
        return ()
    return (f"the model does not know: {', '.join(unknown)}; `vedit models info {model}` lists what it knows",)


def larger_model(request: RenderRequest, device: str) -> tuple[str, ...]:
    """A line that names a model for this machine's GPU, where one is there and was not asked for."""
    if device != "cuda" or request.model != "embedded":
        return ()
    larger = [info.name for info in known_models() if info.present and info.name != "embedded"]
    return tuple(f"a larger model is on this machine: add --model {name} to use it" for name in larger[:1])
