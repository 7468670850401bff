"""What a render will do and what it did, as values that show themselves in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from vedit.display.notebook import (
    MOST_SHOTS,
    SIDE,
    aspect_of,
    cards,
    escaped,
    image,
    or_text,
    picture_address,
    shown_size,
    slider,
    table,
)
from vedit.media.rates import NO_RATE
from vedit.media.reading.facts import span
from vedit.media.reading.glance import glance
from vedit.media.reading.read import open_video
from vedit.models.loading import loading_of
from vedit.options.request import RestyleOptions
from vedit.thumbnail import png, thumbnail, tiled
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames


@dataclass(frozen=True, kw_only=True)
class RenderPlan:
    """What a render will do, known before a model is loaded; `as_json` is what `--dry-run --json` prints."""

    source: str
    output: str
    frames: int
    first_frame: int
    shots: tuple[tuple[int, int], ...]
    rate: str
    """Frames per second as a fraction, "variable", or "none" of a still picture."""
    source_size: tuple[int, int]
    working_size: tuple[int, int]
    """(width, height), padding included."""
    model: str
    device: str
    steps: int
    network_evaluations_per_frame: int
    peak_memory_bytes: int | None
    """Of host memory, a rough estimate; None where the model is not on this machine, so that its size is not known."""
    seconds: float | None
    """A rough estimate of the wall time on this machine; None as above."""
    peak_device_bytes: int | None = None
    """The same of a GPU's memory; None where there is no GPU in it."""
    notes: tuple[str, ...] = ()
    settings: dict[str, object] = field(default_factory=dict[str, object])
    bars: dict[int, dict[str, int]] = field(default_factory=dict[int, dict[str, int]])
    """Shot number -> width in pixels of the black bars on its four sides that stay as they are; shots without bars are
    left out."""

    precision: str = "auto"
    """What the networks compute in; "auto" is what suits the device."""
    quantize: str = "none"
    """What the network's weights are quantised to."""
    offload: str = "none"
    """What waits in host memory beside a GPU."""
    attention_backend: str = "auto"
    """The kernel that computes attention; "auto" is torch's choice."""

    @property
    def network(self) -> str:
        """The model, where it runs, and how, as far as that was asked for."""
        return f"{self.model} {loading_of(self, self.device)}"

    def _repr_html_(self) -> str:
        """What will be done, with a picture of each shot, for a notebook."""
        return or_text(self, lambda: plan_html(self))


def ignore_plan(plan: RenderPlan) -> None:
    """The caller that does not want to know."""


@dataclass(frozen=True, kw_only=True)
class RenderResult:
    """What a render did."""

    output: str
    frames: int
    seconds: float
    contract: dict[str, object]
    """The checked figures of the timing and sound contract."""
    notes: tuple[str, ...] = ()
    units_kept: int = 0
    """Units that an earlier run had finished."""
    timings: dict[str, float] = field(default_factory=dict[str, float])
    """Seconds by stage."""
    source: str = ""
    first_frame: int = 0
    """Of the source, that the result begins with."""

    def _repr_html_(self) -> str:
        """Source and result of one moment, one over the other, for a notebook."""
        return or_text(self, lambda: result_html(self))

    def _repr_png_(self) -> bytes:
        """Frames of the written file, spread evenly, for a notebook."""
        with open_video(Path(self.output)) as reader:
            last = len(reader.index()) - 1
            shown = sorted({round(n * last / 4) for n in range(5)})
            clips = [reader.read(FrameRange(start=n, stop=n + 1)) for n in shown]
        return png(tiled([[thumbnail(clip.frames[0], clip.bit_depth) for clip in clips]]))


def plan_html(plan: RenderPlan) -> str:
    """What a render will do, with a picture of each shot where that takes little time."""
    estimate = "unknown" if plan.seconds is None else f"about {span(plan.seconds)}"
    memory = "" if plan.peak_memory_bytes is None else f", {plan.peak_memory_bytes / 1e9:.1f} GB of memory"
    if plan.peak_device_bytes is not None:
        memory += f", {plan.peak_device_bytes / 1e9:.1f} GB of the GPU's"
    rows = {
        "source": plan.source,
        "output": plan.output,
        "frames": "one, a still picture"
        if plan.rate == NO_RATE
        else f"{plan.frames} from #{plan.first_frame}, rate {plan.rate}",
        "size": "{}x{}, worked at {}x{}".format(*plan.source_size, *plan.working_size),
        "model": plan.network,
        "steps": f"{plan.steps}, {plan.network_evaluations_per_frame} network evaluations per frame",
        "estimate": estimate + memory,
        **_looks(plan.settings),
        **{f"note {number}": note for number, note in enumerate(plan.notes, 1)},
    }
    return table(rows) + _shots(plan)


def result_html(result: RenderResult) -> str:
    """Source and result of one moment, one over the other, and what the render did."""
    rows = {
        "output": result.output,
        "frames": f"{result.frames} in {span(result.seconds)}",
        "timing and sound": "checked, as in the source" if result.contract.get("ok") else "not as in the source",
        **{f"note {number}": note for number, note in enumerate(result.notes, 1)},
    }
    with open_video(Path(result.output)) as made:
        metadata = made.metadata
        after, moment = glance(made, (metadata.duration or Fraction(0)) / 2)
        width, height = shown_size(after, aspect_of(made), SIDE)
        pictures = [picture_address(after, metadata.bit_depth, width, height)]
    before = _source_frame(result, moment)
    if before is None:
        return image(pictures[0], width) + table(rows)
    return slider(picture_address(*before, width, height), pictures[0], width=width, height=height) + table(rows)


def _source_frame(result: RenderResult, moment: Fraction) -> tuple[IntFrames, int] | None:
    """What the source shows where the result shows a moment; None where it is gone or does not tell."""
    try:
        with open_video(Path(result.source)) as reader:
            rate = reader.metadata.average_rate
            if result.first_frame and rate is None:
                return None
            begin = result.first_frame / rate if rate else Fraction(0)
            return glance(reader, begin + moment)[0], reader.metadata.bit_depth
    except Exception:  # the result is worth a look without it
        return None


def _shots(plan: RenderPlan) -> str:
    """The shots of a plan; without pictures where its frames cannot be found by their times."""
    still = plan.rate == NO_RATE
    captions = [f"Shot {number}: #{start}..#{stop}" for number, (start, stop) in enumerate(plan.shots, 1)]
    if plan.rate == "variable":
        return "".join(f"<div>{escaped(caption)}</div>" for caption in captions[:MOST_SHOTS])
    with open_video(Path(plan.source), rate=_sequence_rate(plan)) as reader:

        def picture_of(number: int) -> tuple[IntFrames, int, Fraction]:
            start, stop = plan.shots[number]
            frame, _ = glance(reader, Fraction(0) if still else (start + stop - 1) // 2 / Fraction(plan.rate))
            return frame, reader.metadata.bit_depth, aspect_of(reader)

        return cards(captions, picture_of)


def _sequence_rate(plan: RenderPlan) -> Fraction | None:
    """For an image sequence, which says none itself."""
    path = Path(plan.source)
    if plan.rate == NO_RATE:
        return None
    return Fraction(plan.rate) if path.is_dir() or "%" in path.name or "#" in path.name else None


def _looks(settings: Mapping[str, object]) -> dict[str, str]:
    """The settings of each look, as far as they are not the usual ones."""
    looks = cast("list[Mapping[str, object]]", settings["looks"]) if "looks" in settings else [settings]
    usual = {entry.name: getattr(RestyleOptions(), entry.name) for entry in fields(RestyleOptions)}
    rows: dict[str, str] = {}
    for look in looks:
        shots = cast("list[int]", look.get("shots", []))
        name = f"look of shot{'' if len(shots) == 1 else 's'} {', '.join(map(str, shots))}" if shots else "look"
        said = {key: value for key, value in look.items() if key not in ("prompt", "shots") and value not in (None, "")}
        told = [f"{key} {_plain(value)}" for key, value in said.items() if key in usual and _differs(value, usual[key])]
        rows[name] = "; ".join([str(look.get("prompt", "")), *told])
    return rows


def _differs(value: object, usual: object) -> bool:
    """Whether a setting, as JSON has it, is another one than the usual."""
    return bool(value) and not isinstance(value, list) and value != usual


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
