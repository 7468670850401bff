"""The cheap half of a render: latents -> frames at the source's size and depth, a few at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from vedit.finish import composite, upsample_change
from vedit.geometry import fit, unfit
from vedit.memory import Ladder
from vedit.pipelines.restyle import Restyler, restyle_frames
from vedit.sampling import frames_at_once
from vedit.steady import Steadied, steady
from vedit.types import Clip, FrameRange, Latents, Shot

if TYPE_CHECKING:
    from vedit.planning import Job
    from vedit.protocols import Reader
    from vedit.types import IntFrames


def finished_shot(
    job: Job, restyler: Restyler, ladder: Ladder, reader: Reader, pieces: Iterator[tuple[FrameRange, Latents]]
) -> Iterator[tuple[Clip, IntFrames]]:
    """The source's clips and their finished frames (T, 3 or 4, H, W), in order.

    Args:
        job: what is rendered.
        restyler: from `prepare`.
        ladder: the render's.
        reader: of the source, at full size.
        pieces: the clean latents of a shot, each frame once.
    """
    before: Steadied | None = None
    for frames, latents in pieces:
        for clip in reader.chunks(frames, frames_at_once(job)):
            own = slice(clip.start - frames.start, clip.start - frames.start + len(clip))
            small = fit(clip, job.fit)
            part = Latents(data=latents.data[own])
            seen, result = ladder.run("decode", lambda small=small, part=part: decoded(job, restyler, small, part))
            result, before = steady(unfit(small, job.fit), result, before)
            yield clip, full_size(job, clip, seen, result)


def untouched_shot(job: Job, shot: Shot, reader: Reader) -> Iterator[tuple[Clip, IntFrames]]:
    """As `finished_shot` at strength 0: the source itself, through the same resizing and compositing."""
    for clip in reader.chunks(shot.frames, frames_at_once(job)):
        small = unfit(fit(clip, job.fit), job.fit)
        yield clip, full_size(job, clip, small, small)


def finished_stills(
    job: Job, restyler: Restyler, reader: Reader, numbers: Sequence[int]
) -> list[tuple[IntFrames, IntFrames]]:
    """Single frames of a shot, restyled together: pairs of source and result, (3, H, W)."""
    clips = [reader.read(FrameRange(start=n, stop=n + 1)) for n in numbers]
    frames = torch.cat([fit(clip, job.fit) for clip in clips])
    seen = result = unfit(frames, job.fit)
    if restyler.path.steps:
        seen, result = decoded(job, restyler, frames, restyle_frames(restyler, frames, numbers))
    return [
        (clip.frames[0, :3], full_size(job, clip, seen[i : i + 1], result[i : i + 1])[0, :3])
        for i, clip in enumerate(clips)
    ]


def decoded(job: Job, restyler: Restyler, source: torch.Tensor, latents: Latents) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (T, 3, h, w) at the working size without padding: the source as the model sees it, and the result."""
    codec, device = restyler.model.codec, restyler.model.device
    result = unfit(codec.decode(latents.data.to(device)).cpu(), job.fit)
    # What the result is compared with at full size went through the autoencoder too: its blur is no part of the change.
    seen = unfit(codec.decode(codec.encode(source.to(device))).cpu(), job.fit)
    return seen, result


def full_size(job: Job, clip: Clip, seen: torch.Tensor, result: torch.Tensor) -> IntFrames:
    """The change carried up to the source's size and laid over it."""
    upsampled = upsample_change(
        clip.frames[:, :3], seen, result, method=job.request.options.upscale, bit_depth=clip.bit_depth
    )
    return composite(clip.frames, upsampled, None, clip.bit_depth)
