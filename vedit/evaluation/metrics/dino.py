"""How far the structure of a result is from the source's, as a network sees it that was taught on no labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from vedit.evaluation.definition import Definition
from vedit.evaluation.networks import network, pixels
from vedit.evaluation.tally import Tally, spread

if TYPE_CHECKING:
    from pathlib import Path

    from vedit.evaluation.definition import Score
    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.picture import Picture

WEIGHTS = "dino-vitb8"
FRAMES = 8
"""At most, of a clip: each costs a run of a network of 86 million weights over 785 tokens."""
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

FIGURES = (
    Definition(
        name="structure_distance",
        title="Structure moved by (DINO)",
        unit="x 1000",
        better="lower",
        ideal=0.0,
        variant=(
            "1000 times the mean squared difference of the self-similarity matrices (cosines between all pairs of "
            "tokens, the class token among them) of the keys of the last layer (11, counted from 0) of DINO ViT-B/8, "
            "source against result; frames scaled to 224x224, aspect aside, bicubic; mean over at most 8 frames evenly "
            "spread over the clip"
        ),
        paper="Tumanyan et al., Splicing ViT Features for Semantic Appearance Transfer, 2022",
        places=1,
    ),
)


class Dino:
    """The metric."""

    figures = FIGURES
    quick = False
    whole_shot = False

    def start(self, setting: Setting) -> DinoMeasure:
        return DinoMeasure(setting)


class DinoMeasure:
    """The metric at work."""

    def __init__(self, setting: Setting) -> None:
        self._frames = spread(setting.shots, FRAMES)
        found = network(WEIGHTS, "ViTModel", self_similarity, add_pooling_layer=False)  # its files have none
        self._network = None if isinstance(found, str) else found
        self._tally = Tally("structure_distance", found if isinstance(found, str) else "no frame was looked at")

    def push(self, step: Step) -> None:
        if self._network is None or step.frame not in self._frames:
            return
        source, result = self._network.of(step.source), self._network.of(step.result)
        self._tally.add(step.frame, 1000 * float((source - result).square().mean()))

    def finish(self) -> tuple[Score, ...]:
        return (self._tally.score(),)


METRIC = Dino()


def self_similarity(model: Any, _folder: Path, picture: Picture) -> torch.Tensor:
    """(tokens, tokens): cosines between the keys of the last layer."""
    side = int(model.config.image_size)
    kept: list[torch.Tensor] = []
    # Named differently by releases of transformers.
    keys = [part for name, part in model.named_modules() if name.endswith((".k_proj", ".attention.key"))][-1]

    def keep(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        kept.append(output)

    handle = keys.register_forward_hook(keep)
    try:
        model(pixels(picture, (side, side), _MEAN, _STD))
    finally:
        handle.remove()
    directions = F.normalize(kept[0][0], dim=1)
    return directions @ directions.T
