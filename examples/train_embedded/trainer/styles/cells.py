"""Media made of cells: pixel art, stained glass, low poly, mosaic."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay
from skimage.segmentation import watershed

from trainer.styles.anchored import at, grain, peaks
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
    quantise,
    saturate,
)

PULL: Any = 0.004
"""How round panes are, against how closely they keep to outlines; a fraction, whatever scikit-image annotates."""

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
    """8-pixel blocks on the latent grid, which is the screen's, in a small palette."""
    height, width = picture.shape[0] // 8, picture.shape[1] // 8
    small = cv2.resize(contrast(saturate(picture, 1.6), 1.25), (width, height), interpolation=cv2.INTER_AREA)
    small = quantise(small, 6, 0.05)
    return clip(cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST))


def stained_glass(picture: Picture, rng: np.random.Generator) -> Picture:
    """Glowing panes that follow the shapes, in black lead."""
    smooth = blur(picture, 1.5)
    edge = np.max([gradient(smooth[..., c], 1.2)[2] for c in range(3)], 0)
    # Panes grow from the quietest places, until they meet on an outline.
    quiet = 0.5 * grain(picture, rng, 4) - 25 * blur(edge, 1.5)
    seeds = np.zeros(edge.shape, np.int32)
    x, y = np.round(peaks(quiet, 7)).astype(int).T
    seeds[y, x] = np.arange(1, len(x) + 1)
    labels = np.asarray(watershed(edge * 20, seeds, compactness=PULL), np.int32) - 1
    panes = saturate(contrast(_cell_means(picture, labels)[labels], 1.35), 2.4)
    panes = panes * (1.05 + 0.05 * grain(picture, rng, 4))[..., None]
    border = _borders(labels)
    glow = 1 - 0.9 * blur(border, 4.0)
    lead = clip(cv2.dilate(blur(border, 0.9), np.ones((2, 2), np.uint8)) * 2.6)
    return clip(mix(panes * glow[..., None] * 1.15, colour(14, 12, 14), lead))


def low_poly(picture: Picture, rng: np.random.Generator) -> Picture:
    """Flat triangles, smaller where there are edges."""
    height, width = picture.shape[:2]
    _, _, edge = gradient(luma(picture), 2.0)
    field = grain(picture, rng, 2.0)
    # Corners lie on edges, and thinly elsewhere.
    fine, coarse = peaks(field * np.sqrt(edge + 0.002), 3), peaks(field, 8)
    busy = fine[at(edge, fine) > 0.012]
    frame_y, frame_x = np.mgrid[-10 : height + 40 : 30, -10 : width + 40 : 30]
    points = np.concatenate([busy, coarse, np.stack([frame_x.ravel(), frame_y.ravel()], 1)])
    mesh = Delaunay(points)
    labels = np.zeros((height, width), np.int32)
    for index, corners in enumerate(mesh.points[mesh.simplices]):
        cv2.fillConvexPoly(labels, np.round(corners * 16).astype(np.int32), index, shift=4)
    tints = _cell_means(picture, labels)
    tints = tints * (1 + rng.normal(0, 0.05, (len(tints), 1)).astype(np.float32))
    return clip(saturate(clip(tints[labels]), 1.3))


def mosaic(picture: Picture, rng: np.random.Generator) -> Picture:
    """Small uneven tiles with light grout, laid in rows on the wall: they stay with the frame."""
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
