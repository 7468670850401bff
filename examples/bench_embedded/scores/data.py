"""Held-out photographs, the training styles' pictures of them, and frames of real clips, at the working size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from trainer.looks import LOOKS, Look
from trainer.photos import find_photos, read_photo
from trainer.styles import dress

from vedit.geometry import fit, unfit, working_fit
from vedit.media.reading.read import open_video
from vedit.types import Clip, FrameRange

SIDE = 256
SEED = 20
"""Of the training styles, which draw stroke angles, tints and the like."""
SINGLE_LOOKS = tuple(look for look in LOOKS if look.kind != "plain")


PAIRS = (
    ("oil painting", "night"),
    ("watercolor", "autumn"),
    ("pencil sketch", "winter"),
    ("comic", "sunset"),
    ("pixel art", "night"),
    ("anime", "rain"),
    ("engraving", "fog"),
    ("stained glass", "sunset"),
    ("poster", "desert"),
    ("pastel", "blossom"),
)
"""A medium and a light, by name."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two looks in one prompt: a medium under a light."""

    medium: Look
    light: Look

    @property
    def name(self) -> str:
        """Both of them."""
        return f"{self.medium.name} + {self.light.name}"

    @property
    def prompt(self) -> str:
        """In the plainest words: "oil painting at night"."""
        return f"{self.medium.wordings[0]} {self.light.tails[0]}"


def pairs_of(known: Sequence[Look]) -> tuple[Pair, ...]:
    """Those of `PAIRS` whose looks are both known."""
    named = {look.name: look for look in known}
    return tuple(Pair(medium=named[m], light=named[w]) for m, w in PAIRS if m in named and w in named)


def looks_of(weights: Path) -> tuple[Look, ...]:
    """Those single looks that a diffusers folder was trained on, by its looks.json; all of them where it has none.

    Training styles may be ahead of the weights: what these were never shown says nothing about them.
    """
    listed = weights / "looks.json"
    if not listed.is_file():
        return SINGLE_LOOKS
    names = {look["name"] for look in json.loads(listed.read_text(encoding="utf-8"))["looks"]}
    return tuple(look for look in SINGLE_LOOKS if look.name in names)


@dataclass(frozen=True, kw_only=True)
class Photographs:
    """Photographs of one split, whole, (H, W, 3) float32 in [0, 1]; crops are (N, 3, SIDE, SIDE)."""

    names: tuple[str, ...]
    pictures: tuple[np.ndarray, ...]
    seed: int

    def sources(self) -> torch.Tensor:
        """The middle of each photograph."""
        return torch.stack([_middle(picture) for picture in self.pictures])

    def targets(self, *looks: Look) -> torch.Tensor:
        """What the training styles make of each; styled whole and then cropped, as in training."""
        dressed = (
            dress(picture, looks, np.random.default_rng((self.seed, number)))
            for number, picture in enumerate(self.pictures)
        )
        return torch.stack([_middle(picture) for picture in dressed])


def photographs(folder: Path, *, split: str, count: int, seed: int = SEED) -> Photographs:
    """`count` photographs spread over a split; those too small for a crop are passed over.

    Raises:
        FileNotFoundError: there are none.
    """
    found = find_photos(folder, split=split)
    pictures: dict[str, np.ndarray] = {}
    for first in range(count):
        for photo in found[first * len(found) // count : (first + 1) * len(found) // count]:
            picture = read_photo(photo.path)
            if min(picture.shape[:2]) >= SIDE:
                pictures[photo.path.name] = picture.astype(np.float32) / 255
                break
    return Photographs(names=tuple(pictures), pictures=tuple(pictures.values()), seed=seed)


@cache
def prompt_of(look: Look) -> str:
    """The first wording: a look is measured under the plainest words that mean it."""
    return look.wordings[0]


def read_frames(path: Path, *, start: int, count: int) -> Clip:
    """Consecutive frames at the source's size.

    Raises:
        ValueError: the clip is shorter.
    """
    with open_video(path) as reader:
        length = len(reader.index())
        if start + count > length:
            raise ValueError(f"{path.name} has {length} frames; {start} to {start + count} were asked for")
        return reader.read(FrameRange(start=start, stop=start + count))


def small_square(clip: Clip) -> torch.Tensor:
    """The middle of the frames at a short side of SIDE, (T, 3, SIDE, SIDE): every clip then costs the same."""
    place = working_fit((clip.frames.shape[-2], clip.frames.shape[-1]), short_side=SIDE, multiple_of=1, minimum=SIDE)
    frames = unfit(fit(clip, place), place)
    top, left = ((side - SIDE) // 2 for side in frames.shape[-2:])
    return frames[..., top : top + SIDE, left : left + SIDE].contiguous()


def _middle(picture: np.ndarray) -> torch.Tensor:
    """(H, W, 3) -> (3, SIDE, SIDE)."""
    top, left = ((side - SIDE) // 2 for side in picture.shape[:2])
    return torch.from_numpy(picture[top : top + SIDE, left : left + SIDE].transpose(2, 0, 1).copy()).float()
