"""Addresses of media in project files: which file is meant, and whether it may be read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from vedit.errors import MediaError
from vedit.media.reading.addresses import DRIVE, RemoteError, path_of
from vedit.media.reading.sequence import SUFFIXES, find_sequence, split_counter

_TRAILING_PARTS = 8
_TRAILING_NUMBER = re.compile(r"^(.*?)([0-9]{1,9})$")
_BRACKETS = re.compile(r"^(.*)\[([0-9]{1,9})-[0-9]{1,9}\](\.[A-Za-z0-9]+)$")


@dataclass(frozen=True, kw_only=True)
class Located:
    """A file that was found, or why none is."""

    path: Path | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class MediaRules:
    """Where the media of a project file may lie.

    A project file comes from elsewhere: what it names is read only inside its own folder and the folders that the user
    names, unless the user allows any place.
    """

    base: Path
    """The folder of the project file."""
    folders: tuple[Path, ...] = ()
    """Further folders; media that moved is looked for in them too."""
    anywhere: bool = False

    def inside(self, folder: Path) -> MediaRules:
        """The same rules with relative addresses counted from another folder, if that one is allowed itself."""
        return replace(self, base=folder) if self._allowed(folder) else self

    def locate(self, written: str) -> Located:
        """The file that an address means.

        An address is a `file:` URL, an absolute path, or a path relative to the project; other schemes are refused.
        Where nothing lies there, the end of the path is looked for in the folders that are allowed.
        """
        problem = "offline"
        try:
            name = path_of(written)
            direct = self._direct(name)
            if direct is None or not _is_file(direct):
                name = _counter_in(name)
                direct = self._direct(name)
        except RemoteError as error:
            # No other machine is asked, but what is told of the path may lie here, too.
            name, direct, problem = _counter_in(error.path), None, str(error)
        except ValueError as error:
            return Located(problem=str(error))
        if direct is not None and _is_media(direct):
            if self._allowed(direct):
                return Located(path=direct)
            problem = "outside the timeline's folder"
        parts = _parts(name)
        for folder in (self.base, *self.folders):
            for count in range(min(len(parts), _TRAILING_PARTS), 0, -1):
                found = folder.joinpath(*parts[-count:])
                if _is_media(found) and self._allowed(found):
                    return Located(path=found)
        return Located(problem=problem)

    def locate_name(self, names: tuple[str, ...]) -> Located:
        """The file that is called so, or the only one called so but for its extension, in the folders that are allowed.

        Args:
            names: what the format gives: a file's name, a clip's name, a reel; the first that is found counts.
        """
        for name in filter(None, names):
            last = (_parts(_counter_in(name)) or ("",))[-1]
            for folder in (self.base, *self.folders):
                if last and _is_media(folder / last) and self._allowed(folder / last):
                    return Located(path=folder / last)
                try:
                    similar = [path for path in folder.iterdir() if path.stem == last and path.is_file()]
                except OSError:
                    continue
                media = [path for path in similar if path.suffix.lower() in _MEDIA and self._allowed(path)]
                if len(media) == 1:
                    return Located(path=media[0])
        return Located(problem="offline")

    def _direct(self, name: str) -> Path | None:
        if DRIVE.match(name):
            windows = Path(name.lstrip("/"))
            return windows if windows.is_absolute() else None
        return self.base / name

    def _allowed(self, path: Path) -> bool:
        if self.anywhere:
            return True
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in (self.base, *self.folders))


_PICTURES = frozenset((*SUFFIXES, ".bmp", ".psd", ".tga", ".heic"))
_MEDIA = frozenset((".mov", ".mp4", ".m4v", ".mkv", ".mxf", ".avi", ".webm", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"))


def _parts(name: str) -> tuple[str, ...]:
    """The folders and the file of a path of any system; no `..` and no root."""
    pure = PureWindowsPath(name) if DRIVE.match(name) or "\\" in name else PurePosixPath(name)
    return tuple(part for part in pure.parts if part not in ("..", pure.anchor))


def is_still(path: Path | None) -> bool:
    """Whether a path is that of one picture, and of no image sequence."""
    return path is not None and path.suffix.lower() in _PICTURES and split_counter(path.name) is None


def run_from(first: Path, length: int) -> Path:
    """The image sequence that begins with a picture, as `shot_%04d.exr`; the picture itself where none does.

    Args:
        first: the picture.
        length: frames that the timeline knows of it; a still picture has many more than there are pictures beside it.
    """
    found = _TRAILING_NUMBER.match(first.stem)
    if found is None or length < 2 or first.suffix.lower() not in SUFFIXES:
        return first
    named = first.with_name(f"{found[1].replace('%', '%%')}%0{len(found[2])}d{first.suffix}")
    try:
        run = find_sequence(named)
    except MediaError:
        return first
    return named if run is not None and run.count >= length and run.first == int(found[2]) else first


def _counter_in(name: str) -> str:
    """DaVinci Resolve's name of an image sequence, shot_[1001-1050].exr, as shot_%04d.exr; others as they are."""
    head, _, last = name.rpartition("/")
    found = _BRACKETS.match(last)
    if found is None:
        return name
    prefix, suffix = (part.replace("%", "%%") for part in (found[1], found[3]))
    pattern = f"{prefix}%0{len(found[2])}d{suffix}"
    return f"{head}/{pattern}" if head else pattern


def _is_media(path: Path) -> bool:
    """Whether a file lies there, or the pictures that a name with a counter stands for."""
    try:
        return _is_file(path) or (split_counter(path.name) is not None and find_sequence(path) is not None)
    except (MediaError, OSError, ValueError):
        return False


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
