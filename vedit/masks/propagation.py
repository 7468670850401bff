"""A mask of one frame carried to the frames after it by optical flow, always from the frame it was drawn for.

Warping a mask from frame to frame blurs it and lets it drift. Here only coordinates are handed on: where each pixel of
the object was in the anchor, the frame of the mask. Each new frame's coordinates are foretold from the last one's by
the flow between neighbours, then corrected by the flow between the frame and the anchor as the foretold coordinates
lay it over the frame: a small rest, whatever the object has done since (the inverse compositional idea of Baker and
Matthews, "Lucas-Kanade 20 Years On", 2004, for a dense field). The mask is looked up in the anchor once, so its edge
stays as sharp as it was drawn.

Flow is least true at the object's outline, where it is smoothed over two motions: `vedit.masks.motion` carries what is
known inside to the outline. What comes before the object is told by three signs together: it moves there from outside,
the frame is not what the object's own motion says, and it is not what the anchor says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from vedit.masks.colours import ColourModel
from vedit.masks.motion import LEAST, Window, closes, flow, inner, local, normalised, spread
from vedit.ranges import full_scale

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.masks.motion import Field
    from vedit.masks.source import Plane
    from vedit.types import IntFrames

    Flags = npt.NDArray[np.bool_]

_WORK = 120_000
"""Pixels of the window in which motion is measured."""
_OBJECT = 48.0
"""Pixels across, on average, to which a small object is enlarged before its motion is measured."""
_THICK = 9.0
"""Pixels to which the depth of a thin object is enlarged."""
_LARGEST = 3.0
"""Times that it is enlarged at most."""
_MARGIN = 24.0
"""Working pixels around the object that are looked at, besides how far it moves."""
_LIGHT = 12.0
"""Standard deviation, working pixels, over which light may differ from the anchor's."""
_CRUMB = 0.05
"""Share of the object below which a part of its own is dropped."""
_LOST = 4.0
"""Levels of 255 that a mismatch is above what noise and sampling leave."""


class MaskTracker:
    """Carries one mask from its frame to the next, the one after, and so on; backwards where frames come backwards.

    Time and memory go by the object's size, and are bounded.

    Args:
        anchor: the frame of the mask, integers (3 or 4, H, W).
        mask: (H, W) in [0, 1].
        bit_depth: of the frames.
    """

    def __init__(self, anchor: IntFrames, mask: Plane, *, bit_depth: int = 8) -> None:
        self._depth = bit_depth
        self._mask = np.ascontiguousarray(mask, np.float32)
        self._last = _luma(anchor, bit_depth)
        self._empty = float(mask.max()) < 0.5
        if self._empty:
            return
        solid = (self._mask > 0.5).astype(np.uint8)
        self._thick = float(cv2.distanceTransform(solid, cv2.DIST_L2, 5).max())
        self._smallest = float(_parts(solid > 0)[1][1:].min())
        self._speed = 0.05 * max(mask.shape)
        self._view = self._window(self._mask)
        self._anchor_view = self._view
        self._anchor = self._view.cut(self._last)
        self._moved: Field = np.zeros((*self._view.shape, 2), np.float32)
        """From each place of the window to its place in the anchor, pixels of the frame."""
        self._seen = self._view.cut(self._mask)
        """The mask of the last frame, in its window."""
        self._covered = np.zeros(self._view.shape, np.float32)
        """Where something has come before the object."""
        self._cut, self._added = self._covered, self._covered
        """Where the outline was moved inwards and outwards, by its colours, from that of the anchor."""
        self._colours = ColourModel(anchor, self._seen, self._view, bit_depth=bit_depth)
        self._whole = self._mask
        """The object with what hides it, in the last frame."""

    def follow(self, frame: IntFrames) -> Plane:
        """The mask of the next frame: (H, W) float32 in [0, 1]."""
        if self._empty:
            return np.zeros_like(self._mask)
        luma = _luma(frame, self._depth)
        view, old = self._window(self._whole), self._view
        here, before = view.cut(luma), view.cut(self._last)
        back, there = flow(here, before) / view.scale, flow(before, here) / view.scale
        came = view.grid + back
        source = old.look(self._seen, came)
        trust = closes(back, view.look(there, came), view.scale) * inner(source)
        own = spread(back, trust, view)
        with_it = view.grid + own
        covered, cut, added = (
            old.look(self._covered, came),
            old.look(self._cut, with_it),
            old.look(self._added, with_it),
        )
        moved, astray = self._corrected(view, here, own + old.look(self._moved, with_it), 1 - np.maximum(covered, cut))
        base = self._amodal(view.grid + moved) > 0.5
        left = self._mean(np.abs(here - view.look(before, with_it)), base)
        right = self._mean(np.abs(here - view.look(before, came)), base)
        foreign = (source < 0.2) & (left > 2 * right + _LOST) & astray
        # A majority of the surroundings, so that specks go; only the object's own have a vote.
        hides = self._mean((foreign | ((covered > 0.5) & astray)).astype(np.float32), base) > 0.5
        foretold = ((base & (cut < 0.5)) | (added > 0.5)) & ~hides
        seen = foretold
        if self._colours.telling:
            seen = self._colours.snapped(foretold, frame, view) & ~hides
            labels, shares = _parts(seen)
            # Colours leave crumbs behind; a part as small as the smallest that was drawn is none.
            seen &= (shares >= min(_CRUMB, self._smallest / 2))[labels]
        self._moved, self._covered = moved, hides.astype(np.float32)
        self._cut, self._added = (base & ~seen & ~hides).astype(np.float32), (seen & ~base).astype(np.float32)
        self._seen = seen.astype(np.float32)
        if (trust > 0.2).any():
            self._speed = float(np.median(np.abs(own[trust > 0.2]).max(-1)))
        self._view, self._last = view, luma
        self._whole, shown = self._full()
        return shown

    def _corrected(self, view: Window, here: Plane, foretold: Field, free: Plane) -> tuple[Field, Flags]:
        """The coordinates after comparing the frame with the anchor itself, so that errors do not add up.

        Also where the frame is not what the anchor says, however it is moved. `free` is 1 where nothing hid the object.
        """
        mask = self._amodal(view.grid + foretold)
        shown = (mask > 0.5).astype(np.float32)
        if shown.sum() < LEAST:
            return foretold, np.zeros(view.shape, bool)
        laid = self._lit(self._anchor_view.look(self._anchor, view.grid + foretold), here, shown)
        # Around the object the frame itself stands in for the anchor: there is no rest to be found there.
        target = np.where(shown > 0, laid, here)
        rest = flow(here, target) / view.scale
        first = self._mean(np.abs(here - target), shown)
        second = self._mean(np.abs(here - view.look(target, view.grid + rest)), shown)
        contrast = self._mean(np.abs(here - local(here)), shown)
        good = second < 0.6 * contrast + _LOST / 2
        better = good & (second <= first) & (np.abs(rest * view.scale).max(-1) < 4)
        trust = inner(mask * free) * better
        step = normalised(rest, trust, 0.02)
        found = step + view.look(foretold, view.grid + step)
        believed = inner(mask * free) * np.where(better, np.float32(1), np.float32(0.05))
        if believed.sum() < LEAST:
            return foretold, ~good
        return spread(found, believed, view), np.minimum(first, second) > 0.7 * contrast + _LOST

    def _lit(self, laid: Plane, here: Plane, shown: Plane) -> Plane:
        """The anchor in the frame's light: one contrast for the object, and a brightness that varies slowly."""
        inside = shown > 0
        gain = float(here[inside].std() + 1) / float(laid[inside].std() + 1)
        scaled = laid * np.float32(np.clip(gain, 0.4, 2.5))
        return scaled + normalised((here - scaled)[..., None], shown, 1e-3, sigma=_LIGHT, own=False)[..., 0]

    def _mean(self, values: Plane, mask: Plane | Flags) -> Plane:
        """Local means that look at the object alone."""
        weight = local((mask > 0.5).astype(np.float32))
        return local(values * (mask > 0.5)) / np.maximum(weight, np.float32(1e-3))

    def _amodal(self, places: Field) -> Plane:
        """The mask at places in the anchor, whether something is before it or not."""
        return np.asarray(
            cv2.remap(self._mask, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.float32,
        )

    def _full(self) -> tuple[Plane, Plane]:
        """The object in the last frame at full size, as if nothing hid it, and what shows of it."""
        view = self._view
        height, width = self._mask.shape
        whole, shown = np.zeros((2, height, width), np.float32)
        size = (view.right - view.left, view.bottom - view.top)
        moved = np.asarray(cv2.resize(self._moved, size, interpolation=cv2.INTER_LINEAR), np.float32)
        gone, more = (
            np.asarray(cv2.resize(cv2.GaussianBlur(plane, (0, 0), 0.7), size, interpolation=cv2.INTER_LINEAR))
            for plane in (np.maximum(self._covered, self._cut), self._added)
        )
        x, y = np.meshgrid(
            np.arange(view.left, view.right, dtype=np.float32), np.arange(view.top, view.bottom, dtype=np.float32)
        )
        matte = np.clip(self._amodal(np.stack([x, y], -1) + moved), 0, 1)
        whole[view.top : view.bottom, view.left : view.right] = np.maximum(matte, more)
        shown[view.top : view.bottom, view.left : view.right] = np.maximum(matte * (1 - gone), more)
        return whole, shown

    def _window(self, mask: Plane) -> Window:
        """Where to look for the object in the next frame: around it, as far as it may move; all where it is lost."""
        height, width = mask.shape
        rows, columns = np.nonzero(mask.max(1) > 0.5)[0], np.nonzero(mask.max(0) > 0.5)[0]
        if not len(rows):
            box = (0, 0, width, height)
            across = 0.25 * float(width * height) ** 0.5
        else:
            box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            across = float((mask > 0.5).sum()) ** 0.5
        enlarged = min(_LARGEST, max(1.0, _OBJECT / across, _THICK / self._thick))
        margin = round(_MARGIN / enlarged + 0.2 * max(box[2] - box[0], box[3] - box[1]) + 3 * self._speed)
        left, top = max(0, box[0] - margin), max(0, box[1] - margin)
        right, bottom = min(width, box[2] + margin), min(height, box[3] + margin)
        scale = min(enlarged, (_WORK / ((right - left) * (bottom - top))) ** 0.5)
        return Window(left=left, top=top, right=right, bottom=bottom, wanted=scale)


def _luma(frame: IntFrames, bit_depth: int) -> Plane:
    """(H, W) float32, 0..255."""
    weights = np.array([0.299, 0.587, 0.114], np.float32) * np.float32(255 / full_scale(bit_depth))
    red, green, blue = (frame[channel].astype(np.float32) * weights[channel] for channel in range(3))
    return red + green + blue


def _parts(mask: Flags) -> tuple[npt.NDArray[np.intp], Plane]:
    """The connected parts of a mask by number from 1, and the share of it that each is; 0 is what is outside."""
    _, found = cv2.connectedComponents(mask.astype(np.uint8))
    labels = np.asarray(found, np.intp)
    counts = np.bincount(labels.reshape(-1)).astype(np.float32)
    counts[0] = 0
    return labels, counts / max(float(counts.sum()), 1.0)
