"""The results of a clip under a look, each rendered once and kept."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from temporal.clips import BenchClip
from temporal.peer import Peer, PeerVariant
from temporal.variants import Variant, render
from vedit.options.output_names import slug
from vedit.options.request import QualityName

Log = Callable[[str], None]


def log_from_now() -> Log:
    """Prints what it is told, behind the seconds since."""
    began = time.monotonic()

    def log(text: str) -> None:
        print(f"[{time.monotonic() - began:6.0f} s] {text}", flush=True)

    return log


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """What holds for all results of a run."""

    work: Path
    """Where they are kept."""
    frames: int
    """Of each clip."""
    quality: QualityName
    model: str
    short_side: int | None
    """Pixels that the model works at; None is the quality's."""
    log: Log
    """Told of each that is rendered."""
    anew: Collection[str] = ()
    """Names of columns that are rendered though they are there."""

    @property
    def told(self) -> str:
        """What is run, in words."""
        model = "the embedded model" if self.model == "embedded" else f"`{Path(self.model).name}`"
        side = f", working at {self.short_side} pixels" if self.short_side else ""
        return f"{self.frames} frames of each clip by {model} at `{self.quality}`{side}"

    @cached_property
    def _peer(self) -> Peer:
        """The pipeline of diffusers: a run that renders nothing of it does not load it."""
        return Peer(self.model)

    def folder(self, clip: BenchClip) -> Path:
        """Of a clip's files: another for each setting that decides them."""
        settings = [self.quality, self.model, self.short_side, self.frames, clip.file, clip.start]
        key = hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:8]
        return self.work / f"{clip.name}-{self.frames}-{self.quality}-{key}"

    def results(self, columns: Sequence[Variant | PeerVariant], source: Path, look: str) -> dict[str, Path]:
        """Results by the column's name, in a folder beside the clip; those that are there are not rendered again.

        Args:
            columns: what is rendered.
            source: the clip.
            look: the prompt.
        """
        folder = source.parent / slug(look)
        folder.mkdir(parents=True, exist_ok=True)
        found = {one.name: folder / f"{one.name}.mkv" for one in columns}
        for one in columns:
            if not found[one.name].is_file() or one.name in self.anew:
                self._render(one, source, found[one.name], look)
        return found

    def _render(self, column: Variant | PeerVariant, source: Path, target: Path, look: str) -> None:
        wall, cores = time.perf_counter(), time.process_time()
        quality, side = self.quality, self.short_side
        if isinstance(column, Variant):
            frames, model = self.frames, self.model
            render(column, source, target, look=look, quality=quality, short_side=side, frames=frames, model=model)
        else:
            kept = target.with_name(f"drawn-{'fresh' if column.fresh else 'fixed'}.npy")
            self._peer.render(column, source, target, look=look, quality=quality, short_side=side, kept=kept)
        each = (time.perf_counter() - wall) / self.frames, (time.process_time() - cores) / self.frames
        place = f"{source.parent.name}, {look}, {column.label}"
        self.log(f"{place}: {each[0]:.2f} s a frame, {each[1]:.2f} of the processor's")
