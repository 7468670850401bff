"""Effects of MLT and their keyframes, moved with the media that they lie on.

A filter on an entry or a producer acts from its `in` to its `out`, frames of the media; its keyframes count from its
`in`, without one from the media's first frame. `60=1;66|=0.5;00:00:03.000~=0` are three: at each a value, and how it
goes on to the next: `=` straight, `|=` held, anything else along a curve. See MLT's "mlt_animation".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from vedit.checks.rationals import is_whole, whole
from vedit.checks.structured import parse_json
from vedit.errors import InputError
from vedit.nle.formats.mlt_properties import property_of
from vedit.nle.formats.mlt_times import format_frames, parse_frames
from vedit.nle.formats.xml_tree import Element

_PARTS = re.compile(r'(?:[^;"]|"[^"]*")+')
_PART = re.compile(r"\s*(?P<at>-?\d+|\d+:\d{1,2}:\d{1,2}[.,:;]\d+)\s*(?P<kind>[^\d=\s]?)=(?P<value>.*)", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_HELD = ("|", "!")
_SMOOTH = ("~", "$", "-")
"""Curves that depend on the keyframe before, too."""


class TooLateError(ValueError):
    """A curve that begins before the new media cannot be written; `frame` of the old media must be in it."""

    def __init__(self, frame: int) -> None:
        self.frame = frame
        super().__init__(f"it needs frame {frame}")


@dataclass(frozen=True, kw_only=True)
class _Keyframe:
    at: int
    kind: str
    value: str
    written: str
    """The way its time is written."""


@dataclass(frozen=True, kw_only=True)
class MediaShift:
    """How old media and the new one that takes its place lie to each other, in frames of the project."""

    frames: int
    """The new media begins so many frames later."""
    rate: Fraction

    def move(self, effect: Element) -> None:
        """Make a filter do on the new media what it did on the old, at each frame.

        Raises:
            TooLateError: a curve that is under way where the new media begins cannot be cut there.
        """
        begin, end = self._edge(effect, "in"), self._edge(effect, "out")
        old = begin or 0
        new = max(old - self.frames, 0)
        length = end - old + 1 if end else None
        for entry in list(effect.elements("property")):
            if entry.get("name") not in ("in", "out") and entry.text:
                moved = self._moved(entry.text, length, old, old - self.frames - new)
                if moved != entry.text:
                    entry.set_text(moved)
        if begin is not None and self.frames:
            self._set_edge(effect, "in", new)
        if end and self.frames:
            if end - self.frames > new:
                self._set_edge(effect, "out", end - self.frames)
            else:
                # From 0 to 0 would mean always; the effect was over before the new media begins.
                _disable(effect)

    def _moved(self, text: str, length: int | None, begin: int, shift: int) -> str:
        keys = list(_keyframes(text, self.rate, length or 0))
        if not keys:
            return self._moved_shapes(text, begin, shift)
        if not shift:
            return text
        if length is None and any(key.written.startswith("-") for key in keys):
            # From the end of what, only the player knows.
            raise TooLateError(0)
        keys.sort(key=lambda key: key.at)
        return ";".join(f"{self._written(key)}{key.kind}={key.value}" for key in _cut(keys, shift, begin))

    def _moved_shapes(self, text: str, begin: int, shift: int) -> str:
        """Outlines as rotoscoping has them: JSON, frame -> points; they count from the media's first frame, always."""
        shift -= begin if shift else 0
        if not self.frames or not text.lstrip().startswith("{"):
            return text
        try:
            told: object = parse_json(text, "an effect")
        except InputError:
            return text
        table = cast("dict[str, object]", told) if isinstance(told, dict) else {}
        if not table or not all(map(is_whole, table)):
            return text
        width = max(map(len, table))
        placed = sorted((whole(at) - self.frames, shape) for at, shape in table.items())
        before = [pair for pair in placed if pair[0] < 0]
        kept = [pair for pair in placed if pair[0] >= 0]
        if before and (not kept or kept[0][0] > 0):
            (left, shape), *later = [before[-1], *kept[:1]]
            part = Fraction(-left, later[0][0] - left) if later else Fraction(0)
            mixed = _between(shape, later[0][1], part) if later else shape
            if mixed is None:
                raise TooLateError(left + self.frames)
            kept.insert(0, (0, mixed))
        return json.dumps({str(at).zfill(width): shape for at, shape in kept}, separators=(",", ":"))

    def _written(self, key: _Keyframe) -> str:
        return format_frames(key.at, self.rate, like=key.written.lstrip("-"))

    def _edge(self, effect: Element, name: str) -> int | None:
        """`in` or `out` in frames, an attribute or a property; None where there is none."""
        held = property_of(effect, name)
        text = effect.get(name) or (held.text if held is not None else "")
        try:
            return parse_frames(text, self.rate) if text.strip() else None
        except (ValueError, InputError):
            return None

    def _set_edge(self, effect: Element, name: str, frame: int) -> None:
        held = property_of(effect, name)
        if effect.get(name):
            effect.set(name, format_frames(frame, self.rate, like=effect.get(name)))
        elif held is not None:
            held.set_text(format_frames(frame, self.rate, like=held.text))


def _keyframes(text: str, rate: Fraction, length: int) -> Iterator[_Keyframe]:
    """The keyframes of an animated value; none where the value is no such thing."""
    if "=" not in text:
        return
    matches = [_PART.fullmatch(part) for part in _PARTS.findall(text.strip().rstrip(";"))]
    found: list[_Keyframe] = []
    for match in matches:
        try:
            if match is None:
                return
            written = match["at"]
            at = whole(written) if ":" not in written else parse_frames(written, rate)
        except (ValueError, InputError):
            return
        # A time below 0 counts from the end.
        found.append(
            _Keyframe(at=at + length if at < 0 else at, kind=match["kind"], value=match["value"], written=written)
        )
    yield from found


def _cut(keys: list[_Keyframe], shift: int, begin: int) -> list[_Keyframe]:
    """Keyframes moved by `shift`; those before 0 become one at 0, since a time below 0 means another thing."""
    moved = [_Keyframe(at=key.at + shift, kind=key.kind, value=key.value, written=key.written) for key in keys]
    before = [key for key in moved if key.at < 0]
    kept = [key for key in moved if key.at >= 0]
    if not before:
        return moved
    left = before[-1]
    needed = before[-2] if left.kind in _SMOOTH and len(before) > 1 else left
    if not kept:
        return [_Keyframe(at=0, kind=left.kind, value=left.value, written=left.written)]
    right = kept[0]
    if right.kind in _SMOOTH and len(kept) > 1:
        raise TooLateError(needed.at - shift + begin)
    if right.at == 0:
        return kept
    if left.kind in _HELD or left.value == right.value:
        value: str | None = left.value
    else:
        value = _mixed(left.value, right.value, Fraction(-left.at, right.at - left.at)) if not left.kind else None
    if value is None or (left.value == right.value and left.kind in _SMOOTH):
        raise TooLateError(needed.at - shift + begin)
    return [_Keyframe(at=0, kind=left.kind, value=value, written=left.written), *kept]


def _mixed(left: str, right: str, part: Fraction) -> str | None:
    """A value so far on the way between two; None where they are no numbers, or not as many."""
    if _NUMBER.split(left) != _NUMBER.split(right) or "#" in left or "0x" in left.lower():
        return None
    pairs = zip(_NUMBER.findall(left), _NUMBER.findall(right), strict=True)
    numbers = [f"{float(a) + (float(b) - float(a)) * float(part):.10g}" for a, b in pairs]
    words = iter(numbers)
    return _NUMBER.sub(lambda _: next(words), left) if numbers else None


def _between(left: object, right: object, part: Fraction) -> object:
    """Lists of numbers so far on the way between two; None where they are not alike."""
    if isinstance(left, list) and isinstance(right, list):
        one, other = cast("list[object]", left), cast("list[object]", right)
        if len(one) != len(other):
            return None
        mixed = [_between(a, b, part) for a, b in zip(one, other, strict=True)]
        return None if None in mixed else mixed
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + (right - left) * float(part)
    return None


def _disable(effect: Element) -> None:
    held = property_of(effect, "disable")
    if held is None:
        held = Element("property", {"name": "disable"})
        effect.append(held)
    held.set_text("1")
