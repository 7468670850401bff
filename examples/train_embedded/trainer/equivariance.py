"""Do strokes belong to the picture? For each look: its seconds, and how much of it stays when the photograph moves.

    python -m trainer.equivariance --photos DIR                          (from examples/train_embedded)

A photograph is moved by a smooth small warp, then styled, and compared with its styled picture under the same warp. The
difference is given over that between two styled pictures of different seeds and motions that share nothing but the
grade, so that 0 is paint that sticks to the scene and 1 is paint that takes no notice of it.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trainer.looks import LOOKS, Look
from trainer.photos import find_photos, read_photo
from trainer.styles import STYLES, Style
from trainer.styles.base import Picture, blur
from trainer.twins import FIXED_TO_FRAME, IN_THE_AIR

BORDER = 16
"""Pixels left out along each side: what lies there came from outside the frame."""
SHIFTS = ((3.0, 2.0), (-5.0, 1.0), (1.5, -4.5))
"""Mean motion in pixels, x then y; some 3 pixels of smooth deformation are added."""


def motion(shape: tuple[int, int], shift: tuple[float, float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Sampling maps (x, y) of a shift and a slow deformation."""
    ys, xs = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return (
        (xs + shift[0] + 1.5 * np.sin(ys / 40)).astype(np.float32),
        (ys + shift[1] + 1.5 * np.sin(xs / 50)).astype(np.float32),
    )


def moved(picture: Picture, shift: tuple[float, float]) -> Picture:
    """The picture under `motion`, its border mirrored."""
    maps = motion((picture.shape[0], picture.shape[1]), shift)
    return np.clip(cv2.remap(picture, *maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101), 0, 1)


def departure(style: Style, picture: Picture, *, seed: int = 3) -> float:
    """Mean absolute difference of style(moved) and moved(style), over that of the style's own texture: 0 is best.

    The unit is the mean absolute high pass (sigma 6) of the styled picture times the square root of two: what two
    unrelated textures of that strength differ by.
    """
    inner = np.s_[BORDER:-BORDER, BORDER:-BORDER]
    still = style(picture, np.random.default_rng(seed))
    found: list[float] = []
    for shift in SHIFTS:
        styled = style(moved(picture, shift), np.random.default_rng(seed))
        carried = moved(still, shift)
        unit = np.sqrt(2) * np.abs(carried - blur(carried, 6))[inner].mean()
        found.append(float(np.abs(styled - carried)[inner].mean() / (unit + 1e-6)))
    return sum(found) / len(found)


def note(look: Look) -> str:
    """Why a look may stay behind."""
    return "cells of the frame" if look.name in FIXED_TO_FRAME else "in the air" if look.name in IN_THE_AIR else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=4, help="held-out photographs")
    parser.add_argument("--side", type=int, default=256)
    args = parser.parse_args()
    found = find_photos(args.photos, split="eval")
    chosen = [found[(2 * i + 1) * len(found) // (2 * args.pictures)] for i in range(args.pictures)]
    pictures = [read_photo(p.path)[: args.side, : args.side].astype(np.float32) / 255 for p in chosen]
    cv2.setNumThreads(1)
    print("| look | kind | s a picture | departure | |\n|---|---|---|---|---|")
    for look in LOOKS:
        style = STYLES[look.name]
        began = time.perf_counter()
        for picture in pictures:
            style(picture, np.random.default_rng(3))
        seconds = (time.perf_counter() - began) / len(pictures)
        score = sum(departure(style, picture) for picture in pictures) / len(pictures)
        print(f"| {look.name} | {look.kind} | {seconds:.3f} | {score:.2f} | {note(look)} |", flush=True)


if __name__ == "__main__":
    main()
