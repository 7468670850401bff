"""LoRAs that act in masks: the network under each set of weights, blended in its output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from tests.support.lora_files import CONV, TO_K, write_kohya
from vedit.diffusion.conditioning import Conditioning, FrameConditioning, bind
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec, masks_of
from vedit.options.masks import MaskSpec, parse_mask_spec
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import PreparedRestyle, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel

FRAMES = (4, 5, 6)
LEFT, RIGHT = parse_mask_spec("box:0,0,32,64"), parse_mask_spec("box:32,0,32,64")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    return load_sd(resolve(str(write_tiny_sd(tmp_path_factory.mktemp("masked") / "model", controls=()))))


@pytest.fixture
def files(model: SDModel, tmp_path: Path) -> tuple[Path, Path]:
    folder = Path(resolve(model.name).source.base)
    places = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for seed, place in enumerate(places):
        write_kohya(place, folder, modules={"unet": (TO_K, CONV)}, seed=30 * seed)
    return places


def look(*loras: LoraSpec, **more: object) -> RestyleOptions:
    plain = RestyleOptions(prompt="ink", steps=3, controls=(), batch=2, guidance=2.0, fixed_point=1, loras=loras)
    return replace(plain, **more)  # pyright: ignore[reportArgumentType]


def in_box(mask: MaskSpec) -> torch.Tensor:
    """(T, 1, 64, 64)."""
    (box,) = mask.boxes
    matte = torch.zeros(len(FRAMES), 1, 64, 64)
    matte[..., int(box.left) : int(box.left + box.width)] = 1
    return matte


def sampled(model: SDModel, options: RestyleOptions, masks: tuple[torch.Tensor, ...] = ()) -> torch.Tensor:
    frames = torch.rand(len(FRAMES), 3, 64, 64, generator=torch.Generator().manual_seed(1))
    restyler: PreparedRestyle = prepare(model, options)
    return restyle_frames(restyler, frames, FRAMES, FrameConditioning(weight_masks=masks)).data


def test_the_output_is_blended_by_the_masks(model: SDModel, files: tuple[Path, Path]) -> None:
    """One evaluation: left of the middle that of one set of weights, right of it that of the other."""
    first, second = files
    options = look(LoraSpec(path=first, mask=LEFT), LoraSpec(path=second, weight=0.5, mask=RIGHT))
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    prompt, step = model.text("ink"), model.schedule(steps=3).steps[0]
    masks = tuple(in_box(mask)[..., ::8, ::8] for mask in masks_of(options.loras))
    with model.adapters.masked(options) as weights, torch.no_grad():  # pyright: ignore[reportOptionalCall]
        conditioning = Conditioning(prompt=prompt, weight_masks=masks)
        both = bind(model.denoiser, conditioning, batch=2, weights=weights)(x, step)
        alone = []
        for number in range(2):
            with weights.under(number):
                alone.append(bind(model.denoiser, Conditioning(prompt=prompt), batch=2)(x, step))
    torch.testing.assert_close(both[..., :4], alone[0][..., :4], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(both[..., 4:], alone[1][..., 4:], rtol=1e-5, atol=1e-5)
    assert (alone[0] - alone[1]).abs().max() > 0.01


@pytest.mark.parametrize("attention", ["cross-frame", "none"])
def test_a_mask_of_all_is_no_mask_and_one_of_nothing_no_lora(
    model: SDModel, files: tuple[Path, Path], attention: str
) -> None:
    lora = LoraSpec(path=files[0], mask=LEFT)
    whole, nothing = torch.ones(3, 1, 64, 64), torch.zeros(3, 1, 64, 64)
    masked, bare = look(lora, attention=attention), look(attention=attention)
    everywhere = sampled(model, look(replace(lora, mask=None), attention=attention))
    plain = sampled(model, bare)
    torch.testing.assert_close(sampled(model, masked, (whole,)), everywhere, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(sampled(model, masked, (nothing,)), plain, rtol=0, atol=0)
    assert (everywhere - plain).abs().max() > 0.05


def test_what_acts_everywhere_acts_in_the_mask_too(model: SDModel, files: tuple[Path, Path]) -> None:
    first, second = LoraSpec(path=files[0]), LoraSpec(path=files[1], mask=LEFT)
    before = {name: value.clone() for name, value in model.denoiser.unet.state_dict().items()}
    found = sampled(model, look(first, second), (torch.ones(3, 1, 64, 64),))
    both = sampled(model, look(first, replace(second, mask=None)))
    torch.testing.assert_close(found, both, rtol=1e-4, atol=1e-4)
    for name, value in model.denoiser.unet.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_loras_of_one_mask_act_together(files: tuple[Path, Path]) -> None:
    loras = [LoraSpec(path=file, mask=LEFT) for file in files]
    assert masks_of([*loras, LoraSpec(path=files[0], mask=RIGHT, weight=0)]) == (LEFT,)


def test_masks_have_to_be_there(model: SDModel, files: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match="need these among the guides"):
        sampled(model, look(LoraSpec(path=files[0], mask=LEFT)))
    masked = Conditioning(prompt=model.text("x"), weight_masks=(torch.ones(1, 1, 8, 8),))
    with pytest.raises(ValueError, match="masks of weights need the weights"):
        bind(model.denoiser, masked, batch=1)
