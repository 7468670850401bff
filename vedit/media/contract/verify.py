"""The contract, checked on the written file: it is decoded again and compared with the source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.media.color.convert import is_rgb
from vedit.media.contract.expected import (
    ExpectedOutput,
    expected_by_files,
    expected_by_spec,
    is_sequence,
    recorded_track,
)
from vedit.media.contract.report import Check, ContractReport, check, milliseconds
from vedit.media.contract.verify_tracks import read_tracks, track_checks
from vedit.media.rates import fits
from vedit.media.reading.admitted import admit
from vedit.media.reading.index import ignore_frames, scan
from vedit.media.reading.picture_data import PictureData, picture_data
from vedit.media.reading.probe import probe
from vedit.media.reading.sequence import find_pictures, find_sequence, is_still
from vedit.media.reading.source import open_input
from vedit.media.reading.times import spelled
from vedit.media.reading.tracks import first_video
from vedit.media.writing.containers import track_time_base
from vedit.media.writing.encode import output_tags
from vedit.media.writing.label import LABEL_KEY, SOURCE_TYPE
from vedit.media.writing.picture_parts import CARRIERS
from vedit.media.writing.stream_copy import span
from vedit.types import ColorTags, FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from vedit.media.writing.output_spec import OutputSpec

__all__ = ["Check", "ContractReport", "verify"]

LABEL_BYTES = 2**20


def verify(
    source: VideoMetadata | Path | str,
    result: Path | str,
    *,
    frames: FrameRange | str | None = None,
    source_index: FrameIndex | None = None,
    plan: OutputSpec | None = None,
    sound: Path | None = None,
    rate: Fraction | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    on_frames: Callable[[int], None] = ignore_frames,
) -> ContractReport:
    """Compare a written file with the source it was made from.

    Args:
        source: the source, or its metadata.
        result: the written file, or the pattern or the folder of the images.
        frames: the part of the source that was written, as frames or as START..END; None is what the record beside
            the result says, else the whole clip.
        source_index: of the source; None decodes it again.
        plan: what was agreed not to be kept (streams, timecode, a padded size); None goes by the record beside the
            result (`OUT.vedit.json`), else by what its container can hold.
        sound: the file with the copied streams of a result that holds none; None is the one that lies beside it.
        rate: frames per second of an image sequence.
        track: number of the source's video stream; None is what the record beside the result says, else the film.
        allow_huge: decode clips beyond the limits on frame size and length.
        on_frames: told how many frames of the result are decoded, after each.

    Raises:
        MediaError: a file cannot be read, or the result was not made from this source.
        InputError: the range is not one.
    """
    file = Path(result)
    if isinstance(source, VideoMetadata):
        before = source
    else:
        for path, number in ((Path(source), track), (file, None)):
            admit(path, rate=rate if is_sequence(path) else None, track=number, allow_huge=allow_huge)
        before = _probe(Path(source), rate, track if track is not None else recorded_track(file), allow_huge)
    index = source_index or scan(before.path, before, allow_huge=allow_huge).frames
    agreed = expected_by_spec(plan) if plan is not None else expected_by_files(before, index, file, frames=frames)
    part = frames if isinstance(frames, FrameRange) else agreed.frames
    if sound is not None:
        agreed = replace(agreed, sound=sound)
    shared = agreed.container is not None and not agreed.container.beside
    # A copied video behind the new one may be the default of the source.
    after = _probe(file, rate or agreed.rate, first_video(file) if shared else None, allow_huge)
    written = scan(after.path, after, allow_huge=allow_huge, on_frames=on_frames).frames
    pictures = agreed.container is not None and agreed.container.sequence
    checks = [
        *_source(agreed),
        *(
            _images(index, written, part, agreed, still=is_still(after.path))
            if pictures
            else _timing(index, written, part, after, agreed)
        ),
        *_picture(before, after, agreed),
        *_profile(before.path, after.path, part, agreed),
        check("timecode", agreed.timecode, after.timecode),
        *_chapters(before, after, index, part, agreed),
        *_tracks(before, after, index, written, part, agreed),
        *_label(file, before, after, agreed),
    ]
    return ContractReport(checks=tuple(checks), notes=agreed.notes)


def _probe(path: Path, rate: Fraction | None, track: int | None, allow_huge: bool) -> VideoMetadata:
    return probe(path, rate=rate if is_sequence(path) else None, track=track, allow_huge=allow_huge)


def _source(agreed: ExpectedOutput) -> list[Check]:
    """Whether the source is the one that the record names."""
    if agreed.source_digest is None:
        return []
    recorded, found = agreed.source_digest
    return [check("source", f"sha256 {recorded[:16]}", f"sha256 {found[:16]}", recorded == found)]


def _timing(
    index: FrameIndex, written: FrameIndex, part: FrameRange, after: VideoMetadata, agreed: ExpectedOutput
) -> list[Check]:
    checks = [check("frame count", len(part), len(written))]
    exact = (index.time_base / written.time_base).denominator == 1
    tick = Fraction(0) if exact else max(index.time_base, written.time_base)
    first = index.seconds(part.start)
    pairs = zip(range(part.start, part.stop), range(len(written)), strict=False)
    worst = max((abs(index.seconds(a) - first - written.seconds(b)) for a, b in pairs), default=Fraction(0))
    told = f"within {milliseconds(tick)} of the source" if tick else "equal to the source"
    moved = [number for number in index.moved if number in part]
    if moved:
        # What the source does not tell cannot be equal to it.
        told += f", save {spelled(moved)} that had to be moved there"
    found = f"largest difference {milliseconds(worst)}"
    if written.moved:
        found += f"; no increasing time at {spelled(written.moved)}"
    checks.append(check("frame times", told, found, worst <= tick and not written.moved))
    container = agreed.container
    if container is not None and (container.mov or container.tick is not None):
        checks.append(check("time base", track_time_base(container, index.time_base), written.time_base))
    if index.rate is not None:
        # Over a short part, or in coarser ticks, many rates fit: the source's must be one of them.
        slack = (written.time_base + (index.time_base if tick else 0)) / written.time_base / 2
        same = fits(index.rate, written.pts, written.time_base, slack)
        checks.append(check("frame rate", index.rate, index.rate if same else written.rate or "variable"))
    last = index.last_duration if part.stop == len(index) else index.pts[part.stop] - index.pts[part.stop - 1]
    expected = index.seconds(part.stop - 1) - first + last * index.time_base
    lasts = written.seconds(len(written) - 1) + written.last_duration * written.time_base
    slack = tick
    if "matroska" in after.container:
        # Matroska has no place for the last frame's duration: it is that of the others.
        slack += max(last * index.time_base, written.last_duration * written.time_base)
    checks.append(check("duration", _seconds(expected), _seconds(lasts), abs(expected - lasts) <= slack))
    return checks


def _images(
    index: FrameIndex, written: FrameIndex, part: FrameRange, agreed: ExpectedOutput, *, still: bool
) -> list[Check]:
    """Images have a number and no time: one for each frame; times that no rate tells are in the record."""
    checks = [check("frame count", len(part), len(written))]
    if agreed.rate is not None and not still:
        checks.append(check("frame rate", index.rate or "variable", agreed.rate))
    if agreed.times is not None:
        first = index.seconds(part.start)
        pairs = zip(range(part.start, part.stop), agreed.times, strict=False)
        worst = max((abs(index.seconds(a) - first - (t - agreed.times[0])) for a, t in pairs), default=Fraction(0))
        same = len(agreed.times) == len(part) and worst == 0
        told = f"{len(agreed.times)} times, largest difference {milliseconds(worst)}"
        moved = [number for number in index.moved if number in part]
        wanted = f"{len(part)} times, equal to the source"
        if moved:
            wanted += f", save {spelled(moved)} that had to be moved there"
        checks.append(check("frame times in the record", wanted, told, same))
    return checks


def _picture(before: VideoMetadata, after: VideoMetadata, agreed: ExpectedOutput) -> list[Check]:
    checks = [
        check("display size", f"{agreed.size[0]}x{agreed.size[1]}", f"{after.width}x{after.height}"),
        check("sample aspect ratio", before.sample_aspect_ratio, after.sample_aspect_ratio),
        check("rotation", "none", "none" if (after.rotation, after.mirrored) == (0, False) else after.rotation),
    ]
    if agreed.container is None or not agreed.container.beside:
        tags = output_tags(before, rgb=is_rgb(after.pixel_format), codec=after.codec)
        checks.append(check("colour tags", _tags(tags), _tags(after.color)))
    return checks


def _profile(source: Path, result: Path, part: FrameRange, agreed: ExpectedOutput) -> list[Check]:
    """Whether pictures made of pictures are in the same colour space, where their format can say it."""
    sources, results = find_pictures(source), find_pictures(result)
    codec = agreed.container.only if agreed.container is not None else None
    if sources is None or results is None or codec not in CARRIERS:
        return []
    data = PictureData() if agreed.data else picture_data(sources.files[part.start])
    found = picture_data(results.files[0])
    wanted = data.icc if data.profile_space == "RGB" else None
    told = data.profile if wanted is not None else None
    return [check("colour profile", told or "none", found.profile or "none", found.icc == wanted)]


def _chapters(
    before: VideoMetadata, after: VideoMetadata, index: FrameIndex, part: FrameRange, agreed: ExpectedOutput
) -> list[Check]:
    """How many of the source's chapters the part touches."""
    if agreed.container is not None and (agreed.container.beside or agreed.container.muxer == "mxf"):
        return []
    expected = before.chapters
    if expected and len(part) != len(index):
        begin, end = span(index, part)
        with open_input(before.path) as container:
            base = [
                (c["start"] * (c["time_base"] or 0), c["end"] * (c["time_base"] or 0)) for c in container.chapters()
            ]
        expected = sum(max(start, begin) < min(stop, end) for start, stop in base)
    return [check("chapters", expected, after.chapters)]


def _tracks(
    before: VideoMetadata,
    after: VideoMetadata,
    index: FrameIndex,
    written: FrameIndex,
    part: FrameRange,
    agreed: ExpectedOutput,
) -> list[Check]:
    begin, end = span(index, part)
    whole = len(part) == len(index)
    expected = read_tracks(before.path, begin, kept=agreed.copied, part=None if whole else (begin, end))
    container = agreed.container
    muxer = container.stream_muxer if container is not None else None
    tick = max(index.time_base, written.time_base)
    if container is None or not container.beside:
        return track_checks(
            expected, read_tracks(after.path, written.pts[0] * written.time_base, written=True), tick=tick, muxer=muxer
        )
    # Pictures alone: the sound lies beside them, and its clock is what counts.
    found = [] if agreed.sound is None else read_tracks(agreed.sound, agreed.sound_origin or Fraction(0), written=True)
    return track_checks(expected, found, tick=index.time_base, muxer=muxer)


def _label(result: Path, before: VideoMetadata, after: VideoMetadata, agreed: ExpectedOutput) -> list[Check]:
    """Whether the file says of itself that a trained model made part of it."""
    if agreed.label is None or (not agreed.label and _labelled(before)):
        return []  # what the source says of its own making is metadata like any other
    there = _labelled(after)
    sequence = find_sequence(result)
    files = sequence.files if sequence is not None else (after.path,)
    found = there or all(_says(file) for file in files)
    told = {True: "composite with trained algorithmic media", False: "none"}
    return [check("label", told[agreed.label], told[found])]


def _labelled(metadata: VideoMetadata) -> bool:
    told = {key.lower().removeprefix("comment_"): value for key, value in metadata.metadata.items()}  # MXF's comments
    return told.get(LABEL_KEY.lower()) == SOURCE_TYPE


def _says(file: Path) -> bool:
    """Whether the label stands in the first or last part of a file, where every format that is written has it."""
    with file.open("rb") as opened:
        if SOURCE_TYPE.encode() in opened.read(LABEL_BYTES):
            return True
        opened.seek(max(0, file.stat().st_size - LABEL_BYTES))
        return SOURCE_TYPE.encode() in opened.read(LABEL_BYTES)


def _tags(tags: ColorTags) -> str:
    return f"{tags.primaries}/{tags.transfer}/{tags.matrix} {'full' if tags.full_range else 'limited'}"


def _seconds(seconds: Fraction) -> str:
    return f"{float(seconds):.6f} s"
