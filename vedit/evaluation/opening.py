"""Results opened beside their source: which frames go together, and what is refused before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.evaluation.pairing import by_number, by_time, check_cuts, differences
from vedit.media.contract.verify import verify
from vedit.media.reading.read import open_video
from vedit.media.reading.sequence import find_pictures
from vedit.media.timecode import parse_range
from vedit.shots.clip_part import admit_source, open_source
from vedit.shots.detect import detect_shots
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.evaluation.recorded import Recorded
    from vedit.media.contract.report import ContractReport
    from vedit.media.reading.reader import VideoReader
    from vedit.options.source import SourceOptions


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
    reading: SourceOptions
    """How it was opened."""
    part: FrameRange
    cut: tuple[Shot, ...]
    """All shots of the part."""
    shots: tuple[Shot, ...]
    """Those of them that are measured."""
    size: tuple[int, int]

    @property
    def full_size(self) -> tuple[int, int]:
        """(height, width) of a frame."""
        return self.reader.metadata.height, self.reader.metadata.width


def as_recorded(reading: SourceOptions, records: Sequence[Recorded]) -> SourceOptions:
    """How the source is read: as asked, and where nothing is said, as it was when the results were made.

    Raises:
        InputError: results were made from several tracks of it.
    """
    tracks = {record.track for record in records if record.part is not None}
    if reading.track is None and len(tracks) > 1:
        raise InputError(
            "the results were made from several tracks of the source", remedy="name the one to compare with --track"
        )
    track = reading.track if reading.track is not None or not tracks else next(iter(tracks))
    rates = {record.source_rate for record in records if record.source_rate is not None}
    interlaced = {record.interlaced for record in records if record.interlaced is not None}
    return replace(
        reading,
        track=track,
        rate=reading.rate if reading.rate is not None or len(rates) != 1 else next(iter(rates)),
        # A result that was made from woven fields has to be held against them.
        interlaced=next(iter(interlaced)) if len(interlaced) == 1 else reading.interlaced,
    )


def open_clip(source: Path, reading: SourceOptions, stack: ExitStack) -> VideoReader:
    """The source. Raises MediaError where it cannot be read."""
    admit_source(source, reading)
    return stack.enter_context(open_source(source, reading))


def part_of(reader: VideoReader, reading: SourceOptions, records: Sequence[Recorded], *, timed: bool) -> FrameRange:
    """What is asked for of the source, else all that the results show by their records, else all of it.

    Raises:
        InputError: it is no range, or another than the record of a result says.
    """
    index = reader.index()
    told = [record.part for record in records if record.part is not None and record.part.stop <= len(index)]
    if reading.frames is not None:
        part = parse_range(reading.frames, index, reader.metadata.timecode)
        if not timed and told and told[0] != part:
            raise InputError(
                f"the part asked for is #{part.start}..#{part.stop}, and the result shows "
                f"#{told[0].start}..#{told[0].stop} by its record",
                remedy="leave --range out",
            )
        return part
    if len(told) == len(records):
        return FrameRange(start=min(part.start for part in told), stop=max(part.stop for part in told))
    return FrameRange(start=0, stop=len(index))


def open_result(
    label: str,
    path: Path,
    record: Recorded,
    source: VideoReader,
    part: FrameRange,
    reading: SourceOptions,
    stack: ExitStack,
    *,
    timed: bool,
) -> Opened:
    """A result, and which of its frames goes with which of the source's.

    Args:
        label: what it is called.
        path: of the file, or the pattern or folder of pictures.
        record: what lies beside it.
        source: open.
        part: of the source, that is measured.
        reading: how the source is read.
        stack: closes what is opened.
        timed: frames go together by time, whatever made the result; else it holds exactly the part.

    Raises:
        MediaError: it cannot be read, or holds another number of frames than the part has.
    """
    index = source.index()
    pictures = find_pictures(path) is not None
    rate = (record.rate or index.rate) if pictures else None
    reader = stack.enter_context(open_video(path, rate=rate, allow_huge=reading.allow_huge))
    written = reader.index()
    shown = record.part if timed and record.part is not None and record.part.stop <= len(index) else part
    if timed and not (pictures and len(written) == len(shown)):
        pairs = by_time(index, shown, written)
    else:
        pairs = by_number(shown, written, path.name, told=len(shown) != len(index))
    pairs = {number: place for number, place in pairs.items() if number in part}
    if not pairs:
        raise InputError(
            f"{path.name} shows nothing of #{part.start}..#{part.stop}", remedy="leave it out, or widen --range"
        )
    made = record.part is not None and len(written) == len(shown)
    contract = None
    if not timed or made:
        contract = verify(
            source.metadata,
            path,
            frames=shown,
            source_index=index,
            rate=reading.rate,
            allow_huge=reading.allow_huge,
        )
    notes = differences(source, reader, part, pairs, timed=timed)
    return Opened(
        label=label,
        path=path,
        reader=reader,
        pairs=pairs,
        record=record,
        contract=contract,
        notes=(*record.notes, *notes, *reader.warnings),
    )


def shots_of(
    reader: VideoReader, part: FrameRange, records: Sequence[Recorded]
) -> tuple[tuple[Shot, ...], tuple[Shot, ...]]:
    """The shots of a part, as a record tells them or else as they are found; and those of them to measure: shots that
    pass through are the source's, and would only water down what is measured of the others."""
    for record in records:
        told = record.shots
        if told and (told[0].frames.start, told[-1].frames.stop) == (part.start, part.stop):
            made = tuple(shot for shot in told if shot.frames.start not in record.untouched)
            return told, made or told
    found = detect_shots(reader, frames=part)
    return found, found


def of_one_cut(one: Opened, scene: Scene) -> Opened:
    """A result, with notes where it lacks a cut. Raises MediaError where it is of another cut."""
    if one.contract is not None and one.record.shots:
        return one  # it was rendered from this clip, shot by shot
    cuts = check_cuts(scene.reader, one.reader, one.pairs, scene.cut, one.path.name)
    return replace(one, notes=(*one.notes, *cuts))
