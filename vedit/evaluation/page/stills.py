"""The pictures of a page: frames of the clip and its results, where they are worst, and lines of pixels over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vedit.display.html_page import address_bytes, webp, webps
from vedit.evaluation.clip import frames_of, result_of
from vedit.evaluation.measure import steps
from vedit.evaluation.motion import estimator
from vedit.evaluation.page.opened import covered, opened
from vedit.evaluation.page.worst import frames_to_show, heat_maps, hottest, overlaid
from vedit.evaluation.picture import measuring_size
from vedit.evaluation.profile import Profile
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.display.html_page import Image
    from vedit.evaluation.page.opened import Opened
    from vedit.evaluation.report import Report

MOST_PICTURES = 60
"""Of all frames, the source's and each result's."""
FEWEST_FRAMES = 4
EVENLY = 0.4
"""Of the frames, those that are spread evenly; the others are the worst."""
STILL_BYTES, HEAT_BYTES, PROFILE_BYTES = 1_400_000, 300_000, 300_000
"""Of the page, as it holds them: 2 MB in all."""
_HEAT_LEVELS = ((320, 60), (320, 40), (240, 40), (160, 30))
_PROFILE_LEVELS = ((1200, 70), (1200, 45), (900, 40), (600, 35), (400, 30), (240, 20))
_PROFILE_SIDE = 256
"""Pixels of the shorter side at which the lines over time are taken."""


@dataclass(frozen=True, kw_only=True)
class Still:
    """A frame of the clip beside the same of each result."""

    frame: int
    pictures: tuple[bytes | None, ...]
    """WebP: the source, then the results in order; None where a result has none."""


@dataclass(frozen=True, kw_only=True)
class Over:
    """Lines of pixels over time of one result, WebP: time to the right, the source above."""

    label: str
    row: bytes
    column: bytes


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """All pictures of a page."""

    size: tuple[int, int]
    """(height, width) of a frame, before it was made small."""
    stills: tuple[Still, ...]
    """In the order of time."""
    heats: Mapping[tuple[str, int], bytes] = field(default_factory=dict[tuple[str, int], bytes])
    """(figure, frame) -> where."""
    over_time: tuple[Over, ...] = ()


def gather(reports: Sequence[Report]) -> Pictures:
    """Read the clips again for what the page shows of them; what is held of them does not grow with their length.

    Args:
        reports: of one clip.

    Raises:
        MediaError: a clip cannot be read any more.
    """
    with opened(reports) as clips:
        frames = _frames(reports)
        read = {frame: clips.pictures(frame) for frame in frames}
        heats = _heats(reports[0], clips, read) if len(reports) == 1 else {}
        over = _over_time(reports, clips)
        held = [picture for pictures in read.values() for picture in pictures if picture is not None]
        encoded = iter(webps(held, STILL_BYTES * 3 // 4))
        stills = tuple(
            Still(frame=frame, pictures=tuple(None if one is None else next(encoded) for one in pictures))
            for frame, pictures in read.items()
        )
        return Pictures(size=clips.size, stills=stills, heats=heats, over_time=over)


def _frames(reports: Sequence[Report]) -> tuple[int, ...]:
    """The frames that are shown: the worst of all reports, and others evenly between the first and the last."""
    part = covered(reports)
    count = min(len(part), max(FEWEST_FRAMES, MOST_PICTURES // (1 + len(reports))))
    even = max(2, round(EVENLY * count))
    ranked = [frames_to_show(tuple(one.figures.values()), count) for one in reports]
    worst = [found[place] for place in range(count) for found in ranked if place < len(found)]
    if count == len(part):
        return tuple(range(part.start, part.stop))
    chosen = set(list(dict.fromkeys(worst))[: count - even])
    even = count - len(chosen)
    return tuple(sorted(chosen | {part.start + round(n * (len(part) - 1) / (even - 1)) for n in range(even)}))


def _heats(
    report: Report, clips: Opened, read: Mapping[int, tuple[Image | None, ...]]
) -> Mapping[tuple[str, int], bytes]:
    found = heat_maps(report, clips, tuple(read))
    names = dict.fromkeys(name for name, _ in found)
    tops = {name: hottest([heat for (of, _), heat in found.items() if of == name]) for name in names}
    drawn: dict[tuple[str, int], Image] = {}
    for (name, frame), heat in found.items():
        picture = read[frame][1]
        if picture is not None and tops[name] > 0:
            drawn[name, frame] = overlaid(picture, heat, tops[name])
    data = webps(list(drawn.values()), HEAT_BYTES * 3 // 4, _HEAT_LEVELS)
    return dict(zip(drawn, data, strict=True))


def _over_time(reports: Sequence[Report], clips: Opened) -> tuple[Over, ...]:
    """The lines of each result, of one pass over the clip."""
    part, size = covered(reports), measuring_size(*reports[0].measured_at, _PROFILE_SIDE)
    shots = [_within(shot, part) for shot in reports[0].shots]
    results = {
        str(place): result_of(reader, pairs, size)
        for place, (reader, pairs) in enumerate(zip(clips.results, clips.pairs, strict=True))
    }
    made = {name: Profile() for name in results}
    for name, step in steps(frames_of(clips.source, tuple(filter(None, shots)), size), results, estimator("dis")):
        made[name].push(step)
    each = PROFILE_BYTES // (2 * len(reports))
    found: list[Over] = []
    for one, name in zip(reports, made, strict=True):
        lines = made[name].pictures()
        if lines is not None:
            found.append(Over(label=one.label, row=_line(lines.row, each), column=_line(lines.column, each)))
    return tuple(found)


def _within(shot: Shot, part: FrameRange) -> Shot | None:
    start, stop = max(shot.frames.start, part.start), min(shot.frames.stop, part.stop)
    return replace(shot, frames=FrameRange(start=start, stop=stop)) if start < stop else None


def _line(picture: Image, most: int) -> bytes:
    """As large as it may be: the first level at which it is small enough, or the last."""
    made = (webp(picture, side, quality) for side, quality in _PROFILE_LEVELS)
    return next((data for data in made if address_bytes(data) <= most), webp(picture, *_PROFILE_LEVELS[-1]))
