"""A clip checked shot by shot for controls: figures, warnings, and what could not be checked for want of weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.control_maps.listing import KindInfo, describe_kind
from vedit.control_maps.measure import ShotFigures, measure_depth, measure_pictures
from vedit.control_maps.suitability import ControlWarning, warnings_of
from vedit.geometry import fit, working_fit
from vedit.masks import area, open_mattes
from vedit.masks.source import masked_clip
from vedit.media.reading.reader import VideoReader
from vedit.options.masks import MaskSpec
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, Progress, ignore_progress
from vedit.progress.course import Course, evenly
from vedit.registry.preprocessors import described
from vedit.shots.clip_part import AS_IT_IS, admit_source, open_part
from vedit.types import FrameRange, Shot
from vedit.weights.store import info, terms

if TYPE_CHECKING:
    import torch

    from vedit.protocols import Mattes

EDGE_BRANCHES = ("softedge", "canny", "lineart", "lineart-anime", "scribble", "mlsd")
DEPTHS, POSE = "depth", "pose"
DEFAULT_KINDS = ("softedge", "flow", "depth", "pose")
_SIDE = 240
"""Pixels of the shorter side at which light, edges and motion are measured."""
_TOGETHER = 8


@dataclass(frozen=True, kw_only=True)
class ShotReport:
    """One shot."""

    shot: Shot
    figures: ShotFigures
    warnings: tuple[ControlWarning, ...]


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """A clip."""

    shots: tuple[ShotReport, ...]
    unchecked: tuple[str, ...]
    """Kinds that were not measured, one line each: what they need."""
    notes: tuple[str, ...]
    """What the user should know of the file."""

    @property
    def warned(self) -> bool:
        return any(shot.warnings for shot in self.shots)


def check_controls(
    source: Path,
    kinds: Sequence[str] = DEFAULT_KINDS,
    *,
    frames: str | None = None,
    mask: MaskSpec | None = None,
    reading: SourceOptions = AS_IT_IS,
    on_progress: OnProgress = ignore_progress,
) -> CheckReport:
    """Measure what a clip offers to controls, and say where one would hurt.

    Light is always measured; edges for kinds of edge branches, motion for `flow`, depth for the `depth` kinds, people
    for `pose`. A kind whose weights are absent is left out, and listed. Other kinds need no more than light.

    Args:
        source: the clip.
        kinds: names of preprocessors.
        frames: START..END as `restyle` takes it; None is the whole clip.
        mask: what would be used, to be measured too.
        reading: how the clip is read.
        on_progress: told as shots are done.

    Raises:
        InputError: a kind is unknown, the clip cannot be read, or the mask does not fit it.
    """
    admit_source(source, reading)
    entries = [described(kind) for kind in dict.fromkeys(kinds)]
    told = {entry.name: describe_kind(entry) for entry in entries}
    unchecked = tuple(
        f"{kind.name} is not checked, it needs {_needed(kind)}" for kind in told.values() if not kind.ready
    )
    edges = any(told[name].branch in EDGE_BRANCHES for name in told)
    ready = [name for name, kind in told.items() if kind.ready]
    with ExitStack() as stack:
        clip = stack.enter_context(open_part(source, frames, reading))
        mattes = None
        if mask is not None:
            mattes = stack.enter_context(open_mattes(mask, masked_clip(clip, source, reading)))
        course = Course(on_progress)
        course.expect(evenly(len(clip.frames), {"check": 1.0}))
        reports: list[ShotReport] = []
        for shot in clip.shots:
            course(clip.reached("check", shot, shot.frames.start))
            seen = measure_pictures(_frames(clip.reader, shot.frames, _SIDE), edges=edges, flow="flow" in told)
            figures = ShotFigures(
                frames=shot.frames,
                brightness=tuple(seen.brightness),
                contrast=tuple(seen.contrast),
                edges=tuple(seen.edges),
                flow=tuple(seen.flow),
                mask=() if mattes is None else tuple(_areas(mattes, shot.frames)),
            )
            for name in ready:
                figures = _measured(clip.reader, name, figures)
            reports.append(ShotReport(shot=shot, figures=figures, warnings=warnings_of(figures)))
        last, total = len(clip.shots), len(clip.frames)
        course(Progress(stage="check", done=total, total=total, shot=last, shots=last))
        return CheckReport(shots=tuple(reports), unchecked=unchecked, notes=clip.reader.warnings)


def _measured(reader: VideoReader, kind: str, figures: ShotFigures) -> ShotFigures:
    """The figures with those of a kind whose weights are present, if it has any of its own."""
    side = described(kind).needs.short_side
    if kind == POSE:
        from vedit.preprocessors.pose import pose_confidence

        found = list(pose_confidence(_frames(reader, figures.frames, side)))
        return replace(figures, people=tuple(f.people for f in found), confidence=tuple(f.confidence for f in found))
    if kind.partition("-")[0] == DEPTHS:
        from vedit.preprocessors.depth import MODELS, depth_values

        if kind in MODELS:
            values = depth_values(_frames(reader, figures.frames, side), kind=kind)
            return replace(figures, depth=tuple(measure_depth(values)))
    return figures


def _areas(mattes: Mattes, frames: FrameRange) -> Iterator[float]:
    for start in range(frames.start, frames.stop, _TOGETHER):
        yield from area(mattes(FrameRange(start=start, stop=min(start + _TOGETHER, frames.stop))))


def _frames(reader: VideoReader, frames: FrameRange, side: int | None) -> Iterator[torch.Tensor]:
    size = (reader.metadata.height, reader.metadata.width)
    place = working_fit(size, short_side=side or min(size), multiple_of=1)
    for clip in reader.chunks(frames, _TOGETHER):
        yield fit(clip, place)


def _needed(kind: KindInfo) -> str:
    """What is missing, in words, and the commands that bring it."""
    weights = [info(needed.name) for needed in kind.weights if not needed.present]
    told = [] if kind.extra_present else [f"the extra {kind.extra}"]
    told += [f"{entry.name} ({terms(entry)})" for entry in weights]
    return f"{' and '.join(told)}; run: {'; '.join(kind.commands)}"
