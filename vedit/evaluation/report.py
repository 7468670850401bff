"""What a measurement found, as values, as JSON and as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vedit.evaluation.definition import Figure

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from vedit.evaluation.metric import Setting
    from vedit.evaluation.requirements import Outcome
    from vedit.media.contract.report import ContractReport
    from vedit.options.source import SourceOptions
    from vedit.types import FrameRange, Shot

FORMAT = 1
"""Of the JSON; a change of the meaning of a key raises it."""
Level = Literal["good", "fair", "bad", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the figures mean, in words."""

    subject: str
    """What it is about, for instance "camera"."""
    level: Level
    text: str
    """One sentence, with the figures that it rests on."""
    figures: tuple[str, ...] = ()
    """Their names."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a report rests on, so that its frames can be looked at again; no part of the JSON."""

    reading: SourceOptions
    """How the source is read."""
    pairs: Mapping[int, int]
    """Frame of the source -> frame of the result."""
    setting: Setting


@dataclass(frozen=True, kw_only=True)
class Report:
    """A result, measured against its source."""

    source: Path
    result: Path
    label: str
    """What the result is called beside others."""
    frames: FrameRange
    """Of the source, that the result shows."""
    seconds: tuple[float, ...]
    """When each of them is shown, after the first of the source."""
    rate: Fraction | None
    shots: tuple[Shot, ...]
    joins: tuple[int, ...]
    """Frames at which a window of the render began inside a shot."""
    measured_at: tuple[int, int]
    """(height, width)."""
    flow: str
    """The estimator of motion."""
    quick: bool
    contract: ContractReport | None
    """None where the result was not made to keep it."""
    figures: Mapping[str, Figure]
    """By name."""
    verdicts: tuple[Verdict, ...]
    required: tuple[Outcome, ...] = ()
    notes: tuple[str, ...] = ()
    recipe: Mapping[str, object] | None = None
    """Of the render, where its record says it."""
    floor_frames: Mapping[str, FrameRange] = field(default_factory=dict[str, "FrameRange"])
    """Which frames each floor was measured on."""
    took: float = 0.0
    """Seconds that the measurement took."""
    material: Material | None = None
    """None where the report was not made by a measurement of this process."""

    @property
    def ok(self) -> bool:
        """Everything that was required is met."""
        return all(one.met for one in self.required)

    def as_dict(self) -> dict[str, object]:
        """For JSON, as `vedit.evaluation.schema` describes it."""
        return {
            "format": FORMAT,
            "source": str(self.source),
            "result": str(self.result),
            "label": self.label,
            "frames": [self.frames.start, self.frames.stop],
            "rate": None if self.rate is None else str(self.rate),
            "shots": [[shot.frames.start, shot.frames.stop] for shot in self.shots],
            "joins": list(self.joins),
            "measured_at": [self.measured_at[1], self.measured_at[0]],
            "flow": self.flow,
            "quick": self.quick,
            "contract": None if self.contract is None else self.contract.as_dict(),
            "verdicts": [
                {"subject": one.subject, "level": one.level, "text": one.text, "figures": list(one.figures)}
                for one in self.verdicts
            ],
            "figures": {name: _figure(one) for name, one in self.figures.items()},
            "floor_frames": {name: [span.start, span.stop] for name, span in self.floor_frames.items()},
            "required": [{"requirement": one.requirement, "met": one.met, "found": one.found} for one in self.required],
            "notes": list(self.notes),
            "recipe": None if self.recipe is None else dict(self.recipe),
            "seconds": round(self.took, 3),
        }


def _figure(one: Figure) -> dict[str, object]:
    about = one.definition
    return {
        "metric": one.metric,
        "title": about.title,
        "value": one.value,
        "why": one.why,
        "source": one.own,
        "floors": dict(one.floors),
        "unit": about.unit,
        "better": about.better,
        "ideal": about.ideal,
        "variant": about.variant,
        "paper": about.paper,
        "series": {str(frame): value for frame, value in one.series.items()},
        "source_series": {str(frame): value for frame, value in one.own_series.items()},
    }


def as_csv(reports: Sequence[Report]) -> str:
    """A line for each frame of each result, a column for each figure that has values over time."""
    names = list(dict.fromkeys(name for one in reports for name, figure in one.figures.items() if figure.series))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["result", "frame", "seconds", "shot", *(f"{n}{end}" for n in names for end in ("", "_source"))])
    for report in reports:
        for shot in report.shots:
            for frame in range(shot.frames.start, shot.frames.stop):
                moment = report.seconds[frame - report.frames.start]
                writer.writerow([report.label, frame, f"{moment:.6f}", shot.number, *_cells(report, names, frame)])
    return text.getvalue()


def _cells(report: Report, names: Sequence[str], frame: int) -> list[str]:
    cells: list[str] = []
    for name in names:
        figure = report.figures.get(name)
        for series in ({}, {}) if figure is None else (figure.series, figure.own_series):
            cells.append(f"{series[frame]:.6g}" if frame in series else "")
    return cells
