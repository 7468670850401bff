"""Crops for the diffusion stage: a photograph, the same place in its styled version, and the words for the style."""

from pathlib import Path

import numpy as np

from trainer.batches import Batch, rng_for
from trainer.form import CELL
from trainer.prompts import Outfit, word
from trainer.shards import open_shard, whole_shards
from trainer.styled import source_picture

SIZES: tuple[tuple[int, int, int], ...] = ((128, 128, 16), (128, 128, 16), (128, 128, 16), (192, 192, 7), (192, 256, 5))
"""(height, width, pictures per batch), drawn evenly: mostly 16x16 latents for speed, some larger, since attention and
normalisation see another number of cells there."""

DROP_STYLED = 0.05
DROP_PLAIN = 0.40
"""How often the words are left out. Of plain photographs more often than of styled pictures: the empty prompt then
means mostly "as filmed", which is what inversion of footage runs under and what guidance pushes away from."""


def make_pairs(number: int, *, seed: int, packs: Path) -> Batch:
    """Batch `number`: "source" and "target" (N, 3, H, W) uint8 and "prompt" (N,) str.

    Crops lie on the latent grid, so that looks made of whole cells keep their phase.
    """
    rng = rng_for(seed, 3, number)
    height, width, count = SIZES[rng.integers(len(SIZES))]
    photos = open_shard(packs / "photos.bin")
    styled = whole_shards(packs / "styled", "*.bin")
    sources = np.empty((count, 3, height, width), np.uint8)
    targets = np.empty_like(sources)
    prompts: list[str] = []
    for i in range(count):
        shard = open_shard(styled[rng.integers(len(styled))])
        index = int(rng.integers(len(shard)))
        target, note = shard[index], shard.note(index)
        source = source_picture(photos, note)
        # A picture narrower than the crop is turned on its side rather than padded.
        if target.shape[1] < width or target.shape[0] < height:
            source, target = source.transpose(1, 0, 2), target.transpose(1, 0, 2)
        y, x = (
            CELL * int(rng.integers(0, (side - size) // CELL + 1))
            for side, size in zip(target.shape[:2], (height, width), strict=True)
        )
        sources[i] = source[y : y + height, x : x + width].transpose(2, 0, 1)
        targets[i] = target[y : y + height, x : x + width].transpose(2, 0, 1)
        outfit = Outfit.of_note(note)
        dropped = rng.random() < (DROP_PLAIN if outfit.plain else DROP_STYLED)
        prompts.append("" if dropped else word(outfit, rng))
    return {"source": sources, "target": targets, "prompt": np.array(prompts)}
