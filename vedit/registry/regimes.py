"""The few-step regimes that vedit knows, as data: how each is sampled, and by what names its files are told.

Importing this reads one small file and nothing else.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

SolverName = Literal["euler", "ddim", "lcm", "tcd"]
Spacing = Literal["trailing", "consistency"]
ORDINARY = "none"
"""The name by which a look asks for no regime."""
_TABLE = Path(__file__).with_name("regimes.toml")


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How few-step weights are sampled, whichever model or LoRA holds them."""

    name: str
    """By which a look can ask for it."""
    title: str
    """What such weights are, in words, with an article or a proper name."""
    solver: SolverName
    """How a step is taken: Euler or DDIM to the next level, or LCM or TCD to the picture and back under new noise."""
    spacing: Spacing
    """Where the steps lie: `trailing` divides all timesteps evenly from the noisiest on (Lin et al. 2024, table 2);
    `consistency` takes of the timesteps of the distillation those that lie evenly (Luo et al. 2023)."""
    steps: tuple[int, ...]
    """The numbers of steps that the weights were made for."""
    presets: Mapping[str, int]
    """The steps of each quality."""
    guidance: float
    """The scale where a look says none."""
    guidances: tuple[float, float]
    """The least and the largest that they stand."""
    strength: float = 0.5
    """The part that is regenerated where a look begins at the noised source and says none."""
    reads_guidance: bool = False
    """The network takes the scale as an input: guidance costs no second evaluation and there is no negative prompt."""
    strength_is_level: bool = False
    """A strength is the level at which all steps begin, not the part of the steps that is taken."""
    eta: float = 0.0
    """Of TCD: how much of the noise is drawn anew between two steps, [0, 1]."""
    short_side: int | None = None
    """Pixels of the shorter side that such models were made for, at most; None is the family's own."""
    why: str = ""
    """How it was told, in words."""

    @property
    def inverts(self) -> bool:
        """Whether its steps can be walked back: those that draw noise on their way cannot."""
        return self.solver in ("euler", "ddim")

    @property
    def unguided(self) -> bool:
        """Whether it stands no guidance but its own."""
        return self.guidances[1] == 1

    def taken(self, steps: int, strength: float) -> int:
        """How many of so many steps a strength in [0, 1] regenerates."""
        if self.strength_is_level:
            return steps if strength > 0 else 0
        return min(int(steps * strength), steps)


@dataclass(frozen=True, kw_only=True)
class _Named:
    pattern: re.Pattern[str]
    regime: Regime


def regimes() -> Mapping[str, Regime]:
    """All of them by name, in the order in which names are tried."""
    return {one.name: one for one in _regimes()}


def regime_names() -> tuple[str, ...]:
    """Their names."""
    return tuple(regimes())


def regime_of_name(text: str) -> tuple[Regime, int | None] | None:
    """The regime that a file, folder or repository of this name is of, and the steps that the name says; None where it
    tells of none."""
    plain = re.sub(r"[-_\s.]+", " ", text)
    for one in _named():
        found = one.pattern.search(plain)
        if found is not None:
            steps = found.groupdict().get("steps")
            return one.regime, None if steps is None else int(steps)
    return None


def regime_hinted(text: str) -> str | None:
    """The name of a regime that stands as a word in what a checkpoint is called, though that tells none for certain:
    one called "lightning" may be distilled, or draw lightnings."""
    found = re.search(r"(?<![a-z])(lcm|tcd|hyper|lightning|turbo|dmd2)(?![a-z])", text, re.IGNORECASE)
    return None if found is None else found[1].lower()


@cache
def _regimes() -> tuple[Regime, ...]:
    return tuple(_regime(entry) for entry in _entries())


@cache
def _named() -> tuple[_Named, ...]:
    known = regimes()
    return tuple(
        _Named(pattern=re.compile(pattern, re.IGNORECASE), regime=known[entry["name"]])
        for entry in _entries()
        for pattern in entry["names"]
    )


@cache
def _entries() -> tuple[dict[str, Any], ...]:
    return tuple(tomllib.loads(_TABLE.read_text("utf-8"))["regime"])


def _regime(entry: Mapping[str, Any]) -> Regime:
    said: dict[str, Any] = {key: value for key, value in entry.items() if key != "names"}
    said |= {key: tuple(said[key]) for key in ("steps", "guidances")}
    return Regime(**said)
