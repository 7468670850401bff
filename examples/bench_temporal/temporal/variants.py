"""vedit as it ships, and with one part at a time off.

A part that has a setting is switched by it. Steadying and the carrying of noise have none; for these the function that
the render calls is replaced for as long as it lasts, so that all around it stays as it is. Nothing of a render without
them is kept for another.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import vedit
from vedit.diffusion import carried_noise
from vedit.options.request import QualityName
from vedit.pipelines.seeds import VARIATION
from vedit.render import finish_shot
from vedit.store.units import work_folder
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.render.steadied import Decoded


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One column of the table."""

    name: str
    label: str
    """Short, for a column or a row of a sheet."""
    tells: str
    """What is switched, in a sentence."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of `vedit.restyle`."""
    patch: str = ""
    """The part without a setting that is off: "steady" or "carry"."""
    latents: str = ""
    """Variants of one word here are made of the same latents, sampled once."""


VARIANTS = (
    Variant(name="ships", label="vedit", tells="vedit as it ships"),
    Variant(
        name="no-steadying",
        label="no steadying",
        tells="frames are written as they are decoded; there is no setting for it, the function is left out",
        patch="steady",
    ),
    Variant(
        name="cross-frame",
        label="cross-frame",
        tells="frames attend to the one before and to the shot's first (`attention='cross-frame'`)",
        settings={"attention": "cross-frame"},
    ),
    Variant(
        name="no-inversion",
        label="no inversion",
        tells="sampling begins at the source under noise drawn for each frame, not at its inversion (`start='noise'`)",
        settings={"start": "noise"},
    ),
    Variant(
        name="no-guiding",
        label="plain upscaling",
        tells="no detail of the source is put back (`upscale='lanczos'`), as in the two of diffusers",
        settings={"upscale": "lanczos"},
    ),
    Variant(
        name="carried",
        label="seed, carried",
        tells=f"noise of the seed in the inversion (`variation={VARIATION}`), carried along by the source's motion",
        settings={"variation": VARIATION},
    ),
    Variant(
        name="not-carried",
        label="seed, on screen",
        tells="the same with the first frame's noise for all frames; there is no setting for it, it is not moved on",
        settings={"variation": VARIATION},
        patch="carry",
    ),
)
RAW = Variant(
    name="raw",
    label="vedit, raw",
    tells="vedit's frames before they are steadied",
    patch="steady",
    latents="full",
)
FULL = Variant(name="full", label="vedit", tells="vedit as it ships", latents="full")
JUDGED = (
    FULL,
    Variant(
        name="keys-8",
        label="vedit, keys every 8",
        tells="every eighth frame is drawn, the others are carried between them (`keyframes='8'`)",
        settings={"keyframes": "8"},
        latents="keys-8",
    ),
    Variant(
        name="keys-auto",
        label="vedit, keys by itself",
        tells="as many frames are drawn as the motion asks for (`keyframes='auto'`)",
        settings={"keyframes": "auto"},
        latents="keys-auto",
    ),
)
"""What is held to the bars."""
NOT_HERE = (
    "The anchor (`--anchor`) and the blending of windows are not in the table. They act between shots, and between "
    "windows of 24 frames; a clip of this bench is one shot, and in no more frames than that one window."
)


def render(
    variant: Variant,
    source: Path,
    target: Path,
    *,
    look: str,
    frames: int,
    quality: QualityName,
    model: str,
    short_side: int | None,
) -> Path:
    """Write a variant's result, FFV1, with its record beside it. Raises VeditError where it cannot be rendered."""
    work = target.with_name(f"{variant.latents}.latents")
    kept = work_folder(target)
    if variant.latents and work.is_dir():
        work.rename(kept)
    with without(variant.patch):
        vedit.restyle(
            source,
            prompt=look,
            quality=quality,
            model=model,
            short_side=short_side,
            # As one shot: what is measured is steadiness, not the finding of cuts.
            shots=(Shot(number=1, frames=FrameRange(start=0, stop=frames)),),
            output=target,
            codec="ffv1",
            drop_unsupported=True,
            allow_unknown=True,
            overwrite=True,
            fresh=not variant.latents,
            keep_work=bool(variant.latents),
            device="cpu",
            **variant.settings,
        )
    if variant.latents:
        kept.rename(work)
    return target


@contextmanager
def without(part: str) -> Generator[None]:
    """A part of vedit that has no setting is off for as long as the context lasts: "steady", "carry" or none.

    Raises:
        ValueError: there is no such part.
    """
    if not part:
        yield
        return
    if part not in _PARTS:
        raise ValueError(f"no part {part!r}")
    module, name, instead = _PARTS[part]
    real = getattr(module, name)
    setattr(module, name, instead)
    try:
        yield
    finally:
        setattr(module, name, real)


def _as_drawn(clips: Iterable[Decoded]) -> Iterator[Decoded]:
    """In place of `vedit.render.steadied.steadied`: the frames as they come."""
    yield from clips


def _held(before: carried_noise.Carried, *args: object) -> carried_noise.Carried:
    """In place of `vedit.diffusion.carried_noise.carried_on`: the noise stays where it is on the screen."""
    return before


_PARTS: Mapping[str, tuple[ModuleType, str, Callable[..., object]]] = {
    "steady": (finish_shot, "steadied", _as_drawn),
    "carry": (carried_noise, "carried_on", _held),
}
"""Where the render finds a part, and what it finds in its place."""
