"""Low-rank changes of weights: the sums, the file's keys, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.tiers import CONV, LINEAR, random_pairs, write_tier
from vedit.errors import ModelError
from vedit.models.load import load_sd
from vedit.models.lora import Lora, read_lora
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a fast tier."""
    folder = write_tiny_sd(tmp_path_factory.mktemp("lora") / "model")
    write_tier(folder)
    return folder


def test_merging_is_the_sum_of_the_weight_and_the_product(folder: Path) -> None:
    """Against Hu et al.'s second path, evaluated beside the layer: of a convolution A has the kernel and B is 1x1."""
    unet, pairs = load_sd(resolve(str(folder))).denoiser.unet, random_pairs(folder)
    lora = Lora(pairs=pairs, scale=0.5)
    conv, linear = unet.get_submodule(CONV), unet.get_submodule(LINEAR)
    weight = unet.get_parameter(f"{CONV}.weight")
    pictures, states = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 32)
    down, up = pairs[CONV]
    beside = torch.nn.functional.conv2d(torch.nn.functional.conv2d(pictures, down, padding=1), up)
    expected = conv(pictures) + 0.5 * beside
    expected_linear = linear(states) + 0.5 * states @ pairs[LINEAR][0].T @ pairs[LINEAR][1].T
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    addresses = {name: value.data_ptr() for name, value in unet.named_parameters()}
    with lora.merged(unet):
        torch.testing.assert_close(conv(pictures), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(linear(states), expected_linear, rtol=1e-4, atol=1e-5)
        assert weight.is_contiguous(memory_format=torch.channels_last)
    for name, value in unet.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert {name: value.data_ptr() for name, value in unet.named_parameters()} == addresses
    with pytest.raises(RuntimeError, match="on purpose"), lora.merged(unet):
        raise RuntimeError("on purpose")
    assert torch.equal(weight, before[f"{CONV}.weight"])


def test_half_precision_weights_stay_so() -> None:
    layer = torch.nn.Module()
    inner = torch.nn.Linear(6, 4).half()
    layer.add_module("inner", inner)
    lora = Lora(pairs={"inner": (torch.randn(2, 6), torch.randn(4, 2))})
    before = inner.weight.clone()
    with lora.merged(layer):
        assert inner.weight.dtype == torch.float16
        assert not torch.equal(inner.weight, before)
    assert torch.equal(inner.weight, before)


def test_the_file_has_the_keys_that_diffusers_reads(folder: Path) -> None:
    """`load_lora_weights` wants pytorch_lora_weights.safetensors, unet. before and PEFT's names behind."""
    file = folder / "fast" / "pytorch_lora_weights.safetensors"
    found = load_file(file)
    assert set(found) == {f"unet.{name}.lora_{part}.weight" for name in (CONV, LINEAR) for part in "AB"}
    assert {value.dtype for value in found.values()} == {torch.float16}
    assert found[f"unet.{CONV}.lora_A.weight"].shape == (3, 4, 3, 3)
    assert found[f"unet.{CONV}.lora_B.weight"].shape == (32, 3, 1, 1)
    assert found[f"unet.{LINEAR}.lora_A.weight"].shape == (3, 32)
    assert set(read_lora(file, load_sd(resolve(str(folder))).denoiser.unet).pairs) == {CONV, LINEAR}


def other_shape(found: dict[str, torch.Tensor]) -> None:
    found[f"unet.{LINEAR}.lora_A.weight"] = torch.zeros(3, 48)


def no_counterpart(found: dict[str, torch.Tensor]) -> None:
    del found[f"unet.{LINEAR}.lora_B.weight"]


def no_place(found: dict[str, torch.Tensor]) -> None:
    found["unet.nowhere.lora_A.weight"] = found["unet.nowhere.lora_B.weight"] = torch.zeros(3, 3)


def nothing(found: dict[str, torch.Tensor]) -> None:
    found.clear()


@pytest.mark.parametrize("damage", [other_shape, no_counterpart, no_place, nothing])
def test_a_change_that_does_not_fit_is_refused(folder: Path, tmp_path: Path, damage: Any) -> None:
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    file = broken / "fast" / "pytorch_lora_weights.safetensors"
    found = {name: value.clone() for name, value in load_file(file).items()}
    damage(found)
    save_file({name: value.clone() for name, value in found.items()}, file)
    with pytest.raises(ModelError) as caught:
        load_sd(resolve(str(broken)))
    assert str(file) in caught.value.message
    assert "\n" not in caught.value.message
    assert "fast/" in caught.value.remedy
