"""Media made of cells: pixel art, stained glass, low poly, mosaic."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay
from skimage.segmentation import slic

from trainer.styles.base import (
    Picture,
    Plane,
    blur,
    clip,
    colour,
    contrast,
    gradient,
    luma,
    mix,
    noise,
    quantise,
    saturate,
)

Labels = NDArray[np.int32]  # (H, W), 0 .. count - 1


def _cell_means(picture: Picture, labels: Labels) -> NDArray[np.float32]:
    """Mean colour of each cell, (count, 3)."""
    flat = labels.ravel()
    sizes = np.bincount(flat).clip(1)
    return np.stack([np.bincount(flat, picture[..., c].ravel()) / sizes for c in range(3)], 1).astype(np.float32)


def _borders(labels: Labels) -> Plane:
    """1 on pixels whose right or lower neighbour is another cell."""
    border = np.zeros(labels.shape, np.float32)
    border[:, :-1] = labels[:, 1:] != labels[:, :-1]
    border[:-1] = np.maximum(border[:-1], labels[1:] != labels[:-1])
    return border


def pixel_art(picture: Picture, rng: np.random.Generator) -> Picture:
    """8-pixel blocks on the latent grid in a small palette."""
    height, width = picture.shape[0] // 8, picture.shape[1] // 8
    small = cv2.resize(contrast(saturate(picture, 1.6), 1.25), (width, height), interpolation=cv2.INTER_AREA)
    small = quantise(small, 6, 0.05)
    return clip(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST))


def stained_glass(picture: Picture, rng: np.random.Generator) -> Picture:
    """Glowing panes that follow the shapes, in black lead."""
    count = picture.shape[0] * picture.shape[1] // 420
    labels = slic(blur(picture, 2), n_segments=count, compactness=9, sigma=1, start_label=0, max_num_iter=5).astype(
        np.int32
    )
    panes = saturate(contrast(_cell_means(picture, labels)[labels], 1.35), 2.4)
    panes = panes * (1.05 + 0.07 * noise(picture.shape, rng, 4))[..., None]
    border = _borders(labels)
    glow = 1 - 0.9 * blur(border, 4.0)
    lead = clip(cv2.dilate(blur(border, 0.9), np.ones((2, 2), np.uint8)) * 2.6)
    return clip(mix(panes * glow[..., None] * 1.15, colour(14, 12, 14), lead))


def low_poly(picture: Picture, rng: np.random.Generator) -> Picture:
    """Flat triangles, smaller where there are edges."""
    height, width = picture.shape[:2]
    _, _, edge = gradient(luma(picture), 2.0)
    chance = (edge + 0.012).ravel().astype(np.float64)
    picks = rng.choice(height * width, height * width // 150, replace=False, p=chance / chance.sum())
    frame_y, frame_x = np.mgrid[-10 : height + 40 : 30, -10 : width + 40 : 30]
    points = np.concatenate(
        [np.stack([picks % width, picks // width], 1), np.stack([frame_x.ravel(), frame_y.ravel()], 1)]
    )
    mesh = Delaunay(points + rng.uniform(-0.3, 0.3, points.shape))
    labels = np.zeros((height, width), np.int32)
    for index, corners in enumerate(mesh.points[mesh.simplices]):
        cv2.fillConvexPoly(labels, np.round(corners).astype(np.int32), index)
    tints = _cell_means(picture, labels)
    tints = tints * (1 + rng.normal(0, 0.05, (len(tints), 1)).astype(np.float32))
    return clip(saturate(clip(tints[labels]), 1.3))


def mosaic(picture: Picture, rng: np.random.Generator) -> Picture:
    """Small uneven tiles with light grout."""
    height, width = picture.shape[:2]
    ys, xs = np.mgrid[5:height:10, 5:width:10]
    ys = np.clip(ys + rng.integers(-2, 3, ys.shape), 0, height - 1)
    xs = np.clip(xs + rng.integers(-2, 3, xs.shape), 0, width - 1)
    seeds = np.ones((height, width), np.uint8)
    seeds[ys, xs] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L1, 5, labelType=cv2.DIST_LABEL_PIXEL)
    labels = labels.astype(np.int32) - 1
    tints = saturate(_cell_means(picture, labels)[None], 1.45)[0]
    tints = tints * (1 + rng.normal(0, 0.09, (len(tints), 1)).astype(np.float32))
    grout = clip(blur(_borders(labels), 0.8) * 1.5)
    return clip(mix(clip(tints[labels]), colour(205, 198, 186), grout * 0.85))
