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
from vedit.evaluation.opening import (
    Opened,
    Scene,
    as_recorded,
    of_one_cut,
    open_clip,
    open_result,
    part_of,
    shots_of,
)
from vedit.evaluation.picture import measuring_size
from vedit.evaluation.recorded import Recorded, recorded
from vedit.evaluation.report import Material, Report
from vedit.evaluation.requirements import Requirement, judge, names_in, parse_requirements
from vedit.evaluation.verdicts import verdicts_of
from vedit.masks.mattes import SourceMattes, open_mattes
from vedit.masks.source import MatteSource
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.shots.clip_part import open_source
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.evaluation.definition import Score
    from vedit.options.masks import MaskSpec
    from vedit.types import Fit

    Scores = Mapping[str, Mapping[str, Score]]

STAGE = "measure"


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
    chosen = choose(asked.metrics, quick=asked.quick, required=names_in(asked.require))
    required = parse_requirements(asked.require, chosen.figures)
    records = {label: recorded(path) for label, path in results.items()}
    reading = as_recorded(asked.reading, list(records.values()))
    with ExitStack() as stack:
        reader = open_clip(source, reading, stack)
        part = part_of(reader, reading, list(records.values()), timed=by_time)
        opened = [
            open_result(label, path, records[label], reader, part, reading, stack, timed=by_time)
            for label, path in results.items()
        ]
        cut, shots = shots_of(reader, part, list(records.values()))
        size = measuring_size(reader.metadata.height, reader.metadata.width, asked.short_side)
        scene = Scene(path=source, reader=reader, reading=reading, part=part, cut=cut, shots=shots, size=size)
        opened = [of_one_cut(one, scene) for one in opened]
        mattes = _mattes(asked.mask or _only_mask(opened), scene, stack)
        reports = _measured(scene, opened, chosen, asked, mattes, on_progress)
    through = len(cut) - len(shots)
    notes = (f"{through} of the {len(cut)} shots pass through, and are not measured",) if through else ()
    took = time.monotonic() - began
    return tuple(_judged(replace(one, notes=(*one.notes, *notes)), required, took) for one in reports)


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
    shown: dict[str, Shown] = {one.label: result_of(one.reader, one.pairs, scene.size) for one in opened}
    beside = _beside(scene, opened, settings, quick=asked.quick)

    def told(number: int) -> None:
        done = number - scene.part.start + 1
        on_progress(Progress(stage=STAGE, done=done, total=len(scene.part), share=done / len(scene.part)))

    found = run_all(
        chosen.metrics,
        {**settings, **{name: one.setting for one in beside.values() for name in one.shown}},
        frames_of(scene.reader, scene.shots, scene.size, mattes),
        {**shown, **{name: shows for one in beside.values() for name, shows in one.shown.items()}},
        estimator(asked.flow),
        on_frame=told,
    )
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
            figures=_figures(chosen, found[one.label], beside[one.label], found),
            verdicts=(),
            notes=tuple(dict.fromkeys((*one.notes, *notes))),
            recipe=one.record.recipe,
            floor_frames=beside[one.label].spans,
            material=Material(reading=scene.reading, pairs=one.pairs, setting=settings[one.label]),
        )
        for one in opened
    ]


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """What a result's figures stand beside: the source itself and the floors, measured as the result is."""

    setting: Setting
    name: str
    """Of the source itself among what is measured; a loss's is this with the loss's behind it."""
    spans: Mapping[str, FrameRange]
    """The frames on which each floor is measured."""
    shown: Mapping[str, Shown]
    """What is measured, by name."""


def _beside(scene: Scene, opened: list[Opened], settings: Mapping[str, Setting], *, quick: bool) -> dict[str, _Beside]:
    """By label; results whose records tell the same windows, prompts and model share one."""
    found: dict[tuple[Setting, Fit | None], _Beside] = {}
    for one in opened:
        kind = settings[one.label], one.record.fit(*scene.full_size)
        if kind not in found:
            name = f"\0{len(found)}"
            spans, losses = ({}, {}) if quick else _floors(scene, one.record)
            shown: dict[str, Shown] = {name: itself, **{f"{name} {loss}": shows for loss, shows in losses.items()}}
            found[kind] = _Beside(setting=kind[0], name=name, spans=spans, shown=shown)
    return {one.label: found[settings[one.label], one.record.fit(*scene.full_size)] for one in opened}


def _figures(chosen: Chosen, scores: Scores, beside: _Beside, all_scores: Mapping[str, Scores]) -> dict[str, Figure]:
    found: dict[str, Figure] = {}
    own = all_scores[beside.name]
    lost = {loss: all_scores[f"{beside.name} {loss}"] for loss in beside.spans}
    for name, metric in chosen.metrics.items():
        for about in metric.figures:
            score, ours = scores[name][about.name], own[name][about.name]
            found[about.name] = Figure(
                metric=name,
                definition=about,
                value=score.value,
                why=score.why,
                own=ours.value,
                floors={loss: given[name][about.name].value for loss, given in lost.items()},
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


def _only_mask(opened: list[Opened]) -> MaskSpec | None:
    """The one that the records of all results name."""
    masks = [one.record.mask for one in opened]
    return masks[0] if all(mask == masks[0] for mask in masks) else None


def _mattes(spec: MaskSpec | None, scene: Scene, stack: ExitStack) -> SourceMattes | None:
    if spec is None:
        return None
    masked = MatteSource(
        metadata=scene.reader.metadata,
        index=scene.reader.index(),
        shots=scene.cut,
        frames=scene.part,
        reopen=lambda: open_source(scene.path, scene.reading),
        allow_huge=scene.reading.allow_huge,
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


def _floors(scene: Scene, record: Recorded) -> tuple[dict[str, FrameRange], dict[str, Shown]]:
    """The frames on which each floor is measured, and what it shows."""
    spans: dict[str, FrameRange] = {}
    shown: dict[str, Shown] = {}
    with open_source(scene.path, scene.reading) as reader:
        span = floors.affordable(floors.span_of(scene.shots, floors.FRAMES), *scene.full_size)
        spans[floors.RE_ENCODED] = span
        shown[floors.RE_ENCODED] = floors.re_encoded(reader, span, scene.size)
    fit = record.fit(*scene.full_size)
    if record.model is None or fit is None:
        return spans, shown
    coder = floors.coder(record.model, fit)
    if coder is not None:
        span = floors.span_of(scene.shots, floors.CODED_FRAMES)
        spans[floors.AUTOENCODER] = span
        with open_source(scene.path, scene.reading) as reader:
            shown[floors.AUTOENCODER] = floors.through_autoencoder(coder, reader, span, scene.size)
    return spans, shown
