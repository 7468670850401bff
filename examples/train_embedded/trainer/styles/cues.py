"""What a pixel probably shows, from colour, texture and place alone: sky, foliage, skin, surfaces that face up."""

import cv2
import numpy as np

from trainer.styles.base import Picture, Plane, blur, gradient, luma, smoothstep


def texture(picture: Picture, sigma: float = 2.0) -> Plane:
    """Local standard deviation of brightness over some `sigma` pixels."""
    return _spread(luma(picture), sigma)


def _spread(plane: Plane, sigma: float) -> Plane:
    mean = blur(plane, sigma)
    return np.sqrt(np.maximum(blur(plane * plane, sigma) - mean * mean, 0))


def guided(mask: Plane, guide: Plane, radius: int = 10, eps: float = 2e-3) -> Plane:
    """A mask pulled to the outlines of `guide` (the guided filter: He et al. 2010, equations 5 to 8)."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(plane: Plane) -> Plane:
        return cv2.boxFilter(plane, -1, size)

    mean_guide, mean_mask = mean(guide), mean(mask)
    slope = (mean(guide * mask) - mean_guide * mean_mask) / (mean(guide * guide) - mean_guide**2 + eps)
    return np.clip(mean(slope) * guide + mean(mean_mask - slope * mean_guide), 0, 1).astype(np.float32)


def sky(picture: Picture) -> Plane:
    """How much a pixel looks like open sky, [0, 1]: smooth, blue or bright, and joined to the upper edge.

    The upper edge is that of the whole photograph: pictures are styled before they are cropped.
    """
    plane = luma(picture)
    red, green, blue = (picture[..., c] for c in range(3))
    # Red parts a white wall from the blue behind it better than brightness does.
    quiet = smoothstep(np.maximum(_spread(plane, 1.4), _spread(red, 1.4)), 0.035, 0.012)
    blueness = smoothstep(blue - red, 0.02, 0.12) * smoothstep(blue - green, -0.06, 0.02) * smoothstep(plane, 0.12, 0.3)
    spread = picture.max(2) - picture.min(2)
    bright = smoothstep(plane, 0.55, 0.72) * smoothstep(spread, 0.35, 0.18)
    likely = np.maximum(blueness, bright)
    found = cv2.erode((quiet * likely > 0.4).astype(np.uint8), np.ones((3, 3), np.uint8))
    # Four neighbours only: a white coat before the sky must not be reached through a corner.
    _, labels = cv2.connectedComponents(found, connectivity=4)
    top = np.unique(labels[: max(2, plane.shape[0] // 24)])
    sizes = np.bincount(labels.ravel())
    kept = [label for label in top if label != 0 and sizes[label] > 0.015 * plane.size]
    mask = np.isin(labels, kept).astype(np.float32)
    # "Smooth" ends short of every outline: grown back, then cut by the picture's own edges.
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    return smoothstep(guided(grown * np.maximum(mask, smoothstep(likely, 0.1, 0.5)), plane), 0.25, 0.75)


def skin(picture: Picture) -> Plane:
    """How much a pixel has the colour of skin, [0, 1]: a box in Cr and Cb with soft sides (Chai and Ngan 1999)."""
    converted = cv2.cvtColor(blur(picture, 1.0).astype(np.float32), cv2.COLOR_RGB2YCrCb)
    cr, cb = converted[..., 1] * 255, converted[..., 2] * 255
    box = smoothstep(cr, 131, 139) * smoothstep(cr, 182, 172) * smoothstep(cb, 74, 84) * smoothstep(cb, 133, 125)
    return blur(box * smoothstep(converted[..., 0], 0.08, 0.2), 1.0)


def foliage(picture: Picture) -> Plane:
    """How much a pixel looks like leaves or grass, [0, 1]: green, textured at the scale of leaves, and no skin."""
    hsv = cv2.cvtColor(blur(picture, 0.8).astype(np.float32), cv2.COLOR_RGB2HSV)
    green = smoothstep(hsv[..., 0], 48, 64) * smoothstep(hsv[..., 0], 172, 145) * smoothstep(hsv[..., 1], 0.10, 0.24)
    rough = smoothstep(blur(texture(picture, 2.0), 4), 0.006, 0.022)
    return np.clip(green * rough * (1 - skin(picture)), 0, 1).astype(np.float32)


def upward(picture: Picture, sigma: float = 2.0) -> Plane:
    """Where something bright lies below something dark or the other way about, [0, 1]: the upper rims of things."""
    _, gy, _ = gradient(luma(picture), sigma)
    return smoothstep(gy, 0.002, 0.02)


def crown(picture: Picture) -> Plane:
    """Deep texture on all sides, as between the leaves of a tree, [0, 1]; one hard shadow across a lawn is none."""
    plane = luma(blur(picture, 0.7))
    band = np.abs(plane - blur(plane, 2.5))
    return smoothstep(blur(smoothstep(band, 0.015, 0.05), 5), 0.22, 0.5)
