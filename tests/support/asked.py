"""A render of a few small frames by a model of one's own: what settings of the model are tried on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vedit.options.request import RenderRequest, RestyleOptions

LOOK = RestyleOptions(prompt="night", steps=1, fixed_point=1, short_side=64, window=4, controls=())


def request_of(clip: Path, folder: Path, output: Path) -> RenderRequest:
    """What is asked for: the first four frames, without loss, the work kept."""
    made = RenderRequest(source=clip, options=LOOK, model=str(folder), output=output, frames="#0..#4", keep_work=True)
    return replace(made, writing=replace(made.writing, codec="ffv1"))
