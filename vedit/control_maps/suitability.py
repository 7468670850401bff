"""Where a control would hurt: what the figures of a shot say of edges, flow, depth, pose and mask, in warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vedit.control_maps.measure import ShotFigures
from vedit.types import FrameRange

FLAT = 0.012
"""Standard deviation of luma below which a frame shows nothing."""
BLACK, WHITE = 0.1, 0.9
"""Luma of a frame that shows nothing, by which it is called black or white."""
FEW_EDGES, MANY_EDGES = 0.008, 0.6
"""Mean of the soft edges: filmed material lies between 0.015 and 0.53."""
PAIR_BROKEN = 0.3
"""Share of valid motion below which two frames show different pictures: at cuts it is below 0.05."""
MOSTLY_INVALID = 0.5
"""Mean share of valid motion of a shot: filmed material lies above 0.75."""
FLAT_DEPTH = 0.1
"""Range of inverse depth, as a part of its largest value."""
UNSURE = 0.4
"""Mean confidence of joints."""
EMPTY, FULL = 1e-5, 1 - 1e-5
"""Share of the picture that a mask covers."""
_LISTED = 3
"""Runs of frames that a warning names."""


@dataclass(frozen=True, kw_only=True)
class ControlWarning:
    """One reason why a control would hurt."""

    control: str
    """What it is about: frames, edges, flow, depth, pose or mask."""
    message: str
    frames: tuple[FrameRange, ...]
    """Where, in frames of the source."""

    def __str__(self) -> str:
        return f"{self.control}: {self.message}"


def warnings_of(figures: ShotFigures) -> tuple[ControlWarning, ...]:
    """What to be warned of in a shot, by what was measured; nothing where all is well."""
    return (
        *_frames(figures),
        *_edges(figures),
        *_flow(figures),
        *_depth(figures),
        *_pose(figures),
        *_mask(figures),
    )


def _frames(figures: ShotFigures) -> Iterator[ControlWarning]:
    """Frames that show nothing."""
    empty = _blank(figures)
    for name, low, high in (("black", -1.0, BLACK), ("white", WHITE, 2.0), ("of a single colour", BLACK, WHITE)):
        found = [n for n in empty if low <= figures.brightness[n] < high]
        if found:
            runs = _runs(figures, found)
            yield ControlWarning(
                control="frames",
                message=f"{_of(found, figures)} {name} ({_list(runs)}): no edges and no depth to hold on to",
                frames=runs,
            )


def _edges(figures: ShotFigures) -> Iterator[ControlWarning]:
    blank = set(_blank(figures))
    told = {n: value for n, value in enumerate(figures.edges) if n not in blank}
    few = [n for n, value in told.items() if value < FEW_EDGES]
    if few:
        runs = _runs(figures, few)
        yield ControlWarning(
            control="edges",
            message=f"hardly any on {_count(few)} ({_list(runs)}): blown out, dark or out of focus; edges hold nothing",
            frames=runs,
        )
    many = [n for n, value in told.items() if value > MANY_EDGES]
    if many:
        runs = _runs(figures, many)
        yield ControlWarning(
            control="edges",
            message=f"everywhere on {_count(many)} ({_list(runs)}): noise or fine texture; lower the control's scale",
            frames=runs,
        )


def _flow(figures: ShotFigures) -> Iterator[ControlWarning]:
    if not figures.flow:
        return
    mean = _mean(figures.flow)
    broken = [n for n, share in enumerate(figures.flow) if share < PAIR_BROKEN]
    if mean < MOSTLY_INVALID and len(figures.flow) > 1:
        yield ControlWarning(
            control="flow",
            message=f"holds for {mean:.0%} of the pixels over the shot: fast motion, cuts that were not found or "
            "flicker; what follows it would smear",
            frames=(figures.frames,),
        )
    elif broken:
        runs = tuple(FrameRange(start=r.start, stop=r.stop + 1) for r in _runs(figures, broken))
        pairs = ", ".join(f"#{figures.frames.start + n} to #{figures.frames.start + n + 1}" for n in broken[:_LISTED])
        yield ControlWarning(
            control="flow",
            message=f"breaks from {pairs}{', ...' if len(broken) > _LISTED else ''} (valid on "
            f"{min(figures.flow):.0%} of the pixels): a cut that was not found, or a whip pan",
            frames=runs,
        )


def _depth(figures: ShotFigures) -> Iterator[ControlWarning]:
    shown = [limits for n, limits in enumerate(figures.depth) if n not in set(_blank(figures))]
    if not shown:
        return
    low, high = min(low for low, _ in shown), max(high for _, high in shown)
    if high - low <= FLAT_DEPTH * abs(high):
        yield ControlWarning(
            control="depth",
            message=f"flat: from {low:.3g} to {high:.3g} over the shot; its map would be noise stretched to a picture",
            frames=(figures.frames,),
        )


def _pose(figures: ShotFigures) -> Iterator[ControlWarning]:
    absent = [n for n, people in enumerate(figures.people) if people == 0]
    if figures.people and len(absent) == len(figures.people):
        yield ControlWarning(
            control="pose",
            message="no person found: its map is black, which asks for no people",
            frames=(figures.frames,),
        )
        return
    if absent:
        runs = _runs(figures, absent)
        yield ControlWarning(
            control="pose", message=f"no person found on {_count(absent)} ({_list(runs)})", frames=runs
        )
    sure = [value for value, people in zip(figures.confidence, figures.people, strict=True) if people]
    if sure and _mean(sure) < UNSURE:
        yield ControlWarning(
            control="pose",
            message=f"joints are unsure ({_mean(sure):.2f} of 1): people are small, hidden or blurred",
            frames=(figures.frames,),
        )


def _mask(figures: ShotFigures) -> Iterator[ControlWarning]:
    for name, effect, found in (
        ("empty", "nothing changes there", [n for n, share in enumerate(figures.mask) if share < EMPTY]),
        ("full", "everything changes there", [n for n, share in enumerate(figures.mask) if share > FULL]),
    ):
        if found:
            runs = _runs(figures, found)
            yield ControlWarning(
                control="mask", message=f"{name} on {_count(found)} ({_list(runs)}): {effect}", frames=runs
            )


def _blank(figures: ShotFigures) -> list[int]:
    return [n for n, contrast in enumerate(figures.contrast) if contrast < FLAT]


def _runs(figures: ShotFigures, found: Sequence[int]) -> tuple[FrameRange, ...]:
    """Positions in the shot as ranges of frames of the source."""
    runs: list[FrameRange] = []
    for position in found:
        number = figures.frames.start + position
        if runs and runs[-1].stop == number:
            runs[-1] = FrameRange(start=runs[-1].start, stop=number + 1)
        else:
            runs.append(FrameRange(start=number, stop=number + 1))
    return tuple(runs)


def _list(runs: Sequence[FrameRange]) -> str:
    """`#3, #7..#9, ...`, the last frame included."""
    texts = [f"#{r.start}" if len(r) == 1 else f"#{r.start} to #{r.stop - 1}" for r in runs[:_LISTED]]
    return ", ".join(texts) + (", ..." if len(runs) > _LISTED else "")


def _of(found: Sequence[int], figures: ShotFigures) -> str:
    if len(found) == len(figures.frames):
        return "all frames are"
    return f"{_count(found)} {'is' if len(found) == 1 else 'are'}"


def _count(found: Sequence[int]) -> str:
    return f"{len(found)} frame{'' if len(found) == 1 else 's'}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
