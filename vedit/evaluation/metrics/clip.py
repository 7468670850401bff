"""How well a result goes with its prompt, and its frames with each other, by networks taught on pictures and texts.

Such a network sees what a picture is of and in what manner it is made; it does not see flicker, and a frozen clip has
the best consistency of all: read it beside the source's own.
"""

from __future__ import annotations

import json
from itertools import combinations
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from vedit.errors import ModelError
from vedit.evaluation.definition import Definition, Score
from vedit.evaluation.networks import Network, network, pixels
from vedit.evaluation.tally import Tally, spread
from vedit.weights.store import load_from

if TYPE_CHECKING:
    from pathlib import Path

    from vedit.evaluation.metric import Setting, Step
    from vedit.evaluation.picture import Picture

PLACES = 8
"""At most, of a clip: each is a frame and the one after it."""
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
_LOOKED_AT = (
    "frames scaled to the network's size by their shorter side, bicubic, middle square; at most 8 places evenly spread "
    "over the clip"
)
CLIP_FIGURES = (
    Definition(
        name="clip_text",
        title="Goes with the prompt (CLIP)",
        unit="x 100",
        better="higher",
        ideal=None,
        variant=f"100 times the cosine of frame and prompt by CLIP ViT-L/14, mean of frames and prompts; {_LOOKED_AT}",
        paper="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021",
        places=2,
    ),
    Definition(
        name="clip_consecutive",
        title="Frames alike, neighbours (CLIP)",
        unit="",
        better="higher",
        ideal=None,
        variant=(
            "cosine of a frame and the next of the same shot by CLIP ViT-L/14, mean over the places (the variant of "
            f"StreamV2V: consecutive pairs; a frozen clip has 1); {_LOOKED_AT}"
        ),
        places=4,
    ),
    Definition(
        name="clip_all_pairs",
        title="Frames alike, all pairs (CLIP)",
        unit="",
        better="higher",
        ideal=None,
        variant=(
            "the same, mean over all pairs of places of the same shot (the variant of RAVE and LOVEU-TGVE; a frozen "
            f"clip has 1); {_LOOKED_AT}"
        ),
        places=4,
    ),
)
PICK_FIGURES = (
    Definition(
        name="pick_score",
        title="Goes with the prompt (PickScore)",
        unit="",
        better="higher",
        ideal=None,
        variant=(
            "the network's scale, about 100, times the cosine of frame and prompt by PickScore v1, mean of frames and "
            f"prompts; {_LOOKED_AT}"
        ),
        paper="Kirstain et al., Pick-a-Pic: An Open Dataset of User Preferences for Text-to-Image Generation, 2023",
        places=2,
    ),
)


class TextAndPictures:
    """The metric, by one of the networks.

    Args:
        weights: their name.
        figures: that of the text first, then those of pairs of frames, where there are any.
        scaled: by the network's own scale, else by 100.
    """

    quick = False
    whole_shot = False

    def __init__(self, weights: str, figures: tuple[Definition, ...], *, scaled: bool) -> None:
        self.weights, self.figures, self.scaled = weights, figures, scaled

    def start(self, setting: Setting) -> TextMeasure:
        return TextMeasure(self, setting)


class TextMeasure:
    """The metric at work."""

    def __init__(self, metric: TextAndPictures, setting: Setting) -> None:
        self._metric = metric
        self._places = spread(setting.shots, PLACES)
        self._firsts: dict[int, list[torch.Tensor]] = {}
        self._before: tuple[int, int, torch.Tensor] | None = None
        found = network(metric.weights, "CLIPModel", picture_direction)
        self._network = None if isinstance(found, str) else found
        self._why = found if isinstance(found, str) else ""
        self._texts, why = self._read(self._network, setting.prompts)
        self._text = Tally(metric.figures[0].name, self._why or why)
        self._pairs = Tally("clip_consecutive", self._why or "no shot has two frames")

    def _read(self, found: Network | None, prompts: tuple[str, ...]) -> tuple[torch.Tensor | None, str]:
        """The directions of the prompts, or why there are none."""
        told = tuple(text for text in prompts if text.strip())
        if found is None or not told:
            return None, "no prompt was given"
        try:
            return text_directions(found, self._metric.weights, told), "no frame was looked at"
        except ModelError as error:
            return None, str(error)

    def push(self, step: Step) -> None:
        shot, first = step.shot.number, step.frame in self._places
        follows = self._before is not None and self._before[:2] == (shot, step.frame - 1)
        if self._network is None or not (first or (follows and len(self._metric.figures) > 1)):
            return
        direction = self._network.of(step.result)
        if follows and self._before is not None:
            self._pairs.add(step.frame, float(self._before[2] @ direction))
        self._before = None
        if first:
            self._before = (shot, step.frame, direction)
            self._firsts.setdefault(shot, []).append(direction)
            if self._texts is not None:
                scale = float(self._network.model.logit_scale.detach().exp()) if self._metric.scaled else 100.0
                self._text.add(step.frame, scale * float((self._texts @ direction).mean()))

    def finish(self) -> tuple[Score, ...]:
        every = [float(a @ b) for firsts in self._firsts.values() for a, b in combinations(firsts, 2)]
        mean = sum(every) / len(every) if every else None
        why = "" if every else self._why or "no shot has two places"
        scores = (self._text.score(), self._pairs.score(), Score(name="clip_all_pairs", value=mean, why=why))
        return scores[: len(self._metric.figures)]


METRIC = TextAndPictures("clip-vit-large-patch14", CLIP_FIGURES, scaled=False)
PICKSCORE = TextAndPictures("pickscore-v1", PICK_FIGURES, scaled=True)


def picture_direction(model: Any, folder: Path, picture: Picture) -> torch.Tensor:
    """(dimensions): of length 1."""
    side = int(model.config.vision_config.image_size)
    height, width = picture.size
    scale = side / min(height, width)
    size = (max(side, round(height * scale)), max(side, round(width * scale)))
    told: dict[str, Any] = {}
    if (folder / "preprocessor_config.json").is_file():
        told = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))
    scaled = pixels(picture, size, told.get("image_mean", _MEAN), told.get("image_std", _STD))
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    return _direction(model.get_image_features(pixel_values=scaled[..., top : top + side, left : left + side]))[0]


def text_directions(found: Network, weights: str, texts: tuple[str, ...]) -> torch.Tensor:
    """(texts, dimensions): each of length 1. Raises ModelError where the tokenizer's files are absent or damaged."""

    def load(folder: Path) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    tokenizer = load_from(weights, load)
    length = int(found.model.config.text_config.max_position_embeddings)
    read = tokenizer(list(texts), padding="max_length", truncation=True, max_length=length, return_tensors="pt")
    with torch.inference_mode():
        return _direction(found.model.get_text_features(**read)).clone()


def _direction(features: Any) -> torch.Tensor:
    """What a release of transformers gives: the projected vectors, or an output that holds them."""
    return F.normalize(getattr(features, "pooler_output", features), dim=1)
