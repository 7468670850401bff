"""Prompts that change over the clip: `0s: spring | 4s: winter | #120: night`.

A moment stands before each part: seconds with an s, a timecode or a #frame, of the whole clip and rising. Between two
moments a frame is told both, by how near it is to each; before the first and after the last it is told that one alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from vedit.checks.rationals import shown
from vedit.errors import InputError

if TYPE_CHECKING:
    from vedit.options.request import RestyleOptions

_PART = re.compile(
    r"\s*(?P<moment>#\d+|(?:\d+\.?\d*|\.\d+)\s?s|\d{1,2}:\d\d:\d\d[:;.,]\d{2,3})\s*:(?P<text>.*)", re.DOTALL
)
_FORM = "write for instance '0s: spring | 4s: winter', or #96 and timecode as moments"


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A part of a prompt that changes: what holds at a moment."""

    moment: str
    """As `vedit.media.timecode.parse_moment` takes it: seconds, a timecode or a #frame."""
    text: str


def stops(prompt: str) -> tuple[Stop, ...]:
    """The parts of a prompt that changes over the clip; none of any other.

    Raises:
        InputError: some of its parts say a moment and others do not.
    """
    parts = [(part, _PART.fullmatch(part)) for part in prompt.split("|")]
    plain = [part.strip() for part, found in parts if found is None]
    if len(plain) == len(parts):
        return ()
    if plain:
        raise InputError(f"the prompt has no moment before {shown(plain[0][:40])}", remedy=_FORM)
    return tuple(
        Stop(moment=found["moment"].removesuffix("s").strip(), text=found["text"].strip())
        for _, found in parts
        if found
    )


def texts_of(prompt: str) -> tuple[str, ...]:
    """What a prompt says, without its moments: of one that does not change, itself. Raises InputError as `stops`."""
    return tuple(stop.text for stop in stops(prompt)) or (prompt,)


def by_frame(prompt: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The frames at which the parts of a prompt hold, and their texts; no frames, and itself, of one without moments.

    Raises:
        InputError: as `stops`, or a moment is no #frame: `at_frames` makes them so, where the clip is known.
    """
    found = stops(prompt)
    strange = next((stop.moment for stop in found if not stop.moment.startswith("#")), None)
    if strange is not None:
        raise InputError(
            f"the moment {shown(strange)} of a prompt is not known to be a frame without the clip",
            remedy="write it as #FRAME, or render with the clip",
        )
    return tuple(int(stop.moment[1:]) for stop in found), texts_of(prompt)


def at_frames(prompt: str, frame_of: Callable[[str], int]) -> str:
    """A prompt with its moments as frames; one without moments as it is.

    Args:
        prompt: as it was asked for.
        frame_of: a moment -> the frame that is shown then. Raises InputError for one outside the clip.

    Raises:
        InputError: a moment is none of the clip, or not behind the one before it.
    """
    found = stops(prompt)
    if not found:
        return prompt
    frames = [frame_of(stop.moment) for stop in found]
    for (first, one), (then, other) in pairwise(zip(found, frames, strict=True)):
        if other <= one:
            raise InputError(
                f"the moments of the prompt do not rise: {_said(then)} is frame {other}, behind {_said(first)}, "
                f"frame {one}",
                remedy="write them in their order, each once",
            )
    return " | ".join(f"#{frame}: {stop.text}" for frame, stop in zip(frames, found, strict=True))


def timed(options: RestyleOptions, frame_of: Callable[[str], int]) -> RestyleOptions:
    """Options whose prompts have frames as moments. Raises InputError as `at_frames`, with the prompt's name."""
    said: dict[str, str] = {}
    for name in ("prompt", "negative_prompt"):
        try:
            said[name] = at_frames(getattr(options, name), frame_of)
        except InputError as error:
            raise InputError(f"the {name.replace('_', ' ')}: {error.message}", remedy=error.remedy) from None
    return options if all(getattr(options, name) == text for name, text in said.items()) else replace(options, **said)


def check_travel(options: RestyleOptions, *, model: str, can: bool) -> None:
    """What of prompts that change can be refused without the clip.

    Args:
        options: of a look.
        model: its name.
        can: whether frames of the model can have prompts of their own.

    Raises:
        InputError: a prompt changes where none can, says nothing at a moment, or is not understood.
    """
    if stops(options.source_prompt):
        raise InputError(
            "the source prompt holds for the whole clip, and cannot change over it",
            remedy="say there what all of the clip shows",
        )
    for region in options.regions:
        if stops(region.prompt):
            raise InputError(
                f"a region's prompt cannot change over the clip: {shown(region.prompt[:60])}",
                remedy="let the prompt of the whole picture change, or render the parts of the clip one by one",
            )
    found = stops(options.prompt)
    if any(not stop.text for stop in found):
        raise InputError("the prompt says nothing at one of its moments", remedy=_FORM)
    if (found or stops(options.negative_prompt)) and not can:
        raise InputError(
            f"{model} samples the frames of a window as one clip, under one prompt, which cannot change over it",
            remedy="give each shot a prompt of its own, or use a model of single pictures",
        )


def _said(stop: Stop) -> str:
    return stop.moment if stop.moment.startswith("#") or ":" in stop.moment else f"{stop.moment}s"
