"""One item rendered by vedit, and what is kept of it so that a later run goes on where this one stopped."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import vedit
from published.item import Film, Item, Layout
from published.placing import whole, write_json
from vedit.errors import InputError
from vedit.options.masks import KeyedFile, MaskSpec
from vedit.options.request import QualityName, RestyleOptions

OWN = "vedit"
"""The folder in OUT for all that is ours: no scorer looks into it."""
RATE = Fraction(25)
"""Frames a second of pictures, which have none: no figure of the scorers depends on it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How all items are rendered; results of other settings do not go into one folder."""

    model: str = "embedded"
    quality: QualityName = "standard"
    seed: int = 0
    strength: float = 1.0
    short_side: int | None = None
    masked: bool = False
    """Only the benchmark's mask is changed."""
    device: str = "auto"


@dataclass(frozen=True, kw_only=True)
class Done:
    """What is kept of an item that is rendered."""

    prompt: str
    frames: int
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of the scorer's, those that could be measured."""
    own: Mapping[str, object] = field(default_factory=dict[str, object])
    """vedit's figures by name, each with the source's own value."""


def check_settings(out: Path, layout: Layout, settings: Settings) -> None:
    """Note the settings in the folder of the results.

    Raises:
        InputError: it holds results of others, or something that is no results at all.
    """
    path = out / OWN / "settings.json"
    # The device changes no more than last bits: a run may go on elsewhere.
    told: dict[str, Any] = {"layout": layout.title, **asdict(settings)}
    del told["device"]
    if path.is_file():
        found = _read(path)
        differs = [f"{key} {found.get(key)!r}" for key in told if found.get(key) != told[key]]
        if differs:
            raise InputError(
                f"{out} holds results of other settings: {', '.join(differs)}",
                remedy="render into another folder, or with those settings",
            )
        return
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} is not empty and holds no results of this program", remedy="name another folder")
    write_json(path, told)


def kept(item: Item, out: Path) -> Done | None:
    """The record of an item whose result is there and whole; None: it is to be rendered."""
    path = _record(item, out)
    if not path.is_file():
        return None
    try:
        done = Done(**_read(path))
    except TypeError:
        return None  # of another version of this program
    return done if done.prompt == item.prompt and whole(item, out, done.frames) else None


def keep(item: Item, out: Path, done: Done) -> None:
    """Write the record of an item."""
    write_json(_record(item, out), asdict(done))


def render(item: Item, layout: Layout, settings: Settings, out: Path) -> Done:
    """Render an item and put it where the scorer looks. A render that was stopped in its midst is gone on from.

    Raises:
        VeditError: it cannot be rendered or written.
    """
    work = out / OWN / "work" / _key(item)
    work.mkdir(parents=True, exist_ok=True)
    film = isinstance(item.form, Film)
    target = work / (f"film{item.form.suffix}" if film else f"pictures/%05d{item.form.suffix}")
    target.parent.mkdir(exist_ok=True)
    result = vedit.restyle(
        item.source,
        prompt=item.prompt,
        source_prompt=item.source_prompt or RestyleOptions().source_prompt,
        mask=mask_of(item) if settings.masked else None,
        model=settings.model,
        quality=settings.quality,
        seed=settings.seed,
        strength=settings.strength,
        short_side=settings.short_side,
        device=settings.device,
        rate=RATE if item.source.is_dir() else None,
        allow_unknown=True,  # a benchmark asks for what a small model has no word for, too
        allow_huge=True,  # IVEBench goes up to 8K
        drop_unsupported=True,
        drop_alpha=True,
        sidecar=False,
        overwrite=True,
        output=target,
    )
    layout.write(item, target if film else target.parent, out)
    shutil.rmtree(work, ignore_errors=True)
    return Done(prompt=item.prompt, frames=result.frames, seconds=round(result.seconds, 2))


def mask_of(item: Item) -> MaskSpec | None:
    """The item's mask, a picture for each frame."""
    return None if item.mask is None else MaskSpec(files=(KeyedFile(path=item.mask),))


def own_figures(item: Item, out: Path, *, quick: bool) -> dict[str, object]:
    """Everything that `vedit evaluate` measures of a result on this machine.

    Raises:
        VeditError: the result cannot be measured.
    """
    report = vedit.evaluate(
        item.source,
        item.target(out),
        prompt=item.prompt,
        mask=mask_of(item),
        quick=quick,
        allow_huge=True,
        rate=RATE if item.source.is_dir() else None,
    )
    return {
        name: {"value": figure.value, "source": figure.own, "unit": figure.definition.unit, "why": figure.why}
        for name, figure in report.figures.items()
    }


def _record(item: Item, out: Path) -> Path:
    return out / OWN / "records" / f"{_key(item)}.json"


def _key(item: Item) -> str:
    """A short name of its own for an item's place."""
    told = re.sub(r"\W+", "-", "-".join(item.place)).strip("-")[:60]
    return f"{told}-{hashlib.sha256('/'.join(item.place).encode()).hexdigest()[:10]}"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}", remedy="remove it, or render into another folder") from None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
