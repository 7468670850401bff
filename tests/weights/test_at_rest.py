"""Large weights rest in the precision of their file, and compute as if they had been widened once and for all."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.lora_files import CONV, TO_K, write_kohya
from tests.support.tiers import write_tier
from vedit.errors import ModelError
from vedit.models.families.modules import weights_digest
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_loras import LORAS
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec, parse_lora
from vedit.options.masks import parse_mask_spec
from vedit.options.request import RestyleOptions
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlInput
from vedit.weights import at_rest
from vedit.weights.at_rest import RestingConv2d, RestingLinear, wide_tensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In half precision, with a fast tier."""
    folder = write_tiny_sd(tmp_path_factory.mktemp("rests") / "model", controls=("tile",))
    for file in folder.rglob("*.safetensors"):
        halves = {name: value.half() if value.is_floating_point() else value for name, value in load_file(file).items()}
        save_file(halves, file, metadata={"format": "pt"})
    write_tier(folder)
    return folder


@pytest.fixture
def wide(folder: Path) -> SDModel:
    return load_sd(resolve(str(folder)), controls=("tile",))


@pytest.fixture
def resting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> SDModel:
    monkeypatch.setattr(at_rest, "LEAST_NUMBERS", 64)
    monkeypatch.setattr(at_rest, "LEAST_SAVED", 0)
    model = load_sd(resolve(str(folder)), controls=("tile",))
    assert any(isinstance(one, RestingConv2d) for one in model.denoiser.unet.modules())
    assert any(isinstance(one, RestingLinear) for one in model.denoiser.unet.modules())
    return model


def drawn(model: SDModel) -> torch.Tensor:
    """What all networks make of one input, one after the other."""
    spread = torch.Generator().manual_seed(3)
    frames = torch.rand(2, 3, 64, 64, generator=spread)
    x = model.codec.encode(frames)
    out = model.denoiser(x, 500.0, model.text("ink"), [ControlInput(branch="tile", frames=frames)])
    return model.codec.decode(out)


def test_what_comes_of_it_is_the_same_to_the_bit(wide: SDModel, resting: SDModel) -> None:
    assert torch.equal(drawn(resting), drawn(wide))
    assert resting.precision == wide.precision == "float32"
    assert resting.fingerprint == wide.fingerprint


def test_each_number_takes_as_many_bytes_as_in_the_file(wide: SDModel, resting: SDModel) -> None:
    def held(model: SDModel) -> int:
        return sum(value.nbytes for value in model.denoiser.unet.state_dict().values())

    assert held(resting) < 0.6 * held(wide)
    assert {value.dtype for _, value in wide_tensors(resting.denoiser.unet)} == {torch.float32}


def test_small_networks_are_wide(wide: SDModel) -> None:
    for network in (wide.denoiser.unet, wide.codec.vae, *wide.text.encoders.values()):
        assert {value.dtype for value in network.state_dict().values() if value.is_floating_point()} == {torch.float32}


def test_the_fast_tier_is_summed_in_full_precision(wide: SDModel, resting: SDModel) -> None:
    made: list[torch.Tensor] = []
    for model in (wide, resting):
        with model.fast[0].merged():
            made.append(drawn(model))
    assert torch.equal(*made)
    assert torch.equal(drawn(resting), drawn(wide))


def loras(folder: Path, to: Path) -> tuple[LoraSpec, ...]:
    write_kohya(to / "a.safetensors", folder)
    write_kohya(to / "b.safetensors", folder, modules={"unet": (TO_K, CONV)}, seed=5)
    return (LoraSpec(path=to / "a.safetensors"), LoraSpec(path=to / "b.safetensors", weight=-0.5))


def test_loras_are_added_as_a_weight_is_widened(wide: SDModel, resting: SDModel, folder: Path, tmp_path: Path) -> None:
    look = RestyleOptions(prompt="ink", loras=loras(folder, tmp_path))
    plain, made = drawn(resting), list[torch.Tensor]()
    for model in (wide, resting):
        with LORAS.encoding(model, look), LORAS.sampling(model, look):
            made.append(drawn(model))
    assert (made[0] - plain).abs().max() > 1e-3
    torch.testing.assert_close(made[1], made[0], atol=1e-5, rtol=0)


def test_loras_in_masks_lie_on_top(wide: SDModel, resting: SDModel, folder: Path, tmp_path: Path) -> None:
    everywhere, part = loras(folder, tmp_path)
    masked = LoraSpec(path=part.path, weight=part.weight, mask=parse_mask_spec("box:0,0,9,9"))
    look, made = RestyleOptions(prompt="ink", loras=(everywhere, masked)), list[torch.Tensor]()
    for model in (wide, resting):
        with LORAS.sampling(model, look), LORAS.masked(model, look) as weights, weights.under(0):
            made.append(drawn(model))
    torch.testing.assert_close(made[1], made[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("error", [None, RuntimeError(), KeyboardInterrupt()])
def test_nothing_is_left_of_them(resting: SDModel, folder: Path, tmp_path: Path, error: BaseException | None) -> None:
    look = RestyleOptions(prompt="ink", loras=loras(folder, tmp_path))
    before, digest = drawn(resting), weights_digest(resting.denoiser.unet)
    with suppress(ZeroDivisionError if error is None else type(error)), LORAS.sampling(resting, look):
        with LORAS.sampling(resting, look):
            assert not torch.equal(drawn(resting), before)
        if error is not None:
            raise error
    assert torch.equal(drawn(resting), before)
    assert weights_digest(resting.denoiser.unet) == digest


def test_a_sum_that_is_not_finite_is_told(resting: SDModel, folder: Path, tmp_path: Path) -> None:
    write_kohya(tmp_path / "a.safetensors", folder)
    tensors = load_file(tmp_path / "a.safetensors")
    key = next(key for key in tensors if key.endswith("lora_up.weight") and "unet" in key)
    tensors[key] = torch.full_like(tensors[key], float("nan"))
    save_file(tensors, tmp_path / "a.safetensors")
    look = RestyleOptions(prompt="ink", loras=(parse_lora(str(tmp_path / "a.safetensors")),))
    with LORAS.sampling(resting, look), pytest.raises(ModelError, match="not finite"):
        drawn(resting)


def test_a_file_that_is_not_finite_is_told_as_damaged(folder: Path, tmp_path: Path, resting: SDModel) -> None:
    shutil.copytree(folder, tmp_path / "bad", ignore=shutil.ignore_patterns("fast*"))
    file = tmp_path / "bad" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    key = next(key for key in tensors if key.endswith("to_k.weight"))
    tensors[key][0, 0] = float("inf")
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match="weights that are not finite"):
        load_sd(resolve(str(tmp_path / "bad")))
