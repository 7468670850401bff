"""Surfaces: a pseudo height from brightness, its normals, and how materials answer to light from the upper left.

Bright is taken for high. That is wrong as geometry and right as a look: it is what a relief carved after the
photograph would do.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from trainer.styles.base import Picture, Plane, blur, gradient, luma, smoothstep
from trainer.styles.cues import guided

LIGHT = np.array([-0.48, -0.58, 0.66], np.float32)
"""Towards the lamp: x to the right, y down, z to the viewer; of unit length."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A height field and its normals, planes of one size.

    Attributes:
        height: [0, 1].
        nx, ny, nz: unit normals, z to the viewer.
    """

    height: Plane
    nx: Plane
    ny: Plane
    nz: Plane

    def lambert(self) -> Plane:
        """Diffuse light: 0 turned away, 1 facing the lamp, about 0.66 on the flat."""
        return np.clip(self.nx * LIGHT[0] + self.ny * LIGHT[1] + self.nz * LIGHT[2], 0, 1)

    def gloss(self, power: float) -> Plane:
        """Specular light in [0, 1] after Blinn: the half vector between lamp and viewer."""
        half = LIGHT + np.array([0, 0, 1], np.float32)
        half /= np.linalg.norm(half)
        return np.clip(self.nx * half[0] + self.ny * half[1] + self.nz * half[2], 0, 1) ** np.float32(power)

    def cavity(self, sigma: float = 5.0) -> Plane:
        """Hollows as positive numbers, crests as negative ones: the height below its surroundings."""
        return blur(self.height, sigma) - self.height


def even_tone(picture: Picture, sigma: float = 24.0) -> Plane:
    """Brightness in [0, 1] with large light evened out, so that dark pictures have relief as well."""
    plane = luma(picture)
    mean = blur(plane, sigma)
    spread = np.sqrt(np.maximum(blur(plane * plane, sigma) - mean * mean, 0)) + 0.09
    return np.clip(0.5 + 0.24 * (plane - mean) / spread + 0.35 * (mean - 0.5), 0, 1).astype(np.float32)


def raise_surface(height: Plane, *, depth: float, limit: float = 1.6) -> Surface:
    """Normals of a height field; slopes are bent towards `limit`, or hard outlines would turn black or white."""
    gx, gy, size = gradient(height, 0.7)
    gain = depth / (1 + depth * size / limit)
    nx, ny = -gx * gain, -gy * gain
    length = np.sqrt(nx * nx + ny * ny + 1)
    return Surface(height=height, nx=nx / length, ny=ny / length, nz=1 / length)


def surface_of(picture: Picture, *, depth: float = 14.0, detail: float = 0.5) -> Surface:
    """The relief of a photograph: smoothed between outlines, with a share `detail` of its fine structure."""
    plane = even_tone(picture)
    smooth = guided(plane, plane, radius=4, eps=4e-3)
    return raise_surface(blur(smooth + detail * (plane - smooth), 0.8), depth=depth)


def ramp(plane: Plane, *stops: tuple[int, int, int]) -> Picture:
    """[0, 1] to colour through evenly spaced 0..255 stops."""
    places = np.linspace(0, 1, len(stops))
    table = np.array(stops, np.float32) / 255
    return np.stack([np.interp(plane, places, table[:, c]) for c in range(3)], 2).astype(np.float32)


def refract(picture: Picture, surface: Surface, pixels: float) -> Picture:
    """The picture seen through the surface: shifted along the normals by up to `pixels`."""
    ys, xs = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]].astype(np.float32)
    return cv2.remap(
        picture, xs + pixels * surface.nx, ys + pixels * surface.ny, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def sheen(surface: Surface, sky_height: float = 0.15) -> Plane:
    """What polished metal mirrors: bright above, a dark band at the horizon, a faint floor; [0, 1]."""
    up = -surface.ny
    above = smoothstep(up, sky_height - 0.12, sky_height + 0.28)
    floor = 0.35 * smoothstep(up, 0.02, -0.45)
    return np.maximum(above, floor)
