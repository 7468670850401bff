"""Frames to a file: encoded with the source's times and colour, its other streams copied, checked, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import av
import numpy as np
from av.error import FFmpegError

from vedit.errors import ContractError, MediaError
from vedit.media.contract.expected import FIRST_FRAME, first_frame_of
from vedit.media.contract.verify import verify
from vedit.media.reading.index import ignore_frames
from vedit.media.reading.sequence import DEFAULT_RATE, find_pictures
from vedit.media.reading.source import open_input
from vedit.media.writing.atomic import check_free, put_in_place, stands, sync
from vedit.media.writing.label import MXF_COMMENT, append_boxes, append_extensions, own_tags
from vedit.media.writing.muxers import FilesSink, GifSink, TrackSink, discard, open_sink
from vedit.media.writing.numbered import move_in_place
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.sidecar import describe, sidecar_path, stage_sidecar
from vedit.media.writing.stream_copy import StreamCopy, kept_tags
from vedit.media.writing.to_frames import Converter
from vedit.media.writing.unfinished import hold, let_go, not_written, sweep

if TYPE_CHECKING:
    from av.container.output import OutputContainer

    from vedit.media.contract.report import ContractReport
    from vedit.media.writing.atomic import Journal
    from vedit.types import IntFrames


class VideoWriter:
    """Writes one planned file; use it as a context manager.

    Frames are appended in order with `write`; `finish` closes the file, checks it against the source and gives it its
    name. Leaving the block without `finish`, or by an error, removes the temporary file.

    Args:
        plan: of the file.
        hash_frames: whether the sidecar is to hold the hash of all pictures, by which a render is known again; it
            costs a twelfth of what encoding does.

    Raises:
        MediaError: the file cannot be opened for writing; nothing is rendered yet.
        VeditError: the encoder or the disk refuses later.
        ContractError: the written file breaks the timing or sound contract.
    """

    def __init__(self, plan: OutputSpec, *, hash_frames: bool = False) -> None:
        self._plan = plan
        self._sent = 0
        self._convert = Converter(plan.encoding, plan.source.bit_depth)
        self._sink: TrackSink | GifSink | FilesSink | None = None
        self._sound: OutputContainer | None = None
        self._passthrough: StreamCopy | None = None
        self._made: list[Path] = []
        self._held: list[int | None] = []
        self._digest = sha256() if hash_frames else None

    def __enter__(self) -> Self:
        self._plan.watch.check_all()
        try:
            self._open()
        except (FFmpegError, OSError, ValueError) as error:
            self._abandon()
            raise MediaError(f"{self._plan.path.name} cannot be written: {error}", remedy="try .mkv") from error
        except BaseException:
            self._abandon()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abandon()

    @property
    def written(self) -> int:
        """Frames taken so far."""
        return self._sent

    def write(self, frames: IntFrames) -> None:
        """Append frames, (T, 3 or 4, H, W) of the source's size and depth.

        Raises:
            ValueError: the shape, the type or the number of frames is not what was planned.
            VeditError: the encoder or the disk refuses.
        """
        plan = self._plan
        size = (plan.source.height, plan.source.width)
        expected = np.uint8 if plan.source.bit_depth == 8 else np.uint16
        if frames.ndim != 4 or frames.shape[1] not in (3, 4) or frames.shape[2:] != size or frames.dtype != expected:
            raise ValueError(
                f"expected (T, 3 or 4, {size[0]}, {size[1]}) {expected.__name__}, got {frames.shape} {frames.dtype}"
            )
        if self._sent + len(frames) > len(plan.frames):
            raise ValueError(f"{len(plan.frames)} frames were planned, {self._sent + len(frames)} came")
        if self._sink is None:
            raise ValueError("the writer is closed")
        plan.watch.check()
        try:
            for picture in frames:
                if self._passthrough is not None:
                    shown = plan.index.pts[plan.frames.start + self._sent] * plan.index.time_base
                    self._passthrough.copy_until(shown)
                if self._digest is not None:
                    self._digest.update(np.ascontiguousarray(picture).data)
                self._sink.write(self._convert(picture), self._sent)
                self._sent += 1
        except (FFmpegError, OSError) as error:
            raise not_written(plan.path, error) from error  # frames were rendered: exit code 1

    def finish(
        self,
        timings: Mapping[str, float] | None = None,
        *,
        notes: Sequence[str] = (),
        used: Mapping[str, object] | None = None,
        asked: Mapping[str, object] | None = None,
        source_sha256: str | None = None,
        journal: Callable[[ContractReport], Journal] | None = None,
        on_checked: Callable[[int], None] = ignore_frames,
    ) -> ContractReport:
        """Close and check the file, then give it and its sidecar their names.

        Args:
            timings: seconds by stage of the render, for the sidecar.
            notes: what the render was told beside what the plan says, for the sidecar.
            used: what was used where it differs from what was asked, for the sidecar.
            asked: all that has to be known to render it again, for the sidecar.
            source_sha256: of the source as it was when the render began, where that is known.
            journal: by which the next run ends what a kill interrupts while the files get their names.
            on_checked: told 0 once all is written, then how many frames are decoded again, after each.

        Raises:
            ContractError: a check fails; nothing is kept.
            VeditError: the disk refuses, a file appeared under the final name, or the source is another one now.
        """
        plan = self._plan
        if self._sent != len(plan.frames):
            raise ContractError(
                f"{self._sent} of {len(plan.frames)} frames were written", remedy="render the clip again"
            )
        assert self._sink is not None
        try:
            self._sink.flush()
            if self._passthrough is not None:
                self._passthrough.copy_until(None)
            self._sink.close()
            self._sink = None
            if self._sound is not None:
                self._sound.close()
                self._sound = None
            self._label()
            for file in self._files():
                sync(file)
        except (FFmpegError, OSError) as error:
            raise not_written(plan.path, error) from error  # frames were rendered: exit code 1
        plan.watch.check_all()
        on_checked(0)
        try:
            report = self._checked(on_checked)
        except MediaError:
            self._say_better()
            raise
        try:
            staged = None
            if plan.sidecar is not None:
                told = describe(
                    plan,
                    report,
                    timings,
                    notes=notes,
                    used=used,
                    asked=asked,
                    frames_sha256=None if self._digest is None else self._digest.hexdigest(),
                    source_sha256=source_sha256,
                )
                staged = stage_sidecar(plan.sidecar, told)
                self._add(staged)
            plan.watch.check_all()
            self._rename(staged, journal(report) if journal is not None else None)
            sync(plan.path.parent)
        except OSError as error:
            raise not_written(plan.path, error) from error  # frames were rendered: exit code 1
        return report

    def _open(self) -> None:
        plan = self._plan
        for path in (plan.path, sidecar_path(plan.path)):
            sweep(path)
        if plan.pictures is not None:
            plan.temporary.mkdir()
        else:
            # The name is reserved before the muxer opens it, so that nothing that is not ours is written over.
            _reserve(plan.temporary)
        self._add(plan.temporary)
        self._sink = open_sink(plan)
        pictures = output = self._sink.output if isinstance(self._sink, TrackSink) else None
        if plan.unnamed_sound is not None:
            _reserve(plan.unnamed_sound)
            self._add(plan.unnamed_sound)
            output = self._sound = av.open(f"file:{plan.unnamed_sound}", "w", format="matroska")
            first = plan.index.pts[plan.frames.start] * plan.index.time_base - plan.start
            output.metadata[FIRST_FRAME] = f"{float(first):.9f}"
        if isinstance(self._sink, TrackSink) and plan.timecode is not None:
            self._sink.stream.metadata["timecode"] = plan.timecode
        if output is None:
            return
        output.metadata.update(kept_tags(plan.source.metadata))
        if pictures is not None and not plan.container.mov:
            # Behind the source's tags: what it says of its own making is not what is true of the result.
            tags = own_tags(plan.recipe, label=plan.options.label)
            if plan.container.muxer == "mxf":
                tags = {f"{MXF_COMMENT}{key}": value for key, value in ({**plan.tags, **tags}).items()}
            pictures.metadata.update(tags)
        if find_pictures(plan.source.path) is None:
            self._passthrough = StreamCopy(plan, output)
            chapters = self._passthrough.chapters()
            if chapters:
                output.set_chapters(chapters)
            if isinstance(self._sink, TrackSink):
                self._passthrough.describe(self._sink.stream)

    def _add(self, path: Path) -> None:
        """Something temporary, held as long as this writes, and removed in the end where it got no other name."""
        self._made.append(path)
        self._held.append(hold(path))

    def _label(self) -> None:
        """What the muxers have no place for is added to the closed file."""
        plan = self._plan
        tags = own_tags(plan.recipe, label=plan.options.label)
        if plan.container.mov:
            with open_input(plan.temporary) as written:
                there = {key.lower() for key in written.metadata}
            rest = {key: value for key, value in kept_tags(plan.source.metadata).items() if key.lower() not in there}
            quicktime = plan.container.muxer == "mov"
            append_boxes(plan.temporary, {**rest, **tags}, label=plan.options.label, quicktime=quicktime)
        elif plan.container.muxer == "gif":
            append_extensions(plan.temporary, {**plan.tags, **tags}, label=plan.options.label)

    def _files(self) -> list[Path]:
        plan = self._plan
        pictures = [plan.temporary / name for name in plan.pictures.names] if plan.pictures is not None else []
        return (pictures or [plan.temporary]) + ([plan.unnamed_sound] if plan.unnamed_sound is not None else [])

    def _say_better(self) -> None:
        """Where what was written or read is gone, that is the reason, whatever could not be read."""
        self._plan.watch.check_all()
        if not all(file.exists() for file in self._files()):
            raise not_written(self._plan.path, FileNotFoundError(errno.ENOENT, "its unfinished file was removed"))

    def _checked(self, on_checked: Callable[[int], None]) -> ContractReport:
        plan = self._plan
        report = verify(
            plan.source,
            plan.unnamed,
            frames=plan.frames,
            source_index=plan.index,
            plan=plan,
            sound=plan.unnamed_sound,
            rate=(plan.index.rate or DEFAULT_RATE) if plan.pictures is not None else None,
            allow_huge=True,
            on_frames=on_checked,
        )
        if not report.ok:
            breaches = "; ".join(
                f"{check.name}: expected {check.expected}, found {check.found}"
                for check in report.checks
                if not check.ok
            )
            raise ContractError(f"{plan.path.name} breaks the contract ({breaches})", remedy="please report this file")
        return report

    def _rename(self, staged: Path | None, journal: Journal | None) -> None:
        """All files at once: a file that shows under its final name is complete.

        `verify` believes the record and the sound that it finds beside the pictures, so that these never lie beside
        those of another render, also where a kill comes in between; see `put_in_place`.

        Args:
            staged: the sidecar under its temporary name.
            journal: of the renames.
        """
        plan, replaces = self._plan, self._plan.options.replaces
        moves: list[tuple[Path, Path]] = []
        if plan.beside is not None and plan.unnamed_sound is not None:
            moves.append((plan.unnamed_sound, plan.beside))
        if staged is not None and plan.sidecar is not None:
            moves.append((staged, plan.sidecar))
        for _, final in moves:
            check_free(final, overwrite=plan.overwrite or final in plan.orphans, replaces=replaces)
        stale = [path for path in self._stale() if plan.overwrite or stands(path, replaces)]
        if plan.pictures is not None:
            move_in_place(
                plan.pictures,
                plan.temporary,
                replace=plan.overwrite,
                replaces=replaces,
                companions=moves,
                stale=stale,
                journal=journal,
            )
            return
        check_free(plan.path, overwrite=plan.overwrite, replaces=replaces)
        put_in_place([(plan.temporary, plan.path)], companions=moves, stale=stale, journal=journal)

    def _stale(self) -> list[Path]:
        """The record and the sound of an older result that this one has none of, but would be taken to have."""
        plan = self._plan
        found = [sidecar_path(plan.path)] if plan.sidecar is None else []
        if plan.container.beside and plan.beside is None:
            sound = plan.path.with_name(f"{plan.pictures.title if plan.pictures else plan.path.stem}.mka")
            # Only one that was written here: another of this name is the user's.
            if first_frame_of(sound) is not None:
                found.append(sound)
        return found

    def _abandon(self) -> None:
        """Close what is open and remove what is temporary, if it is still there."""
        if self._passthrough is not None:
            self._passthrough.close()
            self._passthrough = None
        if self._sink is not None:
            discard(self._sink)
            self._sink = None
        if self._sound is not None:
            with contextlib.suppress(FFmpegError, OSError, ValueError):
                self._sound.close()  # the file is being thrown away
            self._sound = None
        for path in self._made:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        self._made.clear()
        while self._held:
            let_go(self._held.pop())


def _reserve(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
