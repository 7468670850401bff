"""Matrix coefficients that swscale does not know, by their equations in ITU-T H.273 (07/2021), section 8.3.

All values are on the signal's own scale: R, G, B and luma in [0, 1], chroma in [-0.5, 0.5]. Functions take and return
planes of floats stacked on the first axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from vedit.types import ColorTags

Planes = npt.NDArray[np.floating]
Curve = Callable[[Planes], Planes]

YCGCO, BT2020_CL, YDZDX, DERIVED_NCL, DERIVED_CL, ICTCP = 8, 10, 11, 12, 13, 14
NAMES = {
    0: "RGB",
    3: "reserved",
    YCGCO: "YCgCo",
    BT2020_CL: "BT.2020 of constant luminance",
    YDZDX: "YDzDx",
    DERIVED_NCL: "derived from the primaries",
    DERIVED_CL: "derived from the primaries, of constant luminance",
    ICTCP: "ICtCp",
    15: "IPT-PQ-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}

_D65, _C = (0.3127, 0.3290), (0.310, 0.316)
# Red, green, blue and white, (x, y), by the code points of table 2.
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), _C),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    8: ((0.681, 0.319), (0.243, 0.692), (0.145, 0.049), _C),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
    22: ((0.630, 0.340), (0.295, 0.605), (0.155, 0.077), _D65),
}


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """A way from RGB to luma and two chroma planes, and back."""

    to_rgb: Curve
    from_rgb: Curve


@lru_cache(maxsize=32)
def own_matrix(tags: ColorTags) -> Matrix | None:
    """The conversion of a matrix that swscale lacks; None where it has it, or nobody here has it."""
    if tags.matrix == YCGCO:
        return _linear([[0.25, 0.5, 0.25], [-0.25, 0.5, -0.25], [0.5, 0, -0.5]])
    if tags.matrix == YDZDX:
        return _linear([[0, 1, 0], [0, -0.5, 0.986566 / 2], [0.5, -0.991902 / 2, 0]])
    weights = _weights(9 if tags.matrix == BT2020_CL else tags.primaries)
    if tags.matrix == DERIVED_NCL and weights is not None:
        red, green, blue = weights
        scale_b, scale_r = 2 * (1 - blue), 2 * (1 - red)
        return _linear(
            [
                [red, green, blue],
                [-red / scale_b, -green / scale_b, (1 - blue) / scale_b],
                [(1 - red) / scale_r, -green / scale_r, -blue / scale_r],
            ]
        )
    if tags.matrix in (BT2020_CL, DERIVED_CL) and weights is not None:
        curves = _curves(14 if tags.transfer == 2 else tags.transfer)
        return None if curves is None else _constant_luminance(weights, *curves)
    if tags.matrix == ICTCP and tags.transfer in (16, 18):
        return _ictcp(hlg=tags.transfer == 18)
    return None


def _linear(rows: list[list[float]]) -> Matrix:
    forward = np.array(rows, np.float64)
    back = np.linalg.inv(forward)
    return Matrix(to_rgb=lambda planes: _applied(back, planes), from_rgb=lambda planes: _applied(forward, planes))


def _applied(matrix: Planes, planes: Planes) -> Planes:
    return np.tensordot(matrix, planes, axes=1)


def _weights(primaries: int) -> tuple[float, float, float] | None:
    """How much red, green and blue add to luminance: equations 39 to 44; None where the primaries are not told."""
    if primaries not in _PRIMARIES:
        return None
    *points, white = (np.array([x, y, 1 - x - y]) for x, y in _PRIMARIES[primaries])
    scales = np.linalg.solve(np.stack(points, axis=1), white / white[1])
    red, green, blue = (float(scale * point[1]) for scale, point in zip(scales, points, strict=True))
    return red, green, blue


def _constant_luminance(weights: tuple[float, float, float], light: Curve, coded: Curve) -> Matrix:
    """Luma of linear light: equations 59 to 68 (BT.2020's own figures are these of its primaries)."""
    red, green, blue = weights

    def at(value: float) -> float:
        return float(coded(np.array([value]))[0])

    # Chroma is scaled by how far it can go below and above luma.
    low_b, high_b, low_r, high_r = at(1 - blue), 1 - at(blue), at(1 - red), 1 - at(red)

    def from_rgb(planes: Planes) -> Planes:
        linear = light(planes)
        luma = coded(red * linear[0] + green * linear[1] + blue * linear[2])
        off_b, off_r = planes[2] - luma, planes[0] - luma
        return np.stack(
            [
                luma,
                off_b / np.where(off_b <= 0, 2 * low_b, 2 * high_b),
                off_r / np.where(off_r <= 0, 2 * low_r, 2 * high_r),
            ]
        )

    def to_rgb(planes: Planes) -> Planes:
        luma, chroma_b, chroma_r = planes
        b = luma + chroma_b * np.where(chroma_b <= 0, 2 * low_b, 2 * high_b)
        r = luma + chroma_r * np.where(chroma_r <= 0, 2 * low_r, 2 * high_r)
        g = coded((light(luma) - red * light(r) - blue * light(b)) / green)
        return np.stack([r, g, b])

    return Matrix(to_rgb=to_rgb, from_rgb=from_rgb)


def _ictcp(*, hlg: bool) -> Matrix:
    """ITU-R BT.2100-2, tables 6 and 7: through the cones' response to BT.2020 light, coded with PQ or HLG."""
    cones = np.array([[1688, 2146, 262], [683, 2951, 462], [99, 309, 3688]]) / 4096
    rows = [[3625, -7465, 3840], [9500, -9212, -288]] if hlg else [[6610, -13613, 7003], [17933, -17390, -543]]
    mixed = np.array([[2048, 2048, 0], *rows]) / 4096
    light, coded = (_hlg_light, _hlg_coded) if hlg else (_pq_light, _pq_coded)
    cones_back, mixed_back = np.linalg.inv(cones), np.linalg.inv(mixed)
    return Matrix(
        to_rgb=lambda planes: coded(_applied(cones_back, light(_applied(mixed_back, planes)))),
        from_rgb=lambda planes: _applied(mixed, coded(_applied(cones, light(planes)))),
    )


def _curves(transfer: int) -> tuple[Curve, Curve] | None:
    """The way to linear light and back, by the code points of table 3; None where there is none here."""
    if transfer in (1, 6, 14, 15):
        return _bt709_light, _bt709_coded
    if transfer == 16:
        return _pq_light, _pq_coded
    if transfer == 18:
        return _hlg_light, _hlg_coded
    if transfer == 8:
        return (lambda planes: planes), (lambda planes: planes)
    gamma = {4: 2.2, 5: 2.8}.get(transfer)
    if gamma is None:
        return None
    return (lambda planes: np.clip(planes, 0, 1) ** gamma), (lambda planes: np.clip(planes, 0, 1) ** (1 / gamma))


_ALPHA, _BETA = 1.099296826809442, 0.018053968510807


def _bt709_light(planes: Planes) -> Planes:
    value = np.clip(planes, 0, 1)
    return np.where(value < 4.5 * _BETA, value / 4.5, ((value + _ALPHA - 1) / _ALPHA) ** (1 / 0.45))


def _bt709_coded(planes: Planes) -> Planes:
    value = np.clip(planes, 0, 1)
    return np.where(value < _BETA, 4.5 * value, _ALPHA * value**0.45 - (_ALPHA - 1))


_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32


def _pq_light(planes: Planes) -> Planes:
    """SMPTE ST 2084; 1 is 10,000 cd/m2."""
    value = np.clip(planes, 0, 1) ** (1 / _M2)
    return (np.maximum(value - _C1, 0) / (_C2 - _C3 * value)) ** (1 / _M1)


def _pq_coded(planes: Planes) -> Planes:
    value = np.clip(planes, 0, 1) ** _M1
    return ((_C1 + _C2 * value) / (1 + _C3 * value)) ** _M2


_A, _B, _CC = 0.17883277, 0.28466892, 0.55991073


def _hlg_light(planes: Planes) -> Planes:
    """ARIB STD-B67: of the scene."""
    value = np.clip(planes, 0, 1)
    return np.where(value <= 0.5, value * value / 3, (np.exp((value - _CC) / _A) + _B) / 12)


def _hlg_coded(planes: Planes) -> Planes:
    value = np.clip(planes, 0, 1)
    return np.where(value <= 1 / 12, np.sqrt(3 * value), _A * np.log(np.maximum(12 * value - _B, 1e-9)) + _CC)
