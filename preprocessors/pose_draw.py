"""The figure of the OpenPose convention (Cao et al., 2019) that body-pose ControlNets were trained on.

Joints, limbs and colours are those of the ControlNet authors' drawing: a colour stands for a joint or a limb, so all
people share them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch

JOINT_NAMES = (
    "nose", "neck", "right shoulder", "right elbow", "right wrist", "left shoulder", "left elbow", "left wrist",
    "right hip", "right knee", "right ankle", "left hip", "left knee", "left ankle", "right eye", "left eye",
    "right ear", "left ear",
)  # fmt: skip
"""The 18 joints, in order."""

COLORS = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0), (0, 255, 85),
    (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255),
    (255, 0, 170), (255, 0, 85),
)  # fmt: skip
"""RGB: of joint k, and of limb k before it is darkened."""

LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
"""The 17 limbs as pairs of joints, in the order in which they are painted."""

LIMB_LIGHT = 0.6
"""Limbs have this part of their colour's brightness, joints all of it."""

_FROM_COCO = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_SHOULDERS = (5, 6)
_HALF_WIDTH = 4 / 512
"""Of a limb, and radius of a joint, as a part of the shorter side: 4 pixels where that is 512."""
_FRACTION = 4
"""Bits after the point of the coordinates that are painted: figures that move slowly do not jerk."""


def to_openpose(joints: torch.Tensor, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """COCO's 17 joints -> OpenPose's 18: the neck is the middle of the shoulders, where both are seen.

    Args:
        joints: (17, 2) in pixels.
        seen: bool (17,).

    Returns:
        (18, 2) and bool (18,).
    """
    left, right = _SHOULDERS
    neck = (joints[left] + joints[right]) / 2
    placed = [neck if index is None else joints[index] for index in _FROM_COCO]
    shown = [seen[left] & seen[right] if index is None else seen[index] for index in _FROM_COCO]
    return torch.stack(placed), torch.stack(shown)


def draw_people(people: Sequence[tuple[torch.Tensor, torch.Tensor]], height: int, width: int) -> torch.Tensor:
    """Figures on black, the later ones over the earlier ones; of each, limbs in order, then joints in order.

    Args:
        people: of each, joints (18, 2) in pixels of the frame, x then y, and bool (18,): which of them are seen.
        height: of the frame.
        width: of the frame.

    Returns:
        Float (3, height, width) in [0, 1].
    """
    canvas = np.zeros((height, width, 3), np.uint8)
    half = max(1.0, _HALF_WIDTH * min(height, width))
    for joints, seen in people:
        points = joints.double().cpu().numpy()
        drawn = seen.cpu().numpy() & _within(points, height, width)
        for (start, end), color in zip(LIMBS, COLORS, strict=False):
            if drawn[start] and drawn[end]:
                outline = _ellipse(points[start], points[end], half)
                cv2.fillConvexPoly(canvas, outline, [int(c * LIMB_LIGHT) for c in color], shift=_FRACTION)
        for point, shown, color in zip(points, drawn, COLORS, strict=True):
            if shown:
                x, y = (round(float(value) * (1 << _FRACTION)) for value in point)
                cv2.circle(canvas, (x, y), round(half * (1 << _FRACTION)), color, thickness=-1, shift=_FRACTION)
    return torch.from_numpy(canvas).permute(2, 0, 1).float() / 255


def _within(points: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.bool_]:
    """Far outside the frame nothing is drawn: there OpenCV's integers overflow."""
    reach = np.array([width, height], np.float64)
    return np.all(np.isfinite(points) & (points > -reach) & (points < 2 * reach), axis=1)


def _ellipse(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64], half: float) -> npt.NDArray[np.int32]:
    """The outline of a limb: an ellipse from joint to joint, `half` pixels to each side of its middle."""
    along = (end - start) / 2
    length = float(np.hypot(*along))
    across = np.array([-along[1], along[0]]) / length * half if length > 0 else np.array([0.0, half])
    if length == 0:
        along = np.array([half, 0.0])
    turn = np.linspace(0, 2 * math.pi, 72, endpoint=False)[:, None]
    outline = (start + end) / 2 + np.cos(turn) * along + np.sin(turn) * across
    return np.round(outline * (1 << _FRACTION)).astype(np.int32)
