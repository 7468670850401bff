"""Made by hand from cloth, paper and plastic: paper cut, embroidery, knitting, bricks."""

import cv2
import numpy as np

from trainer.styles.anchored import FRACTION_BITS, at, fixed_point, grain, peaks
from trainer.styles.base import (
    Picture,
    Plane,
    blur,
    clip,
    contrast,
    flatten,
    luma,
    mix,
    noise,
    quantise_tone,
    saturate,
    smoothstep,
    tangent,
)
from trainer.styles.relief import even_tone


def _shadow_of(mask: Plane, reach: int) -> Plane:
    """The soft shadow that a raised sheet casts to the lower right, [0, 1], on what lies below it."""
    moved = cv2.warpAffine(
        mask, np.array([[1, 0, reach], [0, 1, reach]], np.float32), mask.shape[::-1], borderMode=cv2.BORDER_REPLICATE
    )
    return np.clip(blur(moved, 0.8 * reach) - mask, 0, 1)


def paper_cut(picture: Picture, rng: np.random.Generator) -> Picture:
    """Sheets of coloured paper, the darkest below, each with a clean edge and a soft shadow on the one under it."""
    flat = flatten(contrast(picture, 1.15), 3, 2)
    plane = blur(even_tone(flat, 60), 1.3)
    tints = saturate(blur(flat, 3), 1.6)
    bounds = (0.30, 0.46, 0.60, 0.74)
    stages = (0.20, 0.40, 0.60, 0.79, 0.96)

    def sheet_of(stage: float) -> Picture:
        paper = tints / (luma(tints)[..., None] + 0.08) * stage
        return clip(mix(np.full_like(paper, stage), paper, 0.75))

    canvas = sheet_of(stages[0])
    for bound, stage in zip(bounds, stages[1:], strict=True):
        mask = smoothstep(plane, bound - 0.012, bound + 0.012)
        canvas = canvas * (1 - 0.62 * _shadow_of(mask, 3))[..., None]
        canvas = mix(canvas, sheet_of(stage), mask)
    return clip(canvas * (1 + 0.022 * grain(picture, rng, 1.4))[..., None])


def embroidery(picture: Picture, rng: np.random.Generator) -> Picture:
    """Satin stitch in thread colours along the form: every stitch a round thread with its shadow and its shine."""
    flat = flatten(picture, 3, 2)
    threads = clip(saturate(quantise_tone(flat, 6, 0.3), 1.6) * 0.94 + 0.05)
    along = np.stack(tangent(luma(flat), 5), 2)
    field = grain(picture, rng, 1.8)
    places = np.concatenate([peaks(field, 1), peaks(-field, 1)])
    directions = along[np.round(places[:, 1]).astype(int), np.round(places[:, 0]).astype(int)]
    # Silk answers to its direction: stitches across the light shine, those along it do not.
    shine = 0.86 + 0.32 * (directions[:, 0] * 0.6 - directions[:, 1] * 0.8) ** 2
    varied = shine * (1 + 0.10 * np.clip(at(grain(picture, rng, 2.0), places), -2, 2))
    tints = clip(at(threads, places) * varied[:, None])
    canvas = threads * 0.7
    ends = fixed_point(np.concatenate([places - 6 * directions, places + 6 * directions], 1))
    below = 1 << FRACTION_BITS
    for (x0, y0, x1, y1), tint, shining in zip(ends, tints, (shine > 0.97).tolist(), strict=True):
        shadow = (x0 + below, y0 + below), (x1 + below, y1 + below)
        cv2.line(canvas, *shadow, (tint * 0.62).tolist(), 3, cv2.LINE_AA, FRACTION_BITS)
        cv2.line(canvas, (x0, y0), (x1, y1), tint.tolist(), 3, cv2.LINE_AA, FRACTION_BITS)
        if shining:
            cv2.line(canvas, (x0, y0), (x1, y1), (tint * 0.65 + 0.35).tolist(), 1, cv2.LINE_AA, FRACTION_BITS)
    return clip(canvas)


def knitting(picture: Picture, rng: np.random.Generator) -> Picture:
    """Knitted wool: one V of yarn to every 8-pixel cell, fuzzy. The rows stay with the frame, as on a loom."""
    height, width = picture.shape[0] // 8, picture.shape[1] // 8
    yarn = quantise_tone(saturate(contrast(picture, 1.3), 1.5), 8, 0.3)
    ys, xs = np.mgrid[0:8, 0:8].astype(np.float32) + 0.5
    # The two legs of the V are round threads; the next row's begin between them.
    side = np.abs(xs - 4)
    along = (ys + 1.15 * side) % 8
    across = np.minimum(np.abs(side - 2.1), 2.0)
    thread = np.sqrt(np.clip(1 - (across / 2.05) ** 2, 0, 1)) * (0.55 + 0.45 * np.sin(np.pi * along / 8))
    cell = np.round(ys + 1.15 * side - 4) // 8
    shift = np.tile(cell.astype(np.int32), (height, width))
    rows = np.clip(np.arange(height * 8)[:, None] // 8 + shift, 0, height - 1)
    columns = np.tile(np.arange(width * 8) // 8, (height * 8, 1))
    small = cv2.resize(yarn, (width, height), interpolation=cv2.INTER_AREA)
    tiled = np.tile(thread, (height, width))
    hair = 0.06 * grain(picture, rng, 1.1) + 0.05 * noise(picture.shape, rng, 0.9)
    return clip(small[rows, columns] * (0.55 + 0.60 * tiled + hair)[..., None] + 0.03)


def bricks(picture: Picture, rng: np.random.Generator) -> Picture:
    """Toy bricks seen from above, one stud each. The 8-pixel cells stay with the frame: so a real one is built."""
    height, width = picture.shape[0] // 8, picture.shape[1] // 8
    small = cv2.resize(contrast(saturate(picture, 1.7), 1.2), (width, height), interpolation=cv2.INTER_AREA)
    plates = cv2.resize(quantise_tone(small, 6, 0.1), (width * 8, height * 8), interpolation=cv2.INTER_NEAREST)
    plates = 0.06 + 0.88 * plates
    ys, xs = np.mgrid[0:8, 0:8].astype(np.float32) - 3.5
    away = np.hypot(xs, ys)
    stud = smoothstep(away, 3.0, 2.2)
    rim = np.exp(-((away - 2.7) ** 2) / 0.5) * (-(xs + ys) / (away + 0.5))  # lit upper left, dark lower right
    cast = smoothstep(np.hypot(xs - 1.2, ys - 1.2), 3.4, 2.4) * (1 - stud)
    seam = np.maximum(np.abs(xs), np.abs(ys)) > 3.2
    gain = 1 + 0.10 * stud + 0.26 * rim - 0.24 * cast - 0.16 * seam
    glint = 0.14 * np.exp(-((xs + 1) ** 2 + (ys + 1) ** 2) / 1.5)
    tiled = (np.tile(plane.astype(np.float32), (height, width))[..., None] for plane in (gain, glint))
    return clip(plates * next(tiled) + next(tiled))
