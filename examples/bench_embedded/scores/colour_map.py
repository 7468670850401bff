"""The rival that knows no texture: one fixed map from colour to colour, fitted per look."""

from __future__ import annotations

from dataclasses import dataclass

import torch

DEGREE = 3
_EXPONENTS = tuple(
    (r, g, b) for r in range(DEGREE + 1) for g in range(DEGREE + 1 - r) for b in range(DEGREE + 1 - r - g)
)
_RIDGE = 1e-4


@dataclass(frozen=True, kw_only=True)
class ColourMap:
    """A cubic polynomial of (R, G, B) for each channel, clipped to [0, 1]."""

    weights: torch.Tensor
    """(20, 3): one row for each monomial."""

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> the same shape."""
        mapped = _monomials(pictures.movedim(1, -1)) @ self.weights
        return mapped.clamp(0, 1).movedim(-1, 1).contiguous()


def fit_colour_map(sources: torch.Tensor, targets: torch.Tensor) -> ColourMap:
    """Least squares over all pixels of (N, 3, H, W) pairs (Hong et al., "A study of digital camera colorimetric
    characterization based on polynomial modeling", 2001), with a ridge so that colours seen rarely stay tame."""
    inputs = _monomials(sources.movedim(1, -1).reshape(-1, 3)).double()
    wanted = targets.movedim(1, -1).reshape(-1, 3).double()
    normal = inputs.T @ inputs / len(inputs) + _RIDGE * torch.eye(inputs.shape[1])
    return ColourMap(weights=torch.linalg.solve(normal, inputs.T @ wanted / len(inputs)).float())


def _monomials(colours: torch.Tensor) -> torch.Tensor:
    """(..., 3) -> (..., 20)."""
    red, green, blue = colours.unbind(-1)
    return torch.stack([red**r * green**g * blue**b for r, g, b in _EXPONENTS], dim=-1)
