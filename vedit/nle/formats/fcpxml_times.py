"""FCPXML's times: rational seconds such as 1001/30000s, on the frame grid; and how a clip maps to its media."""

from __future__ import annotations

import re
from fractions import Fraction

from vedit.checks.rationals import FASTEST, is_whole, rational, shown, whole
from vedit.nle.formats.xml_tree import Element, XmlDocument
from vedit.nle.model import TimeSpan

_TIME = re.compile(r"^(-?[\d./]+)s$")
_NAMED = re.compile(r"(?:\d|DV\D*\d+x\d+)([pi])(2398|24|25|2997|30|4795|48|50|5994|60)$")
_RATES = {
    "2398": Fraction(24000, 1001),
    "2997": Fraction(30000, 1001),
    "4795": Fraction(48000, 1001),
    "5994": Fraction(60000, 1001),
    "11988": Fraction(120000, 1001),
}
_NEIGHBOURS = Fraction(1, 20)
"""How far apart rates may be that are conformed frame by frame, so that 24 runs 4 % faster at 25."""


def parse_time(document: XmlDocument, element: Element, name: str, default: Fraction | None = None) -> Fraction:
    """A time attribute in seconds; without a default it must be there.

    Raises:
        InputError: it is absent or no time.
    """
    text = element.get(name)
    if not text and default is not None:
        return default
    match = _TIME.match(text.strip())
    try:
        if match is None:
            raise ValueError
        return rational(match[1])
    except ValueError:
        said = f"{name}={shown(text)} is no time" if text else f"it has no {name}"
        raise document.fault(element, said, remedy="times are written as 1001/30000s or 5s") from None


def format_time(seconds: Fraction, frame: Fraction | None) -> str:
    """Seconds -> 5s, or on the grid of a frame's duration: 1001/30000s -> 30030/30000s, not 1001/1000s."""
    if seconds.denominator == 1:
        return f"{seconds.numerator}s"
    if frame is not None and (seconds / frame).denominator == 1:
        return f"{seconds / frame * frame.numerator}/{frame.denominator}s"
    return f"{seconds.numerator}/{seconds.denominator}s"


def frame_duration(document: XmlDocument, described: Element | None) -> Fraction | None:
    """Seconds that a frame of a `format` is shown; None for stills and where it does not say."""
    if described is None:
        return None
    if described.get("frameDuration"):
        duration = parse_time(document, described, "frameDuration")
        return duration if duration > 0 else None
    named = _NAMED.search(described.get("name"))
    if named is None:
        return None
    rate = _RATES.get(named[2], Fraction(int(named[2]) if len(named[2]) < 4 else 0))
    return 1 / (rate / 2 if named[1] == "i" else rate)


def conform_factor(media: Fraction, sequence: Fraction) -> Fraction:
    """Seconds of media that Final Cut plays in a second of a sequence of another rate, by `conform-rate`.

    Neighbouring rates are played frame by frame (23.98 at 24 or 25, 29.97 at 30). All others are sampled: only the
    thousandth by which the rates of NTSC differ from whole ones is made up for, so that the media ends on a frame.
    Measured where two clips of an export continue each other in their media: 23.98 in sequences of 24, 30, 50 and 60
    plays at 1.001, 1.0012, 1.0004 and 1.0012, and at 0.999 in one of 59.94.

    Args:
        media: frames per second.
        sequence: frames per second.
    """
    if abs(sequence / media - 1) < _NEIGHBOURS:
        return sequence / media
    both_ntsc = _whole(media) != media and _whole(sequence) != sequence
    if both_ntsc and 1 not in ((sequence / media).denominator, (media / sequence).denominator):
        return Fraction(1000, 1001)
    return (sequence / _whole(sequence)) / (media / _whole(media))


def _whole(rate: Fraction) -> Fraction:
    """24 for 24000/1001; any other rate is itself."""
    near = rate * Fraction(1001, 1000)
    return near if near.denominator == 1 else rate


def _told_rate(text: str) -> Fraction | None:
    """A `srcFrameRate`: 23.98, 25, 29.97 and so on."""
    if is_whole(text) and 0 < whole(text) <= FASTEST:
        return Fraction(whole(text))
    return _RATES.get(text.replace(".", ""))


class Retiming:
    """How a clip's own time maps to the time of its content: `conform-rate` and `timeMap`.

    Args:
        document: for errors.
        element: the clip.
        sequence_rate: frames per second of the sequence.
        media_rate: frames per second of the content; None where unknown.
    """

    def __init__(
        self, document: XmlDocument, element: Element, *, sequence_rate: Fraction, media_rate: Fraction | None
    ) -> None:
        table = element.find("timeMap")
        self._points = sorted(
            (parse_time(document, point, "time"), parse_time(document, point, "value"))
            for point in (table.elements("timept") if table is not None else ())
        )
        self.conform = Fraction(1)
        """Seconds of content in a second of the timeline, where rates are conformed frame by frame."""
        rate = element.find("conform-rate")
        if rate is not None and rate.get("scaleEnabled", "1") != "0" and not self._points:
            source = _told_rate(rate.get("srcFrameRate")) or media_rate
            if source:
                self.conform = conform_factor(source, sequence_rate)

    @property
    def speed(self) -> Fraction | None:
        """2 is twice as fast; None where it varies."""
        if len(self._points) < 2:
            return Fraction(1)
        slopes = {
            (value - before) / (time - earlier)
            for (earlier, before), (time, value) in zip(self._points, self._points[1:], strict=False)
            if time > earlier
        }
        return slopes.pop() if len(slopes) == 1 else None

    def content(self, start: Fraction, duration: Fraction) -> TimeSpan:
        """The stretch of content shown from `start` on, in the clip's own time, over `duration` of the timeline."""
        if len(self._points) < 2:
            return TimeSpan(start=start, duration=duration * self.conform)
        inside = [value for time, value in self._points if start < time < start + duration]
        values = [self._at(start), self._at(start + duration), *inside]
        return TimeSpan(start=min(values), duration=max(values) - min(values))

    def _at(self, time: Fraction) -> Fraction:
        """Linear between the points; held outside them."""
        first, last = self._points[0], self._points[-1]
        if time <= first[0]:
            return first[1]
        for (earlier, before), (later, after) in zip(self._points, self._points[1:], strict=False):
            if time <= later:
                return before + (after - before) * (time - earlier) / (later - earlier)
        return last[1]
