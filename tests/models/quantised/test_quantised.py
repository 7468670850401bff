"""Weights in fewer bits: rounded as torchao and bitsandbytes round, held as small as told, and near what they were."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from vedit.models.families.sd_files import QUANTIZED
from vedit.models.footprint import Scene
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.quantisation import BLOCK, WAYS
from vedit.models.quantised import quantise
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.weights.packed import PackedConv2d, PackedLinear

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel

FAR = {"int8": 0.01, "fp8": 0.03, "int4": 0.12, "nf4": 0.1}
"""Of normally distributed weights: how far off they are, relative to their norm."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("quantised") / "tiny", controls=())


@pytest.fixture(scope="module")
def weight() -> torch.Tensor:
    return torch.randn(96, 9 * BLOCK, generator=torch.Generator().manual_seed(0)) * 0.05


def layer_of(weight: torch.Tensor, name: str) -> PackedLinear:
    layer = nn.Linear(weight.shape[1], weight.shape[0]).requires_grad_(False)
    layer.weight = nn.Parameter(weight.clone(), requires_grad=False)
    quantise(nn.Sequential(layer), name)
    assert isinstance(layer, PackedLinear)
    return layer


def held_by(network: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())


@pytest.mark.parametrize("name", WAYS)
def test_numbers_stay_near_and_take_the_bytes_that_are_told(weight: torch.Tensor, name: str) -> None:
    layer = layer_of(weight, name)
    off = float((layer.weight - weight).norm() / weight.norm())
    assert FAR[name] / 3 < off < FAR[name]
    assert held_by(layer) == WAYS[name].bytes_of(tuple(weight.shape)) + 4 * len(weight)
    assert "weight" not in dict(layer.named_parameters())
    x = torch.randn(3, weight.shape[1], generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


@pytest.mark.parametrize("name", WAYS)
def test_weights_of_zeros_and_of_outliers_stay_finite(name: str) -> None:
    weight = torch.zeros(2 * BLOCK, BLOCK)
    weight[1, 3], weight[2] = 1e4, 1e-6
    found = layer_of(weight, name).weight
    assert bool(torch.isfinite(found).all())
    assert found[0].abs().max() == 0
    assert found[1, 3] == pytest.approx(1e4, rel=0.01)


def test_a_convolution_unpacks_to_its_shape() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(64, 32, 3, stride=2, padding=1).requires_grad_(False)
    x, wide = torch.randn(1, 64, 9, 9), conv.weight.clone()
    before = conv(x)
    quantise(nn.Sequential(conv), "int8")
    assert isinstance(conv, PackedConv2d)
    assert conv.weight.shape == wide.shape
    assert float((conv(x) - before).norm() / before.norm()) < 0.02


def test_eight_bits_and_four_are_rounded_as_torchao_rounds_them(weight: torch.Tensor) -> None:
    torchao = pytest.importorskip("torchao.quantization", reason="torchao is not installed")
    primitives = torchao.quant_primitives
    for name, config in (("int8", torchao.Int8WeightOnlyConfig()), ("fp8", torchao.Float8WeightOnlyConfig())):
        theirs = nn.Linear(weight.shape[1], weight.shape[0])
        theirs.weight = nn.Parameter(weight.clone(), requires_grad=False)
        torchao.quantize_(theirs, config)
        ours = layer_of(weight, name).parts
        assert torch.equal(cast("Any", theirs.weight).qdata.float(), ours["whole"].float())
        assert torch.equal(cast("Any", theirs.weight).scale.flatten(), ours["scale"].flatten())
    rows, range_of = weight.reshape(-1, BLOCK), {"quant_min": 0, "quant_max": 15}
    scale, zero = primitives.choose_qparams_affine(
        rows,
        primitives.MappingType.ASYMMETRIC,
        (1, BLOCK),
        torch.uint8,
        eps=torch.finfo(torch.float32).eps,
        scale_dtype=torch.float32,
        zero_point_dtype=torch.uint8,
        **range_of,
    )
    whole = primitives.quantize_affine(rows, (1, BLOCK), scale, zero, torch.uint8, **range_of)
    ours = layer_of(weight, "int4").parts
    assert torch.equal(whole[:, ::2] << 4 | whole[:, 1::2], ours["whole"])
    assert torch.equal(zero, ours["zero"].flatten())


def test_nf4_is_bitsandbytes_s(weight: torch.Tensor) -> None:
    theirs = pytest.importorskip("bitsandbytes.functional", reason="bitsandbytes is not installed")
    whole, state = theirs.quantize_4bit(weight, blocksize=BLOCK, quant_type="nf4")
    ours = layer_of(weight, "nf4")
    assert torch.equal(whole.flatten(), ours.parts["whole"].flatten())
    assert torch.equal(theirs.dequantize_4bit(whole, state), ours.weight)


def test_known_numbers_of_each_way() -> None:
    """Of torchao 0.18 and bitsandbytes 0.50: the two tests above where they are not installed."""
    row = torch.linspace(-1, 0.5, BLOCK).repeat(BLOCK, 1)
    found = {name: layer_of(row, name).parts["whole"].float().flatten()[:BLOCK] for name in WAYS}
    assert found["int8"][[0, 1, 20, 43, 63]].tolist() == KNOWN["int8"]
    assert found["fp8"][[0, 1, 20, 43, 63]].tolist() == KNOWN["fp8"]
    assert found["int4"][[0, 1, 10, 20, 31]].tolist() == KNOWN["int4"]
    assert found["nf4"][[0, 1, 10, 20, 31]].tolist() == KNOWN["nf4"]


KNOWN = {
    "int8": [-127.0, -124.0, -67.0, 3.0, 64.0],
    "fp8": [-448.0, -448.0, -240.0, 11.0, 224.0],
    "int4": [0.0, 1.0, 85.0, 170.0, 255.0],
    "nf4": [0, 0, 34, 103, 204],
}


@pytest.mark.parametrize("name", WAYS)
def test_a_model_holds_what_its_footprint_says_and_denoises_nearly_the_same(tiny: Path, name: str) -> None:
    usual, fewer = (load_sd(resolve(str(tiny)), Loading(quantize=way)) for way in ("none", name))
    assert fewer.precision == "float32"
    scene = Scene(height=64, width=64, batch=2, window=4, loading=Loading(quantize=name))
    found = resolve(str(tiny)).footprint((), scene)
    assert found is not None
    assert found.weights["unet"] == held_by(fewer.denoiser.unet) < held_by(usual.denoiser.unet) / 2
    assert found.weights["vae"] == held_by(fewer.codec.vae)
    assert found.unpacked == {"unet": held_by(usual.denoiser.unet) - found.weights["unet"]}
    wide = resolve(str(tiny)).footprint((), Scene(height=64, width=64, batch=2, window=4))
    assert wide is not None
    assert found.denoise.peak > wide.denoise.peak
    assert found.denoise.work.moved > wide.denoise.work.moved
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    first, second = (denoised(model, x) for model in (usual, fewer))
    off = float((first - second).norm() / first.norm())
    assert 0 < off < 4 * FAR[name]
    assert usual.fingerprint["unet"] != fewer.fingerprint["unet"]
    assert fewer.fingerprint["unet"].endswith(name)
    assert usual.fingerprint["vae"] == fewer.fingerprint["vae"]


def test_weights_that_rest_are_quantised_as_those_that_do_not(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny, tmp_path / "half")
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file)
    wide = load_sd(resolve(str(folder)), Loading(quantize="nf4"))
    monkeypatch.setattr("vedit.weights.at_rest.LEAST_SAVED", 0)
    monkeypatch.setattr("vedit.weights.at_rest.LEAST_NUMBERS", 1024)
    rested = load_sd(resolve(str(folder)), Loading(quantize="nf4"))
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    assert torch.equal(denoised(wide, x), denoised(rested, x))
    found = resolve(str(folder)).footprint(
        (), Scene(height=64, width=64, batch=2, window=4, loading=Loading(quantize="nf4"))
    )
    assert found is not None
    assert found.weights["unet"] == held_by(rested.denoiser.unet)
    half = held_by(load_sd(resolve(str(folder))).denoiser.unet)
    assert found.unpacked["unet"] == half - found.weights["unet"]


def denoised(model: SDModel, x: torch.Tensor) -> torch.Tensor:
    return model.denoiser(x, 500.0, model.text("night"), ())


def test_the_second_text_encoder_of_xl_is_quantised_too(tmp_path: Path) -> None:
    folder = write_tiny_sdxl(tmp_path / "xl", controls=())
    model = load_sd(resolve(str(folder)), Loading(precision="bfloat16", quantize="int8"))
    encoders = model.text.encoders
    packed = {name for name in encoders if any(isinstance(one, PackedLinear) for one in encoders[name].modules())}
    assert packed == {"text_encoder_2"} == set(QUANTIZED) - {"unet"}
    assert model.precision == "bfloat16"
    states = model.text("night").states
    near = load_sd(resolve(str(folder))).text("night").states
    assert float((states - near).norm() / near.norm()) < 0.05
