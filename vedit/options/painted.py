"""What `--keyframe` asks for: frames that somebody has painted, each at its moment of the clip."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.checks.rationals import shown
from vedit.errors import InputError, SettingError
from vedit.media.reading.sequence import SUFFIXES

_FORM = "TIME=FILE, for instance 0=painted.png or 01:00:02:00=painted.png, or a folder of `vedit keys export`"
_FRAME = re.compile(r"#?([0-9]+)", re.ASCII)
_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)s|([0-9]*\.[0-9]+)", re.ASCII)
_TIMECODE = re.compile(r"[0-9]{1,2}:[0-9]{2}:[0-9]{2}[:;.,][0-9]{2,3}", re.ASCII)
_NAMED = re.compile(r"key_([0-9]+)(?:_[^.]*)?\.[a-z]+", re.ASCII | re.IGNORECASE)
_LISTED = 8
"""Names that a message lists."""


@checked
@dataclass(frozen=True, kw_only=True)
class PaintedSpec:
    """`--keyframe TIME=FILE`: a picture, and the frame that it is painted for.

    Raises:
        SettingError: the moment is none.
    """

    moment: str
    """A frame number (#24), seconds (1.5s) or a timecode; a plain whole number is a frame number."""
    path: Path
    """Of a still picture."""
    of_folder: bool = False
    """It was found in a folder: as long as it is the frame itself, nobody has painted it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "moment", _moment(self.moment))

    @property
    def frame(self) -> int | None:
        """The number of the frame, where the moment is one."""
        return int(self.moment[1:]) if self.moment.startswith("#") else None

    @property
    def time(self) -> str:
        """The moment as `vedit.media.timecode.parse_moment` has it."""
        return self.moment.removesuffix("s")

    def __str__(self) -> str:
        return f"{self.moment}={self.path}"


def key_name(frame: int, time: str, digits: int) -> str:
    """The name of a frame's file in a folder of keys, which tells the frame.

    Args:
        frame: its number.
        time: its timecode or time, for people.
        digits: of the number, at least.
    """
    return f"key_{frame:0{digits}d}_{re.sub('[^0-9a-z]+', '-', time.lower())}.png"


def parse_painted(text: str) -> PaintedSpec:
    """`TIME=FILE` -> a painted frame.

    Raises:
        InputError: it is none.
    """
    told = text.strip()
    moment, equals, name = told.partition("=")
    if not equals or not moment.strip() or not name.strip():
        said = "is no folder, and names no frame" if told else "is empty"
        raise InputError(f"the keyframe {shown(text)} {said}", remedy=f"write {_FORM}")
    try:
        return PaintedSpec(moment=moment.strip(), path=Path(name.strip()))
    except SettingError as error:
        raise InputError(f"the keyframe {shown(text)}: {error.message}", remedy=error.remedy) from None


def painted(given: Sequence[PaintedSpec | Path | str]) -> tuple[PaintedSpec, ...]:
    """Painted frames as a caller writes them: as specifications, as --keyframe has them, or as folders.

    Raises:
        InputError: one is not understood, or a folder holds no painted frames.
    """
    found: list[PaintedSpec] = []
    for one in given:
        # A folder that is there wins over a moment, whatever is in its name.
        folder = one if isinstance(one, Path) else Path(one.strip()) if isinstance(one, str) and one.strip() else None
        if folder is not None and (isinstance(one, Path) or folder.is_dir()):
            found += in_folder(folder)
        else:
            assert not isinstance(one, Path)
            found.append(parse_painted(one) if isinstance(one, str) else one)
    return tuple(found)


def in_folder(folder: Path) -> tuple[PaintedSpec, ...]:
    """The painted frames of a folder, by the numbers in their names, as `key_name` makes them.

    Raises:
        InputError: it cannot be read, holds no picture, or one whose name tells no frame.
    """
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(
            f"the keyframes of {folder} cannot be read: {error.strerror}", remedy=f"write {_FORM}"
        ) from None
    pictures = [name for name in names if Path(name).suffix.lower() in SUFFIXES]
    strange = [name for name in pictures if _NAMED.fullmatch(name) is None]
    remedy = "name each after its frame, as `vedit keys export` does: key_000024.png"
    if strange:
        raise InputError(f"the names of pictures in {folder} tell no frame: {_some(strange)}", remedy=remedy)
    if not pictures:
        there = f"there are {_some(names)}" if names else "it is empty"
        raise InputError(f"{folder} holds no painted frames: {there}", remedy=remedy)
    numbered = [(_NAMED.fullmatch(name), name) for name in pictures]
    return tuple(
        PaintedSpec(moment=f"#{int(match[1])}", path=folder / name, of_folder=True) for match, name in numbered if match
    )


def _moment(text: str) -> str:
    """A moment as it is kept. Raises SettingError for what is none."""
    told = text.strip()
    frame, seconds = _FRAME.fullmatch(told), _SECONDS.fullmatch(told)
    if frame is not None:
        return f"#{int(frame[1])}"
    if seconds is not None:
        return f"{seconds[1] or seconds[2]}s"
    if _TIMECODE.fullmatch(told):
        return told
    raise SettingError(
        f"{shown(text)} is no moment", remedy="write a frame number (24), seconds (1.5s) or a timecode (01:00:02:00)"
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" ... ({more} more)" if more > 0 else "")
