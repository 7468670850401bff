"""What a metric measures, exactly, and what comes of it. Importing this module imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Better = Literal["lower", "higher", "neither"]


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A figure that a metric gives, and what it means."""

    name: str
    """Snake case, for instance "warp_error"; `--require` asks for it."""
    title: str
    """In plain words, for a table."""
    unit: str
    """Of the value, for instance "px" or "levels"; empty for a ratio."""
    better: Better
    ideal: float | None
    """The value of a source measured against itself; None where that depends on the source."""
    variant: str
    """The exact definition: what is averaged over what."""
    paper: str = ""
    """Where the definition comes from; empty for vedit's own."""
    places: int = 3
    """Digits behind the point that say something."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """The value of one figure for one result."""

    name: str
    """Of the `Definition`."""
    value: float | None
    """None where it could not be measured; never NaN."""
    why: str = ""
    """Why there is none, or what the value must not be taken for."""
    series: Mapping[int, float] = field(default_factory=dict[int, float])
    """The same over time: frame of the source -> value."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of a result beside what the source itself gets and what no tool gets below."""

    metric: str
    definition: Definition
    value: float | None
    why: str = ""
    own: float | None = None
    """The same of the source against itself."""
    floors: Mapping[str, float | None] = field(default_factory=dict[str, "float | None"])
    """The same of the source after a loss that nobody can avoid: "re-encoded" (H.264, CRF 23), "autoencoder" (through
    the model's, where the record names one)."""
    series: Mapping[int, float] = field(default_factory=dict[int, float])
    own_series: Mapping[int, float] = field(default_factory=dict[int, float])

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def over_own(self) -> float | None:
        """The value as a multiple of the source's own; None where either is missing or the source's is 0."""
        if self.value is None or not self.own:
            return None
        return self.value / self.own
