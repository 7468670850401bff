"""People in frames: boxes by RT-DETR (Zhao et al., 2024), 17 joints of each by ViTPose (Xu et al., 2022).

Both run through transformers; sizes and scaling are done here, so neither torchvision nor an image processor is needed.
The joints are those of COCO, in its order: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, of each
pair the left one first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
from torch.nn import functional as F

from vedit.errors import ModelError
from vedit.weights.store import load_pretrained, local

DETECTOR = "rtdetr-r18"
ESTIMATOR = "vitpose-base"
JOINTS = 17
_SIDE = 640
"""Both sides of the frame as RT-DETR was trained to see it: squeezed, not padded."""
_MARGIN = 1.25
"""By how much ViTPose's crop is larger than the box."""
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SMOOTHING = 0.8
_RADIUS = 5
"""Of the Gaussian that steadies a heatmap before its peak is refined, in its cells: sigma and cut-off."""
_CROPS = 16
"""People whose joints are found in one call."""
_TWIN = 0.8
"""Overlap (intersection over union) from which two boxes are the same person."""


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """The people found in one frame, the surest first."""

    corners: torch.Tensor
    """Float (N, 4): left, top, right, bottom in pixels."""
    scores: torch.Tensor
    """Float (N,) in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class People:
    """The people of one frame with their joints."""

    boxes: Boxes
    joints: torch.Tensor
    """Float (N, 17, 2): x, y in pixels, whole numbers at the middle of a pixel."""
    confidence: torch.Tensor
    """Float (N, 17) in [0, 1]: the height of each joint's peak."""

    def __len__(self) -> int:
        return int(self.joints.shape[0])


FindBoxes = Callable[[torch.Tensor], Sequence[Boxes]]
"""Frames float (T, 3, H, W) in [0, 1] -> the people of each."""
FindJoints = Callable[[torch.Tensor, Sequence[Boxes]], Sequence[People]]
"""Frames, and the people of each -> their joints."""


def detect_people(frames: torch.Tensor, *, threshold: float = 0.3, most: int = 20) -> list[Boxes]:
    """Boxes of people by RT-DETR R18.

    Args:
        frames: float (T, 3, H, W) in [0, 1].
        threshold: the least score.
        most: of a frame's people, at most so many, the surest.

    Raises:
        ModelError: the weights `rtdetr-r18` are absent or damaged.
    """
    model, person = _detector(local(DETECTOR), str(frames.device))
    height, width = frames.shape[-2:]
    seen = F.interpolate(frames.float(), (_SIDE, _SIDE), mode="bilinear", antialias=True)
    with torch.inference_mode():
        out = model(pixel_values=seen)
    scores = out.logits[..., person].sigmoid().cpu()
    centres, sizes = out.pred_boxes.cpu().split(2, dim=-1)
    corners = torch.cat([centres - sizes / 2, centres + sizes / 2], -1).clamp(0, 1)
    corners = corners * torch.tensor([width, height, width, height])
    return [_choose(c, s, threshold=threshold, most=most) for c, s in zip(corners, scores, strict=True)]


def overlap(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Intersection over union of boxes, (N, 4) and (M, 4) -> (N, M)."""
    low = torch.maximum(one[:, None, :2], other[None, :, :2])
    high = torch.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(-1) for boxes in (one, other)]
    return shared / (areas[0][:, None] + areas[1][None] - shared).clamp(min=1e-9)


def _choose(corners: torch.Tensor, scores: torch.Tensor, *, threshold: float, most: int) -> Boxes:
    order = scores.argsort(descending=True, stable=True)
    sized = ((corners[:, 2:] - corners[:, :2]) > 1).all(-1)
    kept: list[int] = []
    for index in order.tolist():
        if scores[index] < threshold or len(kept) == most:
            break
        # The detector needs no suppression by design, yet now and then gives one person two queries.
        if sized[index] and (not kept or float(overlap(corners[index][None], corners[kept]).max()) < _TWIN):
            kept.append(index)
    return Boxes(corners=corners[kept].float(), scores=scores[kept].float())


def find_joints(frames: torch.Tensor, found: Sequence[Boxes]) -> list[People]:
    """The joints of people by ViTPose.

    Args:
        frames: float (T, 3, H, W) in [0, 1].
        found: the people of each frame.

    Raises:
        ModelError: the weights `vitpose-base` are absent or damaged.
    """
    owners = [(frame, box) for frame, boxes in enumerate(found) for box in boxes.corners]
    joints, confidence = torch.zeros(len(owners), JOINTS, 2), torch.zeros(len(owners), JOINTS)
    for start in range(0, len(owners), _CROPS):
        part = slice(start, min(start + _CROPS, len(owners)))
        joints[part], confidence[part] = _estimate(frames, owners[part])
    split = [len(boxes.scores) for boxes in found]
    return [
        People(boxes=boxes, joints=j, confidence=c)
        for boxes, j, c in zip(found, joints.split(split), confidence.split(split), strict=True)
    ]


def _estimate(frames: torch.Tensor, owners: list[tuple[int, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    model = _estimator(local(ESTIMATOR), str(frames.device))
    rows, columns = (int(side) for side in model.config.backbone_config.image_size)
    areas = crop_areas(torch.stack([box for _, box in owners]), aspect=columns / rows)
    crops = torch.cat(
        [
            crop(frames[frame : frame + 1], area[None], (rows, columns))
            for (frame, _), area in zip(owners, areas, strict=True)
        ]
    )
    mean, spread = (torch.tensor(values, device=crops.device).view(1, 3, 1, 1) for values in (_MEAN, _SPREAD))
    with torch.inference_mode():
        heatmaps = cast("torch.Tensor", model(pixel_values=(crops - mean) / spread).heatmaps)
    return decode(heatmaps.float().cpu()[:, :JOINTS], areas)


def crop_areas(corners: torch.Tensor, *, aspect: float) -> torch.Tensor:
    """The crops that ViTPose sees, for boxes (N, 4): centre x, y, width, height in pixels, (N, 4).

    The box grown to the aspect (width / height) of the network's input, then by a quarter.
    """
    sizes = (corners[:, 2:] - corners[:, :2]).clamp(min=1)
    width = torch.maximum(sizes[:, 0], sizes[:, 1] * aspect)
    grown = torch.stack([width, width / aspect], -1) * _MARGIN
    return torch.cat([(corners[:, :2] + corners[:, 2:]) / 2, grown], -1)


def crop(frames: torch.Tensor, areas: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cut an area (N, 4), as `crop_areas` gives it, out of each frame (N, 3, H, W), black beyond its edge.

    First and last sample lie on the area's two ends: the unbiased grid of Huang et al. (2020, section 3), which
    `decode` takes for granted.
    """
    height, width = frames.shape[-2:]
    rows, columns = (torch.linspace(-0.5, 0.5, side, device=frames.device) for side in size)
    areas = areas.to(frames.device)
    x = areas[:, 0, None] + columns * areas[:, 2, None]
    y = areas[:, 1, None] + rows * areas[:, 3, None]
    grid = torch.stack(
        torch.broadcast_tensors(
            (2 * x / max(width - 1, 1) - 1)[:, None, :],
            (2 * y / max(height - 1, 1) - 1)[:, :, None],
        ),
        dim=-1,
    )
    return F.grid_sample(frames.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def decode(heatmaps: torch.Tensor, areas: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Heatmaps (N, K, h, w) of crops -> joints (N, K, 2) in pixels of the frame, and their confidence (N, K).

    The peak's cell is refined by a Newton step on the logarithm of the smoothed map (DARK, Zhang et al., 2020,
    section 3.2), at most one cell: past that the map has no peak that a step could find.
    """
    height, width = heatmaps.shape[-2:]
    height_of_peak, where = heatmaps.flatten(2).max(-1)
    peak = torch.stack([where % width, where // width], -1)
    logs = _blur(heatmaps).clamp(0.001, 50).log()
    padded = F.pad(logs, (1, 1, 1, 1), mode="replicate").flatten(2)

    def beside(dx: int, dy: int) -> torch.Tensor:
        at = (peak[..., 1] + 1 + dy) * (width + 2) + peak[..., 0] + 1 + dx
        return padded.gather(2, at[..., None])[..., 0]

    middle = beside(0, 0)
    slope = torch.stack([beside(1, 0) - beside(-1, 0), beside(0, 1) - beside(0, -1)], -1) / 2
    xx = beside(1, 0) - 2 * middle + beside(-1, 0)
    yy = beside(0, 1) - 2 * middle + beside(0, -1)
    xy = (beside(1, 1) - beside(1, 0) - beside(0, 1) + 2 * middle - beside(-1, 0) - beside(0, -1) + beside(-1, -1)) / 2
    determinant = xx * yy - xy * xy
    step = torch.stack([xy * slope[..., 1] - yy * slope[..., 0], xy * slope[..., 0] - xx * slope[..., 1]], -1)
    # Only a maximum has a step: both curvatures downwards.
    step = torch.where((determinant > 1e-12)[..., None] & (xx < 0)[..., None], step / determinant[..., None], 0)
    cells = peak + step.nan_to_num(0).clamp(-1, 1)
    centre, extent = areas[:, None, :2], areas[:, None, 2:]
    joints = centre + (cells / torch.tensor([width - 1, height - 1]) - 0.5) * extent
    return joints, height_of_peak.clamp(0, 1)


def _blur(heatmaps: torch.Tensor) -> torch.Tensor:
    """Gaussian of the heatmaps, mirrored at the edges with the edge cell twice."""
    taps = torch.tensor([math.exp(-0.5 * (x / _SMOOTHING) ** 2) for x in range(-_RADIUS, _RADIUS + 1)])
    taps = taps / taps.sum()
    for dim in (-1, -2):
        size = heatmaps.shape[dim]
        reach = min(_RADIUS, size)
        before, after = heatmaps.narrow(dim, 0, reach).flip(dim), heatmaps.narrow(dim, size - reach, reach).flip(dim)
        padded = torch.cat([before, heatmaps, after], dim)
        heatmaps = sum(
            (padded.narrow(dim, k, size) * taps[k + _RADIUS - reach] for k in range(2 * reach + 1)),
            torch.zeros_like(heatmaps),
        )
    return heatmaps


def find_people(
    chunks: Iterable[torch.Tensor], *, boxes: FindBoxes = detect_people, joints: FindJoints = find_joints
) -> Iterator[People]:
    """People of each frame, in order; nothing but the chunk in work is held.

    Args:
        chunks: frames float (T, 3, H, W) in [0, 1].
        boxes: finds people.
        joints: finds their joints.
    """
    for chunk in chunks:
        yield from joints(chunk, boxes(chunk))


# The folder is part of the key alone: another folder is another model.
@lru_cache(maxsize=1)
def _detector(folder: Path, device: str) -> tuple[Any, int]:
    """The model, and which of its classes is a person."""
    model = load_pretrained(DETECTOR, "RTDetrForObjectDetection").to(device)
    person = next((index for index, label in model.config.id2label.items() if label == "person"), None)
    if person is None:
        raise ModelError(
            f"the detector in {folder} knows no class 'person'", remedy=f"run: vedit models pull {DETECTOR}"
        )
    return model, int(person)


@lru_cache(maxsize=1)
def _estimator(folder: Path, device: str) -> Any:
    return load_pretrained(ESTIMATOR, "VitPoseForPoseEstimation").to(device)
