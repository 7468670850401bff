"""CLIP and PickScore as the scorers use them, from weights that are on this machine. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from published.item import Layout
from vedit.errors import ModelError
from vedit.weights.hub_cache import snapshots_of

if TYPE_CHECKING:
    import numpy.typing as npt

    Plane = npt.NDArray[np.float32]

_AT_ONCE = 8
_WORDS = "*token*.json"


def on_this_machine(repo: str, weights: Path | None = None, *, pattern: str = "*.safetensors") -> Path | None:
    """The folder of a repository: OWNER/NAME or NAME below a folder of the user's, else in the hub's cache.

    Args:
        repo: owner/name.
        weights: a folder of weights; None looks in the cache alone.
        pattern: of files that have to be in it.
    """
    places = [] if weights is None else [weights / repo, weights / repo.rpartition("/")[2]]
    snapshots = snapshots_of(repo)
    if snapshots.is_dir():
        places += sorted(snapshots.iterdir())
    return next((place for place in places if any(place.glob(pattern))), None)


def load_scores(layout: Layout, weights: Path | None, device: str) -> dict[str, ClipScores]:
    """By repository, what a layout needs and this machine has. Raises ModelError where weights cannot be loaded."""
    found: dict[str, ClipScores] = {}
    for need in layout.needs:
        folder = on_this_machine(need.repo, weights) if need.repo else None
        words = on_this_machine(need.processor or need.repo, weights, pattern=_WORDS)
        if folder is not None and words is not None:
            found[need.repo] = ClipScores(folder, device, processor=words)
    return found


class ClipScores:
    """A CLIP model and its processor; safetensors only, in float32.

    Args:
        folder: of the model.
        device: where it runs.
        processor: the folder with its tokenizer; None is the model's.

    Raises:
        ModelError: the folder holds no CLIP model that can be loaded.
    """

    def __init__(self, folder: Path, device: str = "cpu", *, processor: Path | None = None) -> None:
        from transformers import AutoProcessor, CLIPModel

        try:
            model = CLIPModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
            prepare: Any = AutoProcessor.from_pretrained(processor or folder, local_files_only=True)
        except Exception as error:  # transformers has errors of its own for every kind of bad file
            told = str(error).strip().partition("\n")[0]
            raise ModelError(f"{folder} cannot be loaded as CLIP: {told}", remedy="fetch the weights anew") from error
        self._device = device
        self._model: Any = model.eval().to(device)  # pyright: ignore[reportArgumentType]
        self._processor = prepare

    def text(self, frames: Sequence[Plane], prompt: str) -> list[float]:
        """For each frame the cosine with the prompt times the model's scale, which is 100 in CLIP and PickScore."""
        with torch.inference_mode():
            words = self._processor(text=[prompt], return_tensors="pt", padding=True, truncation=True)
            direction = _unit(_features(self._model.get_text_features(**words.to(self._device))))
            cosines = self._pictures(frames) @ direction[0]
            return [float(value) for value in self._model.logit_scale.exp().cpu() * cosines]

    def frames(self, frames: Sequence[Plane]) -> float | None:
        """The mean cosine over all pairs of frames, not of neighbours only; None for a single one."""
        if len(frames) < 2:
            return None
        with torch.inference_mode():
            directions = self._pictures(frames).double()
        count = len(frames)
        cosines = directions @ directions.T
        return float((cosines.sum() - cosines.diagonal().sum()) / (count * (count - 1)))

    def _pictures(self, frames: Sequence[Plane]) -> torch.Tensor:
        """(T, D) of length 1, on the CPU."""
        parts: list[torch.Tensor] = []
        for start in range(0, len(frames), _AT_ONCE):
            pictures = [np.rint(frame * 255).astype(np.uint8) for frame in frames[start : start + _AT_ONCE]]
            given = self._processor(images=pictures, return_tensors="pt").to(self._device)
            parts.append(_unit(_features(self._model.get_image_features(**given))))
        return torch.cat(parts)


def _features(found: Any) -> torch.Tensor:
    """Of transformers 5, which gives an output with them, and of older ones, which give them."""
    tensor: torch.Tensor = found if isinstance(found, torch.Tensor) else found.pooler_output
    return tensor.float().cpu()


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    return vectors / vectors.norm(dim=-1, keepdim=True)
