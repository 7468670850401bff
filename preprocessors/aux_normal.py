"""Surface normals by NormalBae of controlnet-aux (Bae et al., 2021)."""

from __future__ import annotations

import warnings
from contextlib import redirect_stdout
from io import StringIO
from types import SimpleNamespace

import torch
from torch import nn

from vedit.preprocessors.aux_load import class_of, network, on_frames

_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normal(frames: torch.Tensor) -> torch.Tensor:
    """Which way surfaces face, as colour: the three parts of the normal, -1 to 1, shown as red, green, blue 0 to 1.

    Args:
        frames: float (T, 3, H, W) in [0, 1].

    Returns:
        (T, 3, H, W) in [0, 1], each frame on its own.

    Raises:
        InputError: controlnet-aux is not installed.
        ModelError: the weights `normalbae` are absent or damaged.
    """
    run = network("normalbae", _normal, frames.device)
    mean, spread = (torch.tensor(values, device=frames.device).view(1, 3, 1, 1) for values in (_MEAN, _SPREAD))
    # The last of its scales is the finest; channels after the third are its doubt.
    return on_frames(frames, lambda seen: (run((seen - mean) / spread)[0][-1][:, :3] + 1) / 2)


def _normal() -> nn.Module:
    build = class_of("normalbae.nets.NNET", "NNET")
    # It tells what it does, and standard output is the user's.
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return build(
            SimpleNamespace(
                mode="client", architecture="BN", pretrained="scannet", sampling_ratio=0.4, importance_ratio=0.7
            )
        )
