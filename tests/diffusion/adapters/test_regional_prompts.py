"""Regional prompts: a region is drawn under its own words, the rest as before, and nothing stays behind."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vedit.diffusion.adapters.regional_prompts import RegionalPrompts
from vedit.diffusion.conditioning import RegionConditioning
from vedit.embedded import FOLDER
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.types import ControlInput, PromptEmbeds


@pytest.fixture(scope="module", params=["embedded", "sd15", "sdxl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    """The embedded checkpoint, whose time embedding holds the pooled text, a random SD 1.5, which has none, and a
    random SDXL, where it stands beside sizes."""
    tiny = tmp_path_factory.mktemp("regions") / "tiny"
    makers = {"embedded": lambda: FOLDER, "sd15": lambda: write_tiny_sd(tiny), "sdxl": lambda: write_tiny_sdxl(tiny)}
    folder: Path = makers[request.param]()
    return load_sd(resolve(str(folder)), controls=("tile",))


FRAMES, HEIGHT, WIDTH = 3, 96, 160


@pytest.fixture
def latents(model: SDModel) -> torch.Tensor:
    channels = int(model.denoiser.unet.config["in_channels"])
    grid = (HEIGHT // model.codec.factors.cell, WIDTH // model.codec.factors.cell)
    return torch.randn(FRAMES, channels, *grid, generator=torch.Generator().manual_seed(0))


def run(model: SDModel, x: torch.Tensor, prompt: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    frames = torch.rand(1, 3, HEIGHT, WIDTH, generator=generator).expand(len(x), -1, -1, -1)
    return model.denoiser(x, 400, model.text(prompt), [ControlInput(branch="tile", frames=frames, scale=0.8)])


def region(model: SDModel, prompt: str, mask: torch.Tensor) -> RegionConditioning:
    return RegionConditioning(prompt=model.text(prompt), mask=mask)


def everywhere(value: float = 1.0) -> torch.Tensor:
    return torch.full((FRAMES, 1, HEIGHT, WIDTH), value)


def test_a_region_that_is_everything_is_the_prompt(model: SDModel, latents: torch.Tensor) -> None:
    plain = run(model, latents, "night")
    with model.regional() as regional:
        regional.show([region(model, "night", everywhere())])
        found = run(model, latents, "a watercolor")
        regional.show([region(model, "night", everywhere()), region(model, "night", everywhere(0.7))])
        shared = run(model, latents, "a watercolor")
    torch.testing.assert_close(found, plain, rtol=0, atol=2e-5)
    torch.testing.assert_close(shared, plain, rtol=0, atol=2e-5)
    assert float((run(model, latents, "a watercolor") - plain).abs().max()) > 1e-3


def test_a_region_that_is_nowhere_changes_nothing(model: SDModel, latents: torch.Tensor) -> None:
    plain = run(model, latents, "a watercolor")
    with model.regional() as regional:
        regional.show([region(model, "night", everywhere(0.0))])
        torch.testing.assert_close(run(model, latents, "a watercolor"), plain, rtol=0, atol=2e-5)
        regional.show(())
        assert torch.equal(run(model, latents, "a watercolor"), plain)


def test_a_region_acts_where_it_is(model: SDModel, latents: torch.Tensor) -> None:
    """Left half night, right half watercolor: each half is nearer to the run under its own prompt."""
    left = everywhere(0.0)
    left[..., : WIDTH // 2] = 1
    night, watercolor = run(model, latents, "night"), run(model, latents, "a watercolor")
    with model.regional() as regional:
        regional.show([region(model, "night", left)])
        found = run(model, latents, "a watercolor")
    half = latents.shape[-1] // 2

    def distance(a: torch.Tensor, b: torch.Tensor, part: slice) -> float:
        return float((a - b)[..., part].square().mean())

    for part, own, other in ((slice(None, half), night, watercolor), (slice(half, None), watercolor, night)):
        assert distance(found, own, part) < 0.5 * distance(found, other, part)


@pytest.mark.parametrize("cross_frame", [False, True])
def test_batches_do_not_matter(model: SDModel, latents: torch.Tensor, cross_frame: bool) -> None:
    mask = torch.rand(FRAMES, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(2))
    guide = region(model, "night", mask)
    with model.cross_frame() if cross_frame else nullcontext() as memory, model.regional() as regional:
        regional.show([guide])
        whole = run(model, latents, "a watercolor")
        if memory is not None:
            memory.clear()
        parts: list[torch.Tensor] = []
        for i in range(FRAMES):
            regional.show([replace(guide, mask=mask[i : i + 1])])
            parts.append(run(model, latents[i : i + 1], "a watercolor"))
    torch.testing.assert_close(torch.cat(parts), whole, rtol=0, atol=2e-5)


@pytest.mark.parametrize("cross_frame_first", [True, False])
def test_it_leaves_no_trace(model: SDModel, latents: torch.Tensor, cross_frame_first: bool) -> None:
    networks = model.denoiser.modules
    processors = [dict(network.attn_processors) for network in networks]  # pyright: ignore[reportArgumentType, reportCallIssue]
    before = run(model, latents, "night")
    regional = RegionalPrompts()
    with pytest.raises(RuntimeError, match="stop"), ExitStack() as adapters:
        if cross_frame_first:
            adapters.enter_context(model.cross_frame())
        regional = adapters.enter_context(model.regional())
        if not cross_frame_first:
            adapters.enter_context(model.cross_frame())
        regional.show([region(model, "a watercolor", everywhere())])
        assert float((run(model, latents, "night") - before).abs().max()) > 1e-3
        raise RuntimeError("stop")
    assert not regional.prompts
    assert [dict(network.attn_processors) for network in networks] == processors  # pyright: ignore[reportArgumentType, reportCallIssue]
    modules = [module for network in networks for module in network.modules()]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)  # pyright: ignore[reportPrivateUsage]
    assert torch.equal(run(model, latents, "night"), before)


def test_shares_sum_to_one_on_every_grid() -> None:
    generator = torch.Generator().manual_seed(3)
    masks = (torch.rand(3, FRAMES, 1, HEIGHT, WIDTH, generator=generator) * 1.5).clamp(0, 1)
    prompts = RegionalPrompts()
    text = torch.zeros(1, 4, 8)
    prompts.show([RegionConditioning(prompt=PromptEmbeds(states=text), mask=mask) for mask in masks])
    like = torch.zeros(1)
    for halvings in range(3, 8):
        height, width = (-(-side // 2**halvings) for side in (HEIGHT, WIDTH))
        assert prompts.token_grid(height * width) == (height, width)
        weights = prompts.weights((height, width), like)
        assert weights.shape == (4, FRAMES, height, width)
        assert float(weights.min()) >= 0
        torch.testing.assert_close(weights.sum(0), torch.ones(FRAMES, height, width))
    with pytest.raises(ValueError, match="has 7 tokens"):
        prompts.token_grid(7)
