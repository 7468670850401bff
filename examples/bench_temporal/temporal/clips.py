"""The clips of the bench, each cut once, without loss, so that every file that is measured begins at frame 0."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import vedit
from vedit.errors import InputError
from vedit.media.contract.identity import identity
from vedit.media.output import OutputOptions
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames


@dataclass(frozen=True, kw_only=True)
class BenchClip:
    """A part of a clip, and what it is there for."""

    name: str
    file: str
    """In the folder of clips, or a path."""
    start: int
    """First frame."""
    shows: str
    origin: str = ""
    """Whose footage it is, for the credits."""
    fast: bool = False
    """Most of the picture is elsewhere after eight frames."""
    free: bool = True
    """Its licence lets pictures of it be shown."""


CLIPS = (
    BenchClip(
        name="pan",
        file="media__sample_with_increasing_timestamps_320w_240h_5s.mp4",
        start=80,
        shows="the camera pans over a street: everything moves, slowly and alike",
        origin="London street, test clip of androidx/media",
    ),
    BenchClip(
        name="head",
        file="rerender_a_video__pexels-cottonbro-studio-6649832-960x506-25fps.mp4",
        start=30,
        shows="a head turns before flat colour: what comes into sight is new",
        origin="cottonbro studio, Pexels 6649832",
    ),
    BenchClip(
        name="hands",
        file="sample-videos__again.mkv",
        start=20,
        shows="hands sign before a still camera: small and fast, blurred by their motion",
        origin="sign for 'again', sample-videos, CC BY 4.0",
    ),
    BenchClip(
        name="walk",
        file="gpmf-parser__max-heromode.mp4",
        start=20,
        shows="somebody walks a garden path with a camera: forward motion, near leaves, steps",
        origin="GoPro, gpmf-parser",
    ),
)
FURTHER_CLIPS = (
    BenchClip(
        name="rabbit",
        file="learning-area__rabbit320.mp4",
        start=160,
        shows="a hand-held camera moves about a small figure on a wooden table: fast, and textured all over",
        origin="learning-area, CC0",
        fast=True,
    ),
    BenchClip(
        name="car",
        file="tune-a-video__car-turn.mp4",
        start=24,
        shows="a car comes round a bend and the camera follows it: fast, over an even road and sky",
        origin="Tune-A-Video; its origin is not stated",
        fast=True,
        free=False,
    ),
)
SPEEDS_AND_FLATS = (*(clip for clip in CLIPS if clip.name in ("pan", "head")), *FURTHER_CLIPS)
"""Two slow and two fast ones; flat parts move in `head` and in `car`."""
LOOKS = ("woodcut", "watercolor", "bronze", "night")


def chosen_clips(names: list[str], folder: Path) -> list[BenchClip]:
    """Clips of the bench by name; a path, with #FRAME behind it or not, is a clip of the user's.

    Raises:
        InputError: there is none of that name, or its file is not there.
    """
    known = {clip.name: clip for clip in (*CLIPS, *FURTHER_CLIPS)}
    found: list[BenchClip] = []
    for name in names:
        if name in known:
            found.append(known[name])
            continue
        place, _, start = name.partition("#")
        if not Path(place).is_file() or (start and not start.isdigit()):
            raise InputError(f"there is no clip {name!r}", remedy=f"use {', '.join(known)}, or FILE or FILE#FRAME")
        path = Path(place).resolve()
        found.append(BenchClip(name=path.stem, file=str(path), start=int(start or 0), shows=path.name))
    for clip in found:
        if not (folder / clip.file).is_file():
            raise InputError(f"{folder / clip.file} is not there", remedy="set VEDIT_TEST_DATA, or name clips by path")
    return found


def cut(clip: BenchClip, folder: Path, work: Path, frames: int) -> Path:
    """The part of a clip as a file of its own, FFV1; made once.

    Raises:
        InputError: the clip has fewer frames from there on.
    """
    target = work / "source.mkv"
    if not target.is_file():
        work.mkdir(parents=True, exist_ok=True)
        part = f"#{clip.start}..#{clip.start + frames}"
        options = OutputOptions(codec="ffv1", drop_unsupported=True, sidecar=False, overwrite=True)
        identity(folder / clip.file, target, frames=part, options=options)
    return target


def frames_of(path: Path) -> list[IntFrames]:
    """Every frame of a short file, (3, H, W) of 8 bits."""
    with vedit.open_video(path) as video:
        depth, count = video.metadata.bit_depth, len(video.index())
        whole = video.read(FrameRange(start=0, stop=count)).frames
    return [np.asarray(frame[:3] >> (depth - 8), np.uint8) for frame in whole]
