"""What `--keyframes` asks for: how far apart the frames may lie that the model draws."""

from __future__ import annotations

from dataclasses import dataclass

from vedit.checks.rationals import is_whole, shown, whole
from vedit.errors import SettingError

AUTO = "auto"
FARTHEST = 16
"""Frames between keys at most under `auto`: what is carried farther shows it, however well it is followed."""
CLOSEST = 4
"""Frames between keys at least: below, carrying saves nothing that it is worth."""
MOST = 64
"""The most frames between keys that can be asked for: motions over all of them are held together."""


@dataclass(frozen=True, kw_only=True)
class Spacing:
    """Frames from a key to the next."""

    farthest: int = FARTHEST
    closest: int = CLOSEST


def parse_keyframes(text: str) -> Spacing:
    """`auto`, or N for a key in every N frames at least.

    Raises:
        SettingError: it is neither, or N is not of 2 to `MOST`.
    """
    told = text.strip()
    if told == AUTO:
        return Spacing()
    if not is_whole(told) or not 2 <= whole(told) <= MOST:
        raise SettingError(
            f"keyframes is {shown(text)}", remedy=f"give auto, or frames from a key to the next, from 2 to {MOST}"
        )
    return Spacing(farthest=whole(told), closest=min(CLOSEST, whole(told)))
