"""OpenPose's own body network, through controlnet-aux (Cao et al., 2019): for non-commercial use only."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import nn

from vedit.preprocessors.aux_load import SHORT_SIDE, class_of, import_part, network
from vedit.preprocessors.pose_draw import draw_people


def openpose(frames: torch.Tensor) -> torch.Tensor:
    """Bodies as figures of 18 joints and 17 limbs on black; each frame on its own, nobody is followed.

    Args:
        frames: float (T, 3, H, W) in [0, 1].

    Returns:
        (T, 3, H, W) in [0, 1].

    Raises:
        InputError: controlnet-aux, or scipy, is not installed.
        ModelError: the weights `openpose-body` are absent or damaged.
    """
    height, width = frames.shape[-2:]
    scale = SHORT_SIDE / min(height, width)
    size = (round(height * scale), round(width * scale))
    make = _body_class()
    body = make.__new__(make)  # its own construction would read a pickle
    body.model = network("openpose-body", _network, frames.device, flat=True)
    drawn: list[torch.Tensor] = []
    for frame in frames:
        seen = nn.functional.interpolate(frame[None].float(), size, mode="bilinear", antialias=True).clamp(0, 1)
        # It was trained on blue, green, red, in bytes.
        image = (seen[0].flip(0) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
        with torch.inference_mode():
            found = body.format_body_result(*body(image))
        people = [_placed(person.keypoints, width / size[1], height / size[0]) for person in found]
        drawn.append(draw_people(people, height, width))
    return torch.stack(drawn).to(frames) if drawn else frames.clone()


def _placed(keypoints: list[Any], across: float, down: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The detector's joints, None where unseen, in pixels of the frame."""
    points = [(0.0, 0.0) if point is None else (point.x * across, point.y * down) for point in keypoints]
    return torch.tensor(points), torch.tensor([point is not None for point in keypoints])


def _body_class() -> Any:
    import_part("open_pose.util")  # it and the body's module import each other, and only this order works
    return cast("Any", class_of("open_pose.body", "Body"))


def _network() -> nn.Module:
    return class_of("open_pose.model", "bodypose_model")()
