"""What steers a restyle on the embedded weights: masks keep the source exactly, regions and controls act in place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import pytest
import torch

from vedit.diffusion.blending import pool_mask
from vedit.diffusion.conditioning import Control, FrameConditioning, RegionConditioning
from vedit.errors import InputError
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.pipelines.restyle_windows import restyle_window
from vedit.types import ControlInput, ControlMap, ControlSpec, FrameRange

OPTIONS = RestyleOptions(prompt="watercolor painting", steps=2, fixed_point=1, batch=2)
Start = Literal["inversion", "noise"]
STARTS: tuple[Start, ...] = ("inversion", "noise")
FRAMES = 3


@pytest.fixture(scope="module")
def model() -> SDModel:
    return load_sd(resolve("embedded"), controls=("tile", "softedge"))


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture, (64, 96), mode="bicubic").clamp(0, 1)[0]
    return torch.stack([picture.roll(3 * t, 2) for t in range(FRAMES)])


def restyled(
    model: SDModel,
    options: RestyleOptions,
    frames: torch.Tensor,
    *,
    mask: torch.Tensor | None = None,
    regions: tuple[RegionConditioning, ...] = (),
) -> torch.Tensor:
    restyler = prepare(model, options)
    numbers = range(len(frames))
    steered = replace(own_guides(restyler)(numbers, frames), mask=mask, regions=regions)
    return restyle_frames(restyler, frames, numbers, steered).data


@pytest.mark.parametrize("start", STARTS)
def test_the_mask_decides_what_changes(model: SDModel, frames: torch.Tensor, start: Start) -> None:
    """Nothing: the source's latents exactly; everything: as without; a part: the source exactly in all other cells."""
    options = replace(OPTIONS, start=start)
    source = model.codec.encode(frames)
    whole = torch.ones(FRAMES, 1, *frames.shape[-2:])
    assert torch.equal(restyled(model, options, frames, mask=torch.zeros_like(whole)), source)
    assert torch.equal(restyled(model, options, frames, mask=whole), restyled(model, options, frames))
    dot = torch.zeros_like(whole)
    dot[1, :, 31:40, 62:67] = 1
    inside = pool_mask(dot, model.codec.factors)[:, 0] > 0
    assert inside.sum() == 2 * 2
    changed = (restyled(model, options, frames, mask=dot) - source).abs().amax(1)
    assert float(changed[~inside].max()) == 0.0
    assert float(changed[inside].min()) > 1e-2


def test_a_feathered_mask_lies_between(model: SDModel, frames: torch.Tensor) -> None:
    source = model.codec.encode(frames[:1])
    moved = [
        float((restyled(model, OPTIONS, frames[:1], mask=torch.full((1, 1, 64, 96), value)) - source).square().mean())
        for value in (0.0, 0.3, 0.6, 1.0)
    ]
    assert moved == sorted(moved)
    assert moved[0] == 0.0 < moved[1]


def test_a_region_that_is_everything_is_the_prompt(model: SDModel, frames: torch.Tensor) -> None:
    """Through inversion, sampling, guidance, controls and cross-frame attention."""
    regions = (RegionConditioning(prompt=model.text("night"), mask=torch.ones(FRAMES, 1, *frames.shape[-2:])),)
    found = restyled(model, OPTIONS, frames, regions=regions)
    torch.testing.assert_close(found, restyled(model, replace(OPTIONS, prompt="night"), frames), rtol=0, atol=1e-3)
    assert float((found - restyled(model, OPTIONS, frames)).abs().max()) > 0.1


def test_a_window_s_guides_are_those_of_the_anchor_and_its_frames(model: SDModel, frames: torch.Tensor) -> None:
    restyler = prepare(model, OPTIONS)
    asked: list[tuple[list[int], torch.Tensor]] = []

    def guides_of(numbers: Sequence[int], small: torch.Tensor) -> FrameConditioning:
        asked.append((list(numbers), small))
        return replace(own_guides(restyler)(numbers, small), mask=torch.zeros(len(small), 1, *small.shape[-2:]))

    shot = FrameRange(start=10, stop=13)
    for window in (shot, FrameRange(start=12, stop=13)):
        found = restyle_window(
            restyler, shot, window, lambda part: frames[part.start - 10 : part.stop - 10], guides_of
        ).data
        assert torch.equal(found, model.codec.encode(frames)[window.start - 10 :])
    assert [numbers for numbers, _ in asked] == [[10, 11, 12], [10, 12]]
    assert torch.equal(asked[1][1], frames[[0, 2]])


def test_a_control_s_residuals_are_masked(model: SDModel, frames: torch.Tensor) -> None:
    """Full mask: as without; empty: as without the control; two halves of one branch: as one control."""
    x = torch.randn(FRAMES, 16, 8, 12, generator=torch.Generator().manual_seed(0))
    text, edges = model.text("night"), ControlInput(branch="softedge", frames=frames, scale=0.9)
    whole = torch.ones(FRAMES, 1, 64, 96)
    # On a multiple of the coarsest residual's cells, so that the halves do not share one.
    left = whole.clone()
    left[..., 32:] = 0

    def run(*controls: ControlInput) -> torch.Tensor:
        return model.denoiser(x, 500, text, controls)

    plain, none = run(edges), run()
    assert float((plain - none).abs().max()) > 1e-3
    assert torch.equal(run(replace(edges, mask=whole)), plain)
    assert torch.equal(run(replace(edges, mask=torch.zeros_like(whole))), none)
    halves = run(replace(edges, mask=left), replace(edges, mask=1 - left))
    torch.testing.assert_close(halves, plain, rtol=0, atol=2e-5)


def test_a_control_without_a_branch_is_refused(model: SDModel) -> None:
    options = replace(OPTIONS, controls=(ControlSpec(kind="tile"), ControlSpec(kind="luma")))
    with pytest.raises(InputError, match="no control branch for luma; it has tile, softedge"):
        prepare(model, options)


def test_a_map_acts_through_the_branch_it_is_for(
    model: SDModel, frames: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preprocessor of another name whose maps are soft edges steers the soft-edge branch."""

    def branch(kind: str) -> str:
        return "softedge" if kind == "softedge-other" else kind

    monkeypatch.setattr("vedit.diffusion.conditioning.branch", branch)
    restyler = prepare(model, replace(OPTIONS, start="noise", guidance=1.0))

    def steered(kind: str) -> torch.Tensor:
        control = Control(spec=ControlSpec(kind=kind), map=ControlMap(kind=kind, frames=frames))
        return restyle_frames(restyler, frames, range(FRAMES), FrameConditioning(controls=(control,))).data

    assert torch.equal(steered("softedge-other"), steered("softedge"))
    assert not torch.equal(steered("softedge"), steered("tile"))
