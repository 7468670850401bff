"""A pipeline that makes what vedit's own makes and is none of its kind, as a plug-in's would be."""

from __future__ import annotations

from typing import Any

from vedit.pipelines.restyle_pipeline import PIPELINE as OWN
from vedit.types import Latents


class Wrapped:
    """A prepared pipeline that hides what it is."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def window(self, *args: Any, **more: Any) -> Latents:
        """As the own one."""
        return self.inner.window(*args, **more)

    def stills(self, frames: Any, numbers: Any, *rest: Any, **more: Any) -> Latents:
        """As the own one."""
        STILLS.append(tuple(numbers))
        return self.inner.stills(frames, numbers, *rest, **more)


class OtherPipeline:
    """A `vedit.pipelines.pipeline.Pipeline`."""

    inverts, few_steps = True, True
    draws, check = OWN.draws, OWN.check

    def prepare(self, model: Any, options: Any, inversions: Any = None) -> Any:
        """As the own one."""
        return Wrapped(OWN.prepare(model, options, inversions))


STILLS: list[tuple[int, ...]] = []
"""The frames of which stills were asked for, by each call."""
PIPELINE = OtherPipeline()
TARGET = f"{__name__}:PIPELINE"
