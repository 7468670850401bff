"""Those figures of the scorers that pictures and arithmetic give, and those of CLIP where it is on this machine.

Each follows the scorer's code in what it averages over what, but is written anew; what the scorer's libraries decide
(torchmetrics' SSIM: Gaussian of sigma 1.5, 11 pixels, mirrored borders) is stated where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from published.five import STRIDE
from published.item import Item, Layout, Need, picture_files

if TYPE_CHECKING:
    import numpy.typing as npt

    from published.clip_scores import ClipScores

    Plane = npt.NDArray[np.float32]
    """(H, W, 3) in [0, 1]."""

_C1, _C2 = 0.01**2, 0.03**2
TGVE_SIDE = 480


def measure(item: Item, layout: Layout, out: Path, scores: Mapping[str, ClipScores]) -> dict[str, float]:
    """The scorer's figures of a result, as far as they can be measured here.

    Args:
        item: that is rendered.
        layout: of the benchmark.
        out: of the results.
        scores: by the repository of the weights, those that are here.
    """
    pictures = picture_files(item.target(out))
    found: dict[str, float] = {}
    for name, how in layout.figures.items():
        need = need_of(layout, name)
        clip = scores.get(need.repo) if need is not None and need.repo else None
        if not how or not pictures or (need is not None and clip is None):
            continue
        value = _WITH_CLIP[how](item, pictures, clip) if clip is not None else _PLAIN[how](item, pictures)
        if value is not None:
            found[name] = value
    return found


def need_of(layout: Layout, figure: str) -> Need | None:
    """What a figure of the scorer's is measured with; None where pictures suffice."""
    return next((need for need in layout.needs if figure in need.figures), None)


def loaded(path: Path, size: tuple[int, int] | None = None) -> Plane:
    """A picture, brought to (width, height) as the scorers do it: bicubic."""
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
        shown = rgb if size is None or rgb.size == size else rgb.resize(size)
        return np.asarray(shown, np.float32) / np.float32(255)


def ssim(first: Plane, second: Plane) -> float:
    """The mean of Wang et al. 2004 over pixels and channels, data range 1, Gaussian of sigma 1.5 over 11 pixels."""

    def mean(picture: Plane) -> Plane:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT_101), np.float32)

    a, b = (np.ascontiguousarray(picture, np.float32) for picture in (first, second))
    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b, both = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2, mean(a * b) - mean_a * mean_b
    over = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    under = (mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)
    inner = (over / under)[5:-5, 5:-5] if min(a.shape[:2]) > 10 else over / under
    return float(inner.mean(dtype=np.float64))


def _outside(item: Item, pictures: Sequence[Path]) -> list[tuple[Plane, Plane]]:
    """Every eighth frame of source and result, black where the mask is above 0; none where the benchmark has no mask or
    the source is a film."""
    if item.mask is None or not item.source.is_dir():
        return []
    sources = picture_files(item.source)[::STRIDE]
    pairs: list[tuple[Plane, Plane]] = []
    for source, result in zip(sources, pictures[::STRIDE], strict=False):
        shown = loaded(source)
        keep = 1 - _mask(item.mask / source.name, shown)
        if keep.any():
            pairs.append((shown * keep, loaded(result, (shown.shape[1], shown.shape[0])) * keep))
    return pairs


def _mask(path: Path, like: Plane) -> Plane:
    """(H, W, 1): 1 where the mask's picture is above 0."""
    with Image.open(path) as picture:
        grey = picture.convert("L").resize((like.shape[1], like.shape[0]), Image.Resampling.NEAREST)
    return (np.asarray(grey) > 0).astype(np.float32)[..., None]


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _mse_outside(item: Item, pictures: Sequence[Path]) -> float | None:
    return _mean([float(np.square(a - b).mean(dtype=np.float64)) for a, b in _outside(item, pictures)])


def _psnr_outside(item: Item, pictures: Sequence[Path]) -> float | None:
    errors = [float(np.square(a - b).mean(dtype=np.float64)) for a, b in _outside(item, pictures)]
    # Of two equal pictures there is none: it would be infinite, and so would be every mean that it goes into.
    return _mean([-10 * float(np.log10(error)) for error in errors if error > 0])


def _ssim_outside(item: Item, pictures: Sequence[Path]) -> float | None:
    return _mean([ssim(a, b) for a, b in _outside(item, pictures)])


def _still_share(item: Item, pictures: Sequence[Path]) -> float | None:
    """IVEBench's temporal flickering: 1 minus the mean absolute difference of neighbouring frames over 255."""
    if len(pictures) < 2:
        return None
    frames = map(loaded, pictures)
    return 1 - fmean(float(np.abs(a - b).mean(dtype=np.float64)) for a, b in pairwise(frames))


def _clip_text(item: Item, pictures: Sequence[Path], clip: ClipScores) -> float | None:
    """Mean of 100 times the cosine of prompt and frame; FiVE takes every eighth frame, TGVE all at 480x480."""
    if "kind" in item.facts:
        return _mean(clip.text([loaded(path, (TGVE_SIDE, TGVE_SIDE)) for path in pictures], item.prompt))
    return _mean(clip.text([loaded(path) for path in pictures[::STRIDE]], item.prompt))


def _clip_source(item: Item, pictures: Sequence[Path], clip: ClipScores) -> float | None:
    if not item.source.is_dir():
        return None
    shown = [loaded(path) for path in picture_files(item.source)[::STRIDE]]
    return _mean(clip.text(shown, item.source_prompt))


def _clip_inside(item: Item, pictures: Sequence[Path], clip: ClipScores) -> float | None:
    if item.mask is None or not item.source.is_dir():
        return None
    names = [path.name for path in picture_files(item.source)[::STRIDE]]
    frames: list[Plane] = []
    for name, path in zip(names, pictures[::STRIDE], strict=False):
        shown = loaded(path)
        part = _mask(item.mask / name, shown)
        if part.any():
            frames.append(shown * part)
    return _mean(clip.text(frames, item.prompt)) if frames else None


def _clip_frames(item: Item, pictures: Sequence[Path], clip: ClipScores) -> float | None:
    return clip.frames([loaded(path, (TGVE_SIDE, TGVE_SIDE)) for path in pictures])


_PLAIN: Mapping[str, Callable[[Item, Sequence[Path]], float | None]] = {
    "psnr_outside": _psnr_outside,
    "mse_outside": _mse_outside,
    "ssim_outside": _ssim_outside,
    "still_share": _still_share,
}
_WITH_CLIP: Mapping[str, Callable[[Item, Sequence[Path], ClipScores], float | None]] = {
    "clip_text": _clip_text,
    "pick_score": _clip_text,
    "clip_source": _clip_source,
    "clip_text_inside": _clip_inside,
    "clip_frames": _clip_frames,
}
