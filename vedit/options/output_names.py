"""Names of results that are made up here: after the source and the look, so that two looks never meet in one file."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.media.reading.sequence import SUFFIXES, find_sequence, is_still, split_counter
from vedit.options.request import RestyleOptions

if TYPE_CHECKING:
    from vedit.media.output import CodecName

LONGEST = 60
"""Bytes of a look in a name."""
FILMS = tuple(
    f".{ending}"
    for ending in [
        "mp4",
        "mov",
        "mkv",
        "webm",
        "avi",
        "mxf",
        "m4v",
        "mts",
        "m2ts",
        "ts",
        "mpg",
        "mpeg",
        "wmv",
        "flv",
        "3gp",
        "ogv",
        "gif",
        "webp",
    ]
)
"""How the names of films end that are read."""

_DEFAULTS = RestyleOptions()
_SLASHES = tuple(filter(None, (os.sep, os.altsep)))


def slug(text: str) -> str:
    """Words as part of a file's name: letters and digits of any script, joined by hyphens; `look` for none."""
    joined = re.sub(r"[^\w]+", "-", text.lower()).strip("-_")
    cut = joined.encode()[:LONGEST].decode(errors="ignore").strip("-_")
    return cut or "look"


def look_name(options: RestyleOptions) -> str:
    """A look as part of a file's name: its prompts, and variation, seed and strength where they are said."""
    prompts = [options.prompt, *(region.prompt for region in options.regions)]
    told = "painted" if options.only_painted else slug(" ".join(filter(None, prompts)))
    if options.variation is not None:
        told += f"-variation{options.variation:g}"
    if options.seed != _DEFAULTS.seed:
        told += f"-seed{options.seed}"
    if options.regenerated != _DEFAULTS.regenerated:
        told += f"-strength{options.regenerated:g}"
    return told


def is_folder(output: Path | str) -> bool:
    """Whether an output names a folder: by a slash at its end, or because one is there that is not called as a file."""
    text = os.fspath(output)
    # Of names that are too long this function knows that nothing is there.
    there = os.path.isdir(text)  # noqa: PTH112
    return text.endswith(_SLASHES) or (there and Path(text).suffix.lower() not in (*FILMS, *SUFFIXES, ".toml"))


def in_folder(
    folder: Path | str, source: Path, name: str, *, track: int | None = None, codec: CodecName | None = None
) -> Path:
    """The result in a folder: NAME.LOOK.EXT, of a sequence NAME.LOOK_%04d.EXT, in the source's container where it can.

    Args:
        folder: of the results.
        source: the clip.
        name: of the look.
        track: the clip's number in its file.
        codec: that is asked for.

    Raises:
        MediaError: the source cannot be read.
    """
    from vedit.media.writing.containers import CONTAINERS

    suffix = _suffix(source, track, codec)
    sequence = find_sequence(source)
    if sequence is not None:
        title = sequence.prefix.rstrip("_-. ") or sequence.folder.name or "sequence"
        digits = sequence.digits
    else:
        title, digits = source.stem, 4
    if CONTAINERS[suffix].sequence and not is_still(source):
        return Path(folder) / f"{title.replace('%', '%%')}.{name}_%0{digits}d{suffix}"
    return Path(folder) / f"{title}.{name}{suffix}"


def preview_path(output: Path, source: Path, options: RestyleOptions | None = None) -> Path:
    """Where the stills of a render go: OUT.LOOK.preview.png beside its result.

    Args:
        output: the result.
        source: of the render.
        options: the look of all shots; None names none.
    """
    counter = None if is_still(source) else split_counter(output.name)
    title = output.stem if counter is None else counter[0].rstrip("_-. ") or output.absolute().parent.name
    name = f".{look_name(options)}" if options is not None else ""
    return output.with_name(f"{title.removesuffix(name) if name else title}{name}.preview.png")


def _suffix(source: Path, track: int | None, codec: CodecName | None) -> str:
    from vedit.media.writing.codecs import CODECS
    from vedit.media.writing.containers import CONTAINERS, default_output

    own = default_output(source, track).suffix
    container = CONTAINERS.get(own.lower())
    if codec is None or container is None:
        return own
    taken = CODECS[codec]
    if container.muxer in taken.muxers and container.only in (None, codec):
        return own
    fits = (c.suffix for c in CONTAINERS.values() if c.muxer == taken.muxers[0] and c.only in (None, codec))
    return next(fits, own)
