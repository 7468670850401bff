"""Properties of MLT's producers: named values, some of them JSON."""

from __future__ import annotations

import json
from typing import cast

from vedit.checks.rationals import whole
from vedit.checks.structured import parse_json
from vedit.errors import InputError
from vedit.nle.formats.xml_tree import Element


def property_of(element: Element, name: str) -> Element | None:
    """The property of that name, if there is one."""
    return next((entry for entry in element.elements("property") if entry.get("name") == name), None)


def value_of(element: Element, name: str) -> str:
    """A property's value; empty where there is none."""
    found = property_of(element, name)
    return found.text.strip() if found is not None else ""


def media_address(producer: Element) -> str:
    """The media, not the proxy that stands for it."""
    plain = value_of(producer, "kdenlive:originalurl") or value_of(producer, "warp_resource")
    if plain:
        return plain
    resource = value_of(producer, "resource")
    return resource.partition(":")[2] if value_of(producer, "mlt_service") == "timewarp" else resource


def all_hidden(tractor: Element, what: str) -> bool:
    """Whether all tracks hide their "audio" or "video"."""
    tracks = list(tractor.elements("track"))
    return bool(tracks) and all(track.get("hide") in (what, "both") for track in tracks)


def marker_entries(text: str) -> list[dict[str, object]]:
    """Kdenlive's markers, kept as JSON; none where it is none."""
    try:
        entries: object = parse_json(text, "markers") if text else []
    except InputError:
        return []
    listed = cast("list[object]", entries) if isinstance(entries, list) else []
    return [cast("dict[str, object]", entry) for entry in listed if isinstance(entry, dict)]


def marker_frame(entry: dict[str, object]) -> int | None:
    """The frame of the media that a marker is on; None where it says none."""
    try:
        return whole(entry.get("pos"))
    except ValueError:
        return None


def moved_markers(text: str, frames: int, length: int) -> str:
    """Markers count from the media's first frame; those outside the new media go."""
    placed = [(entry, marker_frame(entry)) for entry in marker_entries(text)]
    kept = [{**entry, "pos": at - frames} for entry, at in placed if at is not None and 0 <= at - frames < length]
    return json.dumps(kept) if text else ""
