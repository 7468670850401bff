"""What contract checks have in common: a picture that moves, and the world that a part must leave as it found it."""

from __future__ import annotations

import os
import random
import warnings

import cv2
import numpy as np
import torch


def shifted(size: tuple[int, int], count: int) -> torch.Tensor:
    """(count, 3, *size) in [0, 1]: a texture under a camera that goes two pixels to the right with each frame."""
    height, width = size
    noise = np.random.default_rng(3).random((height, width + 2 * count, 3)).astype(np.float32)
    picture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.float32)
    picture = (picture - picture.min()) / (picture.max() - picture.min())
    cut = [picture[:, 2 * number : 2 * number + width] for number in range(count)]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).contiguous()


def world() -> dict[str, object]:
    """What a preprocessor must leave as it found it."""
    return {
        "default dtype": torch.get_default_dtype(),
        "grad": torch.is_grad_enabled(),
        "threads of torch": torch.get_num_threads(),
        "threads of OpenCV": cv2.getNumThreads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "state of torch": torch.get_rng_state().tolist(),
        "state of numpy": str(np.random.get_state()),
        "state of random": random.getstate(),
        "environment": dict(os.environ),
        "warnings": list(warnings.filters),
    }
