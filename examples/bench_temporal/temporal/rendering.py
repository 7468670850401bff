"""The results of a clip under a look, each rendered once and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from temporal.peer import Peer, PeerVariant
from temporal.variants import Variant, render
from vedit.options.request import QualityName

Log = Callable[[str], None]


def loaded_once(model: str) -> Callable[[], Peer]:
    """What gives the pipeline of diffusers: a run that renders nothing of it does not load it."""
    found: list[Peer] = []

    def peer() -> Peer:
        if not found:
            found.append(Peer(model))
        return found[0]

    return peer


def rendered(
    columns: Sequence[Variant | PeerVariant],
    source: Path,
    folder: Path,
    *,
    look: str,
    frames: int,
    quality: QualityName,
    model: str,
    short_side: int | None,
    peer: Callable[[], Peer],
    log: Log,
    anew: Collection[str] = (),
) -> dict[str, Path]:
    """Results by the column's name; those that are there are not rendered again.

    Args:
        columns: what is rendered.
        source: the clip, with so many frames.
        folder: of the results.
        look: the prompt.
        frames: of the clip.
        quality: as of vedit.
        model: as of vedit.
        short_side: pixels that the model works at; None is the quality's.
        peer: gives the pipeline of diffusers.
        log: told of each that is rendered.
        anew: names of columns that are rendered though they are there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    for one in columns:
        found[one.name] = target = folder / f"{one.name}.mkv"
        if target.is_file() and one.name not in anew:
            continue
        wall, cores = time.perf_counter(), time.process_time()
        if isinstance(one, Variant):
            render(one, source, target, look=look, quality=quality, short_side=short_side, frames=frames, model=model)
        else:
            kept = folder / f"drawn-{'fresh' if one.fresh else 'fixed'}.npy"
            peer().render(one, source, target, look=look, quality=quality, short_side=short_side, kept=kept)
        each = (time.perf_counter() - wall) / frames, (time.process_time() - cores) / frames
        log(f"{folder.parent.name}, {look}, {one.label}: {each[0]:.2f} s a frame, {each[1]:.2f} of the processor's")
    return found
