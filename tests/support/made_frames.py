"""Clips whose motion and content are known, because they were drawn with them: float32 (T, H, W, 3) in [0, 1]."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.float32]

HEIGHT, WIDTH = 128, 192


def noise(height: int, width: int, *, sigma: float, deviation: float, seed: int = 0) -> Frames:
    """(height, width): Gaussian noise smoothed to blobs of `sigma` pixels, of mean 0 and that standard deviation."""
    white = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(white, (0, 0), sigma) if sigma else white
    smooth = smooth - smooth.mean()
    return (smooth * (deviation / smooth.std())).astype(np.float32)


def canvas(height: int, width: int, *, seed: int = 0) -> Frames:
    """(height, width): grey texture at two scales about 0.5, that flow can follow to a fraction of a pixel."""
    fine = noise(height, width, sigma=1.5, deviation=0.05, seed=seed)
    coarse = noise(height, width, sigma=6, deviation=0.07, seed=seed + 1)
    return np.clip(0.5 + fine + coarse, 0, 1)


def grey(planes: Frames) -> Frames:
    """(T, H, W) -> (T, H, W, 3)."""
    return np.ascontiguousarray(np.repeat(np.clip(planes, 0, 1)[..., None], 3, axis=3), dtype=np.float32)


def panned(picture: Frames, frames: int, *, step: int, height: int = HEIGHT, width: int = WIDTH) -> Frames:
    """(frames, height, width): a picture that moves to the left by `step` whole pixels a frame; a negative step moves
    it to the right. It has to be wide enough."""
    reach = abs(step) * (frames - 1)
    assert picture.shape[1] >= width + reach, "the picture is too narrow"
    start = 0 if step >= 0 else reach
    return np.stack([picture[:height, start + t * step : start + t * step + width] for t in range(frames)])


def pan(frames: int, *, step: int, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> Frames:
    """The same of a `canvas`, in grey."""
    picture = canvas(height, width + abs(step) * (frames - 1), seed=seed)
    return grey(panned(picture, frames, step=step, height=height, width=width))


def turning(frames: int, *, degrees: float, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> Frames:
    """A canvas that turns about the middle of the frame by so many degrees a frame, bicubic, in grey."""
    margin = max(height, width) // 2
    picture = canvas(height + 2 * margin, width + 2 * margin, seed=seed)
    middle = ((width - 1) / 2 + margin, (height - 1) / 2 + margin)
    turned: list[Frames] = []
    for t in range(frames):
        matrix = cv2.getRotationMatrix2D(middle, t * degrees, 1)
        whole = cv2.warpAffine(picture, matrix, picture.shape[::-1], flags=cv2.INTER_CUBIC)
        turned.append(np.asarray(whole[margin : margin + height, margin : margin + width], np.float32))
    return grey(np.stack(turned))


def still(frames: Frames) -> Frames:
    """Frozen: the first frame all the time."""
    return np.repeat(frames[:1], len(frames), axis=0)
