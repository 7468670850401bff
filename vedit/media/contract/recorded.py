"""How a result was made, as it tells itself: by its record, or where none was written by the tags in the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from vedit.checks.structured import parse_json
from vedit.errors import VeditError
from vedit.media.reading.isolate import check_file
from vedit.media.reading.probe import probe
from vedit.media.writing.label import MXF_COMMENT, RECIPE_KEY
from vedit.media.writing.sidecar import own_record, sidecar_path


def recorded_recipe(result: Path) -> Mapping[str, object] | None:
    """The recipe that a result was rendered by; None where none is known, or its record says that it has changed.

    A file that was changed keeps its tags in most programs: they count only where there is no record.

    Args:
        result: a video file. With a record it is read as a whole; without one it is opened in a process of its own.
    """
    record = sidecar_path(result)
    if record.exists() or record.is_symlink():
        told: object = (own_record(result) or {}).get("recipe")
    else:
        told = _tagged(result)
    return cast("dict[str, object]", told) if isinstance(told, dict) else None


def _tagged(result: Path) -> object:
    try:
        check_file(result, rate=None, allow_huge=True)
        tags = {key.lower().removeprefix(MXF_COMMENT): value for key, value in probe(result).metadata.items()}
        return parse_json(tags[RECIPE_KEY], result.name)
    except (VeditError, KeyError):
        return None
