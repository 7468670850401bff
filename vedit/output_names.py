"""Names of results that are made up here: after the source and the look, so that two looks never meet in one file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.media.sequence import find_sequence, is_still
from vedit.options import RestyleOptions

if TYPE_CHECKING:
    from vedit.media.choices import CodecName

LONGEST = 60
"""Bytes of a look in a name."""
_DEFAULTS = RestyleOptions()


def slug(text: str) -> str:
    """Words as part of a file's name: letters and digits of any script, joined by hyphens; `look` for none."""
    joined = re.sub(r"[^\w]+", "-", text.lower()).strip("-_")
    cut = joined.encode()[:LONGEST].decode(errors="ignore").strip("-_")
    return cut or "look"


def look_name(options: RestyleOptions) -> str:
    """A look as part of a file's name: its prompts, and the seed and strength where they are not the usual ones."""
    prompts = [options.prompt, *(region.prompt for region in options.regions)]
    told = slug(" ".join(filter(None, prompts)))
    if options.seed != _DEFAULTS.seed:
        told += f"-seed{options.seed}"
    if options.strength != _DEFAULTS.strength:
        told += f"-{options.strength:g}"
    return told


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
    from vedit.media.containers import CONTAINERS

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


def _suffix(source: Path, track: int | None, codec: CodecName | None) -> str:
    from vedit.media.codecs import CODECS
    from vedit.media.containers import CONTAINERS, default_output

    own = default_output(source, track).suffix
    container = CONTAINERS.get(own.lower())
    if codec is None or container is None:
        return own
    taken = CODECS[codec]
    if container.muxer in taken.muxers and container.only in (None, codec):
        return own
    fits = (c.suffix for c in CONTAINERS.values() if c.muxer == taken.muxers[0] and c.only in (None, codec))
    return next(fits, own)
