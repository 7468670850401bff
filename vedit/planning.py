"""What a render will do, settled before any model is loaded: range, shots, sizes, output, memory and time."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict, dataclass
from functools import cached_property

from vedit.errors import InputError
from vedit.geometry import working_fit
from vedit.media.containers import default_output
from vedit.media.index import ScannedIndex
from vedit.media.plan import OutputPlan, plan_output
from vedit.media.read import VideoReader, open_video
from vedit.media.sidecar import source_hash
from vedit.media.timecode import parse_range
from vedit.models import default_guidance, known_models, known_words, load, resolve, size_multiple, unknown_words
from vedit.options import QUALITIES, OnProgress, Progress, RenderPlan, RenderRequest, ignore_progress
from vedit.pipelines.restyle import Restyler, prepare
from vedit.shots import detect_shots
from vedit.types import Fit, FrameIndex, FrameRange, Shot, VideoMetadata

MINIMUM_SIDE = 128


@dataclass(frozen=True, kw_only=True)
class Job:
    """A request with everything known about its source and output."""

    request: RenderRequest
    metadata: VideoMetadata
    index: FrameIndex
    scanned: ScannedIndex
    """What a further reader of the source needs not to find again."""
    frames: FrameRange
    shots: tuple[Shot, ...]
    fit: Fit
    output: OutputPlan
    device: str
    notes: tuple[str, ...]

    @cached_property
    def source_sha256(self) -> str:
        """Of the source file, or of all files of an image sequence."""
        return source_hash(self.metadata.path)[0]


def open_source(request: RenderRequest) -> VideoReader:
    """A reader of the request's source; use it as a context manager."""
    return open_video(
        request.source, rate=request.rate, allow_huge=request.allow_huge, interlaced=request.writing.interlaced
    )


def reopen_source(job: Job) -> VideoReader:
    """A further reader of the job's source, which needs no scan of its own; use it as a context manager."""
    request = job.request
    return VideoReader(
        job.metadata, scanned=job.scanned, allow_huge=request.allow_huge, interlaced=request.writing.interlaced
    )


def load_restyler(job: Job) -> tuple[Restyler, tuple[str, ...]]:
    """The job's model on its device with everything encoded, and what the user should know of it."""
    request = job.request
    model = load(
        request.model,
        device=job.device,
        controls=tuple(spec.kind for spec in request.options.controls),
        controlnets=dict(request.controlnets),
    )
    notes: list[str] = []
    lacking = [spec.kind for spec in request.options.controls if spec.kind not in model.control_kinds]
    if lacking:
        notes.append(f"{request.model} has no control branch for: {', '.join(lacking)}; they were left out")
    return prepare(model, request.options), tuple(notes)


def make_job(request: RenderRequest, *, on_progress: OnProgress = ignore_progress) -> Job:
    """Look at the source and settle the render; nothing is written and no model is loaded.

    Raises:
        InputError: the request cannot be carried out; the message says why and what to do.
    """
    options = request.options
    if not options.prompt.strip():
        raise InputError("the prompt is empty", remedy='describe the look, for instance --prompt "watercolor painting"')
    if options.quality not in QUALITIES:
        raise InputError(f"there is no quality {options.quality!r}", remedy=f"use one of {', '.join(QUALITIES)}")
    resolve(request.model, dict(request.controlnets))
    device = pick_device(request.device)
    with open_source(request) as reader:
        metadata, index = reader.metadata, reader.index()
        scanned, warnings = reader.scanned(), reader.warnings
        whole = FrameRange(start=0, stop=len(index))
        frames = whole if request.frames is None else parse_range(request.frames, index, metadata.timecode)
        output = plan_output(
            request.output or default_output(request.source),
            metadata,
            index,
            frames=None if frames == whole else frames,
            options=request.writing,
        )
        on_progress(Progress(stage="shots", done=0, total=len(frames)))
        shots = detect_shots(reader, frames=frames)
        on_progress(Progress(stage="shots", done=len(frames), total=len(frames)))
    fit = working_fit(
        (metadata.height, metadata.width),
        short_side=options.resolved().short_side,
        multiple_of=size_multiple(request.model),
        minimum=MINIMUM_SIDE,
    )
    return Job(
        request=request,
        metadata=metadata,
        index=index,
        scanned=scanned,
        frames=frames,
        shots=shots,
        fit=fit,
        output=output,
        device=device,
        notes=(
            *warnings,
            *output.notes,
            *_little_space(output, fit),
            *_unknown_words(request),
            *_larger_model(request, device),
        ),
    )


def pick_device(name: str) -> str:
    """`auto` -> the best device there is; any other name is checked.

    Raises:
        InputError: the device is not there.
    """
    import torch

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    kind = name.split(":")[0]
    if not there.get(kind, False):
        raise InputError(
            f"there is no device {name!r} on this machine",
            remedy=f"use --device {' or '.join(d for d in there if there[d])}, or leave it out",
        )
    return name


def describe_job(job: Job) -> RenderPlan:
    """The plan as a user reads it, with estimates."""
    options, quality = job.request.options, job.request.options.resolved()
    taken = min(int(quality.steps * options.strength), quality.steps)
    inversion = quality.fixed_point if options.start == "inversion" else 0
    guidance = default_guidance(job.request.model) if options.guidance is None else options.guidance
    evaluations = taken * (inversion + (2 if guidance != 1 else 1))
    rate = job.index.rate
    return RenderPlan(
        source=str(job.request.source),
        output=str(job.output.path),
        frames=len(job.frames),
        first_frame=job.frames.start,
        shots=tuple((shot.frames.start, shot.frames.stop) for shot in job.shots),
        rate="variable" if rate is None else str(rate),
        source_size=(job.metadata.width, job.metadata.height),
        working_size=(job.fit.outer[1], job.fit.outer[0]),
        model=job.request.model,
        device=job.device,
        steps=taken,
        network_evaluations_per_frame=evaluations,
        peak_memory_bytes=estimate_memory(job),
        seconds=estimate_seconds(job, evaluations),
        notes=job.notes,
        settings={**asdict(options), "guidance": guidance},
    )


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
    return len(job.frames) * (network + finishing)


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


def _little_space(output: OutputPlan, fit: Fit) -> tuple[str, ...]:
    """A warning where the disk may be full before the render is done; what is finished would be kept."""
    frames = len(output.frames)
    units = frames * fit.outer[0] * fit.outer[1] * _UNIT_BYTES_PER_PIXEL
    rate = _FILE_BYTES_PER_PIXEL.get(output.encoding.name, _LARGE_FILE_BYTES_PER_PIXEL)
    needed = units + frames * output.encoding.width * output.encoding.height * rate
    free = shutil.disk_usage(output.path.parent).free
    if needed < free:
        return ()
    return (f"{output.path.parent} has {free / 1e9:.1f} GB free, the render may need {needed / 1e9:.1f} GB",)


def _unknown_words(request: RenderRequest) -> tuple[str, ...]:
    unknown = unknown_words(request.options.prompt, known_words(request.model))
    if not unknown:
        return ()
    hint = f"`vedit models info {request.model}` lists what it knows"
    return (f"the model does not know: {', '.join(unknown)}; {hint}",)


def _larger_model(request: RenderRequest, device: str) -> tuple[str, ...]:
    if device != "cuda" or request.model != "embedded":
        return ()
    larger = [info.name for info in known_models() if info.present and info.name != "embedded"]
    return tuple(f"a larger model is on this machine: add --model {name} to use it" for name in larger[:1])
