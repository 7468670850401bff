"""A file opened for reading, by our own reader or by decord where its frames are the same."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal

from vedit.checks.arguments import checked
from vedit.errors import MediaError
from vedit.media.color.convert import matrix_note
from vedit.media.output import Interlaced
from vedit.media.reading import decord_reader as other
from vedit.media.reading.admitted import admit
from vedit.media.reading.picture_data import picture_data
from vedit.media.reading.probe import probe as probe_here
from vedit.media.reading.reader import VideoReader
from vedit.media.reading.sequence import DEFAULT_RATE, find_pictures, run_around
from vedit.media.reading.tracks import choice_note
from vedit.types import VideoMetadata

Backend = Literal["auto", "pyav", "decord"]


@checked
def probe(
    path: Path | str, *, rate: Fraction | int | None = None, track: int | None = None, allow_huge: bool = False
) -> VideoMetadata:
    """The metadata of a video file or image sequence; a process of its own opens the file first.

    The first frame is decoded, because orientation, pixel format and colour are only certain there; no other, except
    of a GIF, which is decoded to see whether it shows anything through.

    Args:
        path: of the file, a still picture included; or `shot_%04d.png`, `shot_####.png`, or a folder of one image
            sequence.
        rate: frames per second of an image sequence; None is 25.
        track: number of the video stream to edit; None is the film, see `vedit.media.reading.tracks.main_video`.
        allow_huge: read frames and clips beyond the limits of `vedit.media.reading.limits`.

    Raises:
        SettingError: a rate or a number of a track that cannot be.
        MediaError: as `vedit.media.reading.probe.probe`; and where the file crashes the decoder.
    """
    known = None if rate is None else Fraction(rate)
    admit(path, rate=known, track=track, allow_huge=allow_huge)
    return probe_here(path, rate=rate, track=track, allow_huge=allow_huge)


def open_video(
    path: Path | str,
    *,
    seek: bool = True,
    rate: Fraction | None = None,
    track: int | None = None,
    allow_huge: bool = False,
    interlaced: Interlaced = "deinterlace",
    backend: Backend = "pyav",
) -> VideoReader:
    """Open a video for reading; use it as a context manager. Raises MediaError as `probe` does.

    A process of its own opens the file first, unless one has: see `vedit.media.reading.admitted`.

    Args:
        path: of the file, a still picture included; or `shot_%04d.png`, `shot_####.png`, or a folder of one image
            sequence.
        seek: reach frames by seeking; False always decodes from the first frame on.
        rate: frames per second of an image sequence; None is 25, and a warning says so.
        track: number of the video stream, as `vedit probe` lists them; None is the film, and where the file holds
            another video a warning says which it is.
        allow_huge: read frames and clips beyond the limits of `vedit.media.reading.limits`.
        interlaced: what is done with interlaced material.
        backend: "auto" takes decord where it is installed and every frame of the file was compared with PyAV's, bit for
            bit, which costs a decode by each; "decord" raises MediaError where its frames are not at least the same
            ones at the same times.
    """
    admit(path, rate=rate, track=track, allow_huge=allow_huge)
    metadata = probe_here(path, rate=rate, track=track, allow_huge=allow_huge)
    notes: list[str] = []
    choice = choice_note(metadata) if track is None else None
    notes += [told for told in (choice, matrix_note(metadata)) if told is not None]
    if rate is None and "image2" in metadata.container:
        notes.append(
            f"{metadata.path.name}: {DEFAULT_RATE} frames/s, as an image sequence does not say; --rate sets it"
        )
    notes += _picture_notes(metadata.path)
    reader = VideoReader(metadata, seek=seek, allow_huge=allow_huge, interlaced=interlaced, notes=tuple(notes))
    return reader if backend == "pyav" else _backed(reader, backend)


def _picture_notes(path: Path) -> list[str]:
    """What the user should know of pictures: how their colours are taken, and what lies beside a still."""
    pictures = find_pictures(path)
    if pictures is None:
        return []
    notes: list[str] = []
    profile = picture_data(pictures.files[0]).profile
    if profile is not None and "srgb" not in profile.lower():
        notes.append(f"{path.name}: its colours are in the profile {profile}; the model takes them for sRGB")
    run = run_around(path) if pictures.still else None
    if run is not None:
        notes.append(f"{path.name} is taken for one still picture; {run.path.name} names the {run.count} it is one of")
    return notes


def _backed(reader: VideoReader, backend: Backend) -> VideoReader:
    """decord's reader of the file where `backend` allows it, else `reader`."""
    if backend == "auto" and not (other.available() and other.may_be_same(reader.metadata)):
        return reader
    try:
        verdict = other.judge(reader, every_frame=backend == "auto")
        if backend == "auto" and verdict.agreement is not other.Agreement.SAME:
            return reader
        found = other.DecordReader(reader, verdict)
    except MediaError:
        reader.close()
        raise
    reader.close()
    return found
