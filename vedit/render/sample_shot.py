"""The costly half of a render: each shot sampled window by window into units that survive the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vedit.errors import Interrupted, VeditError
from vedit.geometry import fit
from vedit.memory import MemoryLadder
from vedit.models.words import heard
from vedit.options.loras import masks_of
from vedit.options.travel import by_frame
from vedit.pipelines.pipeline import Prepared, pipeline_facts
from vedit.pipelines.restyle_windows import join_windows, shot_windows
from vedit.progress.callbacks import OnProgress, Progress
from vedit.registry.preprocessors import needs_of
from vedit.render.conditioning import ConditioningSource, hashed, made_by
from vedit.shots.bars import filled
from vedit.store.computed_on import computed_on
from vedit.store.units import Sizes, UnitStore, unit_key
from vedit.types import FrameRange, Latents, Shot, Window

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.render.job import Job

OnNote = Callable[[str], None]
"""Told a line that the user should read now."""
Stop = Callable[[], bool]
"""Asked between units whether to stop."""


def ignore_note(line: str) -> None:
    """The caller that does not want to know."""


def never() -> bool:
    """The render that is not stopped."""
    return False


def stop_if_asked(stop: Stop, work: UnitStore) -> None:
    """Raises Interrupted where the user wants to stop."""
    if stop():
        raise Interrupted(
            f"stopped; {work.kept} finished units are kept in {work.path}" if work.kept else "stopped",
            remedy="the same command goes on from there" if work.kept else "nothing was written",
        )


@dataclass(frozen=True, kw_only=True)
class SampledShot:
    """A shot whose units are all on disk."""

    shot: Shot
    windows: tuple[Window, ...]
    keys: tuple[str, ...]


class ShotSampler:
    """Samples shots into a work folder; what is there already is not done again.

    Where memory runs out it goes down the ladder. A smaller batch or window begins the shot anew: the window decides
    the frames, the batch their last bits.

    Args:
        job: what to render, under one look.
        restyler: the look's pipeline, made ready.
        steering: what steers the job's frames, opened.
        work: where units are kept.
        ladder: the render's.
        on_progress: told after each sampling step.
        stop: asked before each unit.
    """

    def __init__(
        self,
        job: Job,
        restyler: Prepared,
        steering: ConditioningSource,
        work: UnitStore,
        ladder: MemoryLadder,
        *,
        on_progress: OnProgress,
        stop: Stop,
    ) -> None:
        self.sampled_in: dict[int, Sizes] = {}
        """First frame of each sampled shot -> the window and batch it was sampled in."""
        self._asked: Sizes = (restyler.options.window, restyler.options.batch)
        self.computed_on = computed_on(restyler.model.device, restyler.model.precision)
        """Of the units that are made."""
        self._job, self._restyler, self._work, self._ladder = job, restyler, work, ladder
        self._steering, self._on_progress, self._stop = steering, on_progress, stop
        self._facts = _facts(job, restyler) | {"computed on": self.computed_on}
        if steering.made_by:
            self._facts["masks"] = list(steering.made_by)
        if steering.by_part:
            self._facts["part"] = job.frames.start
        options = restyler.options
        self._whole_shot = bool(options.mask or options.regions or masks_of(options.loras)) or any(
            spec.source is None and needs_of(spec.kind).whole_shot for spec in restyler.controls
        )
        """What steers a frame depends on where its shot ends: a shot cut by a range is another one."""

    def sample(self, shot: Shot, reader: Reader) -> SampledShot:
        """All units of a shot.

        Raises:
            Interrupted: `stop` said so; finished units are kept.
            VeditError: memory ran out on the lowest rung.
        """
        start, ladder = shot.frames.start, self._ladder
        window, batch = self._sizes(shot)
        ladder.set_sizes(window=window, batch=batch)
        while True:
            used = (ladder.footing.window, ladder.footing.batch)
            self._work.set_sizes(start, asked=self._asked, used=used)
            planned = self._planned(shot)
            try:
                self._sample(planned, reader)
            except (RuntimeError, MemoryError) as error:
                ladder.step_down("sample", error)
            else:
                self.sampled_in[start] = used
                return planned

    def latents(self, sampled: SampledShot) -> Iterator[tuple[FrameRange, Latents]]:
        """The clean latents of a sampled shot in order, windows blended; with the source's where units hold them."""
        keys = dict(zip(sampled.windows, sampled.keys, strict=True))

        def stored(window: Window) -> Latents:
            unit = self._work.unit(keys[window])
            if unit is None:
                raise VeditError(
                    f"a finished unit in {self._work.path} changed while it was in use", remedy="run the command again"
                )
            return unit

        return join_windows(sampled.windows, stored, self._restyler.model.codec.factors)

    def keys(self, shot: Shot) -> tuple[str, ...]:
        """The names of a shot's units, in the window that it is or will be sampled in."""
        return self._planned(shot, self._sizes(shot)).keys

    def kept(self) -> tuple[FrameRange, ...]:
        """The frames of units that the work folder lists."""
        found: list[FrameRange] = []
        for shot in self._job.own_shots:
            planned = self._planned(shot, self._sizes(shot))
            reached = shot.frames.start
            for window, key in zip(planned.windows, planned.keys, strict=True):
                if self._work.has(key):
                    found.append(FrameRange(start=reached, stop=window.frames.stop))
                reached = window.frames.stop
        return tuple(found)

    def missing(self) -> tuple[int, int]:
        """(units still to do, units in all) by what the work folder lists."""
        keys = [key for shot in self._job.own_shots for key in self._planned(shot, self._sizes(shot)).keys]
        return sum(not self._work.has(key) for key in keys), len(keys)

    def _sizes(self, shot: Shot) -> Sizes:
        """Window and batch that the shot was sampled in, or else what memory has left of them, now or earlier."""
        if shot.frames.start in self.sampled_in:
            return self.sampled_in[shot.frames.start]
        window, batch = self._work.sizes(shot.frames.start, self._asked)
        return min(self._ladder.footing.window, window), min(self._ladder.footing.batch, batch)

    def _planned(self, shot: Shot, sizes: Sizes | None = None) -> SampledShot:
        window, batch = sizes or (self._ladder.footing.window, self._ladder.footing.batch)
        options = self._restyler.options
        parts = shot_windows(options, shot.frames, self._restyler.model.codec.factors, size=window)
        facts = {**self._facts, "anchor": shot.frames.start, "batch": batch}
        bars = self._job.bars_at(shot.frames.start)
        if bars:
            facts["bars"] = hashed(bars)
        shared = self._job.anchor_of(shot)
        if shared is not None:
            facts["shared anchor"] = hashed(shared) if self._whole_shot else shared.frame
            # Outside the part there are no masks.
            if there := self._job.bars_at(shared.frame):
                facts["bars there"] = hashed(there)
            facts["regions there"] = (
                bool(options.regions or masks_of(options.loras)) and shared.frame in self._job.frames
            )
        if self._whole_shot:
            facts["end"] = shot.frames.stop
        keys = tuple(unit_key({**facts, "frames": [part.frames.start, part.frames.stop]}) for part in parts)
        return SampledShot(shot=shot, windows=parts, keys=keys)

    def _sample(self, planned: SampledShot, reader: Reader) -> None:
        restyler = self._restyler
        source = _SmallFrames(self._job, reader)
        anchor = self._job.anchor_of(planned.shot)
        guides_of = self._steering.guides_of(planned.shot, restyler.controls, restyler.regions, anchor, restyler.drawn)
        reached = planned.shot.frames.start
        for window, key in zip(planned.windows, planned.keys, strict=True):
            # Of what windows share, a frame counts once.
            new = FrameRange(start=reached, stop=window.frames.stop)
            reached = new.stop
            if self._work.get(key) is None:
                stop_if_asked(self._stop, self._work)
                made = restyler.window(
                    planned.shot.frames,
                    window.frames,
                    source,
                    guides_of,
                    lambda stage, part, new=new: self._tell(planned.shot, new, stage, part),
                    anchor=None if anchor is None else anchor.frame,
                    batch=self._ladder.footing.batch,
                )
                frames = (window.frames.start, window.frames.stop)
                self._work.put(key, made.data, frames=frames, computed_on=self.computed_on, source=made.source)
            self._tell(planned.shot, new, "sample", 1.0)

    def _tell(self, shot: Shot, frames: FrameRange, stage: str, part: float) -> None:
        total = len(self._job.frames)
        done = min(total, frames.start - self._job.frames.start + int(part * len(frames)))
        self._on_progress(Progress(stage=stage, done=done, total=total, shot=shot.number, shots=len(self._job.shots)))


class _SmallFrames:
    """Frames of one shot, and its anchor from wherever, at the working size, (T, 3, h, w) in [0, 1].

    The anchor and the last frames asked for are held, so that windows that overlap do not seek.
    """

    def __init__(self, job: Job, reader: Reader) -> None:
        self._job, self._reader = job, reader
        self._anchor: tuple[int, torch.Tensor] | None = None
        self._held: tuple[FrameRange, torch.Tensor] | None = None

    def __call__(self, frames: FrameRange) -> torch.Tensor:
        if len(frames) == 1:
            if self._anchor is None or self._anchor[0] != frames.start:
                self._anchor = (frames.start, self._read(frames))
            return self._anchor[1]
        begun: list[torch.Tensor] = []
        start = frames.start
        if self._held is not None and self._held[0].start <= start < self._held[0].stop <= frames.stop:
            begun.append(self._held[1][start - self._held[0].start :])
            start = self._held[0].stop
        found = torch.cat([*begun, self._read(FrameRange(start=start, stop=frames.stop))])
        self._held = (frames, found)
        return found

    def _read(self, frames: FrameRange) -> torch.Tensor:
        bars = self._job.bars_at(frames.start)
        clips = self._reader.chunks(frames, self._job.frames_at_once)
        parts = [fit(filled(clip, bars), self._job.fit) for clip in clips]
        return torch.cat(parts) if parts else torch.empty(0, 3, *self._job.fit.outer)


def _read(prompt: str, known: frozenset[str] | None) -> object:
    """What a model reads of a prompt; of one that changes over the clip at which frames too."""
    frames, texts = by_frame(prompt)
    if not frames:
        return heard(prompt, known)
    return [[frame, heard(text, known)] for frame, text in zip(frames, texts, strict=True)]


def _facts(job: Job, restyler: Prepared) -> dict[str, object]:
    """What decides the latents of every unit of a job, but for the frames: nothing that does not is in here."""
    options = restyler.options
    known = job.model.words
    regions = [replace(region, prompt=heard(region.prompt, known)) for region in options.regions]
    return {
        **restyler.facts,
        **pipeline_facts(options),
        "source": job.source_key,
        "interlaced": job.request.writing.interlaced,
        "fit": hashed(job.fit),
        "model": dict(restyler.fingerprint),
        # Words that the model does not know change nothing.
        "prompts": [_read(text, known) for text in (options.prompt, options.negative_prompt, options.source_prompt)],
        "controls": hashed(restyler.controls),
        "maps": [made_by(spec.kind) for spec in restyler.controls if spec.source is None],
        "mask": hashed(options.mask),
        "regions": hashed(regions),
        # LoRAs themselves stand among the model's weights.
        **({"masks of LoRAs": hashed(masks)} if (masks := masks_of(options.loras)) else {}),
    }
