"""Finished shots, kept on disk to the last bit: a render that changes one shot only encodes the others anew.

A shot's frames are one Matroska file of FFV1 in RGB (RFC 9043), in `OUT.vedit/frames/`. Its name holds a hash of what
decides the frames and one of its content, so a file that is there and passes the check is right.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
from av.error import FFmpegError

from vedit.errors import InputError, VeditError
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
class KeptShot:
    """A shot as the last render left it."""

    frames: FrameRange
    """Of the clip."""
    key: str
    path: Path | None
    """Its finished frames; None where it was passed through."""


class FinishedFrames:
    """The finished shots in one work folder.

    Args:
        folder: of the work; see `vedit.work.Work.path`.
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
            raise VeditError(
                f"{self._folder} could not be written to: {getattr(error, 'strerror', None) or error}",
                remedy="free some space; what is finished is kept and the same command goes on",
            ) from error
        finally:
            partial.unlink(missing_ok=True)

    def read(
        self, path: Path, shot: Shot, reader: Reader, *, size: int, with_source: bool, skip: int = 0
    ) -> Iterator[tuple[Clip, IntFrames]]:
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

    def remembered(self, frames: FrameRange, *, source: str) -> KeptShot | None:
        """What the last render left of the shot that these frames are of, whatever decided it; None: nothing.

        Args:
            frames: of the shot, or of a part of it.
            source: SHA-256 of the clip.
        """
        for span, key in self._last(source).items():
            kept = _frames(span)
            if kept is not None and kept.start <= frames.start and frames.stop <= kept.stop:
                path = None if key == UNTOUCHED else self.find(key)
                if key == UNTOUCHED or path is not None:
                    return KeptShot(frames=kept, key=key, path=path)
        return None

    def keep_only(self, shots: Mapping[FrameRange, str], *, source: str, rendered: FrameRange) -> None:
        """The render is done: forget every shot of it but these, and remember which is which.

        Args:
            shots: frames of each -> its key, or `UNTOUCHED`.
            source: SHA-256 of the clip.
            rendered: the part of the clip; shots of the clip outside it stay as they were.
        """
        if shots:
            self._folder.mkdir(exist_ok=True)
        if not self._folder.is_dir():
            return
        outside = {span: key for span, key in self._last(source).items() if not _meets(span, rendered)}
        kept = {**outside, **{_span(frames): key[:_KEY_LETTERS] for frames, key in shots.items()}}
        if kept:
            # First: what it names must be there to be found, whenever the process ends.
            partial = self._folder / "last.part"
            partial.write_text(json.dumps({"source": source, "shots": kept}, indent=1), "utf-8")
            partial.replace(self._folder / _LAST)
        for path in self._folder.glob("*"):
            if key_of(path) not in kept.values() and not (kept and path.name == _LAST.name):
                path.unlink()
        if not kept:
            self._folder.rmdir()

    def _last(self, source: str) -> dict[str, str]:
        """Span of each shot of the clip -> its key, as the last render left them."""
        try:
            told: dict[str, Any] = json.loads((self._folder / _LAST).read_text("utf-8"))
            shots: dict[str, Any] = dict(told["shots"]) if told["source"] == source else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # absent or damaged: nothing in it is believed
        return {span: key for span, key in shots.items() if isinstance(key, str) and key.isalnum()}


def key_of(path: Path) -> str:
    """What a kept file is found by."""
    return path.stem.partition("-")[0]


def _span(frames: FrameRange) -> str:
    return f"{frames.start}-{frames.stop}"


def _frames(span: str) -> FrameRange | None:
    start, _, stop = span.partition("-")
    if not (start.isdecimal() and stop.isdecimal() and int(start) <= int(stop)):
        return None
    return FrameRange(start=int(start), stop=int(stop))


def _meets(span: str, frames: FrameRange) -> bool:
    found = _frames(span)
    return found is None or (found.start < frames.stop and frames.start < found.stop)


def _checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()[:_CHECK_LETTERS]
