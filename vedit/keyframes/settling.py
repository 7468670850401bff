"""The keys of a shot made to agree: each takes over the strokes of the one before it, where the motion bears them out.

A model draws every key anew, with strokes of its own. Carried from both sides these would blend to grey, and pass from
one set to the other with every key. So the keys are steadied among themselves before anything lies between them, in
the way of `vedit.finishing.deflicker`: what is coarse is pulled towards the carried key, what is fine is taken from it
almost whole, and brought to the contrast that the key was drawn with. The first key is settled by those behind it,
from the farthest back, so that a shot does not begin otherwise than it goes on.

A painted key is no one's to change: it stays, and leads the keys around it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vedit.finishing.joining import AROUND, SIGMA
from vedit.flow.motion import standing
from vedit.flow.planes import blurred, power
from vedit.keyframes.carrying import SURE, Frame, Key, Layers, Offer, joined, offered

if TYPE_CHECKING:
    from vedit.flow.motion import Floats, Motion

COARSE, FINE = 0.8, 0.92
"""The share of the key before in each band, where it is believed."""
AHEAD = 3
"""Keys behind the first that settle it."""
CONTRAST = (0.8, 1.3)
"""How far the strokes of a key are made weaker or stronger, to the contrast that it was drawn with."""
LEADS = 24
"""Frames over which a painted key leads those around it as if they were painted themselves; then the model's own come
back, over as many again."""
_LITTLE = 1e-3
_FLOOR = 1e-6


class Keys(Protocol):
    """The keys of a shot by their place among them, from 0, on the disk or in memory."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> Key: ...

    def __setitem__(self, place: int, key: Key, /) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Apart:
    """A key and the next: the motion both ways, each joined when it is asked for, and the frames they are apart."""

    back: Callable[[], Motion]
    """From the later key to the earlier."""
    ahead: Callable[[], Motion]
    """From the earlier key to the later."""
    frames: int


ApartOf = Callable[[int], Apart]
"""Of a key, by its place, and the next."""


def settle(keys: Keys, apart: ApartOf) -> None:
    """Make the keys of a shot agree, in place.

    Args:
        keys: as they were drawn or painted; those that say nothing yet have no opinion anywhere.
        apart: the motion from each to the next.
    """
    last = len(keys) - 1
    first = held = keys[0]
    if first.opinion is None:
        for place in range(min(AHEAD, last), -1, -1):
            drawn = keys[place]
            held = drawn if place == min(AHEAD, last) else pulled(drawn, _said(held, drawn, apart(place).ahead()))
        keys[0] = held
    for place in range(1, last + 1):
        drawn = keys[place]
        if drawn.opinion is None:
            keys[place] = pulled(drawn, _said(keys[place - 1], drawn, apart(place - 1).back()))
    painted = [place for place in range(last + 1) if keys[place].painted is not None]
    for place in painted:
        _lead_on(keys, apart, place, next((one for one in painted if one > place), None))
    for place in reversed(painted):
        _lead_back(keys, apart, place, next((one for one in reversed(painted) if one < place), None))


def _said(key: Key, other: Key, motion: Motion) -> Offer:
    """What a key says of another one."""
    return offered(Layers(key), Frame.of(other.source), motion)


def pulled(drawn: Key, moved: Offer) -> Key:
    """A key that the model drew, with what is carried from the one beside it; what is painted in it stays.

    Args:
        drawn: the key.
        moved: what the other says of it.
    """
    weight = moved.trust * moved.opinion
    if drawn.painted is not None:
        weight = weight * (1 - drawn.painted)
    ground, ground_moved = blurred(drawn.change, SIGMA), moved.ground
    fine, fine_moved = drawn.change - ground, moved.change - ground_moved
    ground = ground + (ground_moved - ground) * (COARSE * weight)[..., None]
    change = ground + fine + (fine_moved - fine) * (FINE * weight)[..., None]
    return replace(drawn, change=_with_contrast(np.asarray(change, np.float32), drawn, weight))


def _lead_on(keys: Keys, apart: ApartOf, place: int, behind: int | None) -> None:
    """What a painted key says of those behind it, up to the next painted one, in place.

    Up to another painted key it leads alone, and that one takes its part from there (`_lead_back`).
    """
    held, far = _as_painted(keys[place]), 0
    for later in range(place + 1, len(keys) if behind is None else behind + 1):
        step = apart(later - 1)
        far += step.frames
        share = 1.0 if behind is not None else _left(far)
        held = _led(keys, later, _said(held, keys[later], step.back()), share)


def _lead_back(keys: Keys, apart: ApartOf, place: int, before: int | None) -> None:
    """What a painted key says of those before it, in place; between two painted keys each leads by how near it is."""
    held, far = _as_painted(keys[place]), 0
    span = 0 if before is None else sum(apart(one).frames for one in range(before, place))
    for earlier in range(place - 1, -1 if before is None else before - 1, -1):
        step = apart(earlier)
        far += step.frames
        share = _left(far) if before is None else 1 - far / span
        held = _led(keys, earlier, _said(held, keys[earlier], step.ahead()), share)


def _left(far: int) -> float:
    """How far a painted key leads at so many frames from it; a little to the end, where no one else says anything."""
    return min(1.0, max(_LITTLE, 2 - far / LEADS))


def _as_painted(key: Key) -> Key:
    """A key that speaks where it is painted alone."""
    return replace(key, opinion=key.painted, painted=None, lead=_everywhere(key))


def _led(keys: Keys, place: int, offer: Offer, share: float) -> Key:
    """Lay what is carried over a key, in place, where that is not painted itself; what is carried on from there."""
    own = keys[place]
    weight = offer.trust * offer.opinion
    if own.painted is not None:
        weight = weight * (1 - own.painted)
    mine = _said(own, own, standing(weight.shape))
    theirs = replace(offer, trust=np.ones_like(weight), opinion=weight)
    ground, strokes = joined(mine, theirs, share)
    # Its own stays where nothing is carried to: what is mixed there is nothing but rounding.
    change = own.change + (ground + strokes - own.change) * np.minimum(1, weight / SURE)[..., None]
    opinion = None if own.opinion is None else np.asarray(np.maximum(own.opinion, weight), np.float32)
    led = weight * min(1.0, share)
    lead = led if own.lead is None else np.maximum(own.lead, led)
    keys[place] = replace(
        own, change=np.asarray(change, np.float32), opinion=opinion, lead=np.asarray(lead, np.float32)
    )
    weight = np.asarray(weight, np.float32)
    return replace(own, change=offer.change, painted=None, opinion=weight, lead=_everywhere(own))


def _everywhere(key: Key) -> Floats:
    return np.ones(key.source.shape[:2], np.float32)


def _with_contrast(change: Floats, drawn: Key, weight: Floats) -> Floats:
    """The change, with strokes in the result as strong as those that the key was drawn with, by `weight`."""
    seen = drawn.source + drawn.loss
    result, wanted = seen + change, seen + drawn.change
    ground = blurred(result, SIGMA)
    fine, own = result - ground, wanted - blurred(wanted, SIGMA)
    found = blurred(np.stack([power(own), power(fine)], axis=2), AROUND) + _FLOOR
    gain = np.sqrt(found[..., 0] / found[..., 1]).clip(*CONTRAST)
    return np.asarray(change + fine * (weight * (gain - 1))[..., None], np.float32)
