"""The rules of Apple's published FCPXML document type for what story and resource elements hold, in which order.

Written as regular expressions over the names of an element's children. Elements that are not listed are not checked.
Source: Apple, "FCPXML Document Type Definition", 1.10; older versions have an asset's own `src` for `media-rep`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

_ANCHOR = "(audio|video|clip|title|caption|mc-clip|ref-clip|sync-clip|asset-clip|audition|spine|live-drawing)"
_ITEM = "(audio|video|clip|title|mc-clip|ref-clip|sync-clip|asset-clip|audition|gap|live-drawing)"
_MARKER = "(marker|chapter-marker|rating|keyword|analysis-marker|hidden-clip-marker)"
_FILTER = "(filter-video|filter-video-mask)"
_TIMING = "(conform-rate )?(timeMap )?"
_ADJUST = r"((object-tracker|adjust-[A-Za-z0-9-]+) )*"
_TAIL = rf"(audio-channel-source )*(audio-role-source )*({_FILTER} )*(filter-audio )*(metadata )?"
_EVENT = f"({_ANCHOR}|collection-folder|keyword-collection|smart-collection|project)"

CONTENT = {
    "fcpxml": rf"(import-options )?(resources )?((library )?(event )*({_EVENT} )*)",
    "resources": "((asset|effect|format|media|locator|object-tracker) )*",
    "asset": "(media-rep )+(metadata )?|(bookmark )?(metadata )?",
    "media-rep": "(bookmark )?",
    "format": "",
    "effect": "",
    "media": "((multicam|sequence) )?",
    "project": "sequence ",
    "sequence": "(note )?spine (metadata )?",
    "spine": f"(({_ITEM}|transition) )*",
    "asset-clip": f"(note )?{_TIMING}{_ADJUST}({_ANCHOR} )*({_MARKER} )*{_TAIL}",
    "ref-clip": f"(note )?{_TIMING}{_ADJUST}({_ANCHOR} )*({_MARKER} )*{_TAIL}",
    "clip": f"(note )?{_TIMING}{_ADJUST}((spine|{_ITEM}|caption) )*({_MARKER} )*{_TAIL}",
    "sync-clip": f"(note )?{_TIMING}{_ADJUST}((spine|{_ITEM}|caption) )*({_MARKER} )*(sync-source )*({_FILTER} )*"
    "(filter-audio )*(metadata )?",
    "mc-clip": f"(note )?{_TIMING}{_ADJUST}(mc-source )*({_ANCHOR} )*({_MARKER} )*(filter-audio )*(metadata )?",
    "multicam": "(mc-angle )*(metadata )?",
    "mc-angle": f"(({_ITEM}|transition) )*",
    "video": f"(param )*(note )?{_TIMING}{_ADJUST}({_ANCHOR} )*({_MARKER} )*({_FILTER} )*(reserved )?",
    "gap": f"(note )?({_ANCHOR} )*({_MARKER} )*(metadata )?",
    "transition": f"(filter-video )?(filter-audio )?({_MARKER} )*(metadata )?(reserved )?",
    "conform-rate": "",
    "timeMap": "(timept )*",
    "metadata": "(md )*",
    "md": "(array )?",
    "marker": "",
}

_CLIP = ("lane", "offset", "name", "start", "duration", "enabled")
_SOUND = ("audioStart", "audioDuration")
ATTRIBUTES = {
    "asset": (
        *("id", "name", "uid", "src", "start", "duration", "hasVideo", "format", "hasAudio", "videoSources"),
        *("audioSources", "audioChannels", "audioRate", "customLUTOverride", "colorSpaceOverride"),
        *("projectionOverride", "stereoscopicOverride", "auxVideoFlags"),
    ),
    "media-rep": ("kind", "sig", "src", "suggestedFilename"),
    "format": (
        *("id", "name", "frameDuration", "fieldOrder", "width", "height", "paspH", "paspV", "colorSpace"),
        *("projection", "stereoscopic", "heroEye"),
    ),
    "asset-clip": (
        *("ref", "srcEnable", "format", "tcStart", "tcFormat", "modDate", "audioRole", "videoRole"),
        *(*_CLIP, *_SOUND),
    ),
    "video": ("ref", "srcID", "role", *_CLIP),
    "md": ("key", "value", "editable", "type", "displayName", "description", "source"),
}
REQUIRED = {
    "asset": ("id",),
    "media-rep": ("src",),
    "format": ("id",),
    "asset-clip": ("ref",),
    "video": ("ref", "duration"),
}
TIMES = ("start", "duration", "offset", "tcStart", "frameDuration", "audioStart", "audioDuration")
_TIME = re.compile(r"-?\d+(/[1-9]\d*)?s")


def violations(data: bytes) -> Iterator[str]:
    """Every breach of the rules, told."""
    root = ET.fromstring(data)
    known = {element.get("id") for element in root.iter() if element.get("id")}
    for element in root.iter():
        name = element.tag
        children = "".join(f"{child.tag} " for child in element)
        if name in CONTENT and re.fullmatch(CONTENT[name], children) is None:
            yield f"<{name}> holds {children}"
        for attribute, value in element.attrib.items():
            if name in ATTRIBUTES and attribute not in ATTRIBUTES[name]:
                yield f"<{name}> has {attribute}"
            if attribute in TIMES and name != "md" and _TIME.fullmatch(value) is None:
                yield f"<{name} {attribute}={value!r}> is no time"
            if attribute in ("ref", "format") and name not in ("text-style",) and value not in known:
                yield f"<{name} {attribute}={value!r}> names nothing"
        yield from (f"<{name}> lacks {needed}" for needed in REQUIRED.get(name, ()) if needed not in element.attrib)
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    yield from (f"id {twice!r} is used twice" for twice in sorted({i for i in ids if i and ids.count(i) > 1}))
