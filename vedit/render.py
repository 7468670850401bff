"""The imperative shell of a render: files, progress and device moves live here and nowhere else.

Two readers walk the clip: one ahead, at the working size, for the network; one behind, at full size, for finishing.
So memory depends on the window and the frame size, never on the clip's length.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vedit.controls import control_maps
from vedit.errors import InputError
from vedit.finish import composite, upsample_change
from vedit.finish import side_by_side as compare
from vedit.geometry import fit, unfit, working_fit
from vedit.media.plan import OutputPlan, plan_output
from vedit.media.read import open_video
from vedit.media.timecode import parse_range
from vedit.media.write import VideoWriter
from vedit.models import load
from vedit.options import OnProgress, Progress, RenderPlan, RenderRequest, RenderResult, ignore_plan, ignore_progress
from vedit.pipelines.restyle import Restyler, prepare, restyle_frames, restyle_shot
from vedit.planning import Job, describe_job, make_job
from vedit.ranges import to_integer
from vedit.registry import preprocessors
from vedit.sheet import contact_sheet
from vedit.shots import detect_shots
from vedit.steady import Steadied, steady
from vedit.types import Clip, ControlSpec, FrameRange, Latents, Shot, VideoMetadata

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.types import IntFrames

CONTROL_FRAMES = 8
DIVIDER = 2
FINISH_BYTES = 96 * 2**20
"""Float frames at full size that are finished together."""


def plan(request: RenderRequest, *, on_progress: OnProgress = ignore_progress) -> RenderPlan:
    """What `restyle` would do, with rough estimates of memory and time; nothing is written, no model is loaded.

    Raises:
        InputError: the request cannot be carried out.
    """
    return describe_job(make_job(request, on_progress=on_progress))


def restyle(
    request: RenderRequest,
    *,
    on_progress: OnProgress = ignore_progress,
    on_plan: Callable[[RenderPlan], None] = ignore_plan,
    side_by_side: Path | None = None,
) -> RenderResult:
    """Render the source under the prompt, with its timing and sound, and check the written file.

    Args:
        request: what to render.
        on_progress: told as frames pass the stages.
        on_plan: told what will be done, before a model is loaded.
        side_by_side: also write source and result beside each other to this file.

    Raises:
        InputError: the request cannot be carried out; nothing was written.
        ContractError: the written file broke the timing or sound contract; it was removed.
    """
    began = time.monotonic()
    job = make_job(request, on_progress=on_progress)
    on_plan(describe_job(job))
    beside = None if side_by_side is None else _beside(job, side_by_side)
    with ExitStack() as stack:
        writer = stack.enter_context(VideoWriter(job.output))
        pair = None if beside is None else stack.enter_context(VideoWriter(beside))
        restyler, notes = _restyler(job)
        full = stack.enter_context(open_video(request.source))
        for shot, small in _small_frames(job, restyler, on_progress):
            for source, frames in _finished(job, full, small):
                writer.write(frames)
                if pair is not None:
                    pair.write(
                        compare(source.frames[:, :3], frames[:, :3], bit_depth=source.bit_depth, divider=DIVIDER)
                    )
                on_progress(_written(job, shot, source.start + len(source)))
        on_progress(Progress(stage="verify", done=0, total=len(job.frames)))
        report = writer.finish()
        if pair is not None:
            pair.finish()
    return RenderResult(
        output=str(job.output.path),
        frames=len(job.frames),
        seconds=time.monotonic() - began,
        contract=report.as_dict(),
        notes=(*job.notes, *notes),
    )


def preview(request: RenderRequest, *, on_progress: OnProgress = ignore_progress) -> Path:
    """First, middle and last frame of each shot, source above result, as one PNG; the clip itself is not rendered.

    The picture is NAME.preview.png beside the planned output.

    Raises:
        InputError: the request cannot be carried out.
    """
    job = make_job(request, on_progress=on_progress)
    target = job.output.path.with_suffix(".preview.png")
    if target.exists() and not request.overwrite:
        raise InputError(f"{target} exists", remedy="use --overwrite, or name another output with -o")
    restyler, _ = _restyler(job)
    rows: list[list[IntFrames]] = []
    labels: list[list[str]] = []
    with open_video(request.source) as reader:
        for done, shot in enumerate(job.shots):
            on_progress(
                Progress(stage="preview", done=done, total=len(job.shots), shot=shot.number, shots=len(job.shots))
            )
            last = shot.frames.stop - 1
            numbers = sorted({shot.frames.start, (shot.frames.start + last) // 2, last})
            pairs = _stills(job, restyler, reader, numbers)
            rows += [[source for source, _ in pairs], [result for _, result in pairs]]
            labels += [[f"shot {shot.number}, frame {n}" for n in numbers], [request.options.prompt] * len(numbers)]
    on_progress(Progress(stage="preview", done=len(job.shots), total=len(job.shots)))
    return contact_sheet(rows, labels, target, bit_depth=job.metadata.bit_depth)


def write_controls(
    source: Path,
    kinds: Sequence[str],
    output: Path,
    *,
    frames: str | None = None,
    overwrite: bool = False,
    short_side: int | None = None,
    on_progress: OnProgress = ignore_progress,
) -> list[Path]:
    """Write control maps as videos with the source's size, timing and sound.

    Args:
        source: the clip.
        kinds: one or more; with several, each kind's name is put before the extension of `output`.
        output: the file to write.
        frames: START..END as `restyle` takes it; None is the whole clip.
        overwrite: replace files that exist.
        short_side: pixels at which the maps are computed, as the model sees them; None is the source's size.
        on_progress: told as frames are written.

    Raises:
        InputError: a kind is unknown, or a file cannot be read or written.
    """
    entries = [preprocessors()[kind].name for kind in kinds]
    with open_video(source) as reader:
        metadata, index = reader.metadata, reader.index()
        part = FrameRange(start=0, stop=len(index))
        if frames is not None:
            part = parse_range(frames, index, metadata.timecode)
        size = min(metadata.width, metadata.height)
        place = working_fit((metadata.height, metadata.width), short_side=short_side or size, multiple_of=1)
        paths = [output if len(entries) == 1 else output.with_stem(f"{output.stem}.{kind}") for kind in entries]
        plans = [plan_output(p, metadata, index, frames=part, overwrite=overwrite) for p in paths]
        shots = detect_shots(reader, frames=part)
        for kind, output_plan in zip(entries, plans, strict=True):
            with VideoWriter(output_plan) as writer:
                for shot in shots:
                    # Motion needs the frame before: chunks share one frame, whose map is computed twice.
                    for clip in reader.chunks(shot.frames, CONTROL_FRAMES):
                        lead = clip.start > shot.frames.start
                        seen = FrameRange(start=clip.start - lead, stop=clip.start + len(clip))
                        small = fit(reader.read(seen), place)
                        (made,) = control_maps([ControlSpec(kind=kind)], small)
                        writer.write(_resized(made.frames[int(lead) :], metadata))
                        done = clip.start + len(clip) - part.start
                        on_progress(
                            Progress(stage=kind, done=done, total=len(part), shot=shot.number, shots=len(shots))
                        )
                writer.finish()
    return [output_plan.path for output_plan in plans]


def _resized(frames: torch.Tensor, metadata: VideoMetadata) -> IntFrames:
    size = (metadata.height, metadata.width)
    if frames.shape[-2:] != size:
        frames = torch.nn.functional.interpolate(frames, size, mode="bicubic", antialias=True)
    return to_integer(frames, metadata.bit_depth)


def _beside(job: Job, path: Path) -> OutputPlan:
    """The plan of the comparison video: the source's timing and sound, twice its width."""
    width = 2 * job.metadata.width + DIVIDER
    return plan_output(
        path,
        replace(job.metadata, width=width, has_alpha=False),
        job.index,
        frames=job.output.frames,
        overwrite=job.request.overwrite,
        drop_unsupported=True,
    )


def _stills(job: Job, restyler: Restyler, reader: Reader, numbers: Sequence[int]) -> list[tuple[IntFrames, IntFrames]]:
    """Single frames of a shot, restyled together: pairs of source and result, (3, H, W)."""
    clips = [reader.read(FrameRange(start=n, stop=n + 1)) for n in numbers]
    frames = torch.cat([fit(clip, job.fit) for clip in clips])
    source, result, _ = _decoded(job, restyler, frames, restyle_frames(restyler, frames, numbers), None, still=True)
    return [
        (clip.frames[0, :3], _finish(job, clip, source[i : i + 1], result[i : i + 1])[0, :3])
        for i, clip in enumerate(clips)
    ]


def _restyler(job: Job) -> tuple[Restyler, tuple[str, ...]]:
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


@dataclass(frozen=True, kw_only=True)
class _Small:
    """Frames of one shot at the working size, (T, 3, h, w) in [0, 1] without padding."""

    start: int
    source: torch.Tensor
    result: torch.Tensor


def _small_frames(job: Job, restyler: Restyler, on_progress: OnProgress) -> Iterator[tuple[Shot, _Small]]:
    """Each shot's frames in order, at the working size: source and steadied result."""
    with open_video(job.request.source) as reader:

        def frames_of(frames: FrameRange) -> torch.Tensor:
            parts = [fit(clip, job.fit) for clip in reader.chunks(frames, _finish_count(job))]
            return torch.cat(parts) if parts else torch.empty(0, 3, *job.fit.outer)

        for shot in job.shots:

            def on_step(window: FrameRange, stage: str, part: float, shot: Shot = shot) -> None:
                on_progress(
                    Progress(
                        stage=stage,
                        done=window.start - job.frames.start + round(part * len(window)),
                        total=len(job.frames),
                        shot=shot.number,
                        shots=len(job.shots),
                    )
                )

            before: Steadied | None = None
            start = shot.frames.start
            for frames, latents in restyle_shot(restyler, shot.frames, frames_of, on_step):
                source, result, before = _decoded(job, restyler, frames, latents, before)
                yield shot, _Small(start=start, source=source, result=result)
                start += len(frames)


def _decoded(
    job: Job,
    restyler: Restyler,
    source: torch.Tensor,
    latents: Latents,
    before: Steadied | None,
    *,
    still: bool = False,
) -> tuple[torch.Tensor, torch.Tensor, Steadied | None]:
    """Latents -> frames at the working size without padding: the source as the model sees it, and the steadied result.

    Where no step was taken both are the source itself.
    """
    inner = unfit(source, job.fit)
    if not restyler.path.steps:
        return inner, inner, None
    codec, device = restyler.model.codec, restyler.model.device
    result = unfit(codec.decode(latents.data).cpu(), job.fit)
    # What the result is compared with at full size went through the autoencoder too: its blur is no part of the change.
    seen = unfit(codec.decode(codec.encode(source.to(device))).cpu(), job.fit)
    if still:
        return seen, result, None
    result, after = steady(inner, result, before)
    return seen, result, after


def _finished(job: Job, full: Reader, small: _Small) -> Iterator[tuple[Clip, IntFrames]]:
    """Frames at full size and depth, a few at a time, with the source's clip beside them."""
    stop = small.start + len(small.source)
    for clip in full.chunks(FrameRange(start=small.start, stop=stop), _finish_count(job)):
        own = slice(clip.start - small.start, clip.start - small.start + len(clip))
        yield clip, _finish(job, clip, small.source[own], small.result[own])


def _finish(job: Job, clip: Clip, source: torch.Tensor, result: torch.Tensor) -> IntFrames:
    rgb = clip.frames[:, :3]
    upsampled = upsample_change(rgb, source, result, method=job.request.options.upscale, bit_depth=clip.bit_depth)
    return composite(clip.frames, upsampled, None, clip.bit_depth)


def _finish_count(job: Job) -> int:
    return max(1, FINISH_BYTES // (job.metadata.width * job.metadata.height * 12))


def _written(job: Job, shot: Shot, stop: int) -> Progress:
    return Progress(
        stage="write",
        done=stop - job.frames.start,
        total=len(job.frames),
        shot=shot.number,
        shots=len(job.shots),
    )
