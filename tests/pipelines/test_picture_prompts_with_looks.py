"""Picture prompts beside injection, regions, masked LoRAs and FreeU: each acts as it does alone."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.support.lora_files import CONV, TO_K, write_kohya
from tests.support.tiny.ip_adapter import write_encoder, write_ip_adapter
from vedit.diffusion.adapters.image_prompts import PictureProcessor
from vedit.diffusion.conditioning import FrameConditioning, RegionConditioning
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec
from vedit.options.masks import parse_mask_spec
from vedit.options.references import ReferenceSpec
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd

FRAMES = (4, 5, 6)
OPTIONS = RestyleOptions(prompt="ink", steps=3, fixed_point=1, guidance=2.0, batch=2, controls=())
LEFT = parse_mask_spec("box:0,0,32,64")
WHOLE = torch.ones(len(FRAMES), 1, 64, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with an IP-Adapter, its encoder, a LoRA and a picture."""
    place = tmp_path_factory.mktemp("pictures")
    write_tiny_sd(place / "model", controls=())
    write_encoder(place / "image_encoder")
    write_ip_adapter(place / "adapter.safetensors", place / "model")
    write_kohya(place / "lora.safetensors", place / "model", modules={"unet": (TO_K, CONV)})
    assert cv2.imwrite(str(place / "still.png"), np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> SDModel:
    return load_sd(resolve(str(folder / "model"), ip_adapter=str(folder / "adapter.safetensors")))


@pytest.fixture
def shown(folder: Path) -> RestyleOptions:
    return replace(OPTIONS, references=(ReferenceSpec(path=folder / "still.png"),))


def made(model: SDModel, options: RestyleOptions, guides: FrameConditioning | None = None) -> torch.Tensor:
    frames = torch.rand(len(FRAMES), 3, 64, 64, generator=torch.Generator().manual_seed(1))
    return restyle_frames(prepare(model, options), frames, FRAMES, guides or FrameConditioning()).data


@pytest.mark.parametrize("attention", ["cross-frame", "none"])
def test_injection_takes_the_source_s_states_without_the_picture(
    model: SDModel, shown: RestyleOptions, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    injected = replace(shown, inject="1,1", attention=attention)
    unet, calls = model.denoiser.unet, list[bool]()
    before, inner = dict(unet.attn_processors), unet.forward

    def noted(*args: object, **named: object) -> object:
        calls.append(any(isinstance(one, PictureProcessor) for one in unet.attn_processors.values()))
        return inner(*args, **named)  # pyright: ignore[reportArgumentType]

    with monkeypatch.context() as patch:
        patch.setattr(unet, "forward", noted)
        found = made(model, injected)
    # The inversion and the first step's source, then at each step the sampling itself.
    assert [with_picture for with_picture, _ in groupby(calls)] == 3 * [False, True]
    assert all(unet.attn_processors[name] is processor for name, processor in before.items())
    plain = replace(injected, references=())
    assert float((found - made(model, plain)).abs().max()) > 0.02, "the picture acts"
    assert float((found - made(model, replace(injected, inject=None))).abs().max()) > 1e-3, "the injection acts"
    torch.testing.assert_close(made(model, replace(injected, batch=3)), found, rtol=0, atol=1e-4)


def test_a_region_under_the_same_prompt_changes_nothing_under_injection(model: SDModel, shown: RestyleOptions) -> None:
    injected = replace(shown, inject="1,1")
    mask = WHOLE.clone()
    mask[..., :32] = 0

    def under(prompt: str) -> torch.Tensor:
        region = RegionConditioning(prompt=model.text(prompt), mask=mask)
        return made(model, injected, FrameConditioning(regions=(region,)))

    plain = made(model, injected)
    torch.testing.assert_close(under(injected.prompt), plain, rtol=0, atol=1e-4)
    assert float((under("bronze") - plain).abs().max()) > 1e-3


@pytest.mark.parametrize("more", [{}, {"inject": "1,1"}, {"freeu": "1.4,1.6,0.9,0.2"}], ids=["", "injected", "freeu"])
def test_a_lora_in_a_mask_of_all_is_the_lora(
    model: SDModel, shown: RestyleOptions, folder: Path, more: dict[str, str]
) -> None:
    lora = LoraSpec(path=folder / "lora.safetensors")
    look = replace(shown, **more)  # pyright: ignore[reportArgumentType]
    masked = replace(look, loras=(replace(lora, mask=LEFT),))
    everywhere, bare = made(model, replace(look, loras=(lora,))), made(model, look)
    whole, nothing = (made(model, masked, FrameConditioning(weight_masks=(m,))) for m in (WHOLE, 0 * WHOLE))
    torch.testing.assert_close(whole, everywhere, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(nothing, bare, rtol=1e-4, atol=1e-4)
    assert float((everywhere - bare).abs().max()) > 0.02
    unseen = made(model, replace(masked, references=()), FrameConditioning(weight_masks=(WHOLE,)))
    assert float((whole - unseen).abs().max()) > 0.02, "the picture acts"
