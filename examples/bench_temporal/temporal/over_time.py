"""One row of pixels over time, of the source and of results side by side: what is steady runs in clean lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.display.contact_sheet import contact_sheet
from vedit.evaluation.measure import Seen, itself, steps
from vedit.evaluation.metric import Frame
from vedit.evaluation.motion import estimator
from vedit.evaluation.picture import picture_of
from vedit.evaluation.profile import Profile
from vedit.types import FrameRange, Shot

if TYPE_CHECKING:
    from vedit.evaluation.measure import Shown
    from vedit.types import IntFrames

WIDTH, HEIGHT = 240, 480
"""Pixels of one panel: time to the right, the row's left end on top."""


def write_over_time(
    path: Path, source: Sequence[IntFrames], results: Mapping[str, Sequence[IntFrames]], *, source_label: str = "source"
) -> Path:
    """Write the row that moves most in the clip's first frames, over all its frames.

    Args:
        path: of the picture; its ending names the format.
        source: frames (3, H, W) of 8 bits.
        results: label -> frames of the same size.
        source_label: under the source's panel.
    """
    size = int(source[0].shape[1]), int(source[0].shape[2])
    shot = Shot(number=1, frames=FrameRange(start=0, stop=len(source)))

    def seen(number: int) -> Seen:
        full = Frame(pixels=source[number], bit_depth=8)
        return Seen(number=number, shot=shot, full=full, picture=picture_of(full.pixels, 8, size))

    def shows(frames: Sequence[IntFrames]) -> Shown:
        def shown(seen: Seen) -> tuple[Frame, object]:
            full = Frame(pixels=frames[seen.number], bit_depth=8)
            return full, picture_of(full.pixels, 8, size)

        return shown  # pyright: ignore[reportReturnType]

    everything: dict[str, Shown] = {source_label: itself, **{label: shows(own) for label, own in results.items()}}
    profiles = {label: Profile() for label in everything}
    # All are told of the same motion, the source's, so they choose the same row.
    for label, step in steps((seen(n) for n in range(len(source))), everything, estimator("dis")):
        profiles[label].push(step)
    panels: list[IntFrames] = []
    for profile in profiles.values():
        pictures = profile.pictures()
        assert pictures is not None  # there are frames
        panels.append(_panel(pictures.row))
    return contact_sheet([panels], [list(everything)], path, cell_width=WIDTH)


def _panel(row: IntFrames) -> IntFrames:
    """The lower half of a profile, the result's, (3, HEIGHT, WIDTH): each frame a band, pixels as they are."""
    own = row[len(row) - (len(row) - 4) // 2 :]
    wide = cv2.resize(own, (WIDTH, len(own)), interpolation=cv2.INTER_NEAREST)
    shown = wide if len(own) <= HEIGHT else cv2.resize(wide, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.asarray(shown, np.uint8).transpose(2, 0, 1))
