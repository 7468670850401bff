"""The metrics, on pictures (N, 3, H, W) in [0, 1]; no model and no file is touched here."""

from __future__ import annotations

from functools import cache

import cv2
import torch
from kornia.filters import gaussian_blur2d
from torch.nn import functional as F

from vedit.flow.estimate import estimate_flow, warp

PATCH = 8
STRIDE = 4
QUANTILES = 512
HIGH_PASS_SIGMA = 3.0
MOVING_PIXELS = 0.5
"""Flow in pixels at a short side of 256 from which a pixel counts as moving."""


@cache
def directions(size: int) -> torch.Tensor:
    """(size, size): a random rotation, the same at every call.

    Orthogonal directions have less variance than independent ones (Rowland et al., "Orthogonal Estimation of
    Wasserstein Distances", 2019), and a full set of them gives a shift of all values its exact length.
    """
    draws = torch.randn(size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.linalg.qr(draws).Q.float()


def patch_sketch(pictures: torch.Tensor) -> torch.Tensor:
    """The distribution of a set's 8x8 patches, at full and at half size: (2, 192, QUANTILES).

    Row k holds quantiles of the patches' projections on direction k. They are all that the sliced distance looks at,
    so a set is projected and sorted once however many others it is compared with.
    """
    rows: list[torch.Tensor] = []
    for scaled in (pictures, F.avg_pool2d(pictures, 2)):
        patches = F.unfold(scaled.float(), PATCH, stride=STRIDE)  # (N, 192, places)
        size = patches.shape[1]
        projected = directions(size).T @ patches.transpose(0, 1).reshape(size, -1)
        rows.append(_quantiles(projected.sort(dim=1).values))
    return torch.stack(rows)


def sketch_distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Sliced Wasserstein distance of two sketches, order 2, the mean of the two scales.

    Rabin et al., "Wasserstein Barycenter and its Application to Texture Mixing", 2011; on image patches at several
    scales as in Karras et al., "Progressive Growing of GANs", 2018, section 5. In units of pixel values, taken by the
    root mean square: pictures that differ by a constant c are c apart.
    """
    return float((a - b).square().mean(dim=(1, 2)).sqrt().mean())


def sliced_wasserstein(a: torch.Tensor, b: torch.Tensor) -> float:
    """`sketch_distance` of two sets of pictures."""
    return sketch_distance(patch_sketch(a), patch_sketch(b))


def _quantiles(ordered: torch.Tensor, count: int = QUANTILES) -> torch.Tensor:
    """(K, n) sorted -> (K, count): values at the ranks (i + 1/2) / count, linear between neighbours."""
    size = ordered.shape[1]
    at = ((torch.arange(count) + 0.5) / count * size - 0.5).clamp(0, size - 1)
    low = at.floor().long()
    return ordered[:, low].lerp(ordered[:, (low + 1).clamp(max=size - 1)], at - low)


def match_histogram(pictures: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Each channel of each picture with the target's histogram of that channel.

    The map is a function of the value alone (Gonzalez & Woods, "Digital Image Processing", histogram specification),
    so equal values stay equal, and a strictly monotone change of a channel beforehand has no effect.
    """
    out = torch.empty_like(targets)
    for n, channel in ((n, c) for n in range(len(pictures)) for c in range(pictures.shape[1])):
        plane = pictures[n, channel]
        _, place, counts = plane.flatten().unique(return_inverse=True, return_counts=True)
        rank = (counts.cumsum(0) - counts / 2)[place]  # the middle of a value's share, in pixels
        ordered = targets[n, channel].flatten().sort().values
        at = (rank / plane.numel() * len(ordered) - 0.5).clamp(0, len(ordered) - 1)
        low = at.floor().long()
        matched = ordered[low].lerp(ordered[(low + 1).clamp(max=len(ordered) - 1)], at - low)
        out[n, channel] = matched.view_as(plane)
    return out


def high_pass(pictures: torch.Tensor, sigma: float = HIGH_PASS_SIGMA) -> torch.Tensor:
    """Pictures minus their Gaussian: strokes, dots and edges without the colours they lie on."""
    size = 2 * round(3 * sigma) + 1
    return pictures - gaussian_blur2d(pictures, (size, size), (sigma, sigma))


def texture_sketch(pictures: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """`patch_sketch` of the high-pass pictures after histogram matching to the targets, picture by picture."""
    return patch_sketch(high_pass(match_histogram(pictures, targets)))


def motion_error(source: torch.Tensor, result: torch.Tensor) -> float:
    """How much of the source's motion is lost: mean |flow - source flow| over mean |source flow|, moving pixels only.

    The end-point error (Baker et al., "A Database and Evaluation Methodology for Optical Flow", 2011), made relative:
    identical frames score 0 and frozen ones 1. Both flows are OpenCV's DIS at its medium preset, at the frames' size.

    Args:
        source: (T, 3, H, W) consecutive frames.
        result: the same frames restyled.

    Returns:
        NaN where nothing moves.
    """
    truth, found = estimate_flow(source).forward, estimate_flow(result).forward
    moving = _moving(truth)
    error = (found - truth).square().sum(1).sqrt()[moving].mean()
    return float(error / truth.square().sum(1).sqrt()[moving].mean())


def moving_share(frames: torch.Tensor) -> float:
    """The share of pixels whose flow exceeds `MOVING_PIXELS`."""
    return float(_moving(estimate_flow(frames).forward).float().mean())


def _moving(flow: torch.Tensor) -> torch.Tensor:
    scale = min(flow.shape[-2:]) / 256
    return flow.square().sum(1).sqrt() > MOVING_PIXELS * scale


def warp_error(source: torch.Tensor, result: torch.Tensor) -> float:
    """Flicker: mean squared difference between a frame and the next one warped onto it, where the source is seen.

    Lai et al., "Learning Blind Video Temporal Consistency", 2018, equations 8 and 9: flow and occlusion are the
    source's, the pictures are the result's.
    """
    flow = estimate_flow(source)
    seen = ~flow.forward_occlusion
    difference = (warp(result[1:], flow.forward) - result[:-1]).square().mean(1, keepdim=True)
    return float((difference * seen).sum() / seen.sum().clamp_min(1))


def gradient_energy(pictures: torch.Tensor) -> float:
    """Mean squared Sobel gradient of luma."""
    grey = (pictures.float() * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1).numpy()
    total = sum(
        float((cv2.Sobel(plane, cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(plane, cv2.CV_32F, 0, 1) ** 2).mean())
        for plane in grey
    )
    return total / len(grey)


def luma_variance(pictures: torch.Tensor) -> float:
    """Mean over pictures of the variance of luma."""
    grey = (pictures.float() * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1)
    return float(grey.flatten(1).var(dim=1).mean())


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Decibels, the mean over pictures."""
    error = (a - b).square().flatten(1).mean(1).clamp_min(1e-12)
    return float((-10 * error.log10()).mean())
