"""Properties of MLT's producers: named values, some of them JSON."""

from __future__ import annotations

import json

from vedit.nle.xml_tree import Element


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
        entries = json.loads(text) if text else []
    except ValueError:
        return []
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def moved_markers(text: str, frames: int, length: int) -> str:
    """Markers count from the media's first frame; those outside the new media go."""
    kept = [
        {**entry, "pos": int(str(entry["pos"])) - frames}
        for entry in marker_entries(text)
        if str(entry.get("pos", "")).isdecimal() and 0 <= int(str(entry["pos"])) - frames < length
    ]
    return json.dumps(kept) if text else ""
