"""Guidance: how a conditional and an unconditional output become one."""

from __future__ import annotations

import torch


def classifier_free(conditional: torch.Tensor, unconditional: torch.Tensor, *, scale: float) -> torch.Tensor:
    """Classifier-free guidance (Ho & Salimans 2022, eq. 6, in the form w = scale): scale 1 is the conditional."""
    return unconditional + scale * (conditional - unconditional)
