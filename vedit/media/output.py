"""What a user may choose of a written file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vedit.checks.arguments import checked
from vedit.media.writing.atomic import Stamp

CodecName = Literal["h264", "hevc", "av1", "vp9", "prores", "dnxhr", "ffv1", "png", "jpeg", "tiff", "exr", "gif"]
PresetName = Literal["web", "edit", "archive"]
BitDepth = Literal[8, 10, 12, 16]
Interlaced = Literal["deinterlace", "weave"]


@checked
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """The written file; `None` lets the container and the source decide."""

    codec: CodecName | None = None
    preset: PresetName = "edit"
    """`web` plays everywhere and is small, `edit` is visually lossless, `archive` lossless where the codec can be."""
    bit_depth: BitDepth | None = None
    """The codec's nearest depth that is not below it; None is the source's."""
    hardware: bool = False
    """Use the machine's hardware encoder for the codec, where there is one."""
    label: bool = True
    """Write the IPTC DigitalSourceType of a composite with trained algorithmic media."""
    sidecar: bool = True
    """Write OUT.vedit.json beside the result."""
    strict: bool = False
    """Anything of the source that cannot be kept is an error rather than a note."""
    overwrite: bool = False
    """Files that are there may be replaced."""
    replaces: tuple[Stamp, ...] = ()
    """Files that may be replaced without it, as long as they are as they were seen then."""
    drop_unsupported: bool = False
    """Leave out what the container or codec cannot hold (streams, the bits of HDR), with a note, rather than refuse."""
    drop_alpha: bool = False
    """Leave out transparency that the codec cannot hold, with a note, rather than refuse."""
    even: bool = False
    """Pad an odd side by one pixel where 4:2:0 needs an even one."""
    interlaced: Interlaced = "deinterlace"
    timecode: str | None = None
    """That of the source's first frame, where the source has none itself."""
