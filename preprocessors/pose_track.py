"""Who is who from frame to frame, and joints that neither tremble nor lag.

People are matched by the likeness of their joints (object keypoint similarity, as the COCO keypoint evaluation defines
it), first the sure detections, then the doubtful ones for people who were there before (Zhang et al., ByteTrack, 2022,
section 3). Joints pass a One-Euro filter (Casiez et al., 2012), measured in the person's size and in frames, so that
neither resolution nor distance changes what is steadied.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import torch

from vedit.preprocessors.pose_people import JOINTS, People, overlap

SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035),
    *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
    *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
"""How far annotators of COCO disagree on each joint, as a part of the person's size."""


@dataclass(frozen=True, kw_only=True)
class TrackSettings:
    """When a person or a joint counts as seen, and how much is steadied."""

    begin: float = 0.5
    """Detection score from which someone new is followed; the one already followed needs only to be found."""
    likeness: float = 0.2
    """The least similarity, 0 to 1, of the same person in two frames."""
    keep: int = 15
    """Frames for which someone out of sight keeps the number."""
    bridge: int = 3
    """Gaps of at most so many frames are filled in: a detector misses someone for a frame now and then."""
    show: float = 0.3
    hide: float = 0.2
    """Confidence from which a joint appears, and under which it disappears again."""
    steady: float = 0.06
    """Cut-off of the filter at rest, in cycles per frame; less is steadier. From 0.5 on joints are taken as found."""
    agile: float = 20.0
    """By how much the cut-off rises with speed, in cycles per frame for one person's size per frame."""


DEFAULT = TrackSettings()


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """One person in one frame."""

    number: int
    """The same as long as the person is followed, from 0, never given twice in a shot."""
    joints: torch.Tensor
    """Float (17, 2): x, y in pixels, steadied."""
    confidence: torch.Tensor
    """Float (17,) in [0, 1]."""
    seen: torch.Tensor
    """Bool (17,): the joints to draw."""


@dataclass(kw_only=True)
class _Track:
    number: int
    joints: torch.Tensor
    confidence: torch.Tensor
    corners: torch.Tensor
    seen: torch.Tensor
    speed: torch.Tensor
    """Float (2,): pixels per frame of the whole person."""
    flow: torch.Tensor
    """Float (17, 2): filtered speed of each joint, in sizes per frame."""
    smooth: torch.Tensor
    missed: int = 0


def similarity(one: torch.Tensor, other: torch.Tensor, *, both: torch.Tensor, area: float) -> float:
    """Object keypoint similarity of two poses (17, 2): the mean, over the joints that both have, of
    exp(-d^2 / (2 area (2 sigma)^2)); 0 where they share none.

    Args:
        both: bool (17,): the joints of both.
        area: of the person's box, in square pixels.
    """
    if not both.any():
        return 0.0
    spread = 2 * area * (2 * torch.tensor(SIGMAS)) ** 2
    alike = torch.exp(-(one - other).square().sum(-1) / spread.clamp(min=1e-9))
    return float(alike[both].mean())


def track(people: Iterable[People], settings: TrackSettings = DEFAULT) -> Iterator[list[Tracked]]:
    """Numbered and steadied people of each frame, ordered by number; looks `bridge` frames ahead, no further.

    Args:
        people: of each frame of one shot, in order.
        settings: thresholds.
    """
    tracker = _Tracker(settings)
    waiting: deque[dict[int, Tracked]] = deque()
    for found in people:
        waiting.append(tracker.push(found))
        _fill(waiting)
        if len(waiting) > settings.bridge + 1:
            yield _listed(waiting.popleft())
    while waiting:
        yield _listed(waiting.popleft())


def _listed(frame: dict[int, Tracked]) -> list[Tracked]:
    return [frame[number] for number in sorted(frame)]


def _fill(waiting: deque[dict[int, Tracked]]) -> None:
    """Someone who is back after a gap that is still waiting: walk the joints over it in a straight line."""
    newest = len(waiting) - 1
    for number, after in waiting[newest].items():
        last = next((k for k in range(newest - 1, -1, -1) if number in waiting[k]), None)
        if last is None or last == newest - 1:
            continue
        before = waiting[last][number]
        seen = before.seen & after.seen
        for k in range(last + 1, newest):
            part = (k - last) / (newest - last)
            waiting[k][number] = replace(
                before,
                joints=torch.lerp(before.joints, after.joints, part),
                confidence=torch.lerp(before.confidence, after.confidence, part),
                seen=seen,
            )


@dataclass
class _Tracker:
    settings: TrackSettings
    tracks: list[_Track] = field(default_factory=list["_Track"])
    count: int = 0

    def push(self, found: People) -> dict[int, Tracked]:
        """The frame's people by number."""
        sure = [n for n, score in enumerate(found.boxes.scores.tolist()) if score >= self.settings.begin]
        doubtful = [n for n in range(len(found)) if n not in sure]
        free = list(self.tracks)
        matched: list[tuple[_Track, int]] = []
        for group in (sure, doubtful):
            pairs = self._match(free, found, group)
            matched += pairs
            taken = {id(one) for one, _ in pairs}
            free = [one for one in free if id(one) not in taken]
        for lost in free:
            lost.missed += 1
        for one, n in matched:
            self._update(one, found, n)
        old = {n for _, n in matched}
        self.tracks = [one for one in self.tracks if one.missed <= self.settings.keep]
        for n in sure:
            if n not in old:
                self.tracks.append(self._start(found, n))
        return {
            one.number: Tracked(
                number=one.number, joints=one.smooth.clone(), confidence=one.confidence.clone(), seen=one.seen.clone()
            )
            for one in self.tracks
            if one.missed == 0
        }

    def _match(self, tracks: list[_Track], found: People, group: list[int]) -> list[tuple[_Track, int]]:
        """Pairs in the order of their likeness, each track and each person once."""
        options = [
            (likeness, -one.number, t, n)
            for t, one in enumerate(tracks)
            for n in group
            if (likeness := self._likeness(one, found, n)) >= self.settings.likeness
        ]
        used_tracks: set[int] = set()
        used: set[int] = set()
        pairs: list[tuple[_Track, int]] = []
        for _, _, t, n in sorted(options, reverse=True):
            if t not in used_tracks and n not in used:
                used_tracks.add(t)
                used.add(n)
                pairs.append((tracks[t], n))
        return pairs

    def _likeness(self, one: _Track, found: People, n: int) -> float:
        """Of a person to where the followed one would be by now."""
        ahead = one.speed * (one.missed + 1)
        corners = found.boxes.corners[n]
        area = float(_area(one.corners) + _area(corners)) / 2
        both = (one.confidence >= self.settings.hide) & (found.confidence[n] >= self.settings.hide)
        boxes = float(overlap((one.corners + ahead.repeat(2))[None], corners[None])[0, 0])
        if int(both.sum()) < 3:  # too little to tell people apart by
            return boxes
        return (similarity(one.joints + ahead, found.joints[n], both=both, area=area) + boxes) / 2

    def _start(self, found: People, n: int) -> _Track:
        self.count += 1
        return _Track(
            number=self.count - 1,
            joints=found.joints[n],
            confidence=found.confidence[n],
            corners=found.boxes.corners[n],
            seen=found.confidence[n] >= self.settings.show,
            speed=torch.zeros(2),
            flow=torch.zeros(JOINTS, 2),
            smooth=found.joints[n].clone(),
        )

    def _update(self, one: _Track, found: People, n: int) -> None:
        settings = self.settings
        joints, confidence, corners = found.joints[n], found.confidence[n], found.boxes.corners[n]
        frames = one.missed + 1
        centres = (corners[:2] + corners[2:] - one.corners[:2] - one.corners[2:]) / 2
        one.speed = torch.lerp(one.speed, centres / frames, 0.5)
        seen = torch.where(one.seen, confidence >= settings.hide, confidence >= settings.show)
        size = max(math.sqrt(float(_area(corners))), 1.0)
        # Nothing is carried over a gap, and a joint that comes back does not come from where it was lost.
        old = (one.seen & seen & (frames <= settings.bridge + 1))[:, None]
        flow = torch.lerp(one.flow, (joints - one.joints) / (size * frames), _share(torch.tensor(_RATE_CUTOFF), 1))
        cutoff = settings.steady + settings.agile * flow.norm(dim=-1, keepdim=True)
        moved = torch.lerp(one.smooth, joints, _share(cutoff, frames))
        one.smooth = torch.where(old & (cutoff < 0.5), moved, joints)
        one.flow = torch.where(old, flow, 0)
        one.joints, one.confidence, one.corners, one.seen, one.missed = joints, confidence, corners, seen, 0


_RATE_CUTOFF = 0.1
"""Cut-off of the speed's own filter, in cycles per frame."""


def _share(cutoff: torch.Tensor, frames: int) -> torch.Tensor:
    """What a new sample counts in an exponential filter of that cut-off, `frames` after the last (Casiez, eq. 5)."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * frames))


def _area(corners: torch.Tensor) -> torch.Tensor:
    return (corners[2] - corners[0]).clamp(min=0) * (corners[3] - corners[1]).clamp(min=0)
