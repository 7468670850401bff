"""The model under measurement, through vedit's public pipeline; rendered pictures are kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scores.weak import marked
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.recipes import by_recipe
from vedit.models.ref import ModelRef
from vedit.models.resolve import resolve
from vedit.models.source import LOOKS
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.ranges import to_integer
from vedit.types import ControlSpec


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How pictures are rendered; None is what vedit does unasked."""

    quality: str = "standard"
    guidance: float | None = None
    strength: float | None = None
    tile: float | None = None
    softedge: float | None = None
    seed: int = 0

    def text(self) -> str:
        """Those that are given."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return ", ".join(f"{name} {value}" for name, value in given.items())


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The loaded model, its settings, and where its pictures are kept."""

    model: SDModel
    found: ModelRef
    """The same as it lay there before it was loaded."""
    weights: Mapping[str, object]
    settings: Settings
    folder: Path

    def options(self, prompt: str, **changes: Any) -> RestyleOptions:
        """The settings as vedit's options, for one prompt."""
        own = self.settings
        given: dict[str, Any] = {
            "quality": own.quality,
            # None is the model's own, or that of its fast tier; a folder that lists its looks has the embedded one's.
            "guidance": own.guidance,
            "seed": own.seed,
            "controls": (
                ControlSpec(kind="tile", scale=1.0 if own.tile is None else own.tile),
                ControlSpec(kind="softedge", scale=1.0 if own.softedge is None else own.softedge),
            ),
        }
        if own.strength is not None:
            given["strength"] = own.strength
        # As in a render: each look by its recipe, where nothing is said that a recipe would set.
        return by_recipe(RestyleOptions(prompt=prompt, **(given | changes)), self.found)

    def frames(self, options: RestyleOptions, frames: torch.Tensor) -> torch.Tensor:
        """Consecutive frames (T, 3, H, W) restyled together, as the network gives them."""
        restyler, numbers = prepare(self.model, options), range(len(frames))
        latents = restyle_frames(restyler, frames, numbers, own_guides(restyler)(numbers, frames))
        return self.model.codec.decode(latents.data)

    def pictures(self, prompt: str, sources: torch.Tensor) -> torch.Tensor:
        """Pictures that have nothing to do with each other; rounded to 8 bits, and kept for the other parts."""
        # A frame that is its own anchor sees itself alone: without cross-frame attention it comes out the same.
        options = self.options(prompt, cross_frame=False)
        state = json.dumps([dict(self.weights), asdict(options)], sort_keys=True).encode()
        key = hashlib.sha256(state + sources.numpy().tobytes()).hexdigest()[:16]
        path = self.folder / f"{prompt.replace(' ', '-')}.{key}.npy"
        if not path.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, to_integer(self.frames(options, sources), 8))
            part.replace(path)
        return torch.from_numpy(np.load(path)).float() / 255

    def through_autoencoder(self, pictures: torch.Tensor) -> torch.Tensor:
        """Encoded and decoded, nothing else."""
        return self.model.codec.decode(self.model.codec.encode(pictures))


def load_subject(folder: Path, settings: Settings, pictures: Path) -> Subject:
    """The model of a diffusers folder, on the CPU."""
    before, found = fingerprint(folder), resolve(str(folder))
    return Subject(
        model=load_sd(found, controls=("tile", "softedge")),
        found=found,
        weights={"folder": str(folder), "fingerprint": before},
        settings=settings,
        folder=pictures,
    )


def fingerprint(folder: Path) -> str:
    """Of all weights and configs: a checkpoint in training changes under the same name."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".safetensors", ".json"}:
            digest.update(path.relative_to(folder).as_posix().encode() + _measured(path))
    return f"sha256 {digest.hexdigest()[:12]}"


def _measured(path: Path) -> bytes:
    """What of a file decides figures: not the marks of weak looks, which follow from them."""
    raw = path.read_bytes()
    if path.name != LOOKS:
        return raw
    return (json.dumps(marked(json.loads(raw), {}), indent=1) + "\n").encode()
