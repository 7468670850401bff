"""The styled pictures: made once, ahead of training, by worker processes, and kept in shards."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainer.batches import rng_for
from trainer.photos import Image
from trainer.prompts import draw_outfit
from trainer.shards import Shard, open_shard, write_shard
from trainer.styles import dress

PER_SHARD = 64


def source_picture(photos: Shard, note: dict[str, Any]) -> Image:
    """The photograph a styled picture was made from, mirrored where it was."""
    picture = photos[note["photo"]]
    return picture[:, ::-1] if note["mirrored"] else picture


def _make_shard(number: int, *, packs: Path, seed: int) -> int:
    photos = open_shard(packs / "photos.bin")
    weights = np.array([item["note"]["weight"] for item in photos.items])
    weights /= weights.sum()

    def items() -> Iterator[tuple[Image, dict[str, Any]]]:
        for index in range(number * PER_SHARD, (number + 1) * PER_SHARD):
            rng = rng_for(seed, 2, index)
            outfit = draw_outfit(rng)
            note = {
                "photo": int(rng.choice(len(photos), p=weights)),
                "mirrored": bool(rng.random() < 0.5),
                **outfit.note(),
            }
            source = np.ascontiguousarray(source_picture(photos, note)).astype(np.float32) / 255
            styled = dress(source, outfit.looks, rng, strength=outfit.strength, palette=outfit.palette)
            yield np.round(styled * 255).astype(np.uint8), note

    return write_shard(packs / "styled" / f"{number:05d}.bin", items())


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)


def make_styled(packs: Path, *, count: int, seed: int, workers: int) -> Iterator[int]:
    """Make the shards that are missing of `count` pictures; yields how many shards are there after each one."""
    numbers = range(-(-count // PER_SHARD))
    missing = [n for n in numbers if not (packs / "styled" / f"{n:05d}.json").is_file()]
    done = len(numbers) - len(missing)
    with multiprocessing.get_context("spawn").Pool(max(1, workers), initializer=_start_worker) as pool:
        jobs = [pool.apply_async(_make_shard, (n,), {"packs": packs, "seed": seed}) for n in missing]
        for job in jobs:
            job.get()
            done += 1
            yield done
