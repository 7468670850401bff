"""Soft edges by networks of controlnet-aux: HED, PiDiNet, TEED. Every frame on its own, with fixed gain."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from vedit.preprocessors.aux_load import class_of, network, on_frames


def hed(frames: torch.Tensor) -> torch.Tensor:
    """Holistically nested edges (Xie and Tu, 2015), in the network that was retrained for ControlNet 1.1.

    Args:
        frames: float (T, 3, H, W) in [0, 1].

    Returns:
        (T, 3, H, W) in [0, 1], the three channels equal, white edges on black.

    Raises:
        InputError: controlnet-aux is not installed.
        ModelError: the weights `hed` are absent or damaged.
    """
    run = network("hed", _hed, frames.device)
    return on_frames(frames, lambda seen: _merge(run(seen * 255), seen))


def pidi(frames: torch.Tensor) -> torch.Tensor:
    """Edges by pixel differences, PiDiNet (Su et al., 2021); arguments, result and errors as of `hed`."""
    run = network("pidinet", _pidi, frames.device)
    # It was trained on blue, green, red.
    return on_frames(frames, lambda seen: run(seen.flip(1))[-1])


def teed(frames: torch.Tensor) -> torch.Tensor:
    """Tiny and efficient edges (Soria et al., 2023); arguments, result and errors as of `hed`.

    The detector's rounding to three greys is left out: in a video greys that jump are worse than greys.
    """
    run = network("teed", _teed, frames.device)
    return on_frames(frames, lambda seen: _merge(run(seen * 255), seen))


def _merge(sides: tuple[torch.Tensor, ...] | list[torch.Tensor], seen: torch.Tensor) -> torch.Tensor:
    """The side outputs of all scales, logits, brought to one size and averaged."""
    sized = [F.interpolate(side, seen.shape[-2:], mode="bilinear", align_corners=False) for side in sides]
    return torch.stack(sized).mean(0).sigmoid()


def _hed() -> nn.Module:
    return class_of("hed", "ControlNetHED_Apache2")()


def _pidi() -> nn.Module:
    return class_of("pidi.model", "pidinet")()


def _teed() -> nn.Module:
    return class_of("teed.ted", "TED")()
