"""The costly half of a render: each shot sampled window by window into units that survive the process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.color_match import ARITHMETIC
from vedit.errors import DoesNotFitError, Interrupted, VeditError
from vedit.geometry import fit
from vedit.memory import MemoryLadder, is_out_of_memory
from vedit.models.words import heard
from vedit.options.loras import masks_of
from vedit.options.travel import by_frame
from vedit.pipelines.pipeline import GuidesOf, OnStep, Prepared, pipeline_facts
from vedit.pipelines.restyle_windows import join_windows, shot_windows
from vedit.progress.callbacks import OnProgress, Progress
from vedit.progress.spent import spent_on
from vedit.registry.attention import NONE
from vedit.registry.preprocessors import needs_of
from vedit.render.conditioning import ConditioningSource, hashed, made_by
from vedit.shots.bars import filled
from vedit.store.computed_on import computed_on
from vedit.store.units import unit_key
from vedit.types import FrameRange, Latents, Shot, Window

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.render.job import Job
    from vedit.store.shared_units import SharedUnits, Sizes

OnNote = Callable[[str], None]
"""Told a line that the user should read now."""
Stop = Callable[[], bool]
"""Asked between units whether to stop."""


def ignore_note(line: str) -> None:
    """The caller that does not want to know."""


def never() -> bool:
    """The render that is not stopped."""
    return False


def stop_if_asked(stop: Stop, work: SharedUnits) -> None:
    """Raises Interrupted where the user wants to stop."""
    if stop():
        raise Interrupted(
            f"stopped; {work.kept} finished units are kept in {work.path}" if work.kept else "stopped",
            remedy="the same command goes on from there" if work.kept else "nothing was written",
        )


@dataclass(frozen=True, kw_only=True)
class KeyGroup:
    """Keyframes of a shot that are sampled together."""

    numbers: tuple[int, ...]

    @property
    def frames(self) -> FrameRange:
        """The part of the shot that they lie in."""
        return FrameRange(start=self.numbers[0], stop=self.numbers[-1] + 1)


@dataclass(frozen=True, kw_only=True)
class SampledShot:
    """A shot whose units are all on disk."""

    shot: Shot
    parts: tuple[Window | KeyGroup, ...]
    keys: tuple[str, ...]
    """The name of each part's unit."""


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
        chosen: the frames of a shot that are sampled, in order; None: all of them.
    """

    def __init__(
        self,
        job: Job,
        restyler: Prepared,
        steering: ConditioningSource,
        work: SharedUnits,
        ladder: MemoryLadder,
        *,
        on_progress: OnProgress,
        stop: Stop,
        chosen: Callable[[Shot], Sequence[int]] | None = None,
    ) -> None:
        self.sampled_in: dict[int, Sizes] = {}
        """First frame of each sampled shot -> the window and batch it was sampled in."""
        self._asked: Sizes = (restyler.options.window, restyler.options.batch)
        self.computed_on = computed_on(restyler.model.device, restyler.model.precision)
        """Of the units that are made."""
        self._job, self._restyler, self._work, self._ladder = job, restyler, work, ladder
        self._steering, self._on_progress, self._stop = steering, on_progress, stop
        self._chosen = chosen
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

    @property
    def shots(self) -> tuple[Shot, ...]:
        """That it samples."""
        return self._job.own_shots

    def planned(self, shot: Shot) -> SampledShot:
        """The shot's units as they will be, in the window that was asked for."""
        return self._planned(shot, self._sizes(shot))

    def make(self, planned: SampledShot, only: Collection[str], reader: Reader) -> None:
        """Some units of a shot, by their names; those that are there are left.

        Raises:
            Interrupted: `stop` said so; finished units are kept.
            DoesNotFitError: memory ran out. A smaller window would make other units of the whole shot, which one of
                several processes cannot decide.
        """
        try:
            self._sample(planned, reader, only)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise DoesNotFitError(
                f"out of memory with {self._ladder.footing}",
                remedy="prepare the run anew with a smaller --window or --batch, or let a larger machine make it",
            ) from error

    def latents(self, sampled: SampledShot) -> Iterator[tuple[FrameRange, Latents]]:
        """The clean latents of a sampled shot in order, windows blended; with the source's where units hold them."""
        windows = [part for part in sampled.parts if isinstance(part, Window)]
        keys = dict(zip(windows, sampled.keys, strict=True))
        return join_windows(windows, lambda window: self._stored(keys[window]), self._restyler.model.codec.factors)

    def key_latents(self, sampled: SampledShot) -> Iterator[tuple[tuple[int, ...], Latents]]:
        """The clean latents of a shot's keyframes in order, some at a time: their numbers, and latents."""
        for part, key in zip(sampled.parts, sampled.keys, strict=True):
            assert isinstance(part, KeyGroup)
            yield part.numbers, self._stored(key)

    def _stored(self, key: str) -> Latents:
        unit = self._work.unit(key)
        if unit is None:
            raise VeditError(
                f"a finished unit in {self._work.path} changed while it was in use", remedy="run the command again"
            )
        return unit

    def keys(self, shot: Shot) -> tuple[str, ...]:
        """The names of a shot's units, in the window that it is or will be sampled in."""
        return self.planned(shot).keys

    def kept(self) -> tuple[FrameRange, ...]:
        """The frames of units that the work folder lists."""
        found: list[FrameRange] = []
        for shot in self._job.own_shots if self._work.kept else ():
            planned = self.planned(shot)
            reached = shot.frames.start
            for part, key in zip(planned.parts, planned.keys, strict=True):
                if self._work.has(key):
                    found.append(FrameRange(start=reached, stop=part.frames.stop))
                reached = part.frames.stop
        return tuple(found)

    def missing(self) -> tuple[int, int]:
        """(units still to do, units in all) by what the work folder lists; where it lists none they are not counted."""
        if not self._work.kept:
            return (0, 0)  # keyframes would have to be chosen for it, and the clip be read
        keys = [key for shot in self._job.own_shots for key in self.planned(shot).keys]
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
        parts: tuple[Window | KeyGroup, ...]
        if self._chosen is None:
            parts = shot_windows(options, shot.frames, self._restyler.model.codec.factors, size=window)
        else:
            numbers = self._chosen(shot)
            groups = (tuple(numbers[first : first + batch]) for first in range(0, len(numbers), batch))
            parts = tuple(KeyGroup(numbers=group) for group in groups)
        facts = {**self._facts, "anchor": shot.frames.start, "batch": batch}
        bars = self._job.bars_at(shot.frames.start)
        if bars:
            facts["bars"] = hashed(bars)
        shared = self._job.anchor_of(shot)
        if shared is not None:
            facts["shared anchor"] = hashed(shared) if self._whole_shot else shared.frame
            facts["sharing"] = ARITHMETIC
            # Outside the part there are no masks.
            if there := self._job.bars_at(shared.frame):
                facts["bars there"] = hashed(there)
            facts["regions there"] = (
                bool(options.regions or masks_of(options.loras)) and shared.frame in self._job.frames
            )
        if self._whole_shot:
            facts["end"] = shot.frames.stop
        keys = tuple(unit_key({**facts, **_frames(part)}) for part in parts)
        return SampledShot(shot=shot, parts=parts, keys=keys)

    def _sample(self, planned: SampledShot, reader: Reader, only: Collection[str] | None = None) -> None:
        """The units of a shot that are missing, or those of them that are named."""
        restyler = self._restyler
        source = _SmallFrames(self._job, reader)
        anchor = self._job.anchor_of(planned.shot)
        guides_of = spent_on("controls")(
            self._steering.guides_of(planned.shot, restyler.controls, restyler.regions, anchor, restyler.drawn)
        )
        reached = planned.shot.frames.start
        for part, key in zip(planned.parts, planned.keys, strict=True):
            # Of what windows share, a frame counts once.
            new = FrameRange(start=reached, stop=part.frames.stop)
            reached = new.stop
            if only is not None and key not in only:
                continue
            if self._work.get(key) is None:
                stop_if_asked(self._stop, self._work)

                def tell(stage: str, done: float, new: FrameRange = new) -> None:
                    self._tell(planned.shot, new, stage, done)

                if isinstance(part, Window):
                    made = restyler.window(
                        planned.shot.frames,
                        part.frames,
                        source,
                        guides_of,
                        tell,
                        anchor=None if anchor is None else anchor.frame,
                        batch=self._ladder.footing.batch,
                    )
                else:
                    made = self._sampled_keys(planned.shot, part, source, guides_of, tell)
                frames = (part.frames.start, part.frames.stop)
                self._work.put(key, made.data, frames=frames, computed_on=self.computed_on, source=made.source)
            self._tell(planned.shot, new, "sample", 1.0)

    def _sampled_keys(
        self, shot: Shot, group: KeyGroup, source: _SmallFrames, guides_of: GuidesOf, on_step: OnStep
    ) -> Latents:
        """Keyframes that are sampled at once; beside the frame whose look they share, where that acts on them."""
        restyler, anchor = self._restyler, self._job.anchor_of(shot)
        first = shot.frames.start if anchor is None else anchor.frame
        sees = restyler.options.attention_method != NONE
        beside = anchor is not None or (sees and group.numbers[0] != first)
        numbers = [first, *group.numbers] if beside else list(group.numbers)
        frames = source.stills(numbers)
        made = restyler.stills(frames, numbers, guides_of(numbers, frames), on_step, shared=anchor is not None)
        return made.part(1) if beside else made

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

    def stills(self, numbers: Sequence[int]) -> torch.Tensor:
        """Frames here and there; the first may stand for the look of further ones too, and is held as an anchor is."""
        first, *others = (FrameRange(start=number, stop=number + 1) for number in numbers)
        return torch.cat([self(first), *map(self._read, others)])

    @spent_on("read")
    def _read(self, frames: FrameRange) -> torch.Tensor:
        bars = self._job.bars_at(frames.start)
        clips = self._reader.chunks(frames, self._job.frames_at_once)
        parts = [fit(filled(clip, bars), self._job.fit) for clip in clips]
        return torch.cat(parts) if parts else torch.empty(0, 3, *self._job.fit.outer)


def _frames(part: Window | KeyGroup) -> dict[str, object]:
    """What tells a part's unit from those of other frames."""
    if isinstance(part, Window):
        return {"frames": [part.frames.start, part.frames.stop]}
    return {"keyframes": list(part.numbers)}


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
