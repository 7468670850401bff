"""A pipeline that makes what vedit's own makes and is none of its kind, as a plug-in's would be."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from vedit.pipelines.restyle_pipeline import PIPELINE as OWN
from vedit.pipelines.restyle_pipeline import RestyledWindows, RestylePipeline
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

    inverts, few_steps, enters_adapters = True, True, False
    draws, check = OWN.draws, OWN.check

    def prepare(self, model: Any, options: Any, inversions: Any = None) -> Any:
        """As the own one."""
        return Wrapped(OWN.prepare(model, options, inversions))


class BuiltUpon(RestyledWindows):
    """A prepared pipeline of a plug-in that is built upon vedit's own."""

    def stills(self, frames: Any, numbers: Any, *rest: Any, **more: Any) -> Latents:
        """As the own one."""
        STILLS.append(tuple(numbers))
        return super().stills(frames, numbers, *rest, **more)


class BuiltUponPipeline(RestylePipeline):
    """A `vedit.pipelines.pipeline.Pipeline` by subclassing."""

    def prepare(self, model: Any, options: Any, inversions: Any = None) -> BuiltUpon:
        """As the own one."""
        made = super().prepare(model, options, inversions)
        return BuiltUpon(**{one.name: getattr(made, one.name) for one in fields(made)})


STILLS: list[tuple[int, ...]] = []
"""The frames of which stills were asked for, by each call."""
PIPELINE = OtherPipeline()
BUILT_UPON = BuiltUponPipeline()
TARGET, TARGET_BUILT_UPON = f"{__name__}:PIPELINE", f"{__name__}:BUILT_UPON"
