"""The bars that a result is held to, and how far it is from each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

Figures = Mapping[str, float | None]
"""Figure's name -> value."""

FLAT_SLACK = 0.05
"""How far behind the source's own texture that of a result may be in flat parts."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One result beside all that it is judged by."""

    clip: str
    look: str
    fast: bool
    """The shot is."""
    result: Figures
    source: Figures
    raw: Figures
    """vedit's own before it is steadied."""
    full: Figures
    """vedit's own with every frame sampled."""
    peer: Figures
    """The steadied peer's."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One figure and its limit."""

    name: str
    tells: str
    """Title, for a row of a table."""
    better: Literal["lower", "higher"]
    limit: float
    of: Callable[[Sample], float | None]
    """None where it cannot be told of a sample."""
    fast_limit: float | None = None
    """Of fast shots, where it is another."""

    def limit_of(self, *, fast: bool) -> float:
        """What a shot is held to."""
        return self.limit if not fast or self.fast_limit is None else self.fast_limit

    def met(self, value: float, *, fast: bool) -> bool:
        """Whether a value holds to the limit."""
        limit = self.limit_of(fast=fast)
        return value <= limit if self.better == "lower" else value >= limit


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A bar over all samples of one clip."""

    mean: float
    met: bool
    """By the mean."""
    looks_met: int
    looks: int
    """Of which it can be told."""


def excess(result: float | None, source: float | None, peer: float | None) -> float | None:
    """How far a result is beyond the source, of how far the peer is; 0 where it is not beyond at all.

    Infinite where the peer is not beyond and the result is; None where one of them is not known.
    """
    if result is None or source is None or peer is None:
        return None
    own, theirs = result - source, peer - source
    if own <= 0:
        return 0.0
    return own / theirs if theirs > 0 else math.inf


def ratio(value: float | None, of: float | None) -> float | None:
    """None where either is not known, or the second is 0."""
    return None if value is None or not of else value / of


def _excess_at_equal_contrast(sample: Sample) -> float | None:
    """The same beside contrast: an error is a square, so a paler result has less by its paleness alone."""
    found = excess(*(of.get("warp_error") for of in (sample.result, sample.source, sample.peer)))
    paler = ratio(sample.peer.get("contrast_levels"), sample.result.get("contrast_levels"))
    return None if found is None or paler is None else found * paler**2


def _flat_behind(sample: Sample) -> float | None:
    own, source = sample.result.get("dis anchoring_flat"), sample.source.get("dis anchoring_flat")
    return None if own is None or source is None else own - source


BARS = (
    Bar(
        name="warp",
        tells="warp error beyond the source's, of the steadied peer's",
        better="lower",
        limit=0.7,
        of=lambda one: excess(*(of.get("warp_error") for of in (one.result, one.source, one.peer))),
    ),
    Bar(
        name="warp-equal",
        tells="the same, were the contrast of both the same",
        better="lower",
        limit=0.7,
        of=_excess_at_equal_contrast,
    ),
    Bar(
        name="flicker",
        tells="flicker of detail, of the source's",
        better="lower",
        limit=1.1,
        of=lambda one: ratio(one.result.get("flicker_detail"), one.source.get("flicker_detail")),
    ),
    Bar(
        name="scene",
        tells="what is drawn, with itself 8 frames earlier along the scene",
        better="higher",
        limit=0.7,
        fast_limit=0.5,
        of=lambda one: one.result.get("anchoring"),
    ),
    Bar(
        name="flat-screen",
        tells="in flat parts that move, with itself 8 frames earlier in place",
        better="lower",
        limit=0.2,
        of=lambda one: one.result.get("dis anchoring_flat_screen"),
    ),
    Bar(
        name="flat-scene",
        tells="in flat parts that move, along the scene, beyond the source's own",
        better="higher",
        limit=-FLAT_SLACK,
        of=_flat_behind,
    ),
    Bar(
        name="contrast",
        tells="contrast of fine detail, of raw's",
        better="higher",
        limit=0.95,
        of=lambda one: ratio(one.result.get("contrast_levels"), one.raw.get("contrast_levels")),
    ),
    Bar(
        name="grit",
        tells="detail stronger than source and raw have on that piece of scene in any frame, % of pixels",
        better="lower",
        limit=0.0,
        of=lambda one: one.result.get("grit"),
    ),
    Bar(
        name="grit-now",
        tells="detail stronger than source and raw have there in the same frame, % of pixels",
        better="lower",
        limit=0.0,
        of=lambda one: one.result.get("grit_now"),
    ),
    Bar(
        name="look",
        tells="distance to the look, of that with every frame sampled",
        better="lower",
        limit=1.1,
        of=lambda one: ratio(one.result.get("look_distance"), one.full.get("look_distance")),
    ),
)


def verdict(bar: Bar, samples: Sequence[Sample]) -> Verdict | None:
    """A bar over samples of one clip; None where it can be told of none of them."""
    known = [(value, sample.fast) for sample in samples if (value := bar.of(sample)) is not None]
    if not known:
        return None
    mean, fast = fmean(value for value, _ in known), known[0][1]
    met = [bar.met(value, fast=own) for value, own in known]
    return Verdict(mean=mean, met=bar.met(mean, fast=fast), looks_met=sum(met), looks=len(met))
