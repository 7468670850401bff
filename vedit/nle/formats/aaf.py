"""AAF (Avid, Resolve, Premiere): a source clip relinked by a master and a file mob of its own, all else as it was.

A composition's clip names a master mob, that one a file mob with the media's address, that one mostly a tape mob with
the timecode. A copy of the file is changed in place by pyaaf2 (extra `nle`) and not rebuilt from a cut, so nothing of
it is lost. See AMWA's "AAF Object Specification".
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from vedit.errors import InputError, MissingExtraError, VeditError
from vedit.media.reading.addresses import address_of
from vedit.nle.cover import check_cover
from vedit.nle.formats.aaf_parts import MAX_DEPTH, markers_of, move_markers, parts_of, source_of
from vedit.nle.media_paths import MediaRules, is_still
from vedit.nle.model import Marker, MediaReference, NewMedia, Timeline, TimelineClip, TimeSpan

NOT_CARRIED = (
    "AAF: a relinked clip names its new file by address; codec and layout are described as the old one's, "
    "until the system links the file",
)
_EMBEDDED = "AAF: media that is embedded in the file stays there, unused by relinked clips; it is not restyled itself"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Chain:
    """What a clip of a composition leads to."""

    master: Any
    file: Any
    start: Fraction
    """The media's own time at its first frame, in seconds."""
    offset: Fraction
    """Seconds from that frame to the first of the master mob's slot."""
    reel: str
    drop: bool


class AafDocument:
    """An AAF file; see `TimelineDocument`.

    Args:
        path: the file.
        rules: where media may lie.

    Raises:
        MissingExtraError: pyaaf2 is not installed.
        InputError: it is no AAF file, or holds no composition.
    """

    def __init__(self, path: Path, rules: MediaRules) -> None:
        self._path = path
        self._rules = rules
        self._edits: list[tuple[int, NewMedia, Fraction]] = []
        with _opened(path, path.name, "r") as file:
            self._timeline = self._read(file)

    @property
    def timeline(self) -> Timeline:
        """The cut as it was read."""
        return self._timeline

    def relink(self, number: int, media: NewMedia) -> None:
        """See `TimelineDocument.relink`."""
        offset = check_cover(self._timeline.clips[number - 1], media)
        self._edits.append((number, media, offset))

    def serialise(self) -> bytes:
        """See `TimelineDocument.serialise`."""
        with tempfile.TemporaryDirectory(prefix="vedit-") as folder:
            copy = Path(folder) / "timeline.aaf"
            shutil.copyfile(self._path, copy)
            with _opened(copy, self._path.name, "rw") as file:
                found = list(self._clips(file))
                masters: dict[tuple[str, str], Any] = {}
                for number, media, offset in self._edits:
                    _, source, rate = found[number - 1]
                    _relink(file, source, rate, media, offset, masters)
            return copy.read_bytes()

    def _read(self, file: Any) -> Timeline:
        clips = [clip for clip, _, _ in self._clips(file)]
        mobs = list(file.content.toplevel())
        if not mobs:
            raise InputError(f"{self._path.name}: it holds no composition", remedy="export a sequence, not a bin")
        rate, start, drop = _clock(mobs[0])
        return Timeline(
            name=mobs[0].name or "",
            rate=rate,
            start=start,
            drop=drop,
            clips=tuple(replace(clip, number=number) for number, clip in enumerate(clips, start=1)),
            format="AAF",
            notes=(*NOT_CARRIED, *([_EMBEDDED] if any(True for _ in file.content.essencedata) else [])),
        )

    def _clips(self, file: Any) -> Iterator[tuple[TimelineClip, Any, Fraction]]:
        """All clips of all compositions' picture tracks, with the source clip that names the mob, and its rate."""
        for mob in file.content.toplevel():
            number = 1
            markers = list(markers_of(mob))
            for slot in mob.slots:
                if slot.media_kind != "Picture" or type(slot).__name__ != "TimelineMobSlot":
                    continue
                rate = Fraction(slot.edit_rate)
                parts = list(parts_of(slot.segment))
                for part, layer, position in parts:
                    length = int(part.length or 0)
                    record = TimeSpan(start=position / rate, duration=length / rate)
                    clip = _clip(f"V{number + layer}", mob.name or "", record)
                    shown = [
                        marker
                        for (on, track, at), marker in markers
                        if on == slot.slot_id and track in (layer, None) and position <= at < position + length
                    ]
                    yield (*self._item(clip, part, rate, shown), rate)
                number += 1 + max((layer for _, layer, _ in parts), default=0)

    def _item(self, clip: TimelineClip, part: Any, rate: Fraction, markers: list[Marker]) -> tuple[TimelineClip, Any]:
        source, why, retime = source_of(part)
        if source is None:
            return replace(clip, name=clip.name or type(part).__name__, kind="generator", refusal=why), None
        master = source.mob
        name = (master.name if master is not None else "") or ""
        clip = replace(clip, name=name, notes=tuple(_comments(part, master)))
        if master is not None and type(master).__name__ == "CompositionMob":
            return replace(
                clip, kind="nested", refusal="a nested sequence: its own clips are listed under its name"
            ), None
        chain = _chain(source)
        if chain is None:
            return replace(clip, kind="generator", refusal="it names no media"), None
        begin = chain.start + chain.offset + Fraction(source.start) / rate
        span = TimeSpan(start=begin, duration=clip.record.duration)
        speed = None if why else Fraction(1)
        if retime is not None:
            head, length = retime.used(int(part.length or 0))
            span = TimeSpan(start=max(begin + head / rate, chain.start), duration=length / rate)
            speed = retime.speed
        clip = replace(
            clip,
            media=self._media(chain, name, rate),
            source=span,
            refusal=why,
            speed=speed,
            markers=tuple(replace(m, start=begin + (m.start or 0) - clip.record.start) for m in markers),
        )
        if clip.media is not None and is_still(clip.media.path):
            return replace(clip, kind="still", refusal="a still picture"), None
        return clip, source

    def _media(self, chain: _Chain, name: str, rate: Fraction) -> MediaReference:
        descriptor = chain.file.descriptor
        written = _address(descriptor)
        located = self._rules.locate(written) if written else self._rules.locate_name((name, chain.file.name or ""))
        own_rate = Fraction(descriptor.get("SampleRate").value) if descriptor.get("SampleRate") is not None else rate
        length = descriptor.get("Length")
        width, height = (descriptor.get(f"Stored{side}") for side in ("Width", "Height"))
        return MediaReference(
            written=written,
            name=written.replace("\\", "/").split("/")[-1] or name,
            path=located.path,
            problem=located.problem,
            start=chain.start,
            duration=Fraction(length.value) / own_rate if length is not None and own_rate else None,
            rate=own_rate,
            drop=chain.drop,
            size=(int(width.value), int(height.value)) if width is not None and height is not None else None,
            reel=chain.reel,
        )


@contextmanager
def _opened(path: Path, name: str, mode: Literal["r", "rw"]) -> Generator[Any, None, None]:
    """An AAF file; what was changed is saved where no error came."""
    try:
        from aaf2.file import AAFFile
    except ImportError:
        raise MissingExtraError("pyaaf2", extra="nle") from None
    # Made in two steps, so that what was opened can be closed where the content turns out to be damaged.
    file: Any = AAFFile.__new__(AAFFile)
    try:
        file.__init__(str(path), mode, extensions=False)
        yield file
        file.close()
    except VeditError:
        raise
    except Exception as error:
        # pyaaf2 takes bytes as they come, and reads most of them late: what is no AAF shows itself as any error.
        raise InputError(f"{name} cannot be read as AAF: {error or type(error).__name__}") from None
    finally:
        if hasattr(file, "f"):
            file.f.close()


def _clock(mob: Any) -> tuple[Fraction, Fraction, bool]:
    """Rate, first timecode in seconds and drop-frame of a composition."""
    rate = next((Fraction(slot.edit_rate) for slot in mob.slots if slot.media_kind == "Picture"), Fraction(24))
    for slot in mob.slots:
        if type(slot.segment).__name__ == "Timecode" and int(slot.segment.fps) == round(rate):
            return rate, slot.segment.start / rate, bool(slot.segment["Drop"].value)
    return rate, Fraction(0), False


def _clip(track: str, sequence: str, record: TimeSpan) -> TimelineClip:
    return TimelineClip(number=0, name="", kind="clip", track=track, sequence=sequence, record=record)


def _chain(source: Any) -> _Chain | None:
    """Follow a source clip to its file mob and the timecode behind it."""
    master = source.mob
    if master is None or type(master).__name__ != "MasterMob":
        return None
    offset = Fraction(0)
    step, file = source, None
    start, reel, drop = Fraction(0), "", False
    for _ in range(MAX_DEPTH):
        mob, slot_id = step.mob, step.slot_id
        if mob is None:
            break
        slot = next((slot for slot in mob.slots if slot.slot_id == slot_id), None)
        timecode = next((s for s in mob.slots if type(s.segment).__name__ == "Timecode"), None)
        if mob is not master and file is None:
            file = mob
        if timecode is not None and mob is not master:
            start += timecode.segment.start / Fraction(timecode.edit_rate)
            reel, drop = mob.name or "", bool(timecode.segment["Drop"].value)
            break
        if slot is None:
            break
        inner = source_of(slot.segment)[0]
        if inner is None:
            break
        seconds = Fraction(inner.start or 0) / Fraction(slot.edit_rate)
        if file is None:
            offset += seconds
        else:
            start += seconds
        step = inner
    if file is None or getattr(file, "descriptor", None) is None or type(file.descriptor).__name__ == "TapeDescriptor":
        return None
    return _Chain(master=master, file=file, start=start, offset=offset, reel=reel, drop=drop)


def _address(descriptor: Any) -> str:
    for locator in descriptor.locator:
        if locator.get("URLString") is not None:
            return str(locator["URLString"].value)
    return ""


def _comments(part: Any, master: Any) -> Iterator[str]:
    for holder in (part, master):
        comments = holder.get("UserComments") if holder is not None else None
        for tagged in comments.value if comments is not None else []:
            if tagged.name.upper() == "VEDIT":
                yield f"VEDIT: {tagged.value}"
            elif tagged.name in ("Comment", "Comments"):
                yield str(tagged.value)


def _relink(
    file: Any, source: Any, rate: Fraction, media: NewMedia, offset: Fraction, masters: dict[tuple[str, str], Any]
) -> None:
    from aaf2.mobid import MobID

    chain = _chain(source)
    assert chain is not None  # an editable clip has one
    key = (str(chain.master.mob_id), str(media.path))
    if key not in masters:
        made = chain.file.copy(root=file)
        made.mob_id, made.name = MobID.new(), media.name
        _set_file(made, media, offset)
        file.content.mobs.append(made)
        master = chain.master.copy(root=file)
        _set_comments(master, media)
        # The clip is called as its master mob is, and keeps its name.
        master.mob_id = MobID.new()
        file.content.mobs.append(master)
        for index in range(len(master.slots) - 1, -1, -1):
            slot = master.slots[index]
            if type(slot).__name__ == "EventMobSlot":
                move_markers(slot, offset, media.duration)
                continue
            inner = source_of(slot.segment)[0]
            if inner is None:
                master.slots.pop(index)
            elif slot.media_kind == "Picture":
                inner.mob, inner.start, inner.length = made, 0, media.frames
            else:
                inner.start = int(inner.start) + round(offset * Fraction(slot.edit_rate))
        masters[key] = master
    source.start = int(source.start) + round((chain.offset - offset) * rate)
    source.mob = masters[key]


def _set_comments(master: Any, media: NewMedia) -> None:
    """Avid notes on a master clip where its file lay, and looks for it there."""
    comments = master.get("UserComments")
    for tagged in comments.value if comments is not None else []:
        if tagged.name.casefold() == "unc path":
            tagged.value = media.path.as_posix()


def _set_file(mob: Any, media: NewMedia, offset: Fraction) -> None:
    """Make a copy of a file mob describe the new file: its address, length, and where on the tape it begins."""
    descriptor = mob.descriptor
    if descriptor.get("Length") is not None:
        descriptor["Length"].value = media.frames
    for index in range(len(descriptor.locator) - 1, 0, -1):
        descriptor.locator.pop(index)
    for locator in descriptor.locator:
        locator["URLString"].value = address_of(media.path, like="file:")
    for slot in mob.slots:
        inner = source_of(slot.segment)[0]
        if inner is not None:
            inner.start = int(inner.start or 0) + round(offset * Fraction(slot.edit_rate))
            inner.length = media.frames
