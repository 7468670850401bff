"""Plan files: a clip's shots and their looks as TOML that a person edits, and the render it stands for.

source = "in.mp4"

[default]                       # of every shot that says nothing else
prompt = "pencil sketch"

[[edit]]                        # of some shots: by number, time range or chapter title
range = "10..20"
strength = 0.6

[[shot]]
number = 3
frames = "#48..#96"
prompt = "night"                # of this shot alone
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vedit.checks.nearest import VERY_ALIKE, did_you_mean
from vedit.checks.rationals import frame_rate, shown
from vedit.checks.structured import read_toml
from vedit.edits.confined_paths import NamedFiles
from vedit.edits.plan_schema import EDIT, SHOT, TABLES, TOP
from vedit.errors import InputError
from vedit.media.rates import snap
from vedit.media.timecode import parse_range
from vedit.models.source import DEFAULT
from vedit.options.look_parser import Table, look_options
from vedit.options.look_schema import LOOK, check_table, over, unknown_key
from vedit.options.request import AttentionBackend, Offload, Precision, Quantize, RenderRequest, RestyleOptions
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.protocols import Reader


@dataclass(frozen=True, kw_only=True)
class PlanFile:
    """What a plan file says, checked key by key; what needs the source is checked by `resolve`."""

    path: Path
    top: Table
    default: Table
    edits: tuple[Table, ...]
    shots: tuple[Table, ...]
    anywhere: bool = False
    """Files may lie outside the plan's folder."""

    @property
    def source(self) -> Path:
        """The clip."""
        return self.files.place(str(self.top["source"]))

    @property
    def output(self) -> Path | None:
        """The result; None is the usual name."""
        return self.files.place(str(self.top["output"])) if "output" in self.top else None

    @property
    def rate(self) -> Fraction | None:
        """Of an image sequence."""
        if "rate" not in self.top:
            return None
        try:
            given = frame_rate(self.top["rate"])
        except ValueError:
            raise InputError(
                f"{self.path.name}: rate = {shown(self.top['rate'])}", remedy="write 25 or 30000/1001"
            ) from None
        return snap(given) or given

    @property
    def track(self) -> int | None:
        """Of the clip's video streams; None is the film."""
        return cast("int", self.top["track"]) if "track" in self.top else None

    @property
    def files(self) -> NamedFiles:
        """What it names."""
        return NamedFiles(path=self.path, anywhere=self.anywhere)


@dataclass(frozen=True, kw_only=True)
class ResolvedPlan:
    """A plan beside its clip: shots, and the look of each that has one."""

    shots: tuple[Shot, ...]
    looks: dict[int, RestyleOptions]
    locked: frozenset[int]


def read_plan(path: Path, *, anywhere: bool = False) -> PlanFile:
    """Read a plan file. Raises InputError where it cannot be read, is no TOML, or a key or value is not known."""
    name = path.name
    told = read_toml(path, name)
    for key in told:
        if key not in TOP and key not in TABLES:
            raise unknown_key(key, [*TOP, *TABLES], name)
    top = check_table({key: value for key, value in told.items() if key in TOP}, TOP, name)
    if "source" not in top:
        raise InputError(f"{name} names no source", remedy='write source = "clip.mp4" at its top')
    shots = tuple(_tables(told, "shot", SHOT, name))
    if not shots:
        raise InputError(f"{name} has no shots", remedy="make one with `vedit plan CLIP -o PLAN`")
    return PlanFile(
        path=path,
        top=top,
        default=check_table(told.get("default", {}), LOOK, f"{name}, [default]"),
        edits=tuple(_tables(told, "edit", EDIT, name)),
        shots=shots,
        anywhere=anywhere,
    )


def resolve_plan(plan: PlanFile, reader: Reader) -> ResolvedPlan:
    """The plan's shots and looks on its clip. Raises InputError where they do not fit the clip."""
    index, timecode, name = reader.index(), reader.metadata.timecode, plan.path.name
    shots: list[Shot] = []
    for table in plan.shots:
        if "number" not in table or "frames" not in table:
            raise InputError(f"{name}: a [[shot]] needs number and frames")
        frames = parse_range(str(table["frames"]), index, timecode)
        shots.append(Shot(number=cast("int", table["number"]), frames=frames))
    numbers = [shot.number for shot in shots]
    if numbers != list(range(1, len(shots) + 1)):
        raise InputError(f"{name}: the shots are numbered {numbers}", remedy="number them 1, 2, 3 ... in order")
    said: dict[int, dict[str, object]] = {number: dict(plan.default) for number in numbers}
    for count, table in enumerate(plan.edits, start=1):
        where = f"{name}, [[edit]] {count}"
        for number in _chosen(table, shots, reader, where):
            more = {key: value for key, value in table.items() if key not in ("shots", "range", "marker")}
            said[number] = over(said[number], more)
    looks: dict[int, RestyleOptions] = {}
    for table in plan.shots:
        number = cast("int", table["number"])
        more = {key: value for key, value in table.items() if key not in ("number", "frames")}
        look = over(said[number], more)
        spoken = str(look.get("prompt", "")).strip() or look.get("regions") or look.get("keyframe")
        if spoken and not look.get("untouched"):
            said_of_look = {key: value for key, value in look.items() if key in LOOK}
            where = f"{name}, shot {number}"
            looks[number] = look_options(said_of_look, files=plan.files, where=where)
    locked = frozenset(cast("int", table["number"]) for table in plan.shots if table.get("locked"))
    return ResolvedPlan(shots=tuple(shots), looks=looks, locked=locked)


def plan_request(
    plan: PlanFile, resolved: ResolvedPlan, *, output: Path | None = None, **settings: Any
) -> RenderRequest:
    """The render that a plan stands for.

    Args:
        plan: the file.
        resolved: the same on its clip.
        output: the result, wherever the plan would have it; None is the plan's.
        settings: further fields of `RenderRequest`.

    Raises:
        InputError: the plan names a model that it may not name.
    """
    request = RenderRequest(
        source=plan.source,
        options=RestyleOptions(),
        looks=resolved.looks,
        shots=resolved.shots,
        locked=resolved.locked,
        output=output if output is not None else plan.output,
        model=plan.files.model(str(plan.top.get("model", DEFAULT))),
        device=str(plan.top.get("device", "auto")),
        precision=cast("Precision", plan.top.get("precision", "auto")),
        quantize=cast("Quantize", plan.top.get("quantize", "none")),
        offload=cast("Offload", plan.top.get("offload", "none")),
        attention_backend=cast("AttentionBackend", plan.top.get("attention_backend", "auto")),
        rate=plan.rate,
        track=plan.track,
        keep_work=True,
        keep_frames=True,
    )
    return replace(request, **settings)


def _tables(told: Mapping[str, object], key: str, known: Any, name: str) -> Iterator[Table]:
    found = told.get(key, [])
    if not isinstance(found, list):
        raise InputError(f"{name}: {key}s are written as [[{key}]], with two brackets")
    for number, table in enumerate(cast("list[object]", found), start=1):
        yield check_table(table, known, f"{name}, [[{key}]] {number}")


def _chosen(table: Table, shots: Sequence[Shot], reader: Reader, where: str) -> list[int]:
    """The numbers of the shots that an [[edit]] is for."""
    named = [key for key in ("shots", "range", "marker") if key in table]
    if len(named) != 1:
        raise InputError(f"{where} names its shots {len(named)} times", remedy="give one of shots, range and marker")
    if named == ["shots"]:
        numbers = cast("list[int]", table["shots"] if isinstance(table["shots"], list) else [table["shots"]])
        absent = [number for number in numbers if number > len(shots)]
        if absent:
            raise InputError(f"{where}: there is no shot {absent[0]}", remedy=f"the last is {len(shots)}")
        return numbers
    if named == ["range"]:
        frames = parse_range(str(table["range"]), reader.index(), reader.metadata.timecode)
    else:
        frames = _chapter(str(table["marker"]), reader, where)
    inside = [
        shot.number
        for shot in shots
        if 2 * (min(shot.frames.stop, frames.stop) - max(shot.frames.start, frames.start)) >= len(shot.frames)
    ]
    if not inside:
        raise InputError(f"{where}: no shot lies in {table[named[0]]!r} by half or more", remedy="widen it")
    return inside


def _chapter(title: str, reader: Reader, where: str) -> FrameRange:
    """The frames of the source's chapter of this title."""
    from vedit.media.reading.chapters import read_chapters

    chapters = read_chapters(reader.metadata.path)
    found = next((chapter for chapter in chapters if chapter.title.casefold() == title.casefold()), None)
    if found is None:
        titles = [chapter.title for chapter in chapters]
        told = f"it has {', '.join(map(repr, titles)) or 'none'}"
        near = did_you_mean(title, titles, cutoff=VERY_ALIKE)  # many titles share a word
        raise InputError(f"{where}: the source has no chapter {title!r}", remedy=f"{near} {told}" if near else told)
    index, base = reader.index(), reader.index().time_base
    numbers = [n for n, pts in enumerate(index.pts) if found.start <= pts * base < found.stop]
    if not numbers:
        raise InputError(f"{where}: no frame is in the chapter {title!r}")
    return FrameRange(start=numbers[0], stop=numbers[-1] + 1)
