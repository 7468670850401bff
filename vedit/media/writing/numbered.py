"""Image sequences as output: which files a pattern names, and moving them in place together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.errors import MediaError
from vedit.media.reading.sequence import counted, find_pictures, number_of, split_counter
from vedit.media.writing.atomic import Journal, Stamp, appeared, put_in_place, stands


@dataclass(frozen=True, kw_only=True)
class NumberedFiles:
    """The files `prefix` number `suffix` in `folder`, numbered from `first`; one of no number where `digits` is 0."""

    folder: Path
    prefix: str
    digits: int
    suffix: str
    first: int
    count: int

    @property
    def names(self) -> tuple[str, ...]:
        """Every file name, in order."""
        if not self.digits:
            return (f"{self.prefix}{self.suffix}",)
        numbers = range(self.first, self.first + self.count)
        return tuple(f"{self.prefix}{number:0{self.digits}d}{self.suffix}" for number in numbers)

    @property
    def title(self) -> str:
        """The name without its counter: `shot` of `shot_%04d.png`."""
        return self.prefix.rstrip("_-. ") or self.folder.name or "sequence"

    def holds(self, name: str) -> bool:
        """Whether the pattern names such a file, whatever its number."""
        if not self.digits:
            return name in self.names
        return number_of(name, self.prefix, self.digits, self.suffix) is not None

    def present(self) -> list[Path]:
        """Files in the folder that the pattern names, whatever their number."""
        if not self.digits:
            return [path for path in (self.folder / name for name in self.names) if path.exists() or path.is_symlink()]
        return list(counted(self.folder, self.prefix, self.digits, self.suffix).values())


def numbered(path: Path, *, first: int, count: int, still: bool = False) -> NumberedFiles:
    """What a pattern such as `shot_%04d.png` or `shot_####.png` names.

    Args:
        path: of the pattern.
        first: the first number.
        count: of the pictures.
        still: one picture is written, under the name as it is.

    Raises:
        MediaError: it has no counter, or several, and `still` is False.
    """
    split = (path.stem, 0, path.suffix) if still else split_counter(path.name)
    if split is None:
        several = "%" in path.name or "#" in path.name
        stem = "shot" if several else path.stem
        raise MediaError(
            f"{path.name} names {'several counters' if several else 'one picture'}, and a clip is a sequence",
            remedy=f"number the pictures, for instance {stem}_%04d{path.suffix}",
        )
    prefix, digits, suffix = split
    return NumberedFiles(
        folder=path.parent,
        prefix=prefix,
        digits=digits,
        suffix=suffix,
        first=first,
        count=count,
    )


def first_number(source: Path, start: int) -> int:
    """The number of the first written picture: the source's own where it is a sequence, else 1.

    Args:
        source: of the render.
        start: index of the first frame in it.
    """
    sequence = find_pictures(source)
    return 1 if sequence is None else sequence.first + start


def move_in_place(
    files: NumberedFiles,
    temporary: Path,
    *,
    replace: bool,
    replaces: Collection[Stamp] = (),
    companions: Sequence[tuple[Path, Path]] = (),
    stale: Sequence[Path] = (),
    journal: Journal | None = None,
) -> None:
    """Give the pictures in `temporary` their final names; where one cannot have it, none keeps it.

    Pictures that were there before under other numbers of the pattern would be read as part of the sequence: with
    `replace` or `replaces` they are removed once the new ones are in place.

    Args:
        files: the final names.
        temporary: the folder of the pictures.
        replace: pictures that are there may be replaced.
        replaces: those that may be without it.
        companions: (temporary, final) pairs of files that go with the pictures, and get their names first.
        stale: files beside the old pictures that get no successor.
        journal: see `put_in_place`.

    Raises:
        VeditError: a picture that may not be replaced has appeared.
        OSError: the disk refuses; the old pictures are there again.
    """
    before = files.present()
    strange = next((file for file in before if not replace and not stands(file, replaces)), None)
    if strange is not None:
        raise appeared(strange)
    pictures = [(temporary / name, files.folder / name) for name in files.names]
    names = {final for _, final in pictures}
    gone = [*(path for path in before if path not in names), *stale]
    put_in_place(pictures, companions=companions, stale=gone, journal=journal)
