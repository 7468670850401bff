"""What every pixel is, as a picture in the 150 colours of ADE20K: for segmentation ControlNets. Steady in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch.nn import functional as F

from vedit.flow.estimate import estimate_flow, warp
from vedit.preprocessors.batches import rebatch
from vedit.preprocessors.segment_models import load_classifier
from vedit.preprocessors.segment_palette import paint

MEMORY = 0.6
"""Part of a pixel's probabilities that comes from where it was in the last frame: a class has to win for about two
frames before the map follows. Fixed, so that a frame's map does not depend on how long the shot goes on."""
_BATCH = 2
"""Frames at once: UperNet's head takes half a gigabyte for each."""


def segment(chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Semantic maps by UperNet with ConvNeXt-Tiny (MIT), steadied along the optical flow.

    Args:
        chunks: one shot, float (T, 3, H, W) in [0, 1], in chunks of any lengths.

    Yields:
        Float (T, 3, H, W) in [0, 1], each pixel one of the colours of `segment_palette`; as many frames as came.

    Raises:
        ModelError: the weights `upernet-convnext-tiny` are absent or damaged.
    """
    return _maps(chunks, "upernet-convnext-tiny")


def segment_mask2former(chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """As `segment`, by Mask2Former with Swin-Small: finer, slower; its licence does not clearly allow commercial use.

    Raises:
        ModelError: the weights `mask2former-swin-small-ade` are absent or damaged.
    """
    return _maps(chunks, "mask2former-swin-small-ade")


def segment_segformer(chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """As `segment`, by SegFormer B0: the fastest; its licence forbids commercial use.

    Raises:
        ModelError: the weights `segformer-b0-ade` are absent or damaged.
    """
    return _maps(chunks, "segformer-b0-ade")


def steady_classes(chunks: Iterable[torch.Tensor], weights: str) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Class probabilities of a shot, carried along the motion so that they do not flicker.

    Where the flow to the last frame has a match, a pixel's probabilities are a running mean along its path, with the
    weight `MEMORY` on the past; where it has none they are the frame's own. Only the last frame is kept.

    Args:
        chunks: as of `segment`.
        weights: name of the network's weights.

    Yields:
        A frame, (1, 3, H, W) as it came, and its probabilities (1, 150, h, w), at the network's own size.
    """
    before: tuple[torch.Tensor, torch.Tensor] | None = None
    for frames in rebatch(chunks, _BATCH):
        found = load_classifier(weights, str(frames.device))(frames)
        small = F.interpolate(frames.float(), found.shape[-2:], mode="bilinear", antialias=True).clamp(0, 1)
        for frame, picture, classes in zip(frames.split(1), small.split(1), found.split(1), strict=True):
            steady = classes if before is None else _follow(before, (picture, classes))
            before = (picture, steady)
            yield frame, steady


def _maps(chunks: Iterable[torch.Tensor], weights: str) -> Iterator[torch.Tensor]:
    for frame, classes in steady_classes(chunks, weights):
        yield paint(_labels(classes, (frame.shape[-2], frame.shape[-1]))).to(frame)


def _follow(before: tuple[torch.Tensor, torch.Tensor], now: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """The probabilities of this frame, mixed with those of the last at the place each pixel came from."""
    classes = now[1]
    motion = estimate_flow(torch.cat([before[0], now[0]]))
    carried = warp(before[1], motion.backward.to(classes))
    return classes + MEMORY * (~motion.backward_occlusion).to(classes) * (carried - classes)


def _labels(classes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The likeliest class of each pixel of the full frame, (1, H, W).

    Only classes that lead somewhere at the network's own size are grown. That saves most of 150 full planes, and a
    border between two classes cannot become a thin line of a third, which is second on both of its sides.
    """
    leading = classes.argmax(1).unique()
    grown = F.interpolate(classes[:, leading], size, mode="bilinear")
    return leading[grown.argmax(1)]
