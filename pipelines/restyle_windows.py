"""Restyle a shot of any length: windows that are sampled one by one and joined in latent time.

    shot -> windows of latents, neighbours overlapping
    window -> its frames, with the one that its model has to see before them -> `vedit.pipelines.restyle`
    windows -> blended where they overlap, each frame once

An image model has a latent for each frame, and sees the shot's first frame beside a window. A video model has one for
several frames and samples a window as a clip: where its first frame has a latent to itself, the frame before the window
takes that place and is let go of again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.color_match import match_to_anchor
from vedit.diffusion.windows import windows
from vedit.options.request import OVERLAP
from vedit.pipelines.pipeline import FramesOf, GuidesOf, OnStep, ignore_step
from vedit.pipelines.restyle import PreparedRestyle, look_cells, restyle_frames
from vedit.types import FrameRange, Latents, Window

if TYPE_CHECKING:
    from vedit.diffusion.conditioning import FrameConditioning
    from vedit.latent_shape import ScaleFactors
    from vedit.options.request import RestyleOptions


def shot_windows(
    options: RestyleOptions, shot: FrameRange, factors: ScaleFactors, *, size: int | None = None
) -> tuple[Window, ...]:
    """The windows that a shot is sampled in, in whole latents.

    Args:
        options: the window and the overlap in frames.
        shot: frames of the source.
        factors: of the model.
        size: what memory has left of the window that was asked for, in frames.
    """
    size = options.window if size is None else size
    overlap = OVERLAP if options.overlap is None else options.overlap
    held = factors.latents(size)
    shared = min(ceil(overlap / factors.time), held // 3)
    whole = FrameRange(start=0, stop=factors.latents(len(shot)))
    found: list[Window] = []
    for window in windows(whole, size=held, overlap=shared):
        frames = factors.span(window.frames, count=len(shot))
        moved = FrameRange(start=shot.start + frames.start, stop=shot.start + frames.stop)
        found.append(Window(frames=moved, weights=window.weights))
    return tuple(found)


def restyle_window(
    restyler: PreparedRestyle,
    shot: FrameRange,
    window: FrameRange,
    frames_of: FramesOf,
    guides_of: GuidesOf,
    on_step: OnStep = ignore_step,
    anchor: int | None = None,
) -> Latents:
    """One window of a shot, by itself: it depends on no other window, so windows can be kept and made anew singly.

    Frames of an image model are sampled together with the shot's first frame, the anchor of cross-frame attention, so
    that all windows share one look; or with the anchor that shots share.

    Args:
        restyler: from `prepare`.
        shot: frames of the source that belong together.
        window: part of the shot, as `shot_windows` cuts it.
        frames_of: a range of the shot, or the anchor alone.
        guides_of: what steers the anchor and the window's frames, or `own_guides`.
        on_step: told after each step.
        anchor: a frame of the source that stands for the look of several shots; None, or the shot's first: the shot
            has a look to itself.

    Returns:
        Clean latents (T, C, h, w) of the window's frames, with the source's.
    """
    first = shot.start if anchor is None else anchor
    shared = first != shot.start
    if _as_clip(restyler):
        return _restyle_clip(restyler, shot, window, frames_of, guides_of, on_step, first if shared else None)
    numbers, frames = list(range(window.start, window.stop)), frames_of(window)
    beside = shared or window.start != first
    if beside:
        numbers = [first, *numbers]
        frames = torch.cat([frames_of(FrameRange(start=first, stop=first + 1)), frames])
    latents = restyle_frames(restyler, frames, numbers, guides_of(numbers, frames), on_step, shared=shared)
    return latents.part(1) if beside else latents


def _as_clip(restyler: PreparedRestyle) -> bool:
    """Whether frames that are sampled together are neighbours in time to the model: those of a video model, and those
    of an image model with motion modules."""
    return restyler.model.denoiser.joint or not restyler.model.codec.factors.frame_by_frame


def _restyle_clip(
    restyler: PreparedRestyle,
    shot: FrameRange,
    window: FrameRange,
    frames_of: FramesOf,
    guides_of: GuidesOf,
    on_step: OnStep,
    anchor: int | None,
) -> Latents:
    """A window as one clip of a video model, which has its own latents in the shot's latent time."""
    before = int(restyler.model.codec.factors.first_frame_alone and window.start > shot.start)
    whole = FrameRange(start=window.start - before, stop=window.stop)
    numbers, frames = list(range(whole.start, whole.stop)), frames_of(whole)
    if anchor is None:
        return restyle_frames(restyler, frames, numbers, guides_of(numbers, frames), on_step).part(before)
    alone = frames_of(FrameRange(start=anchor, stop=anchor + 1))
    guides = guides_of([anchor, *numbers], torch.cat([alone, frames]))
    of_anchor, of_window = guides.at([0]), guides.at(range(1, len(numbers) + 1))
    look = restyle_frames(restyler, alone, [anchor], of_anchor)
    made = restyle_frames(restyler, frames, numbers, of_window, on_step)
    return _like(look, made, (of_anchor, of_window), restyler.model.codec.factors).part(before)


def _like(
    look: Latents, made: Latents, guides: tuple[FrameConditioning, FrameConditioning], factors: ScaleFactors
) -> Latents:
    """Latents that take on the change of colours of an anchor, which was sampled as a clip to itself.

    Args:
        look: of the anchor.
        made: of the frames.
        guides: what steers the anchor, and the frames.
        factors: of the model.
    """
    assert look.source is not None and made.source is not None  # restyle_frames gives both
    first, others = (look_cells(one, factors) for one in guides)
    where = None if first is None or others is None else torch.cat([first, others])
    both = match_to_anchor(torch.cat([look.data, made.data]), torch.cat([look.source, made.source]), where)
    return replace(made, data=both[1:])


def restyle_stills(
    restyler: PreparedRestyle,
    frames: torch.Tensor,
    numbers: Sequence[int],
    guides: FrameConditioning,
    on_step: OnStep = ignore_step,
    *,
    shared: bool = False,
) -> Latents:
    """Single frames of a shot, each with latents of its own; see `restyle_frames`.

    Those of an image model are sampled together and see the first; a video model would take them for a clip, so each is
    one to itself.
    """
    factors = restyler.model.codec.factors
    if not _as_clip(restyler):
        return restyle_frames(restyler, frames, numbers, guides, on_step, shared=shared)
    each = [guides.at([place]) for place in range(len(numbers))]
    made = [restyle_frames(restyler, frames[i : i + 1], [number], each[i], on_step) for i, number in enumerate(numbers)]
    if shared:
        made[1:] = [_like(made[0], one, (each[0], own), factors) for one, own in zip(made[1:], each[1:], strict=True)]
    sources = [one.source for one in made if one.source is not None]
    return Latents(data=torch.cat([one.data for one in made]), source=torch.cat(sources))


def join_windows(
    parts: Sequence[Window], latents_of: Callable[[Window], Latents], factors: ScaleFactors
) -> Iterator[tuple[FrameRange, Latents]]:
    """The windows of a shot as one: their latents in order, blended where they overlap, each frame once; with the
    source's where the window that a piece begins with has them."""
    pending = torch.empty(0)
    for i, window in enumerate(parts):
        made = latents_of(window)
        data = made.data * torch.tensor(window.weights).to(made.data).view(-1, 1, 1, 1)
        if len(pending):
            data = torch.cat([data[: len(pending)] + pending, data[len(pending) :]])
        start, stop = window.frames.start, window.frames.stop
        count = len(data)
        if i + 1 < len(parts):
            stop, first = parts[i + 1].frames.start, parts[0].frames.start
            count = factors.latent_of(stop - first) - factors.latent_of(start - first)
        pending = data[count:]
        yield FrameRange(start=start, stop=stop), replace(made, data=data).part(0, count)
