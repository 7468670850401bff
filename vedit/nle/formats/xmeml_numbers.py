"""FCP7 XML's numbers: rates with `ntsc`, frame numbers, timecodes as frames or text, the speed of a clip item."""

from __future__ import annotations

import re
from fractions import Fraction

from vedit.checks.rationals import FASTEST, is_whole, rational, shown, whole
from vedit.errors import InputError
from vedit.media.timecode import can_drop, parse_timecode
from vedit.nle.formats.xml_tree import Element, XmlDocument

_POINT = re.compile(r"(?<=[0-9])\.0*$")


class Numbers:
    """Reads the numbers of a document, and says where one is that is none.

    Args:
        document: an xmeml document.
    """

    def __init__(self, document: XmlDocument) -> None:
        self._document = document

    def rate(self, element: Element, default: Fraction | None = None, *path: str) -> Fraction:
        """Frames per second of `rate` in an element (24 with ntsc is 24000/1001)."""
        found = element.find(*path, "rate")
        base = found.text_of("timebase") if found is not None else ""
        if found is None or not base:
            if default is None:
                raise self._document.fault(element, "it has no rate")
            return default
        base = unpointed(base)
        if not is_whole(base) or not 0 < whole(base) <= FASTEST:
            raise self._document.fault(found, f"timebase {shown(base)} is no rate")
        ntsc = found.text_of("ntsc", default="FALSE").upper() == "TRUE"
        return Fraction(whole(base) * 1000, 1001) if ntsc else Fraction(whole(base))

    def number(self, element: Element, *path: str, default: int | None = None) -> int:
        """The whole number in a descendant; without a default it must be there."""
        text = element.text_of(*path)
        if not text and default is not None:
            return default
        try:
            return whole(unpointed(text))
        except ValueError:
            place = element.find(*path) or element
            raise self._document.fault(place, f"{path[-1]} is {shown(text)}, which is no frame number") from None

    def first_frame(self, element: Element, rate: Fraction) -> int:
        """The frame number of a `timecode`; where it gives none (DaVinci Resolve), that of its text."""
        text = element.text_of("timecode", "string")
        if not text or element.text_of("timecode", "frame"):
            return self.number(element, "timecode", "frame", default=0)
        try:
            return parse_timecode(text, rate, drop=drops(element) and can_drop(rate))
        except InputError as error:
            raise self._document.fault(element.find("timecode") or element, str(error)) from None


def unpointed(text: str) -> str:
    """A whole number as Hiero writes it, 1055.0, without the point."""
    return _POINT.sub("", text.strip())


def drops(element: Element) -> bool:
    """Whether the `timecode` of a file or sequence is drop-frame, by its format or its separator."""
    return element.text_of("timecode", "displayformat") == "DF" or ";" in element.text_of("timecode", "string")


def speed_of(item: Element) -> Fraction | None:
    """The speed of the clip's time remap filter; None where it varies."""
    for effect in (filtered.find("effect") for filtered in item.elements("filter")):
        if effect is None or effect.text_of("effectid") != "timeremap":
            continue
        values = {
            parameter.text_of("parameterid"): parameter.text_of("value") for parameter in effect.elements("parameter")
        }
        if values.get("variablespeed", "0") not in ("0", "FALSE"):
            return None
        try:
            speed = rational(values.get("speed", "100")) / 100
        except ValueError:
            return None
        return -speed if values.get("reverse", "FALSE").upper() == "TRUE" else speed
    return Fraction(1)
