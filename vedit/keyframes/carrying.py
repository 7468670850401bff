"""What a frame takes from the keys on either side of it, where each of them is believed.

What is carried is the change that a key has undergone, result minus source, at the working size: the frame's own
source stands under it, so what comes into sight shows itself, and nothing of the source is blurred by being carried.
The source of a change is what the autoencoder returns of it, so what the autoencoder has lost is carried beside it.
Brightness and colours pass over from one key to the other in proportion to the distance; strokes come from one of
them, mostly the nearer, since a mean of two sets of strokes is grey. Where neither key is believed, the frame takes on
the change of colours of what lies around, and keeps its own detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.keyframes.motion import Motion, carried

if TYPE_CHECKING:
    from vedit.keyframes.motion import Floats

SIGMA = 3.0
"""Pixels of the working size; finer differences are strokes and texture, as in `vedit.finishing.deflicker`."""
DOUBT, DARK_DOUBT = 0.16, 0.03
"""Difference between the source and its carried key at which this counts 1/e: the first times the brightness there,
plus the second."""
SEEN = 0.3
"""Confidence of the motion from which on only the likeness counts: where there is nothing to tell it by, no other way
is better, and a new key would be carried along the same."""
WINNER = 3.0
"""The power of a key's weight in the fine band: 1 is a mean of both, more leaves it to the one that weighs more."""
AROUND = 6.0
"""Pixels over which the contrast of strokes is measured, and doubt is."""
STRONGER = 1.35
"""By how much strokes of two keys that cancel out are made stronger at most."""
SURE = 0.6
"""Trust from which on a key is believed as it is: what is mixed with less would lose contrast everywhere."""
_NEAR = 2.0
"""Pixels over which the strength of detail is held against that of what it is made of."""
_SOFT = 1.5
"""Pixels over which the source is compared: single ones differ by noise."""
_FAR = 4
"""Times that the picture is shrunk for what is taken over from around."""
_FLOOR = 1e-6


@dataclass(frozen=True, kw_only=True)
class Key:
    """A drawn frame."""

    source: Floats
    """(h, w, 3) in [0, 1]."""
    change: Floats
    """(h, w, 3): the result minus the source as the autoencoder returns it."""
    loss: Floats
    """(h, w, 3): that minus the source itself."""
    opinion: Floats | None = None
    """(h, w) in [0, 1]: where the key says something; None is everywhere."""
    painted: Floats | None = None
    """(h, w) in [0, 1]: where it was painted by hand; None is nowhere."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a key says of another frame."""

    change: Floats
    """(h, w, 3)."""
    loss: Floats
    """(h, w, 3)."""
    trust: Floats
    """(h, w) in [0, 1]."""
    opinion: Floats
    """(h, w) in [0, 1]."""
    shown: Floats
    """(h, w, 3): the key's source, carried."""


def offered(key: Key, source: Floats, motion: Motion) -> Offer:
    """What a key says of a frame.

    Args:
        key: from either side.
        source: the frame's, (h, w, 3).
        motion: from the frame to the key.
    """
    change, loss, shown = (carried(one, motion) for one in (key.change, key.loss, key.source))
    opinion = np.ones_like(motion.seen) if key.opinion is None else carried(key.opinion, motion).clip(0, 1)
    return Offer(change=change, loss=loss, trust=trusted(motion, source, shown), opinion=opinion, shown=shown)


def trusted(motion: Motion, source: Floats, shown: Floats) -> Floats:
    """(h, w) in [0, 1]: how far what a motion leads to is taken for what the frame shows.

    Args:
        motion: from the frame to the other.
        source: the frame's, (h, w, C).
        shown: the other's, carried.
    """
    return np.asarray(np.minimum(1, motion.seen / SEEN) * likeness(source, shown), np.float32)


def likeness(source: Floats, shown: Floats) -> Floats:
    """(h, w) in [0, 1]: how far a frame and a carried one, (h, w, C), look the same."""
    difference = blur(np.abs(source - shown).mean(axis=2), _SOFT)
    doubt = DARK_DOUBT + DOUBT * blur(source.mean(axis=2), AROUND)
    return np.asarray(np.exp(-np.square(difference / doubt)), np.float32)


@dataclass(frozen=True, kw_only=True)
class Between:
    """What a frame takes from the keys on either side."""

    change: Floats
    """(h, w, 3): nothing where neither has an opinion."""
    loss: Floats
    """(h, w, 3)."""
    believed: Floats
    """(h, w) in [0, 1]."""


def between(source: Floats, first: Offer, second: Offer, place: float) -> Between:
    """What a frame takes from the keys on either side.

    Args:
        source: the frame's, (h, w, 3).
        first: what the key before it says.
        second: what the key behind it says.
        place: of the frame, 0 at the first key and 1 at the second.
    """
    ground, strokes = joined(first, second, place)
    loss = _mean(first.loss, second.loss, _share(_weight(first, 1 - place), _weight(second, place)))
    opinion = np.maximum(first.opinion, second.opinion)
    believed = np.maximum(first.trust * first.opinion, second.trust * second.opinion)
    believed = np.where(opinion > _FLOOR, believed / np.maximum(SURE * opinion, _FLOOR), 1).clip(0, 1)
    believed = np.asarray(believed, np.float32)
    change = np.asarray(_filled(ground + strokes, ground, believed) * opinion[..., None], np.float32)
    return Between(change=_no_finer(change, source + loss, (first, second)), loss=loss, believed=believed)


def joined(first: Offer, second: Offer, place: float) -> tuple[Floats, Floats]:
    """The change that two keys give a frame between them, (h, w, 3): its coarse band, and its strokes."""
    weights = [_weight(one, near) for one, near in ((first, 1 - place), (second, place))]
    coarse_share = _share(*weights)
    fine_share = _share(*(np.asarray(np.power(weight, WINNER), np.float32) for weight in weights))
    coarse = [blur(one.change, SIGMA) for one in (first, second)]
    fine = [one.change - ground for one, ground in zip((first, second), coarse, strict=True)]
    strokes = _mean(fine[0], fine[1], fine_share)
    wanted = _mean(power(fine[0]), power(fine[1]), fine_share)
    return _mean(coarse[0], coarse[1], coarse_share), strokes * _gain(strokes, wanted)[..., None]


def _weight(one: Offer, near: float) -> Floats:
    """(h, w): what an offer counts for; a little even where it is not believed, so that somebody always has a say."""
    return np.asarray((one.trust * one.opinion + _FLOOR * (1 + one.opinion)) * near, np.float32)


def _share(first: Floats, second: Floats) -> Floats:
    """(h, w): of the second, in the sum of both."""
    return np.asarray(second / np.maximum(first + second, np.float32(1e-30)), np.float32)


def _mean(first: Floats, second: Floats, share: Floats) -> Floats:
    """Of two pictures (h, w) or (h, w, C), so much of the second."""
    weight = share if first.ndim == 2 else share[..., None]
    return np.asarray(first + (second - first) * weight, np.float32)


def _gain(strokes: Floats, wanted: Floats) -> Floats:
    """(h, w): what brings mixed strokes to the contrast that those they are mixed of have."""
    found = blur(np.stack([wanted, power(strokes)], axis=2), AROUND) + _FLOOR
    return np.asarray(np.sqrt(found[..., 0] / found[..., 1]).clip(1, STRONGER), np.float32)


def _filled(mixed: Floats, ground: Floats, believed: Floats) -> Floats:
    """The change, where it is not believed that of the colours around: a normalised convolution (Knutsson and Westin,
    1993)."""
    if float(believed.min()) > 0.99:
        return mixed
    small = (max(1, believed.shape[1] // _FAR), max(1, believed.shape[0] // _FAR))
    weighed = np.dstack([ground * believed[..., None], believed])
    reached = blur(np.asarray(cv2.resize(weighed, small, interpolation=cv2.INTER_AREA), np.float32), AROUND)
    back = cv2.resize(reached, believed.shape[::-1], interpolation=cv2.INTER_LINEAR)
    around = back[..., :3] / np.maximum(back[..., 3:], 1e-3)
    return np.asarray(around + (mixed - around) * believed[..., None], np.float32)


def _no_finer(change: Floats, seen: Floats, offers: tuple[Offer, Offer]) -> Floats:
    """The change without what is drawn by nobody: strokes that lie beside the detail that they replace, with that still
    under them, are more than the frame's own and more than either key's."""
    result = seen + change
    fine = result - blur(result, SIGMA)
    drawn = (np.asarray(one.shown + one.loss + one.change * one.opinion[..., None], np.float32) for one in offers)
    powers = [power(fine), *(power(one - blur(one, SIGMA)) for one in (seen, *drawn))]
    near = blur(np.stack(powers, axis=2), _NEAR) + _FLOOR
    gain = np.sqrt(np.minimum(1, near[..., 1:].max(axis=2) / near[..., 0]))
    return np.asarray(change + fine * (gain - 1)[..., None], np.float32)


def power(detail: Floats) -> Floats:
    """(h, w): mean square over the colours."""
    return np.asarray(np.square(detail).mean(axis=2), np.float32)


def blur(image: Floats, sigma: float) -> Floats:
    """A Gaussian mean of a picture, (h, w) or (h, w, C)."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
