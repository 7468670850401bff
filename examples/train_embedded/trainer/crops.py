"""Square crops for the autoencoder, from photographs and from their styled versions."""

from pathlib import Path

import cv2
import numpy as np

from trainer.batches import Batch, rng_for
from trainer.form import CELL
from trainer.photos import Image
from trainer.shards import open_shard, whole_shards

SIZES = ((64, 8), (64, 8), (96, 4), (128, 2))
"""(side in pixels, crops per batch), drawn evenly: small crops are many pictures per second, large ones show the
network that borders are rare."""

MARGIN = CELL
"""Pixels that each crop is larger by: room for a second view of it that lies otherwise on the latent grid."""


def augment(crop: Image, rng: np.random.Generator) -> Image:
    """Cheap changes that widen the range of colours and edges beyond photographs."""
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    kind = rng.random()
    if kind < 0.15:  # gain and shift of each channel: tints, night, high key
        gain = rng.uniform(0.3, 1.4, 3)
        crop = np.clip(crop * gain + rng.uniform(-60, 60, 3), 0, 255).astype(np.uint8)
    elif kind < 0.20:
        crop = np.uint8(255) - crop
    elif kind < 0.25:
        gray = np.asarray(cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY), np.uint8)
        crop = np.repeat(gray[..., None], 3, 2)
    elif kind < 0.30:  # flat cells with hard edges
        step = int(rng.integers(32, 96))
        crop = (crop // step * step + step // 2).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(crop)


def make_crops(number: int, *, seed: int, packs: Path, styled_share: float = 0.4, scale: int = 1) -> Batch:
    """Batch `number`: "pixels" (N, 3, S + MARGIN, S + MARGIN) uint8, `scale` times as many as `SIZES` says; and
    "shift" (2,), how many pixels down and right the second view of them begins.

    Draws from the pack `photos.bin` and, once there are any, from the styled shards in `styled/` (a share of
    `styled_share`).
    """
    rng = rng_for(seed, 1, number)
    side, count = SIZES[rng.integers(len(SIZES))]
    side, count = side + MARGIN, count * scale
    photos = open_shard(packs / "photos.bin")
    weights = np.array([item["note"]["weight"] for item in photos.items])
    weights /= weights.sum()
    styled = whole_shards(packs / "styled", "*.bin")
    out = np.empty((count, 3, side, side), np.uint8)
    for i in range(count):
        if styled and rng.random() < styled_share:
            shard = open_shard(styled[rng.integers(len(styled))])
            picture = shard[int(rng.integers(len(shard)))]
        else:
            picture = photos[int(rng.choice(len(photos), p=weights))]
        y, x = (int(rng.integers(0, s - side + 1)) for s in picture.shape[:2])
        out[i] = augment(picture[y : y + side, x : x + side], rng).transpose(2, 0, 1)
    return {"pixels": out, "shift": rng.integers(0, MARGIN, 2)}
