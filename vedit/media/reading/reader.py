"""Exact frames by number, streamed, in display orientation and as integer RGB at the source's depth."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from vedit.errors import InputError, MediaError, SettingError
from vedit.media.color.convert import ToRgb
from vedit.media.contract.watch import Watch
from vedit.media.output import Interlaced
from vedit.media.reading.decode import Decoder, fingerprint
from vedit.media.reading.deinterlace import Deinterlacer, is_interlaced
from vedit.media.reading.index import (
    Mispredicted,
    ScannedIndex,
    check_same_size,
    ignore_frames,
    ignore_picture,
    predict,
    scan,
)
from vedit.media.reading.shown import ShownFrames
from vedit.types import Clip, FrameIndex, FrameRange, VideoMetadata

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from vedit.types import IntFrames


class VideoReader:
    """Reads frames of one file by number.

    A read seeks to the key frame before its first frame and proves by checksum that what it decodes is what a decode
    from the start presents; where a file does not seek exactly, it is decoded from the start instead. A read that
    goes on where the last one ended does not seek.

    Args:
        metadata: of the file.
        seek: reach frames by seeking; False always decodes from the first frame on.
        scanned: `scanned` of another reader of the same file, so that it is not decoded for its index again.
        allow_huge: read clips beyond the limits of `vedit.media.reading.limits`.
        interlaced: what is done with interlaced material.
        notes: warnings beside those of the index.
    """

    def __init__(
        self,
        metadata: VideoMetadata,
        *,
        seek: bool = True,
        scanned: ScannedIndex | None = None,
        allow_huge: bool = False,
        interlaced: Interlaced = "deinterlace",
        notes: tuple[str, ...] = (),
    ) -> None:
        self._metadata = metadata
        self._watch = Watch(metadata.path)
        self._scan = scanned
        self._allow_huge = allow_huge
        self._interlaced: Interlaced = interlaced
        self.notes = notes
        self.on_scanned: Callable[[int], None] = ignore_frames
        """Told how many frames are decoded while the index is made, which of a long clip takes minutes."""
        self._fields: Deinterlacer | None = None
        self._decoder: Decoder | None = None
        self._position = 0
        """The frame that the decoder presents next."""
        self._proven = True
        """The decoder ran from the start, so what it presents needs no proof."""
        self._exact = seek
        """Seeking is allowed, and has not missed yet."""
        color, depth = metadata.color, metadata.bit_depth
        self._to_rgb = ToRgb(color, metadata.coded_height, depth, metadata.has_alpha)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the index stays."""
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    @property
    def metadata(self) -> VideoMetadata:
        return self._metadata

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the file: frames lost to damage, timestamps that had to be replaced."""
        warnings = self.notes + self.scanned().warnings
        if self.deinterlaced:
            order = self._metadata.field_order
            warnings += (f"interlaced ({order}): deinterlaced with bwdif; --interlaced weave keeps the fields",)
        return warnings

    def predicted(self) -> VideoReader | None:
        """A further reader of the file, without a decode for its index: it believes what the packets tell.

        None where they cannot be believed. It is for reading the whole clip from the first frame to the last, which
        raises Mispredicted where a frame is not as it was told.
        """
        told = predict(self._metadata.path, self._metadata, allow_huge=self._allow_huge)
        if told is None:
            return None
        return VideoReader(
            self._metadata,
            scanned=told,
            allow_huge=self._allow_huge,
            interlaced=self._interlaced,
            notes=self.notes,
        )

    @property
    def deinterlaced(self) -> bool:
        """The clip is interlaced, and its frames are made whole; the first call decodes the whole file."""
        if self._interlaced == "weave":
            return False
        return is_interlaced(self._metadata.field_order, self.scanned().interlaced)

    def index(self) -> FrameIndex:
        """The times of all frames; the first call decodes the whole file. Raises MediaError where nothing decodes."""
        return self.scanned().frames

    def read(self, frames: FrameRange) -> Clip:
        """The frames of `frames`, (T, 3 or 4, H, W): uint8, or uint16 with `bit_depth` bits used.

        Raises:
            InputError: the range is empty or goes past the end.
            MediaError: its frames change size.
            VeditError: the file is another one than when the reader was made.
        """
        self.check_range(frames)
        try:
            return self._read(frames, self.scanned())
        except (MediaError, OSError):
            self._watch.check_all()  # says better what is wrong
            raise
        finally:
            self._watch.check()

    def _read(self, frames: FrameRange, scanned: ScannedIndex) -> Clip:
        meta = self._metadata
        shape = (len(frames), 4 if meta.has_alpha else 3, meta.height, meta.width)
        out: IntFrames = np.empty(shape, dtype=np.uint8) if meta.bit_depth == 8 else np.empty(shape, dtype=np.uint16)
        for number, frame in self._whole(frames, scanned) if self.deinterlaced else self._decoded(frames, scanned):
            self.draw(frame, number, out[number - frames.start])
        return Clip(
            frames=out,
            bit_depth=meta.bit_depth,
            pts=scanned.frames.pts[frames.start : frames.stop],
            time_base=scanned.frames.time_base,
            start=frames.start,
            color=meta.color,
        )

    def check_range(self, frames: FrameRange) -> None:
        """Raises InputError where a range is empty or goes past the end."""
        count = len(self.index())
        if not frames or frames.stop > count:
            raise InputError(
                f"frames {frames.start}..{frames.stop} are not in the clip", remedy=f"it has frames 0..{count}"
            )

    def chunks(self, frames: FrameRange, size: int) -> Iterator[Clip]:
        """`frames` in clips of at most `size`, in order. Raises SettingError where `size` is below 1."""
        if size < 1:
            raise SettingError(f"a chunk holds {size} frames", remedy="give 1 or more")
        for start in range(frames.start, frames.stop, size):
            yield self.read(FrameRange(start=start, stop=min(start + size, frames.stop)))

    @property
    def is_scanned(self) -> bool:
        """Whether the index is there already."""
        return self._scan is not None

    def scanned(self) -> ScannedIndex:
        """The index with what reading by number needs beside it; found once."""
        return self._scan or self._scanned(ignore_picture)

    def scan_showing(self, show: Callable[[Clip], None]) -> bool:
        """Make the index, and show each frame as it is decoded for it: one decode serves both.

        Args:
            show: called with each frame as a clip of its own, in order, from the first on.

        Returns:
            Whether all frames were shown as `read` gives them. False where they were not, and have to be read: the
            index was there already, or the clip is interlaced, damaged, or without times of its own.
        """
        if self._scan is not None or (self._interlaced != "weave" and is_interlaced(self._metadata.field_order, 0)):
            return False
        shown = ShownFrames(self._metadata, self.draw, show)
        scanned = self._scanned(shown)
        return shown.times == scanned.frames.pts and not self.deinterlaced

    def _scanned(self, on_picture: Callable[[int, VideoFrame], None]) -> ScannedIndex:
        try:
            self._scan = scan(
                self._metadata.path,
                self._metadata,
                allow_huge=self._allow_huge,
                on_frames=self.on_scanned,
                on_picture=on_picture,
            )
        finally:
            self._watch.check_all()
        return self._scan

    def draw(self, frame: VideoFrame, number: int, target: IntFrames) -> None:
        """The frame in display orientation, into (3 or 4, H, W)."""
        meta = self._metadata
        check_same_size(frame, number, meta)
        for channel, plane in enumerate(self._to_rgb(frame)):
            turned = np.rot90(plane, k=-(meta.rotation // 90))
            target[channel] = turned[:, ::-1] if meta.mirrored else turned

    def _whole(self, frames: FrameRange, scanned: ScannedIndex) -> Iterator[tuple[int, VideoFrame]]:
        """`_decoded`, deinterlaced: one frame more is decoded on either side, unless reading goes on."""
        count = len(scanned.frames)
        fields, self._fields = self._fields, None
        if fields is None or fields.next != frames.start:
            fields = Deinterlacer(
                first=max(0, frames.start - 1),
                order=self._metadata.field_order,
                flagged=scanned.interlaced > 0,
                time_base=self._metadata.time_base,
            )
        for _, frame in self._decoded(FrameRange(start=fields.fed, stop=min(count, frames.stop + 1)), scanned):
            yield from ((number, whole) for number, whole in fields.feed(frame) if number in frames)
        if frames.stop == count:
            yield from fields.finish()
        else:
            self._fields = fields

    def _decoded(self, frames: FrameRange, scanned: ScannedIndex) -> Iterator[tuple[int, VideoFrame]]:
        """Each frame of the range with its number; starts over from the first frame where a seek proves inexact."""
        wanted = frames.start
        while wanted < frames.stop:
            decoder = self._go_to(wanted, scanned)
            missed = False
            while self._position < frames.stop:
                frame = next(decoder, None)
                if frame is None:
                    missed = True
                    break
                number = self._position
                if not self._proven and fingerprint(frame) != scanned.fingerprints[number]:
                    missed = True
                    break
                if scanned.predicted:
                    self._check_prediction(frame, number, decoder, scanned)
                self._position += 1
                if number >= wanted:
                    yield number, frame
                    wanted = number + 1
            if missed:
                if scanned.predicted:
                    raise Mispredicted(self._metadata.path)
                if self._proven:
                    raise MediaError(
                        f"{self._metadata.path.name}: frame {wanted} could not be decoded again",
                        remedy="the file changed while it was read; start over",
                    )
                self._exact = False
                self._restart(scanned)

    def _check_prediction(self, frame: VideoFrame, number: int, decoder: Decoder, scanned: ScannedIndex) -> None:
        """Raises Mispredicted where a frame, or the end behind the last one, is not what the packets told."""
        last = number == len(scanned.frames) - 1
        more = next(decoder, None) if last else None
        if frame.pts != scanned.frames.pts[number] or frame.interlaced_frame or decoder.errors or more is not None:
            raise Mispredicted(self._metadata.path)

    def _go_to(self, target: int, scanned: ScannedIndex) -> Decoder:
        """A decoder that presents `self._position` next, at or before `target`."""
        key = bisect_right(scanned.keys, target) - 1
        start = scanned.keys[key] if key >= 0 else 0
        if self._decoder is not None and start <= self._position <= target:
            return self._decoder
        if not (scanned.seekable and self._exact) or start == 0:
            return self._restart(scanned) if self._decoder is None or self._position > target else self._decoder
        decoder = self._decoder or self._restart(scanned)
        if self._land(decoder, start, scanned):
            return decoder
        return self._restart(scanned)

    def _land(self, decoder: Decoder, start: int, scanned: ScannedIndex) -> bool:
        """Seek to key frame `start` and decode up to it; False where the file does not arrive there."""
        self._proven = False
        if not decoder.seek(scanned.frames.pts[start]):
            return False
        numbers = {pts: number for number, pts in enumerate(scanned.frames.pts[: start + 1])}
        for frame in decoder:
            number = numbers.get(frame.pts) if frame.pts is not None else None
            if number == start:
                decoder.push_back(frame)
                self._position = start
                return True
            if number is None:
                # Beyond the key frame, or a frame the index does not know.
                return False
        return False

    def _restart(self, scanned: ScannedIndex) -> Decoder:
        if self._decoder is not None:
            self._decoder.close()
        self._decoder = Decoder(
            self._metadata.path,
            self._metadata.stream_index,
            threads=scanned.threads,
            rate=self._metadata.average_rate,
        )
        self._position = 0
        self._proven = True
        return self._decoder
