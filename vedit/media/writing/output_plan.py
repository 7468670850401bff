"""What will be written, decided and checked before anything is rendered."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from vedit.errors import MediaError
from vedit.media.contract.expected import first_frame_of
from vedit.media.contract.watch import Watch
from vedit.media.output import OutputOptions
from vedit.media.reading.extras import lost_extras
from vedit.media.reading.picture_data import PictureData, picture_data
from vedit.media.reading.sequence import ImageSequence, find_pictures, is_still
from vedit.media.reading.source import open_input
from vedit.media.timecode import parse_timecode
from vedit.media.writing.containers import Container, container_for, track_time_base
from vedit.media.writing.copied_streams import (
    CopiedStreams,
    check_order,
    check_timing,
    first_timecode,
    start_of,
    streams_to_copy,
    written_timecode,
)
from vedit.media.writing.encode import Encoding, choose_encoding
from vedit.media.writing.hdr import HdrMetadata, read_hdr
from vedit.media.writing.label import holds_tag, mxf_tags
from vedit.media.writing.numbered import NumberedFiles, first_number, numbered
from vedit.media.writing.output_spec import DEFAULTS, OutputSpec
from vedit.media.writing.picture_parts import lost_parts, parts_of
from vedit.media.writing.sidecar import is_record, sidecar_path
from vedit.media.writing.stream_copy import kept_tags
from vedit.media.writing.target import check_name, check_target
from vedit.media.writing.unfinished import unfinished_name
from vedit.types import FrameIndex, FrameRange, VideoMetadata

RECORD_NAME = 220
"""Bytes of a record's name that leave room for what it is written under."""


def check_output(path: Path | str, source: Path | str, options: OutputOptions = DEFAULTS) -> None:
    """Refuse an output by its name alone, before the source is opened; `plan_output` looks again.

    Args:
        path: of the file to write.
        source: the clip.
        options: what the user chose of the written file.

    Raises:
        MediaError: the output is the source, a link, a folder, exists, or lies where nothing can be written; a name is
            too long; or its extension is not a container that is written.
    """
    target, container = _target(path)
    pictures = numbered(target, first=0, count=0, still=is_still(source)) if container.sequence else None
    check_target(target, Path(source), pictures, overwrite=options.overwrite, replaces=options.replaces)
    _check_record(target, Path(source), pictures, options)


def _target(path: Path | str) -> tuple[Path, Container]:
    target = Path(path).absolute()
    check_name(target)
    if target.is_dir():
        raise MediaError(f"{path} is a folder", remedy="name a file in it")
    return target, container_for(target)


def _check_record(target: Path, source: Path, pictures: NumberedFiles | None, options: OutputOptions) -> list[Path]:
    """The record that may be replaced since it belongs to no pictures; raises MediaError where one is in the way."""
    record = sidecar_path(target)
    if not options.sidecar and len(os.fsencode(record.name)) > RECORD_NAME:
        return []  # there can be none
    orphans = [record] if _orphaned(target, pictures) and is_record(record) else []
    # Where none is written too: `verify` would take what another render left for this one's.
    free = options.overwrite or bool(orphans)
    check_target(record, source, overwrite=free, replaces=options.replaces)
    return orphans


def plan_output(
    path: Path | str,
    metadata: VideoMetadata,
    index: FrameIndex,
    *,
    frames: FrameRange | None = None,
    options: OutputOptions = DEFAULTS,
    recipe: Mapping[str, object] | None = None,
    data: bool = False,
) -> OutputSpec:
    """Check an output and decide all about it.

    Args:
        path: of the file to write; its extension names the container. `shot_%04d.png` is an image sequence.
        metadata: of the source.
        index: of the source.
        frames: the part to write; None is the whole clip.
        options: what the user chose of the written file.
        recipe: how the frames were made, as values that JSON holds; written in the metadata and the sidecar.
        data: the frames are measurements, as masks and maps are.

    Raises:
        MediaError: the output is the source, a link, a folder, exists, or lies where nothing can be written; its
            extension is not a container that is written; the container cannot hold the codec or a stream that must be
            copied; or, with `strict`, something of the source cannot be kept.
        InputError: there is no encoder for the codec, or a timecode that is none.
    """
    metadata = _with_timecode(metadata, index, options)
    target, container = _target(path)
    watch = Watch(metadata.path)
    part = _part(index, frames)
    pictures = _check_files(target, container, metadata, part, options)
    json.dumps(recipe)  # a recipe that cannot be written is the caller's fault, and is found before hours of work
    found = find_pictures(metadata.path)
    hdr = HdrMetadata() if found is not None else read_hdr(metadata.path, metadata.stream_index)
    encoding = choose_encoding(metadata, container, options, hdr)
    told = _Told(notes=list(encoding.notes), lost=list(encoding.lost))
    streams, start = _copied(metadata, index, part, container, options, told, found)
    if found is not None and not data:
        _tell_of_picture(found, metadata, part, container, encoding, told)
    first = first_timecode(metadata, index, part)
    tags = _own_tags(metadata, container, told.lost, beside=bool(streams.copied))
    timecode = written_timecode(metadata, index, part, container, first, options, told.lost, told.notes)
    check_timing(container, index)
    sound = container.beside and streams.copied
    beside, orphans = _beside(target, metadata, pictures, options, told) if sound else (None, list[Path]())
    orphans += _check_record(target, metadata.path, pictures, options)
    _tell_what_is_lost(metadata, options, told)
    return OutputSpec(
        path=target,
        temporary=temporary_for(target),
        source=metadata,
        watch=watch,
        index=index,
        frames=part,
        container=container,
        encoding=encoding,
        time_base=track_time_base(container, index.time_base),
        start=start,
        copied=tuple(streams.copied),
        covers=tuple(streams.covers),
        dropped=tuple(streams.dropped),
        audio_rates=tuple(streams.rates),
        timecode=timecode,
        first_timecode=first,
        pictures=pictures,
        beside=beside,
        sidecar=sidecar_path(target) if options.sidecar else None,
        orphans=tuple(orphans),
        recipe=recipe,
        data=data,
        options=options,
        overwrite=options.overwrite,
        notes=tuple(told.notes),
        lost=tuple(told.lost),
        tags=tags,
    )


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What a user is told of an output; its steps add to both."""

    notes: list[str]
    lost: list[str]
    """Of the source."""


def _part(index: FrameIndex, frames: FrameRange | None) -> FrameRange:
    """The part to write. Raises MediaError where it is not in the clip."""
    part = frames if frames is not None else FrameRange(start=0, stop=len(index))
    if not part or part.stop > len(index):
        raise MediaError(f"frames {part.start}..{part.stop} are not in the clip", remedy=f"it has 0..{len(index)}")
    return part


def _with_timecode(metadata: VideoMetadata, index: FrameIndex, options: OutputOptions) -> VideoMetadata:
    """The source with the timecode that is asked for where it has none. Raises InputError where that is no timecode."""
    if options.timecode is not None:
        # A variable rate counts by none: there any that is written as one will do.
        parse_timecode(options.timecode, index.rate or Fraction(60))
    return metadata if metadata.timecode is not None else replace(metadata, timecode=options.timecode)


def _check_files(
    target: Path, container: Container, metadata: VideoMetadata, part: FrameRange, options: OutputOptions
) -> NumberedFiles | None:
    """The files of an image sequence, numbered as the source is, None of any other container; raises MediaError where
    they cannot be written."""
    pictures = None
    if container.sequence:
        first = first_number(metadata.path, part.start)
        pictures = numbered(target, first=first, count=len(part), still=is_still(metadata.path))
    check_target(target, metadata.path, pictures, overwrite=options.overwrite, replaces=options.replaces)
    return pictures


def _copied(
    metadata: VideoMetadata,
    index: FrameIndex,
    part: FrameRange,
    container: Container,
    options: OutputOptions,
    told: _Told,
    found: ImageSequence | None,
) -> tuple[CopiedStreams, Fraction]:
    """The streams that are copied beside the picture, of picture files none, and when it begins, in seconds."""
    if found is not None:
        return CopiedStreams(), index.pts[part.start] * index.time_base
    whole = len(part) == len(index)
    with open_input(metadata.path) as source:
        told.lost.extend(lost_extras(metadata, muxer=container.muxer))
        streams = streams_to_copy(source, metadata, container, options, whole=whole, lost=told.lost)
        start = start_of(source, metadata, index, part, container, streams.copied, whole=whole)
    with open_input(metadata.path) as source:
        check_order(source, container, streams.copied, told.notes, told.lost)
    return streams, start


def _tell_of_picture(
    found: ImageSequence,
    metadata: VideoMetadata,
    part: FrameRange,
    container: Container,
    encoding: Encoding,
    told: _Told,
) -> None:
    """What a source of picture files says beside pixels and the result will not, and that a still becomes a film."""
    told.lost.extend(_lost_of(picture_data(found.files[part.start]), encoding, tags=metadata.metadata))
    if found.still and not container.sequence:
        told.notes.append(f"{metadata.path.name} is a still picture: the result is a film of one frame")


def _beside(
    target: Path, metadata: VideoMetadata, pictures: NumberedFiles | None, options: OutputOptions, told: _Told
) -> tuple[Path, list[Path]]:
    """The file of the sound beside pictures, and the one there that may be replaced since it belongs to none.

    Raises:
        MediaError: one is in the way.
    """
    beside = target.with_name(f"{pictures.title if pictures else target.stem}.mka")
    orphans = [beside] if _orphaned(target, pictures) and first_frame_of(beside) is not None else []
    free = options.overwrite or bool(orphans)
    check_target(beside, metadata.path, None, overwrite=free, replaces=options.replaces)
    told.notes.append(f"the sound is in {beside.name}")
    return beside, orphans


def _tell_what_is_lost(metadata: VideoMetadata, options: OutputOptions, told: _Told) -> None:
    """The last notes. Raises MediaError where something is lost that must not be."""
    if options.interlaced == "weave" and metadata.field_order not in ("progressive", "unknown"):
        told.notes.append("the source is interlaced: its fields are kept woven and the result is marked progressive")
    if told.lost:
        told.notes.append(f"not kept: {'; '.join(told.lost)}")
    if told.lost and options.strict:
        raise MediaError(
            f"--strict: not kept: {'; '.join(told.lost)}",
            remedy="write another container or codec, or leave out --strict",
        )


def _own_tags(metadata: VideoMetadata, container: Container, lost: list[str], *, beside: bool) -> dict[str, str]:
    """The source's tags for a picture file or MXF, without those that it has no place for.

    Args:
        metadata: of the source.
        container: to write.
        lost: is told of tags without a place.
        beside: a Matroska file with the sound will lie beside the pictures, and holds every tag.
    """
    if not container.beside:
        return {}
    wanted = kept_tags(metadata.metadata)
    if "mxf" in metadata.container:
        wanted = mxf_tags(wanted)
    found = {key: value for key, value in wanted.items() if holds_tag(container.only or container.muxer, key, value)}
    refused = [key for key in wanted if key not in found]
    if refused and not beside:
        names = ", ".join(refused)
        lost.append(f"the {'tags' if len(refused) > 1 else 'tag'} {names} ({container.suffix} cannot hold them)")
    return found


def _lost_of(data: PictureData, encoding: Encoding, *, tags: Mapping[str, str]) -> list[str]:
    """What a source picture says beside its pixels and the result will not."""
    size = encoding.width, encoding.height
    parts = parts_of(data, encoding.name, size=size, aspect=Fraction(1), label=False, tags=tags)
    return lost_parts(data, parts, alpha=encoding.alpha, codec=encoding.name)


def _orphaned(target: Path, pictures: NumberedFiles | None) -> bool:
    """Whether record and sound of this name, if there are any, belong to no pictures."""
    return not (pictures.present() if pictures is not None else target.exists())


def temporary_for(target: Path, work: Path | None = None) -> Path:
    """Where the file grows: in `work`, if a rename from there is atomic, which takes one file system."""
    folder = target.parent
    if work is not None and work.is_dir() and work.stat().st_dev == folder.stat().st_dev:
        folder = work.absolute()
    return folder / unfinished_name(target)
