"""Networks that say of every pixel which of the ADE20K classes it is, run through transformers without torchvision.

UperNet (Xiao et al., "Unified Perceptual Parsing for Scene Understanding", 2018), Mask2Former (Cheng et al.,
"Masked-attention Mask Transformer for Universal Image Segmentation", 2022) and SegFormer (Xie et al., 2021).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import torch
from torch.nn import functional as F

from vedit.errors import ModelError
from vedit.preprocessors.segment_palette import CLASSES
from vedit.weights.store import load_pretrained, local

_STRIDE = 32
"""Sides of what the networks see are multiples of it: the coarsest of their four feature maps."""
_WIDEST = 4
"""The long side is at most this many short sides: a ribbon of a picture must not ask for any amount of memory."""
_IMAGENET_MEAN, _IMAGENET_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class PictureFormat:
    """How a network wants its pictures: what `preprocessor_config.json` beside its weights says."""

    short_side: int
    mean: tuple[float, ...] = _IMAGENET_MEAN
    spread: tuple[float, ...] = _IMAGENET_SPREAD

    def normalise(self, frames: torch.Tensor) -> torch.Tensor:
        """Float (T, 3, h, w) in [0, 1] -> zero mean and unit spread by channel."""
        mean, spread = (torch.tensor(v, device=frames.device).view(1, 3, 1, 1) for v in (self.mean, self.spread))
        return (frames.float() - mean) / spread


def picture_format(folder: Path, *, default: int) -> PictureFormat:
    """The format that a folder of weights asks for; ImageNet's statistics and `default` where it says nothing."""
    file = folder / "preprocessor_config.json"
    try:
        said = cast("dict[str, Any]", json.loads(file.read_text("utf-8"))) if file.is_file() else {}
        size = said.get("size", default)
        sides = list(cast("dict[str, int]", size).values()) if isinstance(size, dict) else [size]
        return PictureFormat(
            short_side=max(1, min(int(side) for side in sides)),
            mean=tuple(float(v) for v in said.get("image_mean", _IMAGENET_MEAN)),
            spread=tuple(float(v) for v in said.get("image_std", _IMAGENET_SPREAD)),
        )
    except (ValueError, TypeError) as error:
        raise ModelError(f"{file} cannot be read: {error}", remedy="fetch the weights again") from error


def working_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """The size nearest to the picture's shape that a network can take: even scaling to `short_side`, then rounding."""
    scale = short_side / min(height, width)
    most = _WIDEST * short_side

    def fit(side: int) -> int:
        return _STRIDE * max(1, round(min(side * scale, most) / _STRIDE))

    return fit(height), fit(width)


Classify = Callable[[torch.Tensor], torch.Tensor]
"""Float frames (T, 3, H, W) in [0, 1] -> probabilities (T, 150, h, w), at about a quarter of the size worked at."""


def load_classifier(name: str, device: str) -> Classify:
    """The network of these weights, each frame on its own.

    Raises:
        ModelError: the weights are absent or damaged, or of a model that knows other classes.
    """
    return _load(name, local(name), device)


@lru_cache(maxsize=1)
def _load(name: str, folder: Path, device: str) -> Classify:
    import transformers

    classes, probabilities = _FAMILIES[name]
    model = load_pretrained(name, getattr(transformers, classes)).to(device)
    if model.config.num_labels != CLASSES:
        raise ModelError(
            f"{name} tells {model.config.num_labels} classes apart, where the colours are those of ADE20K's {CLASSES}",
            remedy=f"run: vedit models pull {name} --force",
        )
    wanted = picture_format(folder, default=512)

    @torch.inference_mode()
    def classify(frames: torch.Tensor) -> torch.Tensor:
        size = working_size(frames.shape[-2], frames.shape[-1], wanted.short_side)
        seen = F.interpolate(frames.float().to(device), size, mode="bilinear", antialias=True)
        return probabilities(model, wanted.normalise(seen))

    return classify


def _of_upernet(model: Any, pictures: torch.Tensor) -> torch.Tensor:
    # The model's own forward grows the logits of both heads to the full size: 150 planes of it, twice, for nothing.
    return model.decode_head(model.backbone(pictures).feature_maps).softmax(1)


def _of_segformer(model: Any, pictures: torch.Tensor) -> torch.Tensor:
    return model(pixel_values=pictures).logits.softmax(1)


def _of_mask2former(model: Any, pictures: torch.Tensor) -> torch.Tensor:
    """Each query's class, spread over its mask (Mask2Former's semantic inference, section 3); the rest is no class."""
    found = model(pixel_values=pictures)
    classes = found.class_queries_logits.softmax(-1)[..., :-1]
    mass = torch.einsum("tqc,tqhw->tchw", classes, found.masks_queries_logits.sigmoid())
    return mass / mass.sum(1, keepdim=True).clamp(min=1e-6)


_FAMILIES: dict[str, tuple[str, Callable[[Any, torch.Tensor], torch.Tensor]]] = {
    "upernet-convnext-tiny": ("UperNetForSemanticSegmentation", _of_upernet),
    "mask2former-swin-small-ade": ("Mask2FormerForUniversalSegmentation", _of_mask2former),
    "segformer-b0-ade": ("SegformerForSemanticSegmentation", _of_segformer),
}
