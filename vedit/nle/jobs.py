"""From a cut and its looks to renders: which stretch of which file in which look, and which clips show it then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vedit.errors import InputError
from vedit.nle.looks import Look, Looks
from vedit.nle.model import NewMedia, TimelineClip, TimelineDocument
from vedit.nle.ranges import HANDLES, MediaFacts, UsedRange, first_frame, used_range
from vedit.types import FrameRange

_WHERE = "name the folder that they lie in: --media FOLDER"
_TOLD = 50
"""Missing files that an error names."""


@dataclass(frozen=True, kw_only=True)
class TimelineJob:
    """One render for a timeline: a stretch of a file in one look."""

    source: Path
    frames: FrameRange
    """What is rendered, handles included, counted from the source's first frame."""
    used: FrameRange
    """What the clips show of it."""
    rate: Fraction
    """Frames per second of the source."""
    start: Fraction
    """The media's own time at the first frame, in seconds, on the clock that the timeline uses for it."""
    look: Look
    output: Path
    clips: tuple[int, ...]
    """The numbers of the clips that show the result."""

    @property
    def handles(self) -> tuple[int, int]:
        """Frames before and behind what is shown."""
        return self.used.start - self.frames.start, self.frames.stop - self.used.stop

    def new_media(self, *, has_sound: bool = True, size: tuple[int, int] | None = None) -> NewMedia:
        """The result as clips are relinked to it.

        Args:
            has_sound: the written file holds the source's sound.
            size: (width, height) in pixels where it differs from the source's.
        """
        return NewMedia(
            path=self.output,
            name=self.output.name,
            start=self.start,
            frames=len(self.frames),
            rate=self.rate,
            size=size,
            has_sound=has_sound,
        )


def plan_timeline(
    document: TimelineDocument,
    looks: Looks,
    *,
    handles: int = HANDLES,
    facts: Mapping[Path, MediaFacts] | None = None,
    folder: Path | None = None,
    ending: str = "",
    skip_missing: bool = False,
) -> tuple[TimelineJob, ...]:
    """What is to be rendered for a timeline, in the order of its clips.

    Uses of one file with the same frames, handles included, and the same look are one job; see `vedit.nle.ranges`.
    Clips that get a look but cannot be edited are left out: `skipped_clips` tells them.

    Args:
        document: the timeline.
        looks: which clip gets which look.
        handles: frames to add on either side of what a clip shows.
        facts: what the media files say, by `MediaReference.path`.
        folder: where the results go; None is beside each source.
        ending: of the results, `.mov`; empty is that of each source, or `MediaFacts.written_as`.
        skip_missing: leave out clips whose media was not found; `skipped_clips` tells them then.

    Raises:
        InputError: no clip gets a look, the media of one that does was not found, or it does not hold what is shown.
    """
    if handles < 0:
        raise InputError(f"there are no {handles} handles", remedy="give 0 or more frames")
    jobs: list[TimelineJob] = []
    for clip, look in _chosen(document, looks, skip_missing=skip_missing):
        known = (facts or {}).get(clip.media.path) if clip.media is not None and clip.media.path is not None else None
        needed = used_range(clip, known, handles=handles)
        same = next((n for n, job in enumerate(jobs) if _is_same(job, needed, look)), None)
        if same is None:
            suffix = ending or (known.written_as if known is not None else "") or needed.path.suffix
            jobs.append(_job(needed, look, clip, (folder or needed.path.parent, suffix)))
        else:
            jobs[same] = replace(jobs[same], clips=(*jobs[same].clips, clip.number))
    if not jobs:
        if skip_missing and any(True for _ in _chosen(document, looks)):
            raise InputError("no media of the clips that get a look was found", remedy=_WHERE)
        raise InputError(
            "no clip of the timeline gets a look", remedy="see 'vedit timeline FILE --list' for their names"
        )
    media = {clip.media.path for clip in document.timeline.clips if clip.media is not None and clip.media.path}
    return _apart(jobs, taken=media)


def needed_media(document: TimelineDocument, looks: Looks, *, skip_missing: bool = False) -> tuple[Path, ...]:
    """The media files of the clips that get a look, in order, each once.

    Raises:
        InputError: some were not found, and they are not to be skipped; it names all of them.
    """
    clips = [clip for clip, _ in _chosen(document, looks)]
    missing = [clip for clip in clips if _why_missing(clip)]
    if missing and not skip_missing:
        told: dict[str, list[TimelineClip]] = {}
        for clip in missing:
            told.setdefault(_why_missing(clip), []).append(clip)
        files = [
            f"{why} (clip {', '.join(str(clip.number) for clip in of_it)}: {of_it[0].name})"
            for why, of_it in list(told.items())[:_TOLD]
        ]
        more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        what = "1 media file was" if len(told) == 1 else f"{len(told)} media files were"
        raise InputError(
            f"{what} not found: {'; '.join(files)}{more}", remedy=f"{_WHERE}, or leave their clips out: --skip-missing"
        )
    return tuple(dict.fromkeys(clip.media.path for clip in clips if clip.media and clip.media.path))


def sequence_rates(document: TimelineDocument) -> dict[Path, Fraction]:
    """Frames per second that a timeline gives its image sequences, which do not tell it themselves."""
    from vedit.media.reading.sequence import find_sequence

    media = [clip.media for clip in document.timeline.clips if clip.editable and clip.media is not None]
    told = {item.path: item.rate for item in media if item.path is not None and item.rate is not None}
    return {path: rate for path, rate in told.items() if find_sequence(path) is not None}


def skipped_clips(
    document: TimelineDocument, looks: Looks, *, skip_missing: bool = False
) -> tuple[tuple[TimelineClip, str], ...]:
    """The clips that get a look but cannot be edited, or whose media is skipped, and why."""
    clips = [clip for clip in document.timeline.clips if looks.choose(clip) is not None]
    told = ((clip, clip.refusal or (_why_missing(clip) if skip_missing else "")) for clip in clips)
    return tuple((clip, why) for clip, why in told if why)


def clock_notes(document: TimelineDocument, facts: Mapping[Path, MediaFacts]) -> tuple[str, ...]:
    """Media that the timeline counts by another timecode than the file's own: the timeline is believed, and says so."""
    from vedit.nle.clock import timecode_at

    notes: dict[str, None] = {}
    for media in (clip.media for clip in document.timeline.clips if clip.editable):
        path = media.path if media is not None else None
        known = facts.get(path) if path is not None else None
        if media is None or path is None or known is None or known.timecode is None or not media.start:
            continue
        begin = first_frame(media, known)
        if media.of_part and begin != known.start:
            told = timecode_at(begin, known.rate, drop=media.drop)
            notes[f"{path.name} begins at {known.timecode}, in the timeline at {told}, which counts"] = None
    return tuple(notes)


def media_facts(path: Path, *, rate: Fraction | None = None, allow_huge: bool = False) -> MediaFacts:
    """What a media file says itself: how many frames, at which rate, from which timecode on. Decodes it once.

    Args:
        path: of the file or image sequence; editing systems take the number of a sequence's first picture for its
            first timecode.
        rate: frames per second of an image sequence.
        allow_huge: as `vedit.media.reading.read.open_video`.

    Raises:
        MediaError: it cannot be read.
        InputError: its frames are not evenly spaced, which no editing system counts by.
    """
    from vedit.media.reading.read import open_video
    from vedit.media.reading.sequence import find_sequence
    from vedit.media.timecode import parse_timecode

    with open_video(path, rate=rate, allow_huge=allow_huge) as reader:
        index, metadata = reader.index(), reader.metadata
    if index.rate is None:
        raise InputError(
            f"{path.name} has a variable frame rate",
            remedy="conform it to a constant one and relink the timeline to that",
        )
    timecode = metadata.timecode
    start = parse_timecode(timecode, index.rate) / index.rate if timecode else Fraction(0)
    sequence = find_sequence(path)
    if sequence is not None and not timecode:
        start = sequence.first / index.rate
    has_sound = any(stream.kind == "audio" for stream in metadata.streams)
    return MediaFacts(
        frames=len(index),
        rate=index.rate,
        start=start,
        timecode=timecode,
        size=(metadata.width, metadata.height),
        has_sound=has_sound,
        written_as=_ending(path, has_sound=has_sound),
    )


def _ending(path: Path, *, has_sound: bool) -> str:
    """The ending of a file that holds pictures and sound of this one's; its own where that can be written."""
    from vedit.media.writing.containers import CONTAINERS, default_output

    own = CONTAINERS.get(path.suffix.lower())
    if own is None:
        # Editing systems read more kinds of sound in QuickTime than in MP4.
        return default_output(path).suffix.replace(".mp4", ".mov")
    # Clips take sound and picture from one reference, so a result with its sound beside it would be silent.
    return ".mov" if own.sequence or (own.beside and has_sound) else path.suffix


def relink(document: TimelineDocument, job: TimelineJob, media: NewMedia) -> None:
    """Make all clips of a job show its result. Raises InputError where it does not fit."""
    for number in job.clips:
        document.relink(number, media)


def _is_same(job: TimelineJob, needed: UsedRange, look: Look) -> bool:
    return (job.source, job.frames, job.start, job.look) == (needed.path, needed.frames, needed.start, look)


def _chosen(
    document: TimelineDocument, looks: Looks, *, skip_missing: bool = False
) -> Iterator[tuple[TimelineClip, Look]]:
    for clip in document.timeline.clips:
        look = looks.choose(clip)
        if look is not None and clip.editable and not (skip_missing and _why_missing(clip)):
            yield clip, look


def _why_missing(clip: TimelineClip) -> str:
    """The media of a clip and why it was not found; empty where it was, or the clip is not edited."""
    media = clip.media
    if not clip.editable or media is None or media.path is not None:
        return ""
    return f"{media.written or media.name}: {media.problem or 'offline'}"


def _job(needed: UsedRange, look: Look, clip: TimelineClip, place: tuple[Path, str]) -> TimelineJob:
    folder, suffix = place
    first, last = needed.frames.start, needed.frames.stop - 1
    name = f"{_stem(needed.path)}.{look.name}.{first}-{last}.vedit{suffix}"
    return TimelineJob(
        source=needed.path,
        frames=needed.frames,
        used=needed.used,
        rate=needed.rate,
        start=needed.start,
        look=look,
        output=folder / name,
        clips=(clip.number,),
    )


def _stem(path: Path) -> str:
    """A media file's name without its ending; of an image sequence without the counter, too."""
    from vedit.media.reading.sequence import find_sequence

    sequence = find_sequence(path)
    return path.stem if sequence is None else sequence.prefix.rstrip("._- ") or sequence.folder.name


def _apart(jobs: list[TimelineJob], *, taken: set[Path]) -> tuple[TimelineJob, ...]:
    """Give files of one name from different folders, and prompts of one short name, names of their own.

    No result has the name of media that the cut shows already.
    """
    named: list[TimelineJob] = []
    for job in jobs:
        output, number = job.output, 2
        while output in taken:
            output = job.output.with_name(f"{job.output.stem}{number}{job.output.suffix}")
            number += 1
        taken.add(output)
        named.append(replace(job, output=output))
    return tuple(named)
