"""Shots under one look on the embedded weights: an anchor that lies in another shot, and what it never touches."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from vedit.latent_shape import ScaleFactors
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import PreparedRestyle, own_guides, prepare, restyle_frames
from vedit.pipelines.restyle_windows import restyle_window, shot_windows
from vedit.types import FrameRange

OPTIONS = RestyleOptions(prompt="watercolor painting", steps=3, fixed_point=1, batch=3, window=4, overlap=1)
FIRST, SECOND = FrameRange(start=0, stop=3), FrameRange(start=3, stop=10)


@pytest.fixture(scope="module")
def model() -> SDModel:
    return load_sd(resolve("embedded"), controls=("tile", "softedge"))


@pytest.fixture(scope="module")
def restyler(model: SDModel) -> PreparedRestyle:
    return prepare(model, OPTIONS)


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """Two shots, (10, 3, 64, 96) in [0, 1], each a soft pattern that pans: warm and bright to the left, cold and dark
    from column 64 on, then from column 32 on."""
    picture = torch.rand(1, 3, 9, 16, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture, (64, 120), mode="bicubic").clamp(0, 1)[0]
    pan = torch.stack([picture[:, :, 2 * t : 2 * t + 96] for t in range(10)])
    warm, cold = torch.tensor([0.9, 0.6, 0.4]), torch.tensor([0.2, 0.3, 0.6])
    bright = torch.stack([torch.arange(96) < (64 if t in FIRST else 32) for t in range(10)]).view(10, 1, 1, 96)
    tint = torch.where(bright, warm.view(3, 1, 1), cold.view(3, 1, 1))
    return 0.5 * pan * tint + 0.5 * tint


def window(
    restyler: PreparedRestyle, frames: torch.Tensor, shot: FrameRange, part: FrameRange, anchor: int | None
) -> torch.Tensor:
    def frames_of(wanted: FrameRange) -> torch.Tensor:
        return frames[wanted.start : wanted.stop]

    return restyle_window(restyler, shot, part, frames_of, own_guides(restyler), anchor=anchor).data


def test_an_anchor_elsewhere_changes_every_window_and_each_stands_alone(
    restyler: PreparedRestyle, frames: torch.Tensor
) -> None:
    """The windows of a shot are made in any order, twice, to the same bits, and each has the anchor in it."""
    parts = [part.frames for part in shot_windows(OPTIONS, SECOND, ScaleFactors())]
    assert len(parts) > 1
    anchored = {part: window(restyler, frames, SECOND, part, 1) for part in parts}
    for part in reversed(parts):
        again = window(restyler, frames, SECOND, part, 1)
        assert again.shape[0] == len(part)
        assert torch.equal(again, anchored[part])
        assert float((again - window(restyler, frames, SECOND, part, None)).abs().max()) > 0.05


def test_all_windows_see_the_same_anchor(restyler: PreparedRestyle, frames: torch.Tensor) -> None:
    found: list[torch.Tensor] = []
    for part in (range(3, 7), range(6, 10), range(3, 4)):
        numbers = [1, *part]
        shown = frames[numbers]
        guides = own_guides(restyler)(numbers, shown)
        found.append(restyle_frames(restyler, shown, numbers, guides, shared=True).data[0])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=1e-4)


def test_the_shots_own_first_frame_is_no_other_anchor(restyler: PreparedRestyle, frames: torch.Tensor) -> None:
    for part in (part.frames for part in shot_windows(OPTIONS, SECOND, ScaleFactors())):
        own = window(restyler, frames, SECOND, part, SECOND.start)
        assert torch.equal(own, window(restyler, frames, SECOND, part, None))


def test_what_other_shots_show_is_nothing_without_an_anchor(restyler: PreparedRestyle, frames: torch.Tensor) -> None:
    """Never attend across a cut: the first shot can be anything, the second is the same to the last bit."""
    other = frames.clone()
    other[:3] = 1 - other[:3]
    part = FrameRange(start=3, stop=7)
    assert torch.equal(window(restyler, other, SECOND, part, None), window(restyler, frames, SECOND, part, None))
    moved = window(restyler, other, SECOND, part, 1) - window(restyler, frames, SECOND, part, 1)
    assert float(moved.abs().max()) > 0.05


@pytest.mark.parametrize("prompt", ["watercolor painting", "night"])
@pytest.mark.parametrize("cross_frame", [True, False])
def test_the_shot_takes_the_anchors_change_of_colours(
    model: SDModel, frames: torch.Tensor, prompt: str, cross_frame: bool
) -> None:
    """How far the change of what is warm, and of what is cold, is from that in the anchor: less than before."""
    restyler = prepare(model, replace(OPTIONS, prompt=prompt, cross_frame=cross_frame))
    source = model.codec.encode(frames)
    part = FrameRange(start=3, stop=7)
    reference = window(restyler, frames, FIRST, FrameRange(start=0, stop=1), None) - source[:1]
    expected = [reference[..., :7].mean((2, 3)), reference[..., 9:].mean((2, 3))]
    off: list[float] = []
    for anchor in (None, 0):
        change = window(restyler, frames, SECOND, part, anchor) - source[3:7]
        found = [change[..., :3].mean((2, 3)), change[..., 5:].mean((2, 3))]
        off.append(sum(float((a - b).square().mean()) for a, b in zip(found, expected, strict=True)))
    assert off[1] < 0.5 * off[0]
