"""What the tracks of an AAF composition hold: layers, effects over a clip, constant retimes, and markers.

Avid writes a sequence of several tracks as one slot with a nested scope: a sequence for each track, the lowest first,
in which references to the scope stand where the tracks below are seen. See AMWA's "AAF Object Specification".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from vedit.checks.rationals import rational
from vedit.nle.model import Marker

MAX_DEPTH = 16
_MOTION = ("motion", "speed", "timewarp", "freeze")
_UNSEEN = ("Filler", "ScopeReference")
_MAPS = ("PARAM_SPEED_OFFSET_MAP_U", "PARAM_OFFSET_MAP_U", "PARAM_SPEED_MAP_U")
"""Curves of a retime: media frames over frames of the cut, twice, and speed over frames of the cut."""


@dataclass(frozen=True, kw_only=True)
class Retime:
    """A clip that is played at one speed."""

    speed: Fraction
    begin: Fraction = Fraction(0)
    """Frames of media from the source clip's start to what the first frame shows."""
    length: int = 0
    """Frames of media that the source clip is said to be long."""

    def used(self, frames: int) -> tuple[Fraction, Fraction]:
        """The frames of media that so many frames of the cut show: the first, from the source clip's start, and all.

        Systems differ in whether a source clip is as long as its media or as what is shown of it; both are inside.
        """
        first = min(self.begin, Fraction(0))
        return first, max(self.begin + math.ceil(frames * self.speed), Fraction(self.length), Fraction(frames)) - first


def parts_of(segment: Any, layer: int = 0, position: int = 0, depth: int = 0) -> Iterator[tuple[Any, int, int]]:
    """All that is seen on a track: each part, the layer that it is on, from 0, and the frame that it begins at."""
    kind = type(segment).__name__
    if depth > MAX_DEPTH or kind in _UNSEEN:
        return
    if kind == "NestedScope":
        for above, track in enumerate(segment.slots):
            yield from parts_of(track, layer + above, position, depth + 1)
    elif kind == "Sequence":
        for part in segment.components:
            length = int(part.length or 0)
            if type(part).__name__ == "Transition":
                # It lies over the end of what is before it and the start of what comes.
                position -= length
                continue
            yield from parts_of(part, layer, position, depth + 1)
            position += length
    else:
        yield segment, layer, position


def source_of(part: Any) -> tuple[Any, str, Retime | None]:
    """The source clip inside a segment, why it cannot be edited, and how it is retimed; None where there is none."""
    retime: Retime | None = None
    for _ in range(MAX_DEPTH):
        kind = type(part).__name__
        if kind == "SourceClip":
            return part, "", retime
        if kind == "Selector":
            return source_of(part["Selected"].value)[0], "a group clip: commit it to restyle its picture", None
        if kind == "OperationGroup":
            inputs = [inner for inner in part.segments if type(inner).__name__ not in _UNSEEN]
            operation = part.operation.name or ""
            if len(inputs) != 1:
                return None, f"an effect over {len(inputs)} pictures ({operation})", None
            if any(word in operation.lower() for word in _MOTION):
                found = None if retime is not None else _retime(part, inputs[0])
                if found is None or found.speed <= 0:
                    how = "its speed varies" if found is None else "it runs backwards or is frozen"
                    return source_of(inputs[0])[0], f"{how} ({operation}): bake the retime first", None
                retime = found
            part = inputs[0]
        elif kind == "Sequence" and len(list(part.components)) == 1:
            part = next(iter(part.components))
        else:
            return None, f"a {kind} has no media", None
    return None, "it is nested too deeply", None


def _retime(group: Any, inner: Any) -> Retime | None:
    """The retime of an effect; None where its speed varies or is not told.

    With two points a curve is a line, whatever kind it says it is; Avid's ratio is often wrong beside one. The ratio
    alone is frames of the cut over frames of media.
    """
    parameters = {parameter.name: parameter for parameter in group.parameters or ()}
    length = int(inner.length or 0)
    curves = [parameters[name] for name in _MAPS[:2] if name in parameters]
    for curve in curves:
        points = [(rational(point.time), rational(point.value)) for point in curve["PointList"].value]
        if len(points) != 2 or points[0][0] == points[1][0]:
            return None
        (t0, v0), (t1, v1) = points
        speed = (v1 - v0) / (t1 - t0)
        return Retime(speed=speed, begin=v0 - t0 * speed, length=length)
    ratio = parameters.get("SpeedRatio")
    if ratio is None or _MAPS[2] in parameters:
        return None
    told = rational(str(ratio.value))
    if told == 0 or told == int(group.length or 0) > 1:  # a frozen frame is as slow as it is long
        return Retime(speed=Fraction(0))
    return Retime(speed=1 / told, length=length)


def markers_of(mob: Any) -> Iterator[tuple[tuple[int, int | None, int], Marker]]:
    """A composition's markers, each with the slot, the layer (None: any) and the frame that it is on."""
    described: list[tuple[int, int, int, Marker]] = []
    for slot in mob.slots:
        if type(slot).__name__ != "EventMobSlot":
            continue
        rate = Fraction(slot["EditRate"].value)
        number = slot.get("PhysicalTrackNumber")
        for event in getattr(slot.segment, "components", []):
            if event.get("Position") is None:
                continue
            at = int(event["Position"].value)
            comment = str(event["Comment"].value) if event.get("Comment") is not None else ""
            tracks = list(event["DescribedSlots"].value) if event.get("DescribedSlots") is not None else []
            layer = int(number.value) if number is not None else 1
            described.extend((int(track), layer, at, Marker(name=comment, start=at / rate)) for track in tracks)
    for track, layer, at, marker in described:
        several = len({other for on, other, _, _ in described if on == track}) > 1
        yield (track, layer - 1 if several else None, at), marker


def move_markers(slot: Any, offset: Fraction, duration: Fraction) -> None:
    """Markers of a master clip count from its first frame; those outside the new media go."""
    rate = Fraction(slot["EditRate"].value)
    events = slot.segment.components
    for index in range(len(events) - 1, -1, -1):
        position = events[index].get("Position")
        if position is None:
            continue
        moved = int(position.value) - round(offset * rate)
        if 0 <= moved < duration * rate:
            position.value = moved
        else:
            events.pop(index)
