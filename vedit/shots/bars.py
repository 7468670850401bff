"""Black bars around a picture: found in a few frames of a shot, filled for the model, and kept as they are.

A dark scene is not a bar. A bar is black of one level, ends in a straight line at which the picture begins at once, and
lies there in every frame; a subtitle or a logo may stand in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from vedit.types import Bars

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import Clip, IntFrames

    Profile = npt.NDArray[np.float64]
    Bright = npt.NDArray[np.uint8]

_BLACKEST = 24
"""Levels of 255 of the brightest black: limited range read as full is 16, and codecs err."""
_NOISE = (12, 40)
"""Levels above that black which a codec may make of it, as a rule and at the worst."""
_EVEN = 3.0
"""Such levels in the median line of a bar: a shadow has more, and a gradient up to the threshold twice as many."""
_STEP = 12.0
"""Levels by which the picture is brighter than the bar within the pixels of the edge."""
_EDGE = 3
"""Lines over which the edge may spread: scaling and codecs blur it."""
_SUBTITLE = 0.15
"""Share of a bar that may be lit: letters, a logo."""
_LIT_LINE = 0.5
"""The same of one of its lines."""
_NEAR = 0.1
"""Share of a line next to the edge that may ever be lit, or a quarter of what is lit behind the edge."""
_CLEAR, _PLAIN, _FAINT = 0.9, 0.6, 0.2
"""Share of the edge along which the picture is lit: of a bar on one side alone, of one that counts by itself, and of
two that lie opposite and are equally wide."""
_NARROWEST = 2
_WIDEST, _PICTURE = 0.45, 0.2
"""Shares of the frame: the most that one bar takes, and the least that is left between two."""
_SOFT, _LARGE = 2, 64
"""Lines at the picture's edge that the bar has darkened, and the smallest picture that they can be spared of."""


@dataclass(frozen=True, kw_only=True)
class Sought:
    """What the frames of a shot say of its bars."""

    found: Bars
    room: Bars
    """How wide a bar on each side could be at most: all of it is black, but what ends it may be a dark picture."""

    def like(self, other: Bars) -> Bars:
        """The bars, with those of another shot of the clip where this one is too dark to tell."""
        sides = {
            side: width
            for side, width in other.sides.items()
            if not self.found.sides[side] and width <= self.room.sides[side]
        }
        return replace(self.found, **sides)


def brightness(frame: IntFrames, bit_depth: int) -> Bright:
    """(C, H, W) integers -> (H, W) of 8 bits: the brightest of the colours, since black has none."""
    return (frame[:3] >> (bit_depth - 8)).max(axis=0).astype(np.uint8)


def may_have_bars(frame: Bright) -> bool:
    """Whether any border of the frame is as dark as a bar: one frame shows that most clips have none."""
    borders = (frame[0], frame[-1], frame[:, 0], frame[:, -1])
    return any(float(np.mean(line <= _BLACKEST + _NOISE[0])) >= 1 - _LIT_LINE for line in borders)


def seek_bars(frames: Sequence[Bright]) -> Sought:
    """The black bars of a shot.

    Args:
        frames: some of it, spread over all of it, as `brightness` gives them.
    """
    borders = [line for frame in frames for line in (frame[0], frame[-1], frame[:, 0], frame[:, -1])]
    level = min((float(np.median(line)) for line in borders), default=255.0)
    if level > _BLACKEST:
        return Sought(found=Bars(), room=Bars())
    excess = np.stack(frames).astype(np.int16) - int(level)
    # Where a codec rings along the edge, the bar shows beside what is brighter than that.
    return next((told for told in (_seek(excess, noise) for noise in _NOISE) if told.found), _seek(excess, _NOISE[0]))


def _seek(excess: npt.NDArray[np.int16], noise: int) -> Sought:
    """`seek_bars` of levels above black, (K, H, W)."""
    lit = excess > noise
    # Blank frames bear out any bar.
    share = lit.mean(axis=(1, 2))
    lit = lit[share >= share.max() / 20]
    peak = excess.max(axis=0)
    ever = np.asarray(lit.any(axis=0))
    rows, columns = _extent(ever.mean(axis=1)), _extent(ever.mean(axis=0))
    top, bottom = _pair(_Lines.of(lit[:, :, columns], peak[:, columns]), noise)
    across = slice(top, lit.shape[1] - bottom) if top or bottom else rows
    left, right = _pair(_Lines.of(lit[:, across].swapaxes(1, 2), peak[across].T), noise)
    both = _Lines.of(lit, peak), _Lines.of(lit.swapaxes(1, 2), peak.T)
    room = [_room(side) for lines in both for side in (lines, lines.turned())]
    return Sought(
        found=Bars(top=top, bottom=bottom, left=left, right=right),
        room=Bars(top=room[0], bottom=room[1], left=room[2], right=room[3]),
    )


def filled(clip: Clip, bars: Bars) -> Clip:
    """The clip with its picture mirrored into the bars, as the model sees it: a black bar would be restyled too.

    What the bar has darkened of the picture's edge is mirrored over as well.
    """
    if not bars:
        return clip
    return replace(clip, frames=cast("IntFrames", mirrored(clip.frames, bars)))


def mirrored(frames: npt.NDArray[Any], bars: Bars) -> npt.NDArray[Any]:
    """Pictures (T, C, H, W) as `filled` has those of a clip."""
    height, width = frames.shape[-2:]
    spare = {side: reach + _SOFT for side, reach in bars.sides.items() if reach}
    large = min(height - bars.top - bars.bottom, width - bars.left - bars.right) >= _LARGE
    inner = replace(bars, **spare) if large else bars
    rows, columns = inner.inside(height, width)
    around = ((0, 0), (0, 0), (inner.top, inner.bottom), (inner.left, inner.right))
    return np.pad(frames[..., rows, columns], around, mode="reflect")


def with_bars(source: IntFrames, finished: IntFrames, bars: Bars) -> IntFrames:
    """The finished frames with the source's own integers in the bars."""
    if not bars:
        return finished
    rows, columns = bars.inside(*source.shape[-2:])
    out = source.copy()
    out[..., rows, columns] = finished[..., rows, columns]
    return out


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Rows or columns, counted from one side of the frame."""

    ever: Profile
    """Share of each that is lit in any frame."""
    usual: Profile
    """The same in the mean of the frames."""
    grey: Profile
    """Levels above black, in the mean over what is not lit."""
    bright: Profile
    """The most levels above black in any frame, in the mean over what is lit within the next lines."""

    @classmethod
    def of(cls, lit: npt.NDArray[np.bool_], peak: npt.NDArray[np.int16]) -> _Lines:
        """Of frames (K, N, L) and what is brightest of them (N, L): N lines."""
        ever, dark = lit.any(axis=0), ~lit.any(axis=0)
        grey = np.where(dark, np.abs(peak), 0).sum(axis=1) / np.maximum(1, dark.sum(axis=1))
        return cls(
            ever=ever.mean(axis=1),
            usual=lit.mean(axis=(0, 2)),
            grey=grey,
            bright=np.where(ever, peak, 0).sum(axis=1) / np.maximum(1, ever.sum(axis=1)),
        )

    def turned(self) -> _Lines:
        """Counted from the other side."""
        return _Lines(ever=self.ever[::-1], usual=self.usual[::-1], grey=self.grey[::-1], bright=self.bright[::-1])

    def black(self, width: int) -> bool:
        """Whether so many lines are black but for letters."""
        usual = self.usual[:width]
        return bool(usual.mean() <= _SUBTITLE and usual.max() <= _LIT_LINE and np.median(self.grey[:width]) <= _EVEN)

    def edge(self, noise: int) -> tuple[int, float]:
        """Lines of the bar, and the share of its edge along which the picture is lit; (0, 0) where there is none."""
        found = 0, 0.0
        for width in range(_NARROWEST, 1 + int(_WIDEST * len(self.ever))):
            before, begins = slice(max(0, width - _EDGE), width), slice(width, width + _EDGE)
            share = float(self.ever[begins].max())
            if self.ever[width] <= _NEAR or float(self.ever[before].max()) > max(_NEAR, share / 4):
                continue
            # The innermost that is plain: letters in the bar have edges too.
            if share < (_PLAIN if found[1] >= _PLAIN else _FAINT) or float(self.bright[begins].max()) < _STEP + noise:
                continue
            if self.black(width):
                found = width, share
        return found


def _pair(lines: _Lines, noise: int) -> tuple[int, int]:
    """The widths of the bars on two opposite sides."""
    both = lines, lines.turned()
    (near, near_share), (far, far_share) = (side.edge(noise) for side in both)
    alike = abs(near - far) <= _NARROWEST and min(near_share, far_share) >= _FAINT
    if not (alike or min(near_share, far_share) >= _PLAIN):
        # Where one side is plain the other is as wide, though a subtitle touches its edge or the picture is dark there.
        (near, near_share), (far, far_share) = (
            (own, own_share)
            if own_share >= _PLAIN and own_share >= other_share
            else (other, other_share)
            if other_share >= _PLAIN and side.black(other)
            else (0, 0.0)
            for side, own, own_share, other, other_share in (
                (both[0], near, near_share, far, far_share),
                (both[1], far, far_share, near, near_share),
            )
        )
        if not (near and far) and max(near_share, far_share) < _CLEAR:
            return 0, 0
    return (near, far) if len(lines.ever) - near - far >= _PICTURE * len(lines.ever) else (0, 0)


def _room(lines: _Lines) -> int:
    widest = int(_WIDEST * len(lines.ever))
    return max((width for width in range(1, widest + 1) if lines.black(width)), default=0)


def _extent(share: Profile) -> slice:
    """Where anything but a few letters is lit."""
    (found,) = np.nonzero(share > _NEAR / 2)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, len(share))
