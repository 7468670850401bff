"""Which frames of a clip to paint, and those frames as pictures to paint over."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.checks.arguments import checked
from vedit.errors import InputError
from vedit.keyframes.choosing import LEAST_KNOWN, weighed_keys
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.media.timecode import add_frames, parse_range
from vedit.media.writing.atomic import write_whole
from vedit.media.writing.sidecar import source_hash
from vedit.options.keyframes import AUTO, CLOSEST, Spacing, parse_keyframes
from vedit.options.painted import key_name
from vedit.options.source import SourceOptions
from vedit.progress.callbacks import OnProgress, ignore_progress
from vedit.ranges import full_scale
from vedit.render.fitting import painted_fit
from vedit.render.followed import FollowedClip, FollowedShots
from vedit.shots.detect import detect_shots
from vedit.shots.shot_bars import bars_of_shots
from vedit.store.computed import ComputedCache
from vedit.types import Bars, FrameRange, Shot

if TYPE_CHECKING:
    from vedit.types import Clip, FrameIndex

_BY_CONTENT = 1_000_000
"""Frames to the next key at most: of what is painted by hand, one is asked for only where something new is seen."""
_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class ProposedKey:
    """A frame that is worth painting."""

    frame: int
    time: str
    """Its timecode, or seconds where the clip's rate varies."""
    shot: int
    """The number of its shot, from 1."""
    new: float
    """The share of the picture that the key before it does not show; 1 where its shot has none before it."""


@dataclass(frozen=True, kw_only=True)
class ExportedKeys:
    """The frames that were written."""

    keys: tuple[ProposedKey, ...]
    files: tuple[Path, ...]
    """Of each."""
    notes: tuple[str, ...]


@checked
def export_keys(
    source: Path | str,
    folder: Path | str,
    *,
    keyframes: str = AUTO,
    frames: str | None = None,
    shots: Collection[int] = (),
    overwrite: bool = False,
    reading: SourceOptions | None = None,
    on_progress: OnProgress = ignore_progress,
) -> ExportedKeys:
    """Write the frames of a clip that are worth painting, as PNG at full size, under names that tell the frame.

    The first frame of each shot is one, and then each in which a fifth of the picture is new. What motion was found on
    the way is kept for the render. No file is written before all are known to be free.

    Args:
        source: the clip.
        folder: that they go to; it is made where it is not there.
        keyframes: "auto", or a number: one in every so many frames at least.
        frames: START..END in seconds, timecode or "#36..#96"; None is the whole clip.
        shots: numbers of the shots that are looked at, from 1; none is all.
        overwrite: replace files that are there, painted ones too.
        reading: how the clip is read.
        on_progress: told of frames that are looked at.

    Raises:
        InputError: the clip cannot be read, a shot is not there, or a file is in the way.
    """
    target, options = Path(folder), reading or SourceOptions()
    if target.exists() and not target.is_dir():
        raise InputError(f"{target} is a file", remedy="name a folder")
    spacing = Spacing(farthest=_BY_CONTENT, closest=CLOSEST) if keyframes == AUTO else parse_keyframes(keyframes)
    with ExitStack() as stack:
        opened = partial(
            open_video,
            Path(source),
            rate=options.rate,
            track=options.track,
            allow_huge=options.allow_huge,
            interlaced=options.interlaced,
        )
        reader = stack.enter_context(opened())
        found = _part(reader, options.frames if frames is None else frames, shots)
        cache = stack.enter_context(ComputedCache())
        follower = FollowedShots(_followed(reader, found, options), cache, on_progress=on_progress)
        keys = _proposed(stack.enter_context(follower), reader, found, spacing)
        files = [target / key_name(key.frame, key.time, _DIGITS) for key in keys]
        _check_free(files, overwrite=overwrite)
        for key, file in zip(keys, files, strict=True):
            _write(file, reader.read(FrameRange(start=key.frame, stop=key.frame + 1)))
        return ExportedKeys(keys=keys, files=tuple(files), notes=reader.warnings)


def _part(reader: VideoReader, frames: str | None, numbers: Collection[int]) -> tuple[Shot, ...]:
    """The shots that are looked at, cut to the part. Raises InputError for one that is not there."""
    index = reader.index()
    part = FrameRange(start=0, stop=len(index))
    if frames is not None:
        part = parse_range(frames, index, reader.metadata.timecode)
    every = detect_shots(reader)
    absent = sorted(set(numbers) - {shot.number for shot in every})
    if absent:
        raise InputError(f"there is no shot {absent[0]}", remedy=f"the clip has {len(every)}: see `vedit shots`")
    cut = [
        Shot(
            number=shot.number,
            frames=FrameRange(
                start=min(max(shot.frames.start, part.start), part.stop),
                stop=max(min(shot.frames.stop, part.stop), part.start),
            ),
        )
        for shot in every
        if not numbers or shot.number in numbers
    ]
    found = tuple(shot for shot in cut if len(shot.frames))
    if not found:
        raise InputError("none of the shots lies in the part", remedy="widen --range, or name other shots")
    return found


def _followed(reader: VideoReader, shots: Sequence[Shot], options: SourceOptions) -> FollowedClip:
    """The clip as a render in which nothing but painted frames counts follows it."""
    metadata, bars = reader.metadata, bars_of_shots(reader, shots)
    scanned = reader.scanned()

    def bars_at(frame: int) -> Bars:
        return next((bars.get(shot.number, Bars()) for shot in shots if frame in shot.frames), Bars())

    return FollowedClip(
        source_key=f"{source_hash(metadata.path)[0]}#{metadata.stream_index}",
        interlaced=options.interlaced,
        fit=painted_fit((metadata.width, metadata.height)),
        bars_of=bars_at,
        frames=FrameRange(start=shots[0].frames.start, stop=shots[-1].frames.stop),
        shots=shots,
        reopen=lambda: VideoReader(
            metadata, scanned=scanned, allow_huge=options.allow_huge, interlaced=options.interlaced
        ),
    )


def _proposed(
    follower: FollowedShots, reader: VideoReader, shots: Sequence[Shot], spacing: Spacing
) -> tuple[ProposedKey, ...]:
    found: list[ProposedKey] = []
    for shot in shots:
        for frame, known in weighed_keys(shot.frames.start, follower.frames(shot), spacing):
            last = frame == shot.frames.stop - 1
            # A render has a key at the end of a shot; nobody needs to paint it for that.
            if last and frame != shot.frames.start and known >= LEAST_KNOWN:
                continue
            time = _time(frame, reader.index(), reader.metadata.timecode)
            found.append(ProposedKey(frame=frame, time=time, shot=shot.number, new=1 - known))
    return tuple(found)


def _time(frame: int, index: FrameIndex, timecode: str | None) -> str:
    if index.rate is None:
        return f"{float(index.seconds(frame)):.3f}s"
    return add_frames(timecode or "00:00:00:00", frame, index.rate)


def _check_free(files: Sequence[Path], *, overwrite: bool) -> None:
    """Raises InputError where a file is in the way: it may be painted."""
    there = [file for file in files if file.is_symlink() or file.exists()]
    linked = next((file for file in there if file.is_symlink()), None)
    if linked is not None:
        raise InputError(f"{linked} is a link", remedy="remove it, or name another folder")
    if there and not overwrite:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise InputError(
            f"{there[0]}{more} exist{'' if more else 's'}, perhaps painted",
            remedy="name another folder, or replace with --overwrite",
        )


def _write(file: Path, clip: Clip) -> None:
    """A frame as a PNG of 8 or 16 bits. Raises InputError where it cannot be written."""
    frame = clip.frames[0, :3].transpose(1, 2, 0)
    if clip.bit_depth > 8:
        frame = np.rint(frame * np.float64(65535 / full_scale(clip.bit_depth))).astype(np.uint16)
    done, data = cv2.imencode(".png", np.ascontiguousarray(frame[..., ::-1]))
    if not done:
        raise InputError(f"{file.name} cannot be made", remedy="the frame is too large for a PNG")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {file.parent}: {error.strerror}", remedy="name another folder") from error
    write_whole(file, data.tobytes())
