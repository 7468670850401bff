"""Finished shots, kept on disk to the last bit: a render that changes one shot only encodes the others anew.

A shot's frames are one Matroska file of FFV1 in RGB (RFC 9043), in `OUT.vedit/frames/`. Its name holds a hash of what
decides the frames and one of its content, so a file that is there and passes the check is right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
from av.error import FFmpegError

from vedit.checks.rationals import is_whole, whole
from vedit.checks.structured import parse_json
from vedit.errors import InputError, VeditError
from vedit.media.writing.unfinished import not_written
from vedit.store.unit_files import KEPT
from vedit.types import Clip, FrameRange

if TYPE_CHECKING:
    from vedit.protocols import Reader
    from vedit.types import IntFrames, Shot

UNTOUCHED = "untouched"
"""The key of a shot that was passed through: its frames are the source's."""
_LAST = Path("last.json")
_DEEP = "rgb48le"
_KEY_LETTERS = 32
_CHECK_LETTERS = 16


@dataclass(frozen=True, kw_only=True)
class FinishedShot:
    """A shot, or a part of one, as the last render left it."""

    frames: FrameRange
    """Of the clip."""
    key: str
    """Of the shot that it was rendered in, or `UNTOUCHED`."""
    first: int
    """Frame of the clip that the finished frames of that shot begin with: the shot may have been a longer one."""
    path: Path | None = None
    """The finished frames; None where it was passed through."""


class FinishedFrames:
    """The finished shots in one work folder.

    Args:
        folder: of the work; see `vedit.store.units.UnitStore.path`.
        fresh: forget what an earlier run has kept.

    Raises:
        InputError: something that is not ours is in the way.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self._folder = folder / "frames"
        if self._folder.is_symlink() or (self._folder.exists() and not self._folder.is_dir()):
            raise InputError(f"{self._folder} is in the way", remedy="move it, or name another output")
        for path in self._folder.glob("*"):
            if fresh or path.suffix not in (".mkv", _LAST.suffix):
                path.unlink()

    def find(self, key: str) -> Path | None:
        """The file of a finished shot; None where there is none, or it is not what was written, and it is removed."""
        for path in self._folder.glob(f"{key[:_KEY_LETTERS]}-*.mkv"):
            if path.stem.partition("-")[2] == _checksum(path):
                return path
            path.unlink()
        return None

    def has(self, key: str) -> bool:
        """Whether there is a file of a finished shot; `find` still checks it."""
        return any(self._folder.glob(f"{key[:_KEY_LETTERS]}-*.mkv"))

    def recorded(
        self, key: Callable[[], str], finished: Iterable[tuple[Clip, IntFrames]]
    ) -> Generator[tuple[Clip, IntFrames]]:
        """What comes, passed on and kept once all of it came. Alpha is the source's, and not kept.

        Args:
            key: asked at the end, since memory that runs out on the way changes what decides the frames.
            finished: a shot, in order.

        Raises:
            VeditError: the disk refuses.
        """
        self._folder.mkdir(exist_ok=True)
        partial = self._folder / "shot.part"
        try:
            with av.open(f"file:{partial}", "w", format="matroska") as output:
                stream = None
                for clip, frames in finished:
                    deep = clip.bit_depth > 8
                    if stream is None:
                        stream = output.add_stream("ffv1", rate=25, options={"level": "3", "g": "1"})
                        stream.height, stream.width = int(frames.shape[2]), int(frames.shape[3])
                        stream.pix_fmt = _DEEP if deep else "bgr0"
                    for picture in frames[:, :3]:
                        image = np.ascontiguousarray(picture.transpose(1, 2, 0))
                        frame = av.VideoFrame.from_ndarray(image, format=_DEEP if deep else "rgb24")
                        output.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
                    yield clip, frames
                if stream is not None:
                    output.mux(stream.encode(None))
            partial.replace(self._folder / f"{key()[:_KEY_LETTERS]}-{_checksum(partial)}.mkv")
        except (FFmpegError, OSError) as error:
            raise not_written(partial, error, kept=KEPT) from error
        finally:
            partial.unlink(missing_ok=True)

    def read(
        self, path: Path, shot: Shot, reader: Reader, *, size: int, with_source: bool, skip: int = 0
    ) -> Generator[tuple[Clip, IntFrames]]:
        """A finished shot in clips of at most `size` frames, as `finished_shot` gives it.

        Args:
            path: from `find`.
            shot: whose frames they are.
            reader: of the source.
            size: frames at once, at least 1.
            with_source: read the source's frames too; else the clips hold the finished ones.
            skip: frames of the file before the shot's first.

        Raises:
            VeditError: the file does not hold the shot.
        """
        metadata, index = reader.metadata, reader.index()
        deep = metadata.bit_depth > 8
        with av.open(f"file:{path}") as kept:
            kept.streams.video[0].thread_type = "AUTO"
            decoded = islice(kept.decode(video=0), skip, None)
            pictures = (frame.to_ndarray(format=_DEEP if deep else "rgb24") for frame in decoded)
            for start in range(shot.frames.start, shot.frames.stop, size):
                part = type(shot.frames)(start=start, stop=min(start + size, shot.frames.stop))
                found = [picture for _, picture in zip(range(len(part)), pictures, strict=False)]
                if len(found) < len(part):
                    raise VeditError(f"{path} does not hold the whole shot", remedy="remove it and render again")
                frames = cast("IntFrames", np.stack(found).transpose(0, 3, 1, 2))
                if with_source or metadata.has_alpha:
                    source = reader.read(part)
                    if metadata.has_alpha:
                        frames = cast("IntFrames", np.concatenate([frames, source.frames[:, 3:]], axis=1))
                    yield source, frames
                else:
                    pts = index.pts[part.start : part.stop]
                    yield (
                        Clip(
                            frames=frames,
                            bit_depth=metadata.bit_depth,
                            pts=pts,
                            time_base=index.time_base,
                            start=start,
                            color=metadata.color,
                        ),
                        frames,
                    )

    def remembered(self, frames: FrameRange, *, source: str) -> FinishedShot | None:
        """What the last render left of the shot that these frames are of, whatever decided it; None: nothing.

        Args:
            frames: of the shot, or of a part of it.
            source: `Job.source_key` of the clip.
        """
        # No two of them overlap: what a later render has made of some of the frames is not in an earlier one's.
        for kept in self._last(source):
            if kept.frames.start <= frames.start and frames.stop <= kept.frames.stop:
                path = None if kept.key == UNTOUCHED else self.find(kept.key)
                if kept.key == UNTOUCHED or path is not None:
                    return replace(kept, frames=frames, path=path)
        return None

    def keep_only(self, shots: Iterable[FinishedShot], *, source: str, rendered: FrameRange) -> None:
        """The render is done: forget what was kept of its part of the clip but these, and remember which is which.

        Args:
            shots: without overlap.
            source: `Job.source_key` of the clip.
            rendered: the part of the clip; what lies outside it stays as it was.
        """
        shots = tuple(shots)
        if shots:
            self._folder.mkdir(exist_ok=True)
        if not self._folder.is_dir():
            return
        outside = self._last(source)
        for gone in (rendered, *(shot.frames for shot in shots)):
            outside = _without(outside, gone)
        kept = _joined([*outside, *(replace(shot, key=shot.key[:_KEY_LETTERS]) for shot in shots)])
        if kept:
            # First: what it names must be there to be found, whenever the process ends.
            partial = self._folder / "last.part"
            partial.write_text(json.dumps({"source": source, "shots": dict(map(_told, kept))}, indent=1), "utf-8")
            partial.replace(self._folder / _LAST)
        keys = {shot.key for shot in kept}
        for path in self._folder.glob("*"):
            if key_of(path) not in keys and not (kept and path.name == _LAST.name):
                path.unlink()
        if not kept:
            self._folder.rmdir()

    def _last(self, source: str) -> list[FinishedShot]:
        """What the clip consists of as the last renders left it, without overlap."""
        try:
            told: dict[str, Any] = parse_json((self._folder / _LAST).read_text("utf-8"), _LAST.name)
            shots: dict[str, Any] = dict(told["shots"]) if told["source"] == source else {}
        except (OSError, ValueError, KeyError, TypeError, InputError):
            return []  # absent or damaged: nothing in it is believed
        found: list[FinishedShot] = []
        for shot in filter(None, (_read(span, key) for span, key in shots.items())):
            found = [*_without(found, shot.frames), shot]
        return found


def key_of(path: Path) -> str:
    """What a kept file is found by."""
    return path.stem.partition("-")[0]


def _told(shot: FinishedShot) -> tuple[str, str]:
    """As the list has it: `6-10` -> key, and `@` the first frame of the finished ones where that is another."""
    at = "" if shot.first == shot.frames.start or shot.key == UNTOUCHED else f"@{shot.first}"
    return f"{shot.frames.start}-{shot.frames.stop}", f"{shot.key}{at}"


def _read(span: str, told: object) -> FinishedShot | None:
    start, _, stop = span.partition("-")
    key, at, first = str(told).partition("@")
    first = first if at else start
    if not (key.isalnum() and all(map(is_whole, (start, stop, first)))):
        return None
    if not whole(first) <= whole(start) < whole(stop):
        return None
    return FinishedShot(frames=FrameRange(start=whole(start), stop=whole(stop)), key=key, first=whole(first))


def _without(shots: Iterable[FinishedShot], gone: FrameRange) -> list[FinishedShot]:
    """What is left of them where frames are taken away."""
    left: list[FinishedShot] = []
    for shot in shots:
        before = shot.frames.start, min(shot.frames.stop, gone.start)
        behind = max(shot.frames.start, gone.stop), shot.frames.stop
        parts = [FrameRange(start=start, stop=stop) for start, stop in (before, behind) if start < stop]
        left += [replace(shot, frames=part) for part in parts]
    return left


def _joined(shots: Iterable[FinishedShot]) -> list[FinishedShot]:
    """In order, parts of the same finished frames that follow on each other as one."""
    found: list[FinishedShot] = []
    for shot in sorted(shots, key=lambda shot: shot.frames.start):
        last = found[-1] if found else None
        alike = last is not None and last.key == shot.key and (shot.key == UNTOUCHED or last.first == shot.first)
        if last is not None and alike and last.frames.stop == shot.frames.start:
            found[-1] = replace(last, frames=FrameRange(start=last.frames.start, stop=shot.frames.stop))
        else:
            found.append(shot)
    return found


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:_CHECK_LETTERS]
