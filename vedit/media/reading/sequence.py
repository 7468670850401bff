"""Pictures as clips: one still, or numbered files as `shot_%04d.png`, `shot_####.png`, or a folder of one such run."""

from __future__ import annotations

import re
import stat
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from vedit.errors import MediaError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".dpx")
DEFAULT_RATE = Fraction(25)

# One counter: printf's %d or %04d (%% is a percent sign), or a run of #.
_PRINTF = re.compile(r"(?<!%)(?:%%)*%(?:0([0-9]{1,2}))?d")
_HASHES = re.compile(r"#+")
_NUMBERED = re.compile(r"^(.*?)([0-9]+)(\.[^.0-9]+)$")


@dataclass(frozen=True, kw_only=True)
class ImageSequence:
    """Files `prefix`, a number of at least `digits` digits, `suffix` in `folder`, from `first` on, without a gap.

    A still picture is one file of the name `prefix` `suffix`, with no digits.
    """

    folder: Path
    prefix: str
    digits: int
    suffix: str
    first: int
    count: int

    @property
    def still(self) -> bool:
        """One picture under its own name, which has no time and no rate."""
        return not self.digits

    @property
    def path(self) -> Path:
        """The sequence as a path with one printf counter, a still as its file: what it is found by again."""
        if self.still:
            return self.files[0]
        return self.folder / f"{self.prefix.replace('%', '%%')}%0{self.digits}d{self.suffix.replace('%', '%%')}"

    @property
    def url(self) -> str:
        """What FFmpeg's `image2` opens: local files only, percent signs in folder names escaped where it counts."""
        if self.still:
            return f"file:{self.path}"
        return f"file:{str(self.folder).replace('%', '%%')}/{self.path.name}"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file, in order."""
        numbers = range(self.first, self.first + self.count)
        return tuple(self.folder / _name(self.prefix, self.digits, self.suffix, number) for number in numbers)


def find_sequence(path: Path | str) -> ImageSequence | None:
    """The image sequence that a path stands for; None where it is the name of a single file.

    A file of just that name comes first, so `100%03d.mp4` stays one. Only the images of one suffix are ever opened,
    and only as images of that kind: a sequence reaches no other format.

    Raises:
        MediaError: a number is missing, a file is not a regular one or empty, nothing matches, or a folder holds
            something else than one sequence.
    """
    given = Path(path).absolute()
    if given.is_dir():
        return _in_folder(given, path)
    if given.exists() or given.suffix.lower() not in SUFFIXES:
        return None
    split = split_counter(given.name)
    if split is None:
        return None
    prefix, digits, suffix = split
    if not given.parent.is_dir():
        raise MediaError(f"{path}: no such folder", remedy="check the path")
    numbers = list(counted(given.parent, prefix, digits, suffix))
    if not numbers:
        raise MediaError(f"{path}: no file matches", remedy="check the path, and the number of digits in %04d")
    return _checked(given.parent, prefix, digits, suffix, numbers)


def find_pictures(path: Path | str) -> ImageSequence | None:
    """The image sequence or the still picture that a path stands for; None where it is neither.

    Raises:
        MediaError: as `find_sequence`.
    """
    found = find_sequence(path)
    given = Path(path).absolute()
    if found is not None or not is_still(given) or not given.exists():
        return found
    stem, suffix = given.stem, given.suffix
    return ImageSequence(folder=given.parent, prefix=stem, digits=0, suffix=suffix, first=1, count=1)


def is_still(path: Path | str) -> bool:
    """Whether a path names one picture of a kind that is read, be it there or not."""
    given = Path(path)
    if given.suffix.lower() not in SUFFIXES or given.is_dir():
        return False
    return given.exists() or split_counter(given.name) is None


def run_around(still: Path) -> ImageSequence | None:
    """The image sequence that a still seems to be a picture of; None where it stands alone, or a camera named it.

    Cameras number the JPEGs of a folder, which makes no film of them.
    """
    found = _NUMBERED.match(still.name)
    if found is None or still.suffix.lower() in (".jpg", ".jpeg"):
        return None
    prefix, digits, suffix = found[1], found[2], found[3]
    try:
        run = find_sequence(still.with_name(f"{prefix.replace('%', '%%')}%0{len(digits)}d{suffix}"))
    except MediaError:
        return None
    return run if run is not None and run.count > 1 else None


def number_of(name: str, prefix: str, digits: int, suffix: str) -> int | None:
    """The number of a picture of a sequence; None where the name is none of it: more digits do not begin with 0."""
    if len(name) < len(prefix) + len(suffix) or not (name.startswith(prefix) and name.endswith(suffix)):
        return None
    text = name[len(prefix) : len(name) - len(suffix)]
    if not (text.isascii() and text.isdecimal()) or len(text) < digits:
        return None
    return int(text) if len(text) == digits or not text.startswith("0") else None


def counted(folder: Path, prefix: str, digits: int, suffix: str) -> dict[int, Path]:
    """Number -> picture of a sequence in a folder, in order. Raises MediaError where it cannot be read."""
    found = {number_of(name, prefix, digits, suffix): folder / name for name in _names(folder)}
    return {number: found[number] for number in sorted(number for number in found if number is not None)}


def split_counter(name: str) -> tuple[str, int, str] | None:
    """Prefix, least number of digits, suffix of a name with one counter; None where it has none, or several."""
    printf = list(_PRINTF.finditer(name))
    if len(printf) == 1:
        found = printf[0]
        counter = name.rindex("%", 0, found.end())
        prefix, suffix = name[:counter].replace("%%", "%"), name[found.end() :].replace("%%", "%")
        return prefix, max(1, int(found[1] or 1)), suffix
    hashes = list(_HASHES.finditer(name))
    if not printf and len(hashes) == 1:
        found = hashes[0]
        return name[: found.start()], len(found[0]), name[found.end() :]
    return None


def _in_folder(folder: Path, told: Path | str) -> ImageSequence:
    runs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in _names(folder):
        found = _NUMBERED.match(name)
        if found and found[3].lower() in SUFFIXES:
            runs[found[1], found[3]].append(found[2])
    if not runs:
        raise MediaError(f"{told} is a folder without a numbered image sequence", remedy="name a video file")
    if len(runs) > 1:
        names = sorted(f"{prefix}#{suffix}" for prefix, suffix in runs)
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise MediaError(f"{told} holds {len(runs)} image sequences ({shown})", remedy="name one, as shot_%04d.png")
    ((prefix, suffix), texts) = next(iter(runs.items()))
    digits = min(map(len, texts))
    if any(len(text) > digits and text.startswith("0") for text in texts):
        raise MediaError(
            f"{told}: its numbers have different numbers of leading zeros", remedy="rename them, or name the pattern"
        )
    return _checked(folder, prefix, digits, suffix, sorted(map(int, texts)))


def _checked(folder: Path, prefix: str, digits: int, suffix: str, numbers: Sequence[int]) -> ImageSequence:
    for expected, number in enumerate(numbers, start=numbers[0]):
        if number != expected:
            missing = _name(prefix, digits, suffix, expected)
            raise MediaError(
                f"{missing} is missing: the sequence runs from {numbers[0]} to {numbers[-1]}",
                remedy=f"put it in {folder}, or move one part of the sequence to a folder of its own",
            )
    found = ImageSequence(
        folder=folder, prefix=prefix, digits=digits, suffix=suffix, first=numbers[0], count=len(numbers)
    )
    for file in found.files:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{file} is not a regular file", remedy="copy it to a file first")
        if status.st_size == 0:
            raise MediaError(f"{file} is empty (0 bytes)", remedy="copy or export it again")
    return found


def _name(prefix: str, digits: int, suffix: str, number: int) -> str:
    if not digits:
        return f"{prefix}{suffix}"
    return f"{prefix}{number:0{digits}d}{suffix}"


def _names(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in folder.iterdir()]
    except OSError as error:
        raise MediaError(f"{folder}: {error.strerror}", remedy="check its permissions") from error
