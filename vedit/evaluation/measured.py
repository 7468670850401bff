"""A measurement from files: the clip and its results opened and paired, one pass, and the reports of it.

source, results -> the part, the shots, the pairs of frames     (refused here, where they do not go together)
one pass: every frame under every metric, of each result, of the source itself, and of the floors
figures -> verdicts, requirements -> a report for each result
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.evaluation import floors
from vedit.evaluation.chosen import Chosen, choose
from vedit.evaluation.clip import frames_of, result_of
from vedit.evaluation.definition import Figure
from vedit.evaluation.measure import Shown, itself, run_all
from vedit.evaluation.metric import Setting
from vedit.evaluation.motion import Estimator, estimator
from vedit.evaluation.pairing import by_number, by_time, check_cuts, differences
from vedit.evaluation.picture import measuring_size
from vedit.evaluation.recorded import Recorded, recorded
from vedit.evaluation.report import Material, Report
from vedit.evaluation.requirements import Requirement, judge, parse_requirements
from vedit.evaluation.verdicts import verdicts_of
from vedit.masks.mattes import SourceMattes, open_mattes
from vedit.masks.source import MatteSource
from vedit.media.contract.report import ContractReport
from vedit.media.contract.verify import verify
from vedit.media.reading.read import open_video
from vedit.media.timecode import parse_range
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.shots.clip_part import admit_source, open_source
from vedit.shots.detect import detect_shots
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.evaluation.definition import Score
    from vedit.media.reading.reader import VideoReader
    from vedit.options.masks import MaskSpec

    Scores = Mapping[str, Mapping[str, Score]]

STAGE = "measure"
_OWN = "source"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be measured, and how."""

    mask: MaskSpec | None
    prompt: str | None
    require: tuple[str, ...]
    metrics: tuple[str, ...] | None
    quick: bool
    short_side: int
    flow: Estimator
    reading: SourceOptions


@dataclass(frozen=True, kw_only=True)
class Opened:
    """One result beside the source."""

    label: str
    path: Path
    reader: VideoReader
    pairs: Mapping[int, int]
    """Frame of the source -> frame of the result."""
    record: Recorded
    contract: ContractReport | None
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The source, and what of it is measured."""

    path: Path
    reader: VideoReader
    part: FrameRange
    shots: tuple[Shot, ...]
    size: tuple[int, int]

    @property
    def full_size(self) -> tuple[int, int]:
        """(height, width) of a frame."""
        return self.reader.metadata.height, self.reader.metadata.width


def measure(
    source: Path,
    results: Mapping[str, Path],
    asked: Asked,
    *,
    by_time: bool = False,
    on_progress: OnProgress = ignore_progress,
) -> tuple[Report, ...]:
    """Measure results of a clip in one pass.

    Args:
        source: the clip.
        results: by label.
        asked: what is measured.
        by_time: pair frames by time, whatever made the results; else each has to hold exactly a part of the clip.
        on_progress: told as frames are measured.

    Raises:
        InputError: a file cannot be read, a result does not go with the clip, or what is asked for is not known.
    """
    began = time.monotonic()
    chosen = choose(asked.metrics, quick=asked.quick)
    required = parse_requirements(asked.require, chosen.figures)
    with ExitStack() as stack:
        reader = _open(source, asked.reading, stack)
        part = _part(reader, asked.reading, results, by_time=by_time)
        opened = [_opened(label, path, reader, part, asked, stack, by_time) for label, path in results.items()]
        size = measuring_size(reader.metadata.height, reader.metadata.width, asked.short_side)
        shots = _shots(reader, part, opened)
        scene = Scene(path=source, reader=reader, part=part, shots=shots, size=size)
        opened = [_of_one_cut(one, scene) for one in opened]
        mattes = _mattes(asked.mask or _only_mask(opened), scene, asked.reading, stack)
        reports = _measured(scene, opened, chosen, asked, mattes, on_progress)
    took = time.monotonic() - began
    return tuple(_judged(one, required, took) for one in reports)


def _measured(
    scene: Scene,
    opened: list[Opened],
    chosen: Chosen,
    asked: Asked,
    mattes: SourceMattes | None,
    on_progress: OnProgress,
) -> list[Report]:
    """The pass, and what it found of each result."""
    settings = {one.label: _setting(scene, one, asked, masked=mattes is not None) for one in opened}
    spans, losses = ({}, {}) if asked.quick else _floors(scene, opened[0].record, asked.reading)
    shown: dict[str, Shown] = {one.label: result_of(one.reader, one.pairs, scene.size) for one in opened}
    own, first = f"\0{_OWN}", settings[opened[0].label]

    def told(number: int) -> None:
        done = number - scene.part.start + 1
        on_progress(Progress(stage=STAGE, done=done, total=len(scene.part), share=done / len(scene.part)))

    found = run_all(
        chosen.metrics,
        {**settings, **dict.fromkeys((own, *(f"\0{name}" for name in losses)), first)},
        frames_of(scene.reader, scene.shots, scene.size, mattes),
        {**shown, own: itself, **{f"\0{name}": loss for name, loss in losses.items()}},
        estimator(asked.flow),
        on_frame=told,
    )
    beside = {name: found[f"\0{name}"] for name in losses}
    notes = (*scene.reader.warnings, *chosen.notes, *(() if mattes is None else mattes.notes))
    index = scene.reader.index()
    return [
        Report(
            source=scene.path,
            result=one.path,
            label=one.label,
            frames=scene.part,
            seconds=tuple(float(index.seconds(number)) for number in range(scene.part.start, scene.part.stop)),
            rate=index.rate,
            shots=scene.shots,
            joins=one.record.joins,
            measured_at=scene.size,
            flow=asked.flow,
            quick=asked.quick,
            contract=one.contract,
            figures=_figures(chosen, found[one.label], found[own], beside),
            verdicts=(),
            notes=tuple(dict.fromkeys((*one.notes, *notes))),
            recipe=one.record.recipe,
            floor_frames=spans,
            material=Material(reading=asked.reading, pairs=one.pairs, setting=settings[one.label]),
        )
        for one in opened
    ]


def _figures(chosen: Chosen, scores: Scores, own: Scores, beside: Mapping[str, Scores]) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    for name, metric in chosen.metrics.items():
        for about in metric.figures:
            score, ours = scores[name][about.name], own[name][about.name]
            found[about.name] = Figure(
                metric=name,
                definition=about,
                value=score.value,
                why=score.why,
                own=ours.value,
                floors={loss: given[name][about.name].value for loss, given in beside.items()},
                series=score.series,
                own_series=ours.series,
            )
    return found


def _judged(report: Report, required: tuple[Requirement, ...], took: float) -> Report:
    return replace(
        report,
        verdicts=verdicts_of(report.figures, report.contract),
        required=judge(required, report.figures, report.contract),
        took=took,
    )


def _open(source: Path, reading: SourceOptions, stack: ExitStack) -> VideoReader:
    admit_source(source, reading)
    return stack.enter_context(open_source(source, reading))


def _part(reader: VideoReader, reading: SourceOptions, results: Mapping[str, Path], *, by_time: bool) -> FrameRange:
    """Of the source: what is asked for, else what the record of the only result says, else all of it."""
    index = reader.index()
    if reading.frames is not None:
        return parse_range(reading.frames, index, reader.metadata.timecode)
    parts = {_recorded_part(path, len(index)) for path in results.values()}
    if len(parts) == 1 and (only := parts.pop()) is not None:
        return only
    return FrameRange(start=0, stop=len(index))


def _recorded_part(path: Path, count: int) -> FrameRange | None:
    recipe = recorded(path).recipe
    told = None if recipe is None else recipe.get("frames")
    if not isinstance(told, list) or len(told) != 2:  # pyright: ignore[reportUnknownArgumentType]
        return None
    start, stop = told  # pyright: ignore[reportUnknownVariableType]
    if isinstance(start, int) and isinstance(stop, int) and 0 <= start < stop <= count:
        return FrameRange(start=start, stop=stop)
    return None


def _opened(
    label: str,
    path: Path,
    source: VideoReader,
    part: FrameRange,
    asked: Asked,
    stack: ExitStack,
    timed: bool,
) -> Opened:
    reading = asked.reading
    reader = stack.enter_context(open_video(path, allow_huge=reading.allow_huge))
    written, record = reader.index(), recorded(path)
    whole = len(part) == len(source.index())
    if timed:
        pairs = by_time(source.index(), part, written) if len(written) != len(part) else None
        notes = differences(source, reader, part, pairs or dict.fromkeys(range(part.start, part.stop), 0))
    else:
        pairs, notes = None, []
    pairs = pairs or by_number(part, written, path.name, told=not whole)
    contract = None
    if not timed or (record.recipe is not None and len(written) == len(part)):
        contract = verify(
            source.metadata,
            path,
            frames=part,
            source_index=source.index(),
            rate=reading.rate,
            allow_huge=reading.allow_huge,
        )
    return Opened(
        label=label,
        path=path,
        reader=reader,
        pairs=pairs,
        record=record,
        contract=contract,
        notes=(*notes, *reader.warnings),
    )


def _shots(reader: VideoReader, part: FrameRange, opened: list[Opened]) -> tuple[Shot, ...]:
    """Those that the first record tells, where they cover the part; else as they are found."""
    told = opened[0].record.shots
    if told and (told[0].frames.start, told[-1].frames.stop) == (part.start, part.stop):
        return told
    return detect_shots(reader, frames=part)


def _of_one_cut(one: Opened, scene: Scene) -> Opened:
    if one.contract is not None and one.record.shots:
        return one  # it was rendered from this clip, shot by shot
    cuts = check_cuts(scene.reader, one.reader, one.pairs, scene.shots, one.path.name)
    return replace(one, notes=(*one.notes, *cuts))


def _only_mask(opened: list[Opened]) -> MaskSpec | None:
    """The one that the records of all results name."""
    masks = [one.record.mask for one in opened]
    return masks[0] if all(mask == masks[0] for mask in masks) else None


def _mattes(spec: MaskSpec | None, scene: Scene, reading: SourceOptions, stack: ExitStack) -> SourceMattes | None:
    if spec is None:
        return None
    masked = MatteSource(
        metadata=scene.reader.metadata,
        index=scene.reader.index(),
        shots=scene.shots,
        frames=scene.part,
        reopen=lambda: open_source(scene.path, reading),
        allow_huge=reading.allow_huge,
    )
    return stack.enter_context(open_mattes(spec, masked))


def _setting(scene: Scene, one: Opened, asked: Asked, *, masked: bool) -> Setting:
    index = scene.reader.index()
    seconds = float(index.span(scene.part)[1] - index.span(scene.part)[0])
    return Setting(
        size=scene.size,
        full_size=scene.full_size,
        rate=len(scene.part) / seconds if seconds > 0 else 25.0,
        shots=scene.shots,
        joins=one.record.joins,
        cell=one.record.cell(*scene.full_size),
        model=one.record.model,
        prompts=one.record.prompts if asked.prompt is None else (asked.prompt,),
        masked=masked,
        quick=asked.quick,
    )


def _floors(scene: Scene, record: Recorded, reading: SourceOptions) -> tuple[dict[str, FrameRange], dict[str, Shown]]:
    """The frames on which each floor is measured, and what it shows."""
    spans: dict[str, FrameRange] = {}
    shown: dict[str, Shown] = {}
    with open_source(scene.path, reading) as reader:
        span = floors.affordable(floors.span_of(scene.shots, floors.FRAMES), *scene.full_size)
        spans[floors.RE_ENCODED] = span
        shown[floors.RE_ENCODED] = floors.re_encoded(reader, span, scene.size)
    if record.model is None or record.working_size is None:
        return spans, shown
    coder = floors.coder(record.model, scene.full_size, record.working_size)
    if coder is not None:
        span = floors.span_of(scene.shots, floors.CODED_FRAMES)
        spans[floors.AUTOENCODER] = span
        with open_source(scene.path, reading) as reader:
            shown[floors.AUTOENCODER] = floors.through_autoencoder(coder, reader, span, scene.size)
    return spans, shown
