"""A render that was killed behind its last step: the same call ends what was left, and gives its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from vedit.errors import VeditError
from vedit.media.writing.commit import Journal
from vedit.media.writing.containers import default_output
from vedit.media.writing.sidecar import source_hash, versions
from vedit.models.ref import ModelRef
from vedit.options.request import RenderRequest
from vedit.render.conditioning import plain
from vedit.render.killed import finish_killed
from vedit.render.outcome import RenderResult
from vedit.render.parts import options_facts
from vedit.render.provenance import weights_of
from vedit.render.settle import settle
from vedit.types import FrameRange


def ended_before(request: RenderRequest, model: ModelRef, *, side_by_side: Path | None = None) -> RenderResult | None:
    """The result of the same call, where it was killed while its files got their names or while it cleaned up.

    Whatever call it was: what it had ready gets its name, and what only it needed is removed. None where nothing was
    left, or by another call, or by the render of a plan, which goes on from the shots that it has kept.

    Args:
        request: what to render.
        model: that it asks for.
        side_by_side: the comparison that is asked for.
    """
    told = finish_killed(request.output or default_output(request.source))
    if told is None or request.looks is not None:
        return None
    try:
        if told["request"] != _key(settle(request, model), model, side_by_side, source_hash(request.source)[0]):
            return None
        values: dict[str, Any] = dict(told["result"])
        values["notes"] = tuple(values["notes"])
        return RenderResult(**values)
    except (LookupError, TypeError, ValueError, OSError, VeditError):
        return None  # a journal that somebody wrote, or a source that is gone: the render says what is wrong


def journal_of(
    request: RenderRequest,
    model: ModelRef,
    result: RenderResult,
    *,
    folder: Path,
    side_by_side: Path | None,
    source_sha256: str,
    keep: Collection[str],
    rendered: FrameRange | None,
) -> Journal:
    """The journal of a render whose files are about to get their names.

    Args:
        request: what was rendered.
        model: by which.
        result: what the call will return.
        folder: of the work.
        side_by_side: the comparison, which has its name already.
        source_sha256: of the source.
        keep: units that stay.
        rendered: the part of the clip; units outside it stay too. None is the whole clip.
    """
    return Journal(
        folder=folder,
        told={
            "request": _key(request, model, side_by_side, source_sha256),
            "result": asdict(result),
            "keep": sorted(keep),
            "rendered": None if rendered is None else [rendered.start, rendered.stop],
        },
    )


def _key(request: RenderRequest, model: ModelRef, side_by_side: Path | None, source_sha256: str) -> str:
    """What tells the same call from another: everything that decides its result, files by what is in them."""
    asked = replace(
        request,
        source=Path(),
        output=None,
        looks=None,
        fresh=False,
        writing=replace(request.writing, overwrite=False, replaces=()),
    )
    facts = {
        "request": {**plain(asked), "options": options_facts(replace(asked.options, batch=1), plain)},
        "files": options_facts(request.options) if request.options.files else None,
        "source": source_sha256,
        "weights": weights_of(request.all_looks, model),
        "beside": None if side_by_side is None else str(side_by_side.absolute()),
        "vedit": dict(versions()).get("vedit"),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
