"""The pose control: people as OpenPose figures, followed through the shot.

`pose` draws them. `pose_confidence(chunks, *, boxes=..., joints=..., settings=...) -> Iterator[PoseConfidence]` says
for each frame, lazily, how many there are (`people`) and how sure their joints are (`confidence`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from vedit.preprocessors.batches import rebatch
from vedit.preprocessors.pose_draw import draw_people, to_openpose
from vedit.preprocessors.pose_people import FindBoxes, FindJoints, detect_people, find_joints, find_people
from vedit.preprocessors.pose_track import DEFAULT, Tracked, TrackSettings, track

_BATCH = 4
"""Frames in work at a time."""


@dataclass(frozen=True, kw_only=True)
class PoseConfidence:
    """What is seen of people in one frame."""

    people: int
    confidence: float
    """Mean over the joints that are drawn, in [0, 1]; 0 where there are none."""


def pose(
    chunks: Iterable[torch.Tensor],
    *,
    boxes: FindBoxes = detect_people,
    joints: FindJoints = find_joints,
    settings: TrackSettings = DEFAULT,
) -> Iterator[torch.Tensor]:
    """Every person of every frame as a figure of 18 joints and 17 limbs on black.

    Args:
        chunks: one shot, frames float (T, 3, H, W) in [0, 1], as `vedit.protocols.Preprocessor` says.
        boxes: finds people: frames -> the boxes of each.
        joints: finds the 17 joints of the people in those boxes.
        settings: when people and joints count as seen, and how much they are steadied.

    Yields:
        Frames (T, 3, H, W) in [0, 1]: black where nobody is. A few frames behind what was taken.

    Raises:
        ModelError: the weights `rtdetr-r18` or `vitpose-base` are absent or damaged.
    """
    # Only the sizes of frames wait for their people, who come `bridge` frames later.
    shapes: deque[tuple[int, int, torch.dtype, torch.device]] = deque()

    def noted() -> Iterator[torch.Tensor]:
        for batch in rebatch(chunks, _BATCH):
            shapes.extend([(batch.shape[2], batch.shape[3], batch.dtype, batch.device)] * len(batch))
            yield batch

    for people in track(find_people(noted(), boxes=boxes, joints=joints), settings):
        height, width, dtype, device = shapes.popleft()
        figures = [to_openpose(person.joints, person.seen) for person in people]
        yield draw_people(figures, height, width)[None].to(device, dtype)


def pose_confidence(
    chunks: Iterable[torch.Tensor],
    *,
    boxes: FindBoxes = detect_people,
    joints: FindJoints = find_joints,
    settings: TrackSettings = DEFAULT,
) -> Iterator[PoseConfidence]:
    """How many people each frame shows, and how sure their joints are; arguments and errors as of `pose`."""
    for people in track(find_people(rebatch(chunks, _BATCH), boxes=boxes, joints=joints), settings):
        yield PoseConfidence(people=len(people), confidence=_mean_confidence(people))


def _mean_confidence(people: list[Tracked]) -> float:
    sure = [person.confidence[person.seen] for person in people]
    drawn = torch.cat(sure) if sure else torch.zeros(0)
    return float(drawn.mean()) if len(drawn) else 0.0
