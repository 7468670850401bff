"""Clips of a shot on their way from the decoder to full size: each waits until its frames are steadied."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

import torch

from vedit.finishing.deflicker import Steadied, Steadying
from vedit.render.conditioning import VISIBLE

if TYPE_CHECKING:
    from vedit.types import Clip


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A clip's frames at the working size, without padding: (T, 3, h, w) in [0, 1]."""

    source: torch.Tensor
    seen: torch.Tensor
    """The source as the model sees it."""
    result: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A clip of the source, and what came of it."""

    clip: Clip
    mask: torch.Tensor | None
    """Where it changes; None is everywhere."""
    shown: Shown | None
    """None where it changes nowhere."""


def steadied(clips: Iterable[Decoded]) -> Iterator[Decoded]:
    """The clips of a shot with their results steadied, and the source as the model sees it, in order.

    Frames in which nothing changes part the shot: what comes behind them is not held to what was before. That goes by
    frames and not by clips, so it makes no difference how the shot was cut into these.
    """
    steadying = Steadying()
    waiting: deque[Decoded] = deque()
    done: deque[Steadied] = deque()
    for one in clips:
        waiting.append(one)
        done.extend(_pushed(steadying, one))
        yield from _ready(waiting, done)
    done.extend(steadying.finish())
    yield from _ready(waiting, done)


def _pushed(steadying: Steadying, one: Decoded) -> Iterator[Steadied]:
    """The frames that are done once a clip is there; those that do not change come as they are."""
    if one.shown is None:
        yield from steadying.finish()
        return
    for changes, run in groupby(range(len(one.clip)), key=lambda t: _changes(one, t)):
        frames = list(run)
        part = slice(frames[0], frames[-1] + 1)
        source, seen, result = one.shown.source[part], one.shown.seen[part], one.shown.result[part]
        if changes:
            yield from steadying.push(source, result, seen)
        else:
            yield from steadying.finish()
            yield from (Steadied(result=made, lost=lost) for made, lost in zip(result, seen - source, strict=True))


def _changes(one: Decoded, frame: int) -> bool:
    return one.mask is None or float(one.mask[frame].amax()) > VISIBLE


def _ready(waiting: deque[Decoded], done: deque[Steadied]) -> Iterator[Decoded]:
    """The clips, from the first that waits, all of whose frames are done."""
    while waiting:
        one = waiting[0]
        needed = 0 if one.shown is None else len(one.clip)
        if needed > len(done):
            return
        waiting.popleft()
        if one.shown is None:
            yield one
        else:
            yield replace(one, shown=_shown(one.shown, [done.popleft() for _ in range(needed)]))


def _shown(shown: Shown, done: list[Steadied]) -> Shown:
    lost = [one.lost for one in done if one.lost is not None]
    return replace(shown, result=torch.stack([one.result for one in done]), seen=shown.source + torch.stack(lost))
