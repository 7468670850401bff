"""Names of colour tags: what people call the code points of ITU-T H.273."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vedit.types import ColorTags

PRIMARIES = {
    1: "BT.709",
    4: "BT.470 M (NTSC 1953)",
    5: "BT.601 (PAL)",
    6: "BT.601 (NTSC)",
    7: "SMPTE 240M",
    8: "film",
    9: "BT.2020",
    10: "CIE XYZ",
    11: "DCI-P3",
    12: "Display P3",
    22: "EBU 3213",
}
TRANSFERS = {
    1: "BT.709",
    4: "gamma 2.2",
    5: "gamma 2.8",
    6: "BT.601",
    7: "SMPTE 240M",
    8: "linear",
    9: "logarithmic (100:1)",
    10: "logarithmic (316:1)",
    11: "xvYCC",
    12: "BT.1361",
    13: "sRGB",
    14: "BT.2020 (10 bit)",
    15: "BT.2020 (12 bit)",
    16: "PQ (HDR)",
    17: "SMPTE 428",
    18: "HLG (HDR)",
}
MATRICES = {
    0: "RGB",
    1: "BT.709",
    4: "FCC",
    5: "BT.601 (PAL)",
    6: "BT.601 (NTSC)",
    7: "SMPTE 240M",
    8: "YCgCo",
    9: "BT.2020",
    10: "BT.2020, constant luminance",
    11: "SMPTE 2085",
    12: "derived from the primaries",
    13: "derived from the primaries, constant luminance",
    14: "ICtCp",
}
_RANGES = {None: "range not said", True: "full range", False: "limited range"}


def color_text(tags: ColorTags) -> str:
    """The colour tags in words: one name where all three agree, and the code points behind, as encoders take them."""
    names = [
        _name(PRIMARIES, tags.primaries),
        _name(TRANSFERS, tags.transfer),
        _name(MATRICES, tags.matrix),
    ]
    parts = ("primaries", "transfer", "matrix")
    same = len(set(names)) == 1
    said = names[0] if same else ", ".join(f"{part} {name}" for part, name in zip(parts, names, strict=True))
    return f"{said}, {_RANGES[tags.full_range]} ({tags.primaries}-{tags.transfer}-{tags.matrix})"


def _name(names: Mapping[int, str], code: int) -> str:
    return "not said" if code == 2 else names.get(code, f"unknown ({code})")
