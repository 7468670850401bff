"""Keyed pictures through their shots: carried by flow from the nearest keys, or held."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vedit.errors import InputError
from vedit.masks.edges import signed_distance
from vedit.masks.propagation import MaskTracker
from vedit.masks.source import backwards
from vedit.masks.store import ShotStore, load, name_of, save
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.masks.source import MatteSource, Plane
    from vedit.types import Shot


@dataclass(frozen=True, kw_only=True)
class Key:
    """A picture that is the mask of one frame."""

    frame: int
    picture: Plane
    """(H, W) of the clip's size."""


class PropagatedLayer:
    """Masks drawn for single frames, carried through the shots they are in; never across a cut.

    Before the first key of a shot and behind its last one the nearest key is carried alone; between two, both are
    carried to the frame and blended by how near in time each is.

    Args:
        keys: at least one; all in the masked part.
        source: the clip.
        folder: where the mattes are kept.
        follow: carry by flow; else each key holds until the next one or the end of its shot.

    Raises:
        InputError: two keys at one frame.
    """

    def __init__(self, keys: Sequence[Key], source: MatteSource, folder: Path, *, follow: bool) -> None:
        ordered = sorted(keys, key=lambda key: key.frame)
        twice = next((a.frame for a, b in pairwise(ordered) if a.frame == b.frame), None)
        if twice is not None:
            raise InputError(f"two masks are keyed at frame #{twice}", remedy="give each picture its own moment")
        # Eight bits are what the mattes are kept in, and a quarter of the memory of floats.
        self._keys = {key.frame: np.round(key.picture * 255).astype(np.uint8) for key in ordered}
        self._source = source
        self._follow = follow
        parts = [part for key in ordered for part in (key.frame, key.picture)]
        self._store = ShotStore(folder / name_of("flow", source, *parts), source, self._through)
        keyless = [shot.number for shot in source.shots if not self._in(shot)]
        self.notes: tuple[str, ...] = ()
        if keyless:
            listed = ", ".join(map(str, keyless[:8])) + (", ..." if len(keyless) > 8 else "")
            plural = len(keyless) > 1
            self.notes = (
                f"no mask is keyed in shot{'s' if plural else ''} {listed}: {'they have' if plural else 'it has'} none",
            )

    def __call__(self, frames: FrameRange) -> Plane:
        return self._store(frames) if self._follow else self._held(frames)

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _key(self, frame: int) -> Plane:
        return self._keys[frame] / np.float32(255)

    def _in(self, shot: Shot) -> list[int]:
        return [frame for frame in self._keys if frame in shot.frames]

    def _held(self, frames: FrameRange) -> Plane:
        out = np.zeros((len(frames), *self._source.size), np.float32)
        for shot in self._source.shots:
            keys = self._in(shot)
            for begin, end in pairwise([*keys, shot.frames.stop]):
                first, last = max(begin, frames.start), min(end, frames.stop)
                if first < last:
                    out[first - frames.start : last - frames.start] = self._key(begin)
        return out

    def _through(self, shot: Shot) -> Iterable[tuple[int, Plane]] | None:
        """The mattes of a shot with their frame numbers; None where it has no key."""
        keys = self._in(shot)
        return self._mattes(shot, keys) if keys else None

    def _mattes(self, shot: Shot, keys: Sequence[int]) -> Iterator[tuple[int, Plane]]:
        yield from ((frame, self._key(frame)) for frame in keys)
        yield from self._carried(keys[0], FrameRange(start=shot.frames.start, stop=keys[0] + 1), back=True)
        yield from self._carried(keys[-1], FrameRange(start=keys[-1], stop=shot.frames.stop), back=False)
        pts = self._source.index.pts
        for begin, end in pairwise(keys):
            between = FrameRange(start=begin, stop=end + 1)
            # The way there is kept on disk until the way back meets it: a gap between keys has any length.
            with tempfile.TemporaryDirectory(prefix="vedit-mattes-") as name:
                passing = Path(name)
                for frame, matte in self._carried(begin, between, back=False):
                    save(passing / f"{frame:06d}.png", matte)
                for frame, matte in self._carried(end, between, back=True):
                    if frame > begin:
                        part = (pts[frame] - pts[begin]) / (pts[end] - pts[begin])
                        yield frame, blended(load(passing / f"{frame:06d}.png"), matte, part)

    def _carried(self, key: int, frames: FrameRange, *, back: bool) -> Iterator[tuple[int, Plane]]:
        """The key's mask at the other frames of a range that begins, or ends, with it."""
        if len(frames) < 2:
            return
        with self._source.reopen() as reader:
            size = self._source.chunk
            clips = backwards(reader, frames, size) if back else reader.chunks(frames, size)
            tracker: MaskTracker | None = None
            for clip in clips:
                for frame, picture in enumerate(clip.frames, clip.start):
                    if tracker is None:
                        tracker = MaskTracker(picture, self._key(key), bit_depth=clip.bit_depth)
                    elif frame not in self._keys:
                        yield frame, tracker.follow(picture)


def blended(before: Plane, after: Plane, part: float) -> Plane:
    """The mask between two that were carried to the same frame.

    Where they agree they are averaged; where they do not, an average would be a ghost of both, so the edge is put in
    between by averaging the distances to theirs.

    Args:
        before: (H, W) from the earlier key.
        after: from the later one.
        part: of the way from the earlier key to the later one, in [0, 1].
    """
    mixed = before * np.float32(1 - part) + after * np.float32(part)
    apart = np.abs(before - after) > 0.25
    if not apart.any():
        return mixed
    first, second = signed_distance(before), signed_distance(after)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return mixed
    edge = np.clip(first * np.float32(1 - part) + second * np.float32(part) + np.float32(0.5), 0, 1)
    return np.where(apart, edge, mixed)
