"""What a user may choose of a written file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vedit.checks.arguments import checked
from vedit.checks.setting import About, setting
from vedit.media.writing.atomic import Stamp

CodecName = Literal["h264", "hevc", "av1", "vp9", "prores", "dnxhr", "ffv1", "png", "jpeg", "tiff", "exr", "gif"]
PresetName = Literal["web", "edit", "archive"]
BitDepth = Literal[8, 10, 12, 16]
Interlaced = Literal["deinterlace", "weave"]


@checked
@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """The written file; `None` lets the container and the source decide."""

    codec: CodecName | None = setting(
        None,
        About(
            "Codec of the result.",
            stage="output",
            once=True,
            shared=True,
            host=True,
            unset="the container's usual one",
        ),
    )
    preset: PresetName = setting(
        "edit",
        About(
            "web: small, plays everywhere; edit: visually lossless; archive: lossless where the codec can be.",
            stage="output",
            once=True,
            shared=True,
            host=True,
        ),
    )
    bit_depth: BitDepth | None = setting(
        None,
        About(
            "Bits per sample, or the codec's next higher.",
            stage="output",
            once=True,
            shared=True,
            unset="the source's",
        ),
    )
    hardware: bool = setting(
        False,
        About(
            "Encode with this machine's hardware encoder for the codec, where there is one.",
            stage="output",
            once=True,
            shared=True,
        ),
    )
    label: bool = setting(
        True,
        About(
            "Write the IPTC label of media made with trained models.",
            stage="output",
            off="Leave out the IPTC label of media made with trained models.",
            once=True,
            shared=True,
        ),
    )
    """The IPTC DigitalSourceType of a composite with trained algorithmic media."""
    sidecar: bool = setting(
        True,
        About(
            "Write OUT.vedit.json beside the result.",
            stage="output",
            off="Write no OUT.vedit.json beside the result.",
            once=True,
            shared=True,
        ),
    )
    strict: bool = setting(
        False,
        About(
            "Stop before rendering where anything of the source cannot be kept.",
            stage="output",
            once=True,
            shared=True,
        ),
    )
    """It is an error then, rather than a note."""
    overwrite: bool = setting(
        False, About("Replace files that are already there.", stage="output", common=True, python="the source never")
    )
    replaces: tuple[Stamp, ...] = setting(
        (),
        About(
            "Files that may be replaced without overwrite, as long as they are as they were seen then.",
            stage="output",
            option="",
            easier="Sequence[Stamp]",
        ),
    )
    drop_unsupported: bool = setting(
        False,
        About(
            "Leave out what the output's container or codec cannot hold, with a note, rather than refuse.",
            stage="output",
            once=True,
            shared=True,
        ),
    )
    """Streams, the bits of HDR."""
    drop_alpha: bool = setting(
        False,
        About(
            "Leave out transparency that the codec cannot hold, with a note, rather than refuse.",
            stage="output",
            once=True,
            shared=True,
        ),
    )
    even: bool = setting(
        False,
        About(
            "Pad an odd side by a pixel where 4:2:0 needs an even one, instead of writing 4:4:4.",
            stage="output",
            once=True,
            shared=True,
        ),
    )
    interlaced: Interlaced = setting(
        "deinterlace",
        About("What is done with the fields of an interlaced source.", stage="source", once=True, shared=True),
    )
    timecode: str | None = setting(
        None,
        About("Timecode of the source's first frame, where the source has none itself.", stage="output", option=""),
    )
