"""The kinds of control maps there are, and what each needs that this machine has or lacks. Does not import torch."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

from vedit.registry.entry import Entry
from vedit.registry.preprocessors import listed
from vedit.weights.store import WeightsInfo, find, info


@dataclass(frozen=True, kw_only=True)
class NeededWeights:
    """Weights that a kind loads."""

    name: str
    size_bytes: int
    licence: str
    commercial: bool
    present: bool


@dataclass(frozen=True, kw_only=True)
class KindInfo:
    """A kind of control map."""

    name: str
    summary: str
    branch: str
    """The control branch of a model that it is for."""
    origin: str
    """The distribution that brings it."""
    weights: tuple[NeededWeights, ...]
    extra: str | None
    extra_present: bool
    """True where it needs none."""

    @property
    def ready(self) -> bool:
        """Everything that it needs is on this machine."""
        return self.extra_present and all(weights.present for weights in self.weights)

    @property
    def commands(self) -> tuple[str, ...]:
        """What to run for what is missing."""
        extra = () if self.extra_present else (f"pip install 'vedit[{self.extra}]'",)
        return (*extra, *(f"vedit models pull {needed.name}" for needed in self.weights if not needed.present))


def control_kinds() -> tuple[KindInfo, ...]:
    """Every kind that is registered, plugins included."""
    return tuple(map(describe_kind, listed()))


def describe_kind(entry: Entry) -> KindInfo:
    """What a kind is and needs."""
    return KindInfo(
        name=entry.name,
        summary=entry.summary,
        branch=entry.branch or entry.name,
        origin=entry.origin,
        weights=tuple(_needed(info(name)) for name in entry.needs.weights),
        extra=entry.needs.extra,
        extra_present=entry.needs.extra is None or extra_present(entry.needs.extra, distribution=entry.origin),
    )


def extra_present(extra: str, *, distribution: str = "vedit") -> bool:
    """Whether the packages of a distribution's extra are installed, by what its metadata lists."""
    try:
        listed = requires(distribution) or []
    except PackageNotFoundError:
        listed = []
    marker = re.compile(rf"""extra\s*==\s*['"]{re.escape(extra)}['"]""")
    named = (re.match(r"[\w.-]+", text) for text in listed if marker.search(text))
    names = [found[0] for found in named if found is not None]
    if not names:  # a source tree without metadata
        return find_spec(extra.replace("-", "_")) is not None
    return all(_installed(name) for name in names)


def _needed(entry: WeightsInfo) -> NeededWeights:
    return NeededWeights(
        name=entry.name,
        size_bytes=entry.size_bytes,
        licence=entry.licence,
        commercial=entry.commercial,
        present=find(entry.name) is not None,
    )


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
