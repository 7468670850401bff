"""What the looks are made of: smoothing, edges, flow along structure, noise. Pictures are (H, W, 3) float32 in [0, 1].

Sizes are in pixels of a 288-pixel frame and mostly above 4: the autoencoder's code has one cell per 8 pixels, and what
it cannot hold the diffusion model cannot learn. Training sees crops: nothing here depends on the place in the frame (no
vignette, no horizon), and of the cues only the sky does, which begins at the upper edge.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Both are float32; numpy's and OpenCV's own annotations widen the type at every other call.
Picture = NDArray[Any]  # (H, W, 3), RGB in [0, 1]
Plane = NDArray[Any]  # (H, W)


def clip(picture: NDArray[Any]) -> NDArray[Any]:
    """To [0, 1] float32."""
    return np.clip(picture, 0, 1).astype(np.float32)


def luma(picture: Picture) -> Plane:
    """BT.601 brightness."""
    return picture @ np.array([0.299, 0.587, 0.114], np.float32)


def gray3(plane: Plane) -> Picture:
    """A plane as a gray picture."""
    return np.repeat(plane[..., None], 3, 2)


def blur(array: NDArray[Any], sigma: float) -> NDArray[Any]:
    """Gaussian, edges reflected."""
    return cv2.GaussianBlur(array, (0, 0), sigma)


def mix(a: Picture, b: Picture | NDArray[Any], amount: float | Plane) -> Picture:
    """a where amount is 0, b where it is 1."""
    weight = amount[..., None] if isinstance(amount, np.ndarray) else np.float32(amount)
    return a + (b - a) * weight


def mix_planes(a: Plane, b: Plane, amount: Plane) -> Plane:
    """a where amount is 0, b where it is 1."""
    return a + (b - a) * amount


def saturate(picture: Picture, gain: float) -> Picture:
    """Push colours away from (gain > 1) or towards gray."""
    gray = luma(picture)[..., None]
    return clip(gray + (picture - gray) * gain)


def contrast(picture: NDArray[Any], gain: float, middle: float = 0.5) -> NDArray[Any]:
    """Straight-line contrast around `middle`, clipped."""
    return clip((picture - middle) * gain + middle)


def smoothstep(plane: Plane, low: float, high: float) -> Plane:
    """0 below low, 1 above high, cubic between; low may exceed high, which inverts it."""
    t = np.clip((plane - low) / (high - low), 0, 1).astype(np.float32)
    return t * t * (3 - 2 * t)


def noise(shape: tuple[int, ...], rng: np.random.Generator, sigma: float) -> Plane:
    """Gaussian-filtered noise with mean 0 and standard deviation 1."""
    field = blur(rng.standard_normal(shape[:2]).astype(np.float32), sigma)
    return field / (field.std() + 1e-6)


def gradient(plane: Plane, sigma: float = 1.0) -> tuple[Plane, Plane, Plane]:
    """Derivatives along x and y, and their magnitude, after smoothing by sigma."""
    smooth = blur(plane, sigma)
    gx = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    gy = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    return gx, gy, np.hypot(gx, gy)


def tangent(plane: Plane, sigma: float = 4.0) -> tuple[Plane, Plane]:
    """Unit vectors (x, y) along the structure, from the smoothed structure tensor."""
    gx, gy, _ = gradient(plane, 1.0)
    xx, yy, xy = blur(gx * gx, sigma), blur(gy * gy, sigma), blur(gx * gy, sigma)
    angle = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)


def smear(array: NDArray[Any], tx: Plane, ty: Plane, length: int) -> NDArray[Any]:
    """Line integral convolution: average along the direction field, `length` pixels both ways."""
    height, width = array.shape[:2]
    grid_y, grid_x = np.mgrid[0:height, 0:width].astype(np.float32)
    total = array.copy()
    for sign in (1.0, -1.0):
        x, y = grid_x.copy(), grid_y.copy()
        dx, dy = tx * np.float32(sign * 1.5), ty * np.float32(sign * 1.5)
        last_x, last_y = dx, dy
        for _ in range(max(1, round(length / 1.5))):
            x, y = x + last_x, y + last_y
            step_x = cv2.remap(dx, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
            step_y = cv2.remap(dy, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT)
            # The field has no sign: go on in the direction of travel.
            flip = np.where(step_x * last_x + step_y * last_y < 0, np.float32(-1), np.float32(1))
            last_x, last_y = step_x * flip, step_y * flip
            total += cv2.remap(array, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return total / (1 + 2 * max(1, round(length / 1.5)))


def kuwahara(picture: Picture, radius: int) -> Picture:
    """Painterly smoothing: each pixel takes the mean of the quietest of its four neighbouring squares."""
    size = (radius + 1, radius + 1)
    plane = luma(picture)
    best = np.full(plane.shape, np.inf, np.float32)
    out = picture.copy()
    for anchor in ((0, 0), (radius, 0), (0, radius), (radius, radius)):
        mean = cv2.boxFilter(plane, -1, size, anchor=anchor)
        spread = cv2.boxFilter(plane * plane, -1, size, anchor=anchor) - mean * mean
        colour = cv2.boxFilter(picture, -1, size, anchor=anchor)
        better = spread < best
        best = np.where(better, spread, best)
        out = np.where(better[..., None], colour, out)
    return out.astype(np.float32)


def flatten(picture: Picture, radius: int = 3, rounds: int = 2) -> Picture:
    """Flat regions with kept outlines."""
    for _ in range(rounds):
        picture = kuwahara(picture, radius)
    return blur(picture, 0.8)


def outlines(plane: Plane, *, sigma: float = 1.2, gain: float = 14.0, threshold: float = 0.01) -> Plane:
    """Dark outlines as 1 on 0: a thresholded difference of Gaussians (XDoG: Winnemoeller et al. 2012)."""
    difference = blur(plane, 1.6 * sigma) - blur(plane, sigma)
    return clip((difference - threshold) * gain)


def quantise(picture: NDArray[Any], levels: int, softness: float = 0.25) -> NDArray[Any]:
    """Posterise to `levels` steps; `softness` in (0, 1] of a step is spent on the ramp between two."""
    scaled = picture * (levels - 1)
    floor = np.floor(scaled)
    ramp = np.clip((scaled - floor - 0.5) / softness + 0.5, 0, 1)
    return ((floor + ramp) / (levels - 1)).astype(np.float32)


def quantise_tone(picture: Picture, levels: int, softness: float = 0.25) -> Picture:
    """Posterise the brightness and keep the hue: channels posterised one by one turn skin green."""
    plane = luma(picture)
    return clip(picture * ((quantise(plane, levels, softness) + 0.04) / (plane + 0.04))[..., None])


def colour(*levels: int) -> NDArray[Any]:
    """0..255 triple as float."""
    return np.array(levels, np.float32) / 255


def sheet(like: Picture, *levels: int) -> Picture:
    """A new picture of one 0..255 colour, of the size of `like`."""
    return np.full_like(like, colour(*levels))
