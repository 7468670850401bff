"""Lines by networks of controlnet-aux: line drawings of photographs, of anime, and straight lines (M-LSD)."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from vedit.preprocessors.aux_load import class_of, network, on_frames

_ANIME_MULTIPLE = 256
_LINES = 200
"""Straight lines of a frame, at most."""


def lineart(frames: torch.Tensor) -> torch.Tensor:
    """A line drawing, by the fine network of Informative Drawings (Chan et al., 2022).

    The network normalises its features over each frame, so its greys move a little with what else is in the picture.

    Args:
        frames: float (T, 3, H, W) in [0, 1].

    Returns:
        (T, 3, H, W) in [0, 1], the three channels equal, white lines on black.

    Raises:
        InputError: controlnet-aux is not installed.
        ModelError: the weights `lineart` are absent or damaged.
    """
    run = network("lineart", _lineart, frames.device)
    return on_frames(frames, lambda seen: 1 - run(seen))


def lineart_anime(frames: torch.Tensor) -> torch.Tensor:
    """A line drawing in the way of anime, by Anime2Sketch (Xiang et al., 2021); else as `lineart`."""
    run = network("lineart-anime", _lineart_anime, frames.device)

    def look(seen: torch.Tensor) -> torch.Tensor:
        size = [-(-side // _ANIME_MULTIPLE) * _ANIME_MULTIPLE for side in seen.shape[-2:]]
        grown = F.interpolate(seen, size, mode="bicubic", align_corners=False).clamp(0, 1)
        return 1 - (run(grown * 2 - 1) + 1) / 2

    return on_frames(frames, look)


def mlsd(frames: torch.Tensor, *, score: float = 0.1, length: float = 0.1) -> torch.Tensor:
    """Straight lines, by M-LSD large (Gu et al., 2022): rooms, buildings, streets.

    Args:
        frames: float (T, 3, H, W) in [0, 1].
        score: the least score of a line's middle, 0 to 1.
        length: of a line, at least, in cells of the network's map.

    Returns:
        (T, 3, H, W) in [0, 1], the three channels equal, white lines on black.

    Raises:
        InputError: controlnet-aux is not installed.
        ModelError: the weights `mlsd` are absent or damaged.
    """
    run = network("mlsd", _mlsd, frames.device)

    def look(seen: torch.Tensor) -> torch.Tensor:
        # A fourth channel of ones, scaled as if it were a colour: so it was trained.
        fed = torch.cat([seen * 255, torch.ones_like(seen[:, :1])], 1) / 127.5 - 1
        maps = run(fed)
        drawn = [_draw(lines, seen.shape[-2], seen.shape[-1]) for lines in straight_lines(maps, score, length)]
        return torch.stack(drawn).to(seen)

    return on_frames(frames, look)


def straight_lines(maps: torch.Tensor, score: float, length: float) -> list[torch.Tensor]:
    """M-LSD's maps (N, 5 or more, h, w) -> of each frame the lines (K, 4): x, y of both ends in pixels of its input.

    Channel 0 says where the middles of lines are, 1 to 4 where the two ends lie from there (Gu et al., section 3.1);
    the maps have half the input's size. The 200 likeliest middles that are the highest of their neighbours count.
    """
    heat = maps[:, 0].sigmoid()
    heat = torch.where(heat == F.max_pool2d(heat[:, None], 3, stride=1, padding=1)[:, 0], heat, 0)
    found: list[torch.Tensor] = []
    for plane, shifts in zip(heat, maps[:, 1:5], strict=True):
        scores, where = plane.flatten().topk(min(_LINES, plane.numel()))
        middle = torch.stack([where % plane.shape[1], where // plane.shape[1]], -1)
        ends = shifts.flatten(1)[:, where].T.unflatten(1, (2, 2))
        far = (ends[:, 0] - ends[:, 1]).norm(dim=-1)
        kept = (scores > score) & (far > length)
        found.append(2 * (middle[kept][:, None] + ends[kept]).flatten(1))
    return found


def _draw(lines: torch.Tensor, height: int, width: int) -> torch.Tensor:
    canvas = np.zeros((height, width), np.uint8)
    # Toward zero, as the maps that ControlNet was trained on; ends far outside would overflow OpenCV's integers.
    for x0, y0, x1, y1 in lines.clamp(-1e4, 1e4).int().tolist():
        cv2.line(canvas, (x0, y0), (x1, y1), 255, 1)
    return torch.from_numpy(canvas)[None] / 255


def _lineart() -> nn.Module:
    return class_of("lineart", "Generator")(3, 1, 3)


def _lineart_anime() -> nn.Module:
    norm = partial(nn.InstanceNorm2d, affine=False, track_running_stats=False)
    return class_of("lineart_anime", "UnetGenerator")(3, 1, 8, 64, norm_layer=norm, use_dropout=False)


def _mlsd() -> nn.Module:
    return class_of("mlsd.models.mbv2_mlsd_large", "MobileV2_MLSD_Large")()
