"""The tile control: the frame itself, blurred to what its small version holds.

Colour and layout of the source without its fine detail, as in the tile ControlNet (lllyasviel/ControlNet-v1-1-nightly,
"Tile"). No weights.
"""

from typing import TYPE_CHECKING

import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor


def tile(frames: "Tensor", *, factor: int = 4) -> "Tensor":
    """Shrink by `factor` with an area average and grow back bilinearly.

    Args:
        frames: (T, 3, H, W) in [0, 1], RGB, of any size.
        factor: how many pixels on a side become one; 1 returns an unchanged copy.

    Returns:
        (T, 3, H, W) in [0, 1]. Every frame on its own: nothing depends on its neighbours or on its own range.

    Raises:
        ValueError: wrong rank, or a factor below 1.
    """
    if frames.ndim != 4:
        raise ValueError(f"tile takes (T, 3, H, W), got shape {tuple(frames.shape)}")
    if factor < 1:
        raise ValueError(f"tile factor is {factor}; 1 or more is allowed (4 is what the embedded model was trained on)")
    if factor == 1:
        return frames.clone()
    height, width = frames.shape[-2:]
    # Edge padding to a multiple keeps every cell factor x factor pixels, so the grid does not depend on the frame size.
    padded = F.pad(frames, (0, -width % factor, 0, -height % factor), mode="replicate")
    small = F.avg_pool2d(padded, factor)
    # Bilinear, not bicubic: it cannot overshoot [0, 1], so no clamp bends the colours at edges.
    grown = F.interpolate(small, size=padded.shape[-2:], mode="bilinear", align_corners=False)
    return grown[..., :height, :width].contiguous()
