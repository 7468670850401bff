"""The cheap half of a render: latents -> frames at the source's size and depth, a few at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from vedit.finishing.flatness import even_out
from vedit.finishing.upsample import composite, upsample_change
from vedit.geometry import fit, unfit
from vedit.memory import MemoryLadder
from vedit.pipelines.pipeline import Prepared
from vedit.progress.spent import each_spent_on, spent_on
from vedit.render.conditioning import VISIBLE, ConditioningSource
from vedit.render.steadied import Decoded, Shown, steadied
from vedit.shots.bars import filled, with_bars
from vedit.types import Clip, FrameRange, Latents, Shot

if TYPE_CHECKING:
    from vedit.keyframes.painted import Painting
    from vedit.protocols import Mattes, Reader, VideoCodec
    from vedit.render.job import Job
    from vedit.types import IntFrames

NONE_PAINTED: Mapping[int, Painting] = MappingProxyType({})
FINISHING = 5
"""Raised where the same latents become other frames: those of an earlier finishing are not joined to newer ones."""


def finished_shot(
    job: Job,
    restyler: Prepared,
    mattes: Mattes | None,
    ladder: MemoryLadder,
    reader: Reader,
    pieces: Iterator[tuple[FrameRange, Latents]],
) -> Generator[tuple[Clip, IntFrames]]:
    """The source's clips and their finished frames (T, 3 or 4, H, W), in order.

    Args:
        job: what is rendered.
        restyler: the look's pipeline, made ready.
        mattes: where the picture changes; None is everywhere.
        ladder: the render's.
        reader: of the source, at full size.
        pieces: the clean latents of a shot, each frame once.
    """
    for one in steadied(_decoded_clips(job, restyler, mattes, ladder, reader, pieces)):
        if one.shown is None:
            yield one.clip, one.clip.frames
        else:
            yield one.clip, full_size(job, one.clip, one.shown.seen, one.shown.result, one.mask)


def _decoded_clips(
    job: Job,
    restyler: Prepared,
    mattes: Mattes | None,
    ladder: MemoryLadder,
    reader: Reader,
    pieces: Iterator[tuple[FrameRange, Latents]],
) -> Iterator[Decoded]:
    """The shot's clips as they come from the decoder; see `finished_shot`."""
    for part in decoded_together(pieces, restyler.model.codec, job.frames_at_once):
        pictures: tuple[torch.Tensor, torch.Tensor] | None = None
        for clip in each_spent_on("read", reader.chunks(part.frames, job.frames_at_once)):
            mask = None if mattes is None else mattes(frames_of(clip))
            if mask is not None and float(mask.amax()) <= VISIBLE:
                yield Decoded(clip=clip, mask=mask, shown=None)
                continue
            small = fit(filled(clip, job.bars_at(clip.start)), job.fit)
            if pictures is None:
                pictures = ladder.run("decode", lambda part=part, small=small: decoded(job, restyler, part, small))
            first = clip.start - part.frames.start
            seen, result = (one[first : first + len(clip)] for one in pictures)
            result = evened(job, restyler, small, seen, result)
            yield Decoded(clip=clip, mask=mask, shown=Shown(source=unfit(small, job.fit), seen=seen, result=result))


def untouched_shot(job: Job, shot: Shot, reader: Reader) -> Generator[tuple[Clip, IntFrames]]:
    """As `finished_shot` without a look, or at strength 0: the source's own integers."""
    for clip in each_spent_on("read", reader.chunks(shot.frames, job.frames_at_once)):
        yield clip, clip.frames


def finished_stills(
    job: Job,
    restyler: Prepared,
    steering: ConditioningSource,
    reader: Reader,
    shot: Shot,
    numbers: Sequence[int],
) -> list[tuple[IntFrames, IntFrames]]:
    """Single frames of a shot, restyled together: pairs of source and result, (3, H, W)."""
    clips = [reader.read(FrameRange(start=n, stop=n + 1)) for n in numbers]
    frames = torch.cat([fit(filled(clip, job.bars_at(clip.start)), job.fit) for clip in clips])
    if not restyler.steps:
        return [(clip.frames[0, :3], clip.frames[0, :3]) for clip in clips]
    anchor = job.anchor_of(shot)
    shown, together = frames, list(numbers)
    if anchor is not None:
        clip = reader.read(FrameRange(start=anchor.frame, stop=anchor.frame + 1))
        first = fit(filled(clip, job.bars_at(anchor.frame)), job.fit)
        shown, together = torch.cat([first, frames]), [anchor.frame, *numbers]
    guides_of = steering.guides_of(shot, restyler.controls, restyler.regions, anchor, restyler.drawn)
    guides = guides_of(together, shown)
    latents = restyler.stills(shown, together, guides, shared=anchor is not None)
    seen, result = decoded_stills(job, restyler, frames, latents.part(len(together) - len(numbers)))
    pairs: list[tuple[IntFrames, IntFrames]] = []
    for i, clip in enumerate(clips):
        mask = None if steering.mattes is None else steering.mattes(frames_of(clip))
        done = full_size(job, clip, seen[i : i + 1], result[i : i + 1], mask)
        pairs.append((clip.frames[0, :3], done[0, :3]))
    return pairs


def frames_of(clip: Clip) -> FrameRange:
    """Where a clip's frames lie in the source."""
    return FrameRange(start=clip.start, stop=clip.start + len(clip))


@dataclass(frozen=True, kw_only=True)
class DecodedTogether:
    """Latents of a shot that go through the decoder at once, and what it carries on from those before them."""

    frames: FrameRange
    latents: Latents
    before: Latents | None = None


def decoded_together(
    pieces: Iterator[tuple[FrameRange, Latents]], codec: VideoCodec, frames: int
) -> Iterator[DecodedTogether]:
    """The latents of a shot from its beginning, each once, so many at once that about `frames` frames come of them."""
    factors, begun, before = codec.factors, None, None
    for span, latents in pieces:
        begun = span.start if begun is None else begun
        first = factors.latent_of(span.start - begun)
        held = max(1, frames // factors.time)
        for start in range(0, len(latents.data), held):
            part = latents.part(start, start + held)
            ends = (factors.frames(first + start), factors.frames(first + start + len(part.data)))
            own = FrameRange(start=begun + ends[0], stop=min(begun + ends[1], span.stop))
            yield DecodedTogether(frames=own, latents=part, before=before)
            before = part.part(max(0, len(part.data) - codec.context)) if codec.context else None


@spent_on("decode")
def decoded(
    job: Job, restyler: Prepared, part: DecodedTogether, source: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (T, 3, h, w) at the working size without padding: the source as the model sees it, and the result.

    Args:
        job: what is rendered.
        restyler: the look's pipeline, made ready.
        part: the latents.
        source: the part's frames (T, 3, H, W), which are encoded where the latents come without the source's: units of
            the first version, which knew models of a latent a frame alone.
    """
    codec, device = restyler.model.codec, restyler.model.device

    def pictures(latents: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
        led = latents if before is None else torch.cat([before, latents])
        made = codec.decode(led.to(device)).cpu()
        skipped = 0 if before is None else codec.factors.frames(len(before))
        return unfit(made[skipped : skipped + len(part.frames)], job.fit)

    earlier = part.before
    result = pictures(part.latents.data, None if earlier is None else earlier.data)
    # What the result is compared with at full size went through the autoencoder too: its blur is no part of the change.
    # Of every frame: the loss, 4 to 8 levels of 255, does not ride on the scene. Carried along the motion from up to
    # three frames before it is off by 2 to 6 levels; decoding in bfloat16, which saves as much, rounds by half a level.
    encoded = part.latents.source
    if encoded is None:
        assert codec.factors.frame_by_frame
        encoded = codec.encode(source.to(device))
    return pictures(encoded, None if earlier is None else earlier.source), result


@spent_on("decode")
def decoded_stills(
    job: Job, restyler: Prepared, source: torch.Tensor, latents: Latents
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `decoded`, of frames that each have a latent to themselves: the source as the model sees it, and the results.

    A single frame of the source is that of all results.
    """
    assert latents.source is not None  # they were sampled just now
    codec, device = restyler.model.codec, restyler.model.device

    def pictures(latents: torch.Tensor) -> torch.Tensor:
        parts = (latents,) if codec.factors.frame_by_frame else latents.split(1)
        return unfit(torch.cat([codec.decode(part.to(device)).cpu() for part in parts]), job.fit)

    result, seen = pictures(latents.data), pictures(latents.source)
    return seen, evened(job, restyler, source, seen, result)


@spent_on("steady")
def evened(
    job: Job, restyler: Prepared, source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor
) -> torch.Tensor:
    """The result without the grid of latent cells in its flat parts; a single frame of the source is that of all."""
    own, period = unfit(source, job.fit), restyler.model.codec.factors.cell
    return even_out(own.expand_as(result), seen.expand_as(result), result, period=period)


@spent_on("upsample")
def full_size(
    job: Job,
    clip: Clip,
    seen: torch.Tensor,
    result: torch.Tensor,
    mask: torch.Tensor | None,
    painted: Mapping[int, Painting] = NONE_PAINTED,
) -> IntFrames:
    """The change carried up to the source's size and laid over it, within the mask and the black bars.

    Args:
        job: what is rendered.
        clip: the source's frames.
        seen: what the change is beside, at the working size, (T, 3, h, w).
        result: with the change.
        mask: where the picture changes; None is everywhere.
        painted: place in the clip -> what is laid over the result there, pixel by pixel.
    """
    bars = job.bars_at(clip.start)
    source = filled(clip, bars).frames[:, :3]
    upsampled = upsample_change(source, seen, result, method=job.request.options.upscale, bit_depth=clip.bit_depth)
    for place, painting in painted.items():
        beneath = upsampled[place].permute(1, 2, 0).numpy()
        upsampled[place] = torch.from_numpy(painting.over(beneath)).permute(2, 0, 1)
    return with_bars(clip.frames, composite(clip.frames, upsampled, mask, clip.bit_depth), bars)
