"""Where control maps go: a video, an image sequence or data files for each kind, by what `-o` and `--format` say."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vedit.errors import InputError
from vedit.media.reading.sequence import find_sequence, split_counter
from vedit.media.writing.target import check_name

Format = Literal["video", "png", "png16", "exr", "flo"]
"""png16 is KITTI's flow, flo Middlebury's; exr holds floats: raw depth, motion in pixels, any other map as it is."""
FORMATS: tuple[Format, ...] = get_args(Format)
FLOW = "flow"
_FLOW_ONLY = ("png16", "flo")
_SUFFIXES: dict[Format, str] = {"video": ".mp4", "png": ".png", "png16": ".png", "exr": ".exr", "flo": ".flo"}
_DIGITS = 5
PLACE = "{kind}"


@dataclass(frozen=True, kw_only=True)
class MapOutput:
    """Where the maps of one kind go."""

    kind: str
    format: Format
    path: Path
    """A video, or the pattern of numbered files."""

    @property
    def data(self) -> bool:
        """The files hold numbers rather than pictures."""
        return self.format not in ("video", "png")


def map_outputs(
    source: Path, kinds: Sequence[str], output: Path | str, *, wanted: Format | None = None
) -> tuple[MapOutput, ...]:
    """One output for each kind.

    `output` is a folder (it exists, ends in a slash, or has no extension): NAME.KIND.mp4 in it, or for formats of one
    file a frame NAME.KIND/NAME.KIND_%05d.EXT. Else it is a file or a pattern: as it is for one kind; for several the
    kind takes the place of `{kind}` in its name, else joins it before the extension or the counter.

    Args:
        source: the clip.
        kinds: names of preprocessors, each once.
        output: see above.
        wanted: the format; None goes by the extension, and is video for a folder.

    Raises:
        InputError: the format does not suit the kind or the extension, or a pattern lacks its counter.
    """
    folder = is_folder(output)
    if folder:
        form = wanted or "video"
        paths = [_in_folder(Path(output), title_of(source), kind, form) for kind in kinds]
    else:
        form = _format_of(Path(output), wanted)
        paths = [named_for(Path(output), kind, several=len(kinds) > 1) for kind in kinds]
    for kind in kinds:
        if form in _FLOW_ONLY and kind != FLOW:
            raise InputError(f"{form} holds optical flow, not {kind}", remedy="use --format exr or png, or a video")
    return tuple(MapOutput(kind=kind, format=form, path=path) for kind, path in zip(kinds, paths, strict=True))


def is_folder(output: Path | str) -> bool:
    """Whether an output names a folder rather than a file or a pattern."""
    text = os.fspath(output)
    separators = tuple(separator for separator in (os.sep, os.altsep) if separator)
    if text.endswith(separators) or not Path(text).suffix:
        return True
    check_name(Path(text))  # what is too long for a name cannot be looked at
    return Path(text).is_dir()


def title_of(source: Path) -> str:
    """What the clip is called without extension or counter."""
    sequence = find_sequence(source)
    if sequence is None:
        return source.stem
    return sequence.prefix.rstrip("_-. ") or sequence.folder.name or "sequence"


def named_for(path: Path, kind: str, *, several: bool) -> Path:
    """The path with the kind in its name."""
    if PLACE in path.name:
        return path.with_name(path.name.replace(PLACE, kind))
    if not several:
        return path
    split = split_counter(path.name)
    if split is None:
        return path.with_stem(f"{path.stem}.{kind}")
    prefix, digits, suffix = (part.replace("%", "%%") if isinstance(part, str) else part for part in split)
    bare = str(prefix).rstrip("_-. ")
    joint = str(prefix)[len(bare) :] or "_"
    return path.with_name(f"{bare}{'.' if bare else ''}{kind}{joint}%0{digits}d{suffix}")


def _in_folder(folder: Path, title: str, kind: str, form: Format) -> Path:
    name = f"{title}.{kind}"
    if form == "video":
        return folder / f"{name}{_SUFFIXES[form]}"
    return folder / name.replace("%", "") / f"{name.replace('%', '%%')}_%0{_DIGITS}d{_SUFFIXES[form]}"


def _format_of(path: Path, wanted: Format | None) -> Format:
    suffix = path.suffix.lower()
    by_suffix: dict[str, Format] = {".png": "png", ".exr": "exr", ".flo": "flo"}
    form = wanted or by_suffix.get(suffix, "video")
    if (form == "video") == (suffix in by_suffix) or (form != "video" and suffix != _SUFFIXES[form]):
        fits = f"{path.stem}{_SUFFIXES[form]}" if form == "video" else f"{_bare(path)}_%04d{_SUFFIXES[form]}"
        raise InputError(f"{path.name} is no name for --format {form}", remedy=f"write {fits}")
    if form != "video" and split_counter(path.name) is None:
        raise InputError(
            f"{path.name} names one file, and {form} is one for each frame",
            remedy=f"number them, for instance {_bare(path)}_%04d{suffix}",
        )
    return form


def _bare(path: Path) -> str:
    split = split_counter(path.name)
    return (split[0] if split else path.stem).rstrip("_-. ") or "map"
