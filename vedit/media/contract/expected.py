"""What was agreed of a result before it was made; all else is held to the source.

While a file is written its plan says it. Later the record beside the result does (`OUT.vedit.json`), and where there is
none, what the result's container can hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from av.error import FFmpegError

from vedit.checks.rationals import rational
from vedit.checks.structured import parse_json
from vedit.errors import InputError, MediaError
from vedit.media.output import OutputOptions
from vedit.media.reading.sequence import find_sequence, is_still
from vedit.media.reading.source import open_input
from vedit.media.timecode import parse_range
from vedit.media.writing.containers import CONTAINERS, Container
from vedit.media.writing.copied_streams import first_timecode, written_timecode
from vedit.media.writing.numbered import numbered
from vedit.media.writing.sidecar import sidecar_path, source_hash
from vedit.types import FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from vedit.media.writing.output_spec import OutputSpec

FIRST_FRAME = "VEDIT_FIRST_FRAME"
"""Tag of a sound file beside pictures: the second of its clock at which the first picture is shown."""

RECORD_BYTES = 64 * 2**20
"""A record is a few kilobytes; that of a million images of a variable rate is not as much as this."""


@dataclass(frozen=True, kw_only=True)
class ExpectedOutput:
    """What a result is held to."""

    frames: FrameRange
    """Of the source."""
    size: tuple[int, int]
    """(width, height) of the picture."""
    copied: frozenset[int]
    """Streams of the source that the result has to hold."""
    container: Container | None
    """Of the result; None is one that is not written here."""
    timecode: str | None = None
    """Of the first frame, as the result's file itself tells it."""
    sound: Path | None = None
    """The file that holds the copied streams; None is the result itself."""
    sound_origin: Fraction | None = None
    """When the first picture is shown, on the clock of that file, in seconds; None is the result's own first time."""
    rate: Fraction | None = None
    """Frames per second of a series of images."""
    times: tuple[Fraction, ...] | None = None
    """When the images are shown, in seconds, where the record tells it of each."""
    label: bool | None = None
    """The result says that trained algorithmic media were used; None where nobody knows whether it shall."""
    data: bool = False
    """The pictures are measurements: they have no colour profile."""
    source_digest: tuple[str, str] | None = None
    """SHA-256 of the source as recorded, and as it is."""
    notes: tuple[str, ...] = ()
    """What is not held against the result, and why."""


def expected_by_spec(plan: OutputSpec) -> ExpectedOutput:
    """What the plan of a file that is being written says."""
    return ExpectedOutput(
        frames=plan.frames,
        size=(plan.encoding.width, plan.encoding.height),
        copied=frozenset(plan.copied),
        container=plan.container,
        timecode=plan.timecode,
        sound_origin=plan.index.pts[plan.frames.start] * plan.index.time_base - plan.start,
        rate=plan.index.rate,
        label=plan.options.label,
        data=plan.data,
    )


def expected_by_files(
    before: VideoMetadata, index: FrameIndex, result: Path, *, frames: FrameRange | str | None = None
) -> ExpectedOutput:
    """What the record beside a result says, else what its container can hold.

    Raises:
        InputError: the range is not one.
        MediaError: the record cannot be read.
    """
    part = parse_range(frames, index, before.timecode) if isinstance(frames, str) else frames
    container = CONTAINERS.get(result.suffix.lower())
    record = read_record(result)
    if record is not None:
        return _by_record(record, before, index, result, part, container)
    part = part or FrameRange(start=0, stop=len(index))
    notes: list[str] = []
    sound = None
    if container is not None and container.beside:
        one = not container.sequence or is_still(result)
        title = result.stem if one else numbered(result, first=0, count=0).title
        sound = result.absolute().with_name(f"{title}.mka")
    if sound is not None and not sound.is_file():
        sound = None
    return ExpectedOutput(
        frames=part,
        size=(before.width, before.height),
        copied=_all_copied(before),
        container=container,
        timecode=_timecode(before, index, part, container, notes),
        sound=sound,
        sound_origin=first_frame_of(sound) if sound is not None else None,
        notes=tuple(notes),
    )


def read_record(result: Path) -> Mapping[str, object] | None:
    """The record beside a result; None where there is none. Raises MediaError where it is not one.

    See `vedit.media.writing.sidecar.sidecar_path` for folders of pictures.
    """
    path = sidecar_path(result.absolute())
    if path.is_symlink() or not path.is_file():
        return None
    told: object = None
    try:
        if path.stat().st_size <= RECORD_BYTES:
            told = parse_json(path.read_text("utf-8"), path.name)
    except (OSError, ValueError, InputError):
        told = None
    if not isinstance(told, dict):
        raise MediaError(f"{path} is not a render's record", remedy="remove it, and name the part with --range")
    return cast("Mapping[str, object]", told)


def _by_record(
    record: Mapping[str, object],
    before: VideoMetadata,
    index: FrameIndex,
    result: Path,
    part: FrameRange | None,
    container: Container | None,
) -> ExpectedOutput:
    try:
        frames = cast("Mapping[str, int]", record["frames"])
        recorded = FrameRange(start=frames["start"], stop=frames["stop"])
        width, height = cast("list[int]", record["size"])
        streams = cast("Mapping[str, list[int]]", record["streams"])
        sound = cast("str | None", record["sound"])
        times = cast("list[str] | None", record["times"])
        rate = cast("str | None", record["rate"])
        digest = cast("Mapping[str, str]", record["source"])["sha256"]
        agreed = ExpectedOutput(
            frames=part or recorded,
            size=(width, height),
            copied=frozenset(streams["copied"]) & _all_copied(before),
            container=container,
            timecode=cast("str | None", record["timecode_in_file"]),
            # The name alone: a record reaches no file outside its folder.
            sound=result.absolute().with_name(Path(sound).name) if sound else None,
            sound_origin=rational(record["start"]) if sound else None,
            rate=rational(rate) if rate else None,
            times=tuple(map(rational, times)) if times else None,
            label=record["label"] is not None,
            data=record.get("data") is True,
            source_digest=(digest, source_hash(before.path)[0]),
            notes=tuple(f"not kept: {told}" for told in cast("list[str]", record["not_kept"])),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise MediaError(
            f"{sidecar_path(result)} is not a render's record ({type(error).__name__}: {error})",
            remedy="remove it, and name the part with --range",
        ) from error
    if not agreed.frames or agreed.frames.stop > len(index):
        raise MediaError(
            f"{result.name} was made of frames {agreed.frames.start}..{agreed.frames.stop}, {before.path.name} has "
            f"0..{len(index)}",
            remedy="name the clip that it was made from",
        )
    return agreed


def recorded_track(result: Path) -> int | None:
    """Which of the source's tracks a result was made from, as the record beside it says; None where none does.

    Raises:
        MediaError: the record cannot be read.
    """
    source = (read_record(result) or {}).get("source")
    track = cast("Mapping[str, object]", source).get("track") if isinstance(source, dict) else None
    return track if isinstance(track, int) else None


def _all_copied(before: VideoMetadata) -> frozenset[int]:
    return frozenset(stream.index for stream in before.streams if stream.kind in ("audio", "subtitle"))


def _timecode(
    before: VideoMetadata, index: FrameIndex, part: FrameRange, container: Container | None, notes: list[str]
) -> str | None:
    """What the file itself can tell of the timecode, where no record says what was written."""
    if container is None:
        return before.timecode
    lost: list[str] = []
    first = first_timecode(before, index, part)
    # As without a sidecar: there is none.
    found = written_timecode(before, index, part, container, first, OutputOptions(sidecar=False), lost, notes)
    notes += [f"not in the file: {what}" for what in lost]
    return found


def first_frame_of(sound: Path) -> Fraction | None:
    """When the first picture is shown, on the clock of the sound beside it; None where no such file tells it."""
    if sound.is_symlink() or not sound.is_file():
        return None
    try:
        with open_input(sound) as container:
            told = {key.upper(): value for key, value in container.metadata.items()}
        return rational(told[FIRST_FRAME])
    except (MediaError, FFmpegError, KeyError, ValueError):
        return None


def is_sequence(path: Path) -> bool:
    """Whether a path is that of numbered images. Raises MediaError as `find_sequence` does."""
    return find_sequence(path) is not None
