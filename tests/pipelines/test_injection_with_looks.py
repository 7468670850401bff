"""Injection beside what a look brings the network: the source's states are those of the network without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.lora_files import TO_K, write_kohya
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec
from vedit.options.masks import parse_mask_spec
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

OPTIONS = RestyleOptions(prompt="ink", steps=3, fixed_point=2, guidance=1.0, batch=2, controls=(), inject="1,1")
HALF = parse_mask_spec("box:0,0,32,64")


class Watching:
    """A denoiser that notes at each call whether the UNet is as it was loaded; all else is the one within."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.weight = inner.unet.get_submodule(TO_K).weight
        self.loaded = self.weight.data
        self.plain: list[bool] = []

    def __call__(self, x: torch.Tensor, *args: Any) -> torch.Tensor:
        scaled = any(vars(block).get("b1") for block in self.inner.unet.up_blocks)
        self.plain.append(self.weight.data_ptr() == self.loaded.data_ptr())
        self.plain[-1] &= not scaled
        return self.inner(x, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    return load_sd(resolve(str(write_tiny_sd(tmp_path_factory.mktemp("model") / "tiny", controls=()))))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    return load_sd(resolve(str(write_tiny_sdxl(tmp_path_factory.mktemp("model") / "tiny-xl", controls=()))))


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def restyled(model: SDModel, options: RestyleOptions, frames: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
    restyler = prepare(model, options)
    guides = own_guides(restyler)((4, 5), frames)
    masks = () if mask is None else (mask,)
    return restyle_frames(restyler, frames, (4, 5), replace(guides, weight_masks=masks)).data


@pytest.mark.parametrize("inversion", ["fixed-point", "ddpm"])
@pytest.mark.parametrize("brought", ["lora", "freeu", "masked"])
def test_the_source_is_seen_without_what_the_look_brings(
    tiny: SDModel, frames: torch.Tensor, tmp_path: Path, brought: str, inversion: Any
) -> None:
    file = tmp_path / "a.safetensors"
    write_kohya(file, Path(resolve(tiny.name).source.base), modules={"unet": (TO_K,)})
    look = replace(OPTIONS, inversion=inversion, fixed_point=None)
    masked = brought == "masked"
    if brought == "freeu":
        look = replace(look, freeu="1.4,1.6,0.9,0.2")
    else:
        look = replace(look, loras=(LoraSpec(path=file, mask=HALF if masked else None),))
    watching = Watching(tiny.denoiser)
    mask = torch.ones(2, 1, 64, 64) if masked else None
    restyled(replace(tiny, denoiser=watching), look, frames, mask)  # pyright: ignore[reportArgumentType]
    each = [True, True, False] if masked else [True, False]
    assert watching.plain[-3 * len(each) :] == 3 * each
    assert all(watching.plain[: -3 * len(each)]), "the inversion"
    assert watching.weight.data_ptr() == watching.loaded.data_ptr()


@pytest.mark.parametrize("inject", ["1,0", "1,1"])
def test_in_sdxl_it_leaves_a_round_trip_as_it_is(large: SDModel, frames: torch.Tensor, inject: str) -> None:
    """By noise maps, with which a random network gives its source back too."""
    options = replace(OPTIONS, prompt="a photograph", fixed_point=None, inversion="ddpm", inject=None)
    plain, found = restyled(large, options, frames), restyled(large, replace(options, inject=inject), frames)
    assert 0 < float((found - plain).abs().mean()) < 5e-3


def test_in_sdxl_it_acts_and_goes_without_a_trace(large: SDModel, frames: torch.Tensor) -> None:
    options = replace(OPTIONS, guidance=3.0)
    before = restyled(large, replace(options, inject=None), frames)
    features, both = (restyled(large, replace(options, inject=inject), frames) for inject in ("1", "1,1"))
    assert not torch.allclose(features, before) and not torch.allclose(features, both)
    assert torch.equal(restyled(large, replace(options, inject=None), frames), before)
