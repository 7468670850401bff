"""The sample clip's picture: a mountain lake at golden hour, drawn in numpy as a stack of cards at known distances.

Metres, x to the right, y up, z into the picture; the camera stands `EYE` above the lake. Hills are height fields seen
column by column: along a column the projected height only grows where something new comes into sight, so the nearest
hit of every row is one search in the running maximum (the "voxel space" of early flight simulators). Every card is
complete behind the cards before it, so that the camera can move. Nothing is random but the seeds below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from vedit.sample_clip.cottage import build_cottage
from vedit.sample_clip.drawing import DRAWN, EYE, FOCAL, HORIZON, fractal, mix, noise, project, tone
from vedit.sample_clip.trees import draw_broadleaf, draw_conifer, draw_stroke

if TYPE_CHECKING:
    import numpy.typing as npt

Array = np.ndarray
HeightField = Callable[[Array, Array], Array]

WIDTH, HEIGHT = 640, 416
"""Pixels of the cards; they are drawn at twice the size and averaged down."""
_LIGHT = np.array([-0.74, 0.48, -0.22]) / np.linalg.norm([-0.74, 0.48, -0.22])
_SUN_COLOUR = np.array([1.25, 1.02, 0.74], np.float32)
_SKY_LIGHT = np.array([0.36, 0.44, 0.58], np.float32)
_HAZE = np.array([0.76, 0.77, 0.80], np.float32)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A layer with what the camera's sideways move does to it.

    Moved by s metres to the right, the camera sees a point of the card go to the left by s (near + shear * row) pixels
    of the card: `near` is focal length over distance for an upright card, `shear` is not 0 for one that lies flat.
    """

    image: npt.NDArray[np.float32]
    """(HEIGHT, WIDTH, 4) in [0, 1], colour times coverage, then coverage."""
    box: tuple[int, int, int, int]
    """Columns and rows outside which it is empty: left, top, right, bottom, the last two exclusive."""
    near: float = 0.0
    shear: float = 0.0


def paint() -> tuple[Card, ...]:
    """The cards, the farthest first. About 4 seconds; the same on every call."""
    sky = _sky()
    mountains = _terrain(_mountains, 260, 1100, _mountain_colour, slice(0, 400))
    hills = _terrain(_hills, 105, 260, _hill_colour, slice(0, 416))
    _plant_forest(hills)
    behind = _over(_over(sky, mountains), hills)
    meadow = _terrain(_meadow, 4.2, 60, _meadow_colour, slice(400, 832))
    _grow_grass(meadow)
    grove = np.zeros((*DRAWN, 4), np.float32)
    for x, z, size, seed in ((11.5, 27, 8.5, 3), (13.6, 29, 10.5, 4), (9.6, 30, 6.5, 5), (16.2, 28, 9.0, 6)):
        _shade_ground(meadow, x, z, 2.4, size * 0.9)
        draw_conifer(grove, *project(x, _meadow(np.array(x), np.array(z)).item(), z), size * FOCAL / z, seed)
    house = np.zeros((*DRAWN, 4), np.float32)
    _shade_ground(meadow, -6.2, 25, 4.2, 6.5)
    build_cottage(house)
    front = np.zeros((*DRAWN, 4), np.float32)
    base = project(-5.3, 1.6, 10.5)
    _shade_ground(meadow, -4.6, 10.5, 1.6, 5.0)
    draw_broadleaf(front, *base, 8.6 * FOCAL / 10.5, 11)
    sky[460:] = 0  # the lake hides it
    return (
        _card(np.dstack([sky, (np.arange(DRAWN[0])[:, None] < 460) * np.ones_like(sky[..., 0])])),
        _upright(mountains, 520),
        _upright(hills, 150),
        _flat(_lake(behind), 0.0, 0.0),
        _flat(meadow, 2.6, -2.6 / 36),
        _upright(house, 25),
        _upright(grove, 28),
        _upright(front, 10.5),
    )


def _upright(image: Array, distance: float) -> Card:
    return _card(image, near=FOCAL / distance / 2)


def _flat(image: Array, height: float, slope: float) -> Card:
    """A card that lies on the plane y = height + slope z, for which 1 / z is linear in the row."""
    shear = 1 / (EYE - height)
    return _card(image, near=(slope * FOCAL - HORIZON) * shear / 2, shear=shear)


def _card(image: Array, *, near: float = 0.0, shear: float = 0.0) -> Card:
    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA).clip(0, 1)
    left, top, width, height = cv2.boundingRect((small[..., 3] > 0).astype(np.uint8))
    box = (left, top, left + width, top + height)
    return Card(image=cast("npt.NDArray[np.float32]", small), box=box, near=near, shear=shear)


def _over(back: Array, front: Array) -> Array:
    return front[..., :3] + back * (1 - front[..., 3:])


def _mountains(x: Array, z: Array) -> Array:
    ridges = fractal(x / 150 + 3.2, z / 150 + 1.7, 9, ridged=True, gain=0.5)
    massif = 0.40 + 0.75 * np.exp(-(((x - 130) / 110) ** 2)) + 0.45 * np.exp(-(((x + 190) / 120) ** 2))
    rise = np.clip((z - 260) / 380, 0, 1) ** 1.3
    return rise * massif * (262 * ridges + 14) - 4


def _hills(x: Array, z: Array) -> Array:
    shore = 118 + 22 * (fractal(x / 60, z * 0 + 5.5, 3) - 0.5) + 10 * np.exp(-(((x - 10) / 25) ** 2))
    body = 4 + 30 * fractal(x / 75 + 8, z / 75, 6) * (0.35 + 0.9 * np.clip(abs(x + 12) / 90, 0, 1.3))
    return np.clip((z - shore) / 70, -0.1, 1) * body + np.clip((z - shore) / 6, -1, 1) * 0.5


def _meadow(x: Array, z: Array) -> Array:
    shore = 33 + 6 * np.exp(-(((x + 8) / 7) ** 2)) + 5 * np.exp(-(((x - 14) / 6) ** 2))
    bumps = 0.9 * (fractal(x / 5, z / 5, 4) - 0.5)
    return 2.6 * (1 - z / shore) + bumps * np.clip(z / 12, 0.3, 1)


def _terrain(height: HeightField, near: float, far: float, colour: Callable[..., Array], band: slice) -> Array:
    """A height field between two distances, lit and hazed, (H, W, 4); what is under water is left out.

    `band` is the rows that it can appear in: the others cost nothing.
    """
    columns = DRAWN[1]
    z = np.geomspace(near, far, 640, dtype=np.float32)[:, None]
    across = ((np.arange(columns, dtype=np.float32) + 0.5 - columns / 2) / FOCAL)[None]
    ground = height(across * z, np.broadcast_to(z, (len(z), columns)))
    seen = np.maximum.accumulate(FOCAL * (ground - EYE) / z, axis=0)  # pixels above the horizon
    levels = HORIZON - (np.arange(band.start, band.stop, dtype=np.float32) + 0.5)[::-1]  # rising
    hit = np.stack([np.searchsorted(seen[:, c], levels) for c in range(columns)], axis=1)[::-1]
    found = hit < len(z)
    index = np.clip(hit, 1, len(z) - 1)
    low, high = (np.take_along_axis(seen, index - back, axis=0) for back in (1, 0))
    part = np.clip((levels[::-1, None] - low) / np.maximum(high - low, 1e-6), 0, 1)
    distance = z[index - 1, 0] + part * (z[index, 0] - z[index - 1, 0])
    x = across * distance
    y = height(x, distance)
    step = np.maximum(distance / FOCAL * 1.5, 0.03)  # the footprint of a pixel: finer slopes would glitter
    slope_x, slope_z = (height(x + step, distance) - y) / step, (height(x, distance + step) - y) / step
    normal = np.stack([-slope_x, np.ones_like(y), -slope_z], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lit = np.clip(normal @ _LIGHT, 0, 1) * _shadow(height, x, y, distance, far)
    albedo = colour(x, y, distance, normal[..., 1])
    image = albedo * (lit[..., None] * _SUN_COLOUR * 1.25 + (0.55 + 0.45 * normal[..., 1:2]) * _SKY_LIGHT)
    haze = 1 - np.exp(-np.maximum(distance - 25, 0) / 1150)
    image = image + (_HAZE - image) * haze[..., None]
    covered = (found & (y > 0)).astype(np.float32)[..., None]
    out = np.zeros((*DRAWN, 4), np.float32)
    out[band] = np.concatenate([tone(image) * covered, covered], axis=-1)
    return out


def _shadow(height: HeightField, x: Array, y: Array, z: Array, far: float) -> Array:
    """How much of the sun is seen, found at a quarter of the size: the sun has a width, so shadows are soft."""
    rows, columns = x.shape
    x, y, z = (cv2.resize(part.astype(np.float32), (columns // 4, rows // 4)) for part in (x, y, z))
    light = np.ones_like(x)
    for step in np.geomspace(0.02, 0.5, 14) * far * 0.4:
        above = y + step * _LIGHT[1] - height(x + step * _LIGHT[0], z + step * _LIGHT[2])
        light = np.minimum(light, np.clip(above / (0.12 * step) + 0.5, 0, 1))
    return cv2.resize(light, (columns, rows))


def _mountain_colour(x: Array, y: Array, z: Array, flat: Array) -> Array:
    grain = fractal(x / 9, (y + z) / 9, 5)
    rock = mix([0.30, 0.27, 0.26], [0.50, 0.45, 0.41], grain)
    low = mix(rock, [0.20, 0.26, 0.15], (75 - y) / 50 + (grain - 0.5) * 2 - (0.6 - flat) * 2)
    return mix(low, [0.95, 0.95, 0.97], (y - 96) / 26 + (grain - 0.5) * 2.4 + (flat - 0.62) * 4)


def _hill_colour(x: Array, y: Array, z: Array, flat: Array) -> Array:
    patches = fractal(x / 26, z / 26, 5)
    grass = mix([0.34, 0.36, 0.13], [0.52, 0.47, 0.20], fractal(x / 5, z / 5, 4))
    woods = mix([0.10, 0.16, 0.09], [0.20, 0.27, 0.12], fractal(x / 2, z / 2, 3))
    ground = mix(grass, woods, (patches - 0.42) * 9)
    return mix(ground, [0.55, 0.50, 0.40], 1.2 - y / 0.5)


def _meadow_colour(x: Array, y: Array, z: Array, flat: Array) -> Array:
    fine = fractal(x / 0.25, z / 0.5, 4)
    grass = mix([0.19, 0.24, 0.08], [0.46, 0.43, 0.18], fractal(x / 3, z / 3, 4) * 1.6 - 0.4)
    grass = grass * (0.55 + 0.9 * fine)[..., None]
    path = abs(x + 4.2 + 0.12 * (z - 24) + 1.5 * np.sin(z / 5.5)) / (0.55 + 0.25 * fine)
    trodden = mix(grass, np.asarray([0.58, 0.48, 0.34]) * (0.75 + 0.5 * fine)[..., None], (1.6 - path) * 2)
    shore = mix(trodden, np.asarray([0.46, 0.42, 0.35]) * (0.6 + 0.8 * fine)[..., None], 1.4 - y / 0.16)
    flowers = (noise(x / 0.07, z / 0.12) > 0.93) & (fractal(x / 2.2 + 40, z / 2.2, 3) > 0.5) & (y > 0.5) & (path > 2)
    hue = noise(x / 1.7 + 90, z / 1.7)[..., None]
    return np.where(flowers[..., None], np.where(hue > 0.5, [0.95, 0.85, 0.40], [0.88, 0.50, 0.62]), shore)


def _sky() -> Array:
    rows, columns = DRAWN
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    up = np.clip((HORIZON - y) / HORIZON, 0, 1)
    image = mix([0.90, 0.82, 0.70], [0.58, 0.72, 0.86], up * 2.2)
    image = mix(image, [0.26, 0.46, 0.74], up * 1.25 - 0.30)
    towards = np.hypot((x - 610) / 900, (y - 170) / 560)  # from the sun
    image = image + np.exp(-((towards / 0.33) ** 1.2))[..., None] * np.array([0.42, 0.30, 0.10], np.float32)
    image = image + np.clip(8.5 - np.hypot(x - 610, y - 170) / 2, 0, 1)[..., None]
    # Clouds lie on a plane overhead: their rows crowd towards the horizon.
    far = 70 / (HORIZON + 60 - np.minimum(y, HORIZON))
    place = ((x - 640) * far / 190 + 31.4, far * 9.5)
    dense = fractal(*place, 7, gain=0.55)
    lit = dense - fractal(place[0] - 0.16, place[1] - 0.05, 7, gain=0.55)  # thinner towards the sun
    cover = np.clip((dense - 0.50) * 5.0, 0, 1) * np.clip(up * 4.0, 0, 1)
    cloud = mix([0.66, 0.67, 0.72], [1.03, 0.97, 0.88], 0.62 + lit * 3.2)
    return mix(image, cloud, cover * 0.92).clip(0, 1).astype(np.float32)


def _lake(behind: Array) -> Array:
    """The mirror image of what is behind, broken by ripples that grow towards the viewer."""
    rows, columns = DRAWN
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    below = np.maximum(y - HORIZON - 20, 1)
    distance = FOCAL * EYE / (below + 20)
    metres = (x - columns / 2) * distance / FOCAL
    ripple = fractal(metres / 2.8, distance / 0.55, 3) - 0.5 + 0.7 * (fractal(metres / 22, distance / 5, 2) - 0.5)
    mirrored = HORIZON + 40 - (y - HORIZON) * 1.04 + ripple * below * 0.55
    image = cv2.remap(behind, x + ripple * 7, mirrored, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    grazing = np.clip(1.08 - below / 420, 0.45, 1)  # water mirrors less the steeper one looks into it
    image = mix([0.10, 0.20, 0.22], image * 0.94, grazing)
    wind = np.clip((fractal(metres / 60 + 4, distance / 13, 4) - 0.55) * 6, 0, 1) * 0.35
    image = mix(image, [0.62, 0.70, 0.76], wind).astype(np.float32).clip(0, 1)
    covered = (y > HORIZON + 30).astype(np.float32)[..., None]
    return np.concatenate([image * covered, covered], axis=-1)


def _plant_forest(hills: Array) -> None:
    """Conifers on the far shore, the farthest first, where the woods are."""
    generator = np.random.default_rng(5)
    z = np.sort(generator.uniform(112, 230, 1500))[::-1]
    x = generator.uniform(-0.62, 0.62, len(z)) * z
    ground = _hills(x[None], z[None])[0]
    wooded = fractal(x / 26, z / 26, 5)[0] > 0.43
    for number in np.flatnonzero(wooded & (ground > 0.4)):
        size = generator.uniform(3.5, 8.5)
        column, row = project(x[number], ground[number] - 0.2, z[number])
        haze = 1 - np.exp(-(z[number] - 25) / 1150)
        draw_conifer(hills, column, row, size * FOCAL / z[number], int(number), haze=(tone(_HAZE), float(haze)))


def _grow_grass(meadow: Array) -> None:
    """Blades in the foreground, each in the colour of the ground it grows from."""
    generator = np.random.default_rng(9)
    # Evenly over the rows of the picture, the farthest first.
    rows = np.sort(generator.uniform(540, DRAWN[0] + 20, 9000))
    columns = generator.uniform(0, DRAWN[1], len(rows))
    for column, row in zip(columns, rows, strict=True):
        ground = meadow[min(round(row), DRAWN[0] - 1), min(round(column), DRAWN[1] - 1)]
        if ground[0] > ground[1]:
            continue  # the path
        length = (row - HORIZON) * generator.uniform(0.02, 0.055)
        tip = (column + generator.normal(0.15, 0.35) * length, row - length)
        draw_stroke(meadow, (column, row), tip, ground[:3] * generator.uniform(0.72, 1.28), 1)


def _shade_ground(image: Array, x: float, z: float, width: float, length: float) -> None:
    """The soft shadow of something that stands at (x, z), away from the sun."""
    mask = np.zeros(DRAWN, np.float32)
    along = np.linspace(0, length, 24)
    for step in along:
        px, pz = x + step * 0.8, z + step * 0.12
        column, row = project(px, _meadow(np.array(px), np.array(pz)).item(), pz)
        size = width * (1 - 0.45 * step / length) * FOCAL / pz / 2
        cv2.ellipse(mask, (round(column), round(row)), (round(size), max(2, round(size * 0.16))), 0, 0, 360, 1.0, -1)
    mask = cv2.GaussianBlur(mask, (0, 0), 5)[..., None]
    image[..., :3] *= 1 - mask * (1 - np.array([0.46, 0.52, 0.62], np.float32))
