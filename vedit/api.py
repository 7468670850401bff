"""The Python API in one call a job: a file and settings by name, or a `RenderRequest` made beforehand."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from vedit import render, stills
from vedit.media.choices import OutputOptions
from vedit.options import OnProgress, RenderPlan, RenderRequest, RenderResult, RestyleOptions, ignore_progress

_LOOK = {field.name for field in fields(RestyleOptions)}
_JOB = {field.name for field in fields(RenderRequest)} - {"source", "options", "writing"}
_WRITING = {field.name for field in fields(OutputOptions)}


def request(source: Path | str, *, prompt: str, output: Path | str | None = None, **settings: Any) -> RenderRequest:
    """A render as settings by name.

    Args:
        source: the clip.
        prompt: the look to give.
        output: the file to write; None is NAME.vedit.EXT beside the source.
        settings: any field of `RestyleOptions` (strength, guidance, quality, seed ...), of `RenderRequest` (model,
            frames, device ...) or of `OutputOptions` (codec, preset, overwrite ...).

    Raises:
        TypeError: no such setting.
    """
    known = _LOOK | _JOB | _WRITING
    unknown = [name for name in settings if name not in known]
    if unknown:
        near = get_close_matches(unknown[0], sorted(known), n=1)
        raise TypeError(f"no setting {unknown[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    look = {name: value for name, value in settings.items() if name in _LOOK}
    job = {name: value for name, value in settings.items() if name in _JOB}
    writing = {name: value for name, value in settings.items() if name in _WRITING}
    return RenderRequest(
        source=Path(source),
        options=RestyleOptions(prompt=prompt, **look),
        output=None if output is None else Path(output),
        writing=OutputOptions(**writing),
        **job,
    )


def restyle(
    source: RenderRequest | Path | str,
    *,
    on_progress: OnProgress = ignore_progress,
    side_by_side: Path | None = None,
    **settings: Any,
) -> RenderResult:
    """Render a clip under a prompt: `restyle("in.mp4", prompt="night", seed=3)`, or a request; see `render.restyle`."""
    return render.restyle(_request(source, settings), on_progress=on_progress, side_by_side=side_by_side)


def plan(source: RenderRequest | Path | str, **settings: Any) -> RenderPlan:
    """What `restyle` would do with the same arguments; nothing is written."""
    return render.plan(_request(source, settings))


def preview(source: RenderRequest | Path | str, *, on_progress: OnProgress = ignore_progress, **settings: Any) -> Path:
    """First, middle and last frame of each shot, before and after, as one PNG; see `vedit.stills`."""
    return stills.preview(_request(source, settings), on_progress=on_progress)


def _request(source: RenderRequest | Path | str, settings: dict[str, Any]) -> RenderRequest:
    if isinstance(source, RenderRequest):
        if settings:
            raise TypeError(f"a request has its settings already; {', '.join(settings)} came beside it")
        return source
    return request(source, **settings)
