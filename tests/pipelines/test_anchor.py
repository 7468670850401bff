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
    """Two shots, (10, 3, 64, 96) in [0, 1]: warm and bright, then cold and dark, each a soft pattern that pans."""
    picture = torch.rand(1, 3, 9, 16, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture, (64, 120), mode="bicubic").clamp(0, 1)[0]
    pan = torch.stack([picture[:, :, 2 * t : 2 * t + 96] for t in range(10)])
    warm, cold = torch.tensor([0.9, 0.6, 0.4]), torch.tensor([0.2, 0.3, 0.6])
    tint = torch.stack([warm if t in FIRST else cold for t in range(10)]).view(10, 3, 1, 1)
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
    """How far the shot's mean is from where the first shot's own change of colours would take it: less than before."""
    restyler = prepare(model, replace(OPTIONS, prompt=prompt, cross_frame=cross_frame))
    source = model.codec.encode(frames)
    part = FrameRange(start=3, stop=7)
    reference = window(restyler, frames, FIRST, FrameRange(start=0, stop=1), None)
    before, after = source[0].flatten(1), reference[0].flatten(1)
    deviation = before - before.mean(1, keepdim=True)
    slope = (deviation * (after - after.mean(1, keepdim=True))).mean(1) / deviation.square().mean(1).clamp_min(1e-6)
    expected = after.mean(1) + slope * (source[3:7].mean((2, 3)) - before.mean(1))
    alone, shared = (
        float((window(restyler, frames, SECOND, part, anchor).mean((2, 3)) - expected).square().mean())
        for anchor in (None, 0)
    )
    assert shared < 0.5 * alone
