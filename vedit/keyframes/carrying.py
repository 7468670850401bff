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

from vedit.finishing.joining import AROUND, SIGMA
from vedit.flow.motion import Motion, carried
from vedit.flow.planes import blurred, over_channels, power
from vedit.keyframes.bands import grey_power

if TYPE_CHECKING:
    from vedit.flow.motion import Floats

DOUBT, DARK_DOUBT = 0.16, 0.03
"""Difference between the source and its carried key at which this counts 1/e: the first times the brightness there,
plus the second."""
SEEN = 0.3
"""Confidence of the motion from which on only the likeness counts: where there is nothing to tell it by, no other way
is better, and a new key would be carried along the same."""
ROUGH, ROUGH_DOUBT = 5.0, 1.5
"""Pixels over which the source is compared where a painting is carried, and times the doubt that it takes there."""
WINNER = 3.0
"""The power of a key's weight in the fine band: 1 is a mean of both, more leaves it to the one that weighs more."""
STRONGER = 1.35
"""By how much strokes of two keys that cancel out are made stronger at most."""
SURE = 0.6
"""Trust from which on a key is believed as it is: what is mixed with less would lose contrast everywhere."""
_SOFT = 1.5
"""Pixels over which the source is compared: single ones differ by noise."""
_FAR = 4
"""Times that the picture is shrunk for what is taken over from around."""
_EVEN = 0.98
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
    lead: Floats | None = None
    """(h, w) in [0, 1]: how far what it says comes of a painting, here or carried to it; None is nowhere."""


class Layers:
    """A key in the planes that are carried, four at a time, which takes OpenCV no longer than one.

    Bands and powers are made once for a key: a blur of what was carried is what a carried blur is, nearly.
    """

    def __init__(self, key: Key) -> None:
        opinion = np.ones(key.change.shape[:2], np.float32) if key.opinion is None else key.opinion
        said = key.change if key.opinion is None else np.asarray(key.change * opinion[..., None], np.float32)
        seen = key.source + key.loss
        ground = blurred(key.change, SIGMA)
        self.planes = (
            _packed(key.change, blurred(power(key.change - ground), AROUND)),
            _packed(ground, opinion),
            _packed(key.source, grey_power(seen + said)),
            _packed(key.loss, np.zeros_like(opinion) if key.lead is None else key.lead),
        )
        self.leads = key.lead is not None
        """Whether anything of it comes of a painting."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A frame that keys are carried to."""

    source: Floats
    """(h, w, 3) in [0, 1]."""
    doubt: Floats
    """(h, w): the difference at which likeness is 1/e."""

    @staticmethod
    def of(source: Floats) -> Frame:
        """The frame of a source, (h, w, 3)."""
        return Frame(source=source, doubt=DARK_DOUBT + DOUBT * blurred(over_channels(source), AROUND))


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a key says of another frame; pictures are (h, w, 3), planes (h, w)."""

    change: Floats
    ground: Floats
    """The coarse band of the change."""
    stroke_power: Floats
    """How strong its fine band is around each pixel."""
    detail: Floats
    """How strong the fine band of the key's result is, of brightness."""
    loss: Floats
    trust: Floats
    """In [0, 1]."""
    opinion: Floats
    """In [0, 1]."""


def offered(key: Layers, frame: Frame, motion: Motion) -> Offer:
    """What a key says of a frame.

    Args:
        key: from either side.
        frame: that it is carried to.
        motion: from the frame to the key.
    """
    change, ground, shown, loss = (carried(planes, motion) for planes in key.planes)
    own, trust = change[..., :3], trusted(motion, frame, shown[..., :3])
    if key.leads:
        lead = loss[..., 3].clip(0, 1)
        rough = np.minimum(1, motion.seen / np.float32(SEEN)) * _roughly_alike(frame, shown[..., :3])
        trust = _mean(trust, np.asarray(rough, np.float32), lead)
        # A painter's strokes stand for what they cover: the frame's own detail does not show through them.
        slipped = shown[..., :3] - frame.source
        own = np.asarray(own + (slipped - blurred(slipped, ROUGH)) * lead[..., None], np.float32)
    return Offer(
        change=own,
        ground=ground[..., :3],
        stroke_power=np.maximum(change[..., 3], 0),
        detail=np.maximum(shown[..., 3], 0),
        loss=loss[..., :3],
        trust=trust,
        opinion=ground[..., 3].clip(0, 1),
    )


def trusted(motion: Motion, frame: Frame, shown: Floats) -> Floats:
    """(h, w) in [0, 1]: how far what a motion leads to is taken for what the frame shows.

    Args:
        motion: from the frame to the other.
        frame: that it is held against.
        shown: the other's source, carried, (h, w, 3).
    """
    return np.asarray(np.minimum(1, motion.seen / np.float32(SEEN)) * likeness(frame, shown), np.float32)


def likeness(frame: Frame, shown: Floats) -> Floats:
    """(h, w) in [0, 1]: how far a frame and a carried one, (h, w, 3), look the same."""
    difference = blurred(over_channels(np.abs(frame.source - shown)), _SOFT)
    return np.asarray(np.exp(-np.square(difference / frame.doubt)), np.float32)


def _roughly_alike(frame: Frame, shown: Floats) -> Floats:
    """As `likeness`, of what lies about there: a painted stroke that slips by some pixels is wanted still, where the
    model would be asked again for one of its own."""
    difference = blurred(over_channels(np.abs(blurred(frame.source - shown, ROUGH))), _SOFT)
    return np.asarray(np.exp(-np.square(difference / (ROUGH_DOUBT * frame.doubt))), np.float32)


@dataclass(frozen=True, kw_only=True)
class Between:
    """What a frame takes from the keys on either side."""

    change: Floats
    """(h, w, 3): nothing where neither has an opinion."""
    loss: Floats
    """(h, w, 3)."""
    believed: Floats
    """(h, w) in [0, 1]."""


def between(frame: Frame, first: Offer, second: Offer, place: float) -> Between:
    """What a frame takes from the keys on either side.

    Args:
        frame: between them.
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
    return Between(change=_no_finer(change, frame.source + loss, first, second), loss=loss, believed=believed)


def joined(first: Offer, second: Offer, place: float) -> tuple[Floats, Floats]:
    """The change that two keys give a frame between them, (h, w, 3): its coarse band, and its strokes."""
    weights = [_weight(one, near) for one, near in ((first, 1 - place), (second, place))]
    coarse_share = _share(*weights)
    fine_share = _share(*(np.asarray(np.power(weight, WINNER), np.float32) for weight in weights))
    strokes = _mean(first.change - first.ground, second.change - second.ground, fine_share)
    found = blurred(power(strokes), AROUND) + np.float32(_FLOOR)
    wanted = _mean(first.stroke_power, second.stroke_power, fine_share) + np.float32(_FLOOR)
    gain = np.asarray(np.sqrt(wanted / found).clip(1, STRONGER), np.float32)
    return _mean(first.ground, second.ground, coarse_share), strokes * gain[..., None]


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


def _filled(mixed: Floats, ground: Floats, believed: Floats) -> Floats:
    """The change, where it is not believed that of the colours around: a normalised convolution (Knutsson and Westin,
    1993)."""
    if float(believed.min()) > 0.99:
        return mixed
    small = (max(1, believed.shape[1] // _FAR), max(1, believed.shape[0] // _FAR))
    weighed = np.dstack([ground * believed[..., None], believed])
    reached = blurred(np.asarray(cv2.resize(weighed, small, interpolation=cv2.INTER_AREA), np.float32), AROUND)
    back = cv2.resize(reached, believed.shape[::-1], interpolation=cv2.INTER_LINEAR)
    around = back[..., :3] / np.maximum(back[..., 3:], 1e-3)
    return np.asarray(around + (mixed - around) * believed[..., None], np.float32)


def _no_finer(change: Floats, seen: Floats, first: Offer, second: Offer) -> Floats:
    """The change without what is drawn by nobody: strokes that lie beside the detail that they replace, with that still
    under them, are more than the frame's own and more than either key's."""
    found = grey_power(seen + change) + np.float32(_FLOOR)
    reason = np.maximum(np.maximum(first.detail, second.detail), grey_power(seen))
    gain = np.asarray(np.sqrt(np.minimum(1, (reason + np.float32(_FLOOR)) / found)), np.float32)
    if float(gain.min()) > _EVEN:
        return change
    result = seen + change
    fine = result - blurred(result, SIGMA)
    return np.asarray(change + fine * (gain - 1)[..., None], np.float32)


def _packed(picture: Floats, plane: Floats) -> Floats:
    """(h, w, 4)."""
    return np.asarray(cv2.merge([*cv2.split(picture), plane]), np.float32)
