"""Files that tell what they were made by, so that a set of them is completed rather than made anew or refused.

A key stands among the tags of each: the hash of everything that decides what is in it. A file that carries it got its
name whole and checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from vedit.media.writing.atomic import Stamp, stamp
from vedit.media.writing.label import own_tags
from vedit.media.writing.sidecar import versions

_LOOKED_AT = 2**20
"""Bytes at either end of a file, where every format that is written has its tags."""


def key_of_making(source_sha256: str, facts: Mapping[str, object]) -> str:
    """The key of what is made of a clip.

    Args:
        source_sha256: of the clip, see `vedit.media.writing.sidecar.source_hash`.
        facts: what else decides the content, as JSON has it or has a text for it.
    """
    told = {"source": source_sha256, "vedit": dict(versions()).get("vedit"), **facts}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def recipe_of(kind: str, key: str) -> dict[str, object]:
    """What is written into each file."""
    return {"pipeline": kind, "made": key}


def tags_of(kind: str, key: str) -> dict[str, str]:
    """The same as plain tags."""
    return own_tags(recipe_of(kind, key), label=False)


def carriers(files: Iterable[Path], key: str) -> tuple[Stamp, ...]:
    """Those of the files that carry a key, as they stand now."""
    found = [(stamp(path), path) for path in files]
    return tuple(
        seen
        for seen, path in found
        if seen is not None and path.is_file() and not path.is_symlink() and _carries(path, key.encode())
    )


def _carries(path: Path, key: bytes) -> bool:
    try:
        with path.open("rb") as file:
            if key in file.read(_LOOKED_AT):
                return True
            file.seek(max(0, path.stat().st_size - _LOOKED_AT))
            return key in file.read(_LOOKED_AT)
    except OSError:
        return False
