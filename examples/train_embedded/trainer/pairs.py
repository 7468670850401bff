"""Crops for the diffusion stage: a photograph, the same place in its styled version, and the words for the style."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.batches import Batch, rng_for
from trainer.form import CELL
from trainer.photos import Image
from trainer.prompts import Outfit, word
from trainer.shards import open_shard, whole_shards
from trainer.styled import source_picture
from trainer.twins import Motion, as_batch, draw_motion, moved_crop, with_sensor_noise

SIZES: tuple[tuple[int, int, int], ...] = ((128, 128, 16), (128, 128, 16), (128, 128, 16), (192, 192, 7), (192, 256, 5))
"""(height, width, pictures per batch), drawn evenly: mostly 16x16 latents for speed, some larger, since attention and
normalisation see another number of cells there."""

DROP_STYLED = 0.05
DROP_PLAIN = 0.40
"""How often the words are left out. Of plain photographs more often than of styled pictures: the empty prompt then
means mostly "as filmed", which is what inversion of footage runs under and what guidance pushes away from."""


TWIN_SHARE = 0.2
"""Of the pictures of a batch that have a twin (`trainer.twins`), at least one of them."""


def make_pairs(
    number: int,
    *,
    seed: int,
    packs: Path,
    scale: int = 1,
    sizes: Sequence[tuple[int, int, int]] | None = None,
    drop_words: tuple[float, float] = (DROP_STYLED, DROP_PLAIN),
    effort: Mapping[str, float] | None = None,
) -> Batch:
    """Batch `number`: crops of photographs, of their styled versions, and prompts.

    Crops lie on the latent grid, so that looks made of whole cells keep their phase; twins lie where their motion puts
    them.

    Args:
        number: of the batch.
        seed: of the run.
        packs: folder of `photos.bin` and `styled/`.
        scale: how many times the pictures that the sizes give are in a batch.
        sizes: in place of `SIZES`.
        drop_words: how often the words of a styled picture and of a plain photograph are left out.
        effort: how often a picture that was drawn is taken, in [0, 1], by the look that draws it; one not named always.

    Returns:
        "source" and "target" (N, 3, H, W) uint8, "prompt" and "look" (N,) str, of which the last K are the twins of the
        first K; "look" names what draws the picture (`Outfit.drawn`); "motion" (K, 2, 3), how each twin moved.
    """
    rng = rng_for(seed, 3, number)
    sizes = sizes or SIZES
    height, width, count = sizes[int(rng.integers(len(sizes)))]
    count *= scale
    twins = max(1, round(TWIN_SHARE * count / (1 + TWIN_SHARE)))
    photos = open_shard(packs / "photos.bin")
    styled = whole_shards(packs / "styled", "*.bin")
    sources: list[Image] = []
    targets: list[Image] = []
    prompts: list[str] = []
    drawn: list[str] = []
    moved: list[tuple[Image, Image, Motion]] = []
    for i in range(count - twins):
        while True:
            shard = open_shard(styled[rng.integers(len(styled))])
            index = int(rng.integers(len(shard)))
            target, note = shard[index], shard.note(index)
            outfit = Outfit.of_note(note)
            if not effort or rng.random() < effort.get(outfit.drawn.name, 1.0):
                break
        source = source_picture(photos, note)
        # A picture narrower than the crop is turned on its side rather than padded.
        if target.shape[1] < width or target.shape[0] < height:
            source, target = source.transpose(1, 0, 2), target.transpose(1, 0, 2)
        y, x = (
            CELL * int(rng.integers(0, (side - size) // CELL + 1))
            for side, size in zip(target.shape[:2], (height, width), strict=True)
        )
        sources.append(source[y : y + height, x : x + width])
        targets.append(target[y : y + height, x : x + width])
        dropped = rng.random() < drop_words[outfit.plain]
        prompts.append("" if dropped else word(outfit, rng))
        drawn.append(outfit.drawn.name)
        if i < twins:
            motion = draw_motion(outfit, height, width, rng)
            again, styled_again = (moved_crop(p, y, x, height, width, motion) for p in (source, target))
            moved.append((with_sensor_noise(again, rng), styled_again, motion))
    return {
        "source": channels_first([*sources, *(twin[0] for twin in moved)]),
        "target": channels_first([*targets, *(twin[1] for twin in moved)]),
        "prompt": np.array([*prompts, *prompts[:twins]]),
        "look": np.array([*drawn, *drawn[:twins]]),
        "motion": as_batch([twin[2] for twin in moved]),
    }


def channels_first(pictures: list[Image]) -> NDArray[np.uint8]:
    """(N, 3, H, W) of pictures (H, W, 3)."""
    return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))
