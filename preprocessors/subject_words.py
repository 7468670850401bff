"""Words -> boxes on one frame, by OWLv2 (Minderer et al., "Scaling Open-Vocabulary Object Detection", 2023).

Run through transformers; its picture preprocessing needs no torchvision because it is done here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from vedit.preprocessors.segment_models import PictureFormat
from vedit.weights.store import load_from, load_pretrained

WEIGHTS = "owlv2-base-patch16"
_MEAN, _SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Channel statistics of CLIP's pictures."""
_PAD = 0.5
"""Grey below and to the right of a picture that is no square, as the model was trained."""
_LENGTH = 16
"""Tokens of a query."""
_OVERLAP = 0.5
"""Of two boxes that overlap by more than this (intersection over union), the likelier one counts."""
_NEAR_BEST = 0.5
"""Boxes below this part of the best score are left out: beside a clear find they are mostly false alarms."""
_MOST = 8

Box = tuple[float, float, float, float]


def find_boxes(frame: torch.Tensor, text: str, *, threshold: float) -> tuple[tuple[Box, ...], float]:
    """Where on a frame something described in words is.

    Args:
        frame: float (3, H, W) in [0, 1].
        text: what to look for, for instance "the dog" or "a red car".
        threshold: score in [0, 1] that a box must reach.

    Returns:
        Boxes (left, top, right, bottom) in pixels within the frame, the likeliest first, none where no score reaches
        the threshold; and the best score of all.

    Raises:
        ModelError: the weights `owlv2-base-patch16` are absent or damaged.
    """
    from transformers import Owlv2ForObjectDetection

    # Not kept: it is used once for a shot, and is four times as large as the tracker.
    model = load_pretrained(WEIGHTS, Owlv2ForObjectDetection).to(frame.device)
    side = int(model.config.vision_config.image_size)
    picture = PictureFormat(short_side=side, mean=_MEAN, spread=_SPREAD).normalise(_square(frame, side))
    with torch.inference_mode():
        found = model(pixel_values=picture, **_tokens(text).to(frame.device))
    scores = found.logits[0].amax(-1).sigmoid().float().cpu()
    boxes = _corners(found.pred_boxes[0].float().cpu(), (frame.shape[-2], frame.shape[-1]))
    best = float(scores.max())
    return _distinct(boxes, scores, max(threshold, _NEAR_BEST * best)), best


def _tokens(text: str) -> Any:
    """The text as it is and as a caption, as in CLIP's prompts; a leading article means nothing to the model."""
    from transformers import AutoTokenizer

    bare = re.sub(r"^(the|an?)\s+", "", " ".join(text.split()).lower())

    def load(folder: Path) -> Any:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    tokenizer = load_from(WEIGHTS, load)
    queries = [bare, f"a photo of a {bare}"]
    return tokenizer(queries, padding="max_length", truncation=True, max_length=_LENGTH, return_tensors="pt")


def _square(frame: torch.Tensor, side: int) -> torch.Tensor:
    """(3, H, W) -> (1, 3, side, side), padded to a square first."""
    height, width = frame.shape[-2:]
    longer = max(height, width)
    padded = F.pad(frame.float()[None], (0, longer - width, 0, longer - height), value=_PAD)
    return F.interpolate(padded, (side, side), mode="bilinear", antialias=True)


def _corners(boxes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, 4) centre and extent as parts of the padded square -> left, top, right, bottom in pixels of the frame."""
    height, width = size
    centre, extent = boxes[:, :2] * max(size), boxes[:, 2:] * max(size)
    limit = torch.tensor([width, height], dtype=boxes.dtype)
    return torch.cat([(centre - extent / 2).clamp(min=0).minimum(limit), (centre + extent / 2).minimum(limit)], 1)


def _distinct(boxes: torch.Tensor, scores: torch.Tensor, least: float) -> tuple[Box, ...]:
    """Greedy non-maximum suppression of the boxes that score at least `least`."""
    kept: list[torch.Tensor] = []
    for index in scores.argsort(descending=True, stable=True).tolist():
        if scores[index] < least or len(kept) == _MOST:
            break
        box = boxes[index]
        if bool((box[2:] - box[:2] >= 1).all()) and all(_shared(box, other) <= _OVERLAP for other in kept):
            kept.append(box)
    return tuple((float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in kept)


def _shared(one: torch.Tensor, other: torch.Tensor) -> float:
    """Intersection over union."""
    inner = (torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])).clamp(min=0).prod()
    areas = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()
    return float(inner / (areas - inner))
