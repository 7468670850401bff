"""LoRA files of every layout and method, in the weights of a tiny model: each sum against its own, written out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from tests.support.lora_files import (
    CONV,
    FACTOR,
    FC1,
    PROJ,
    RANK,
    TO_K,
    TO_OUT,
    Q,
    Tensors,
    diffusers_name,
    drawn,
    kohya_name,
    pair,
    product,
    renamed,
    weights_of,
    write,
    write_kohya,
)
from vedit.models.families.sd_keys import open_clip_origin, unet_key
from vedit.models.families.sd_loras import LORAS, check_loras
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.models.source import ModelSource
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.testing.tiny_sd import write_tiny_sd

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel

UNET_CONFIG = {"layers_per_block": 1, "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("layouts") / "model", controls=())


@pytest.fixture(scope="module")
def model(folder: Path) -> SDModel:
    return load_sd(resolve(str(folder)))


def changed(model: SDModel, folder: Path, *specs: LoraSpec) -> dict[str, Tensors]:
    """What LoRAs add to each tensor of the networks that are not as they were, after the check before loading."""
    options = RestyleOptions(prompt="x", loras=specs)
    check_loras(ModelSource(base=str(folder)), specs)
    networks: dict[str, torch.nn.Module] = {"unet": model.denoiser.unet, **model.text.encoders}
    before = {part: {k: v.clone() for k, v in network.state_dict().items()} for part, network in networks.items()}
    with LORAS.encoding(model, options), LORAS.sampling(model, options):
        found = {
            part: {
                name.removesuffix(".weight").removeprefix("text_model."): value - before[part][name]
                for name, value in network.state_dict().items()
                if not torch.equal(value, before[part][name])
            }
            for part, network in networks.items()
        }
    for part, network in networks.items():
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[part][name]), name
    return {part: tensors for part, tensors in found.items() if tensors}


def assert_added(found: dict[str, Tensors], expected: dict[str, Tensors] | object) -> None:
    assert isinstance(expected, dict)
    assert {part: set(tensors) for part, tensors in found.items()} == {p: set(t) for p, t in expected.items()}
    for part, tensors in expected.items():
        for name, value in tensors.items():
            torch.testing.assert_close(found[part][name], value.reshape(found[part][name].shape), rtol=1e-5, atol=1e-5)


def ldm_name(part: str, module: str) -> str:
    if part != "unet":
        return kohya_name(part, module)
    return "lora_unet_" + unet_key(f"{module}.weight", UNET_CONFIG).removesuffix(".weight").replace(".", "_")


def comfy_name(part: str, module: str) -> str:
    if part != "unet":
        return f"text_encoders.clip_l.transformer.text_model.{module}"
    return "diffusion_model." + unet_key(f"{module}.weight", UNET_CONFIG).removesuffix(".weight")


def open_clip_name(part: str, module: str) -> str:
    if part == "unet":
        return kohya_name(part, module)
    return "lora_te_" + open_clip_origin(f"{module}.weight").key.removesuffix(".weight").replace(".", "_")


def peft_name(part: str, module: str) -> str:
    return f"base_model.model.{'' if part == 'unet' else 'text_model.'}{module}"


@pytest.mark.parametrize(
    "name_of", [kohya_name, ldm_name, comfy_name, diffusers_name], ids=["kohya", "original", "comfy", "diffusers"]
)
def test_every_name_of_a_module(
    model: SDModel, folder: Path, tmp_path: Path, name_of: Callable[[str, str], str]
) -> None:
    file = tmp_path / "a.safetensors"
    expected = write_kohya(file, folder, name_of=name_of)
    assert_added(changed(model, folder, LoraSpec(path=file)), expected)


def processors(key: str) -> str:
    """As attention processors wrote it, before diffusers 0.22."""
    key = key.removeprefix("unet.").replace("self_attn.q_proj", "self_attn.to_q").replace(".to_out.0", ".to_out")
    key = re.sub(r"\.(attn\d)\.(to_\w+)\.lora_", r".\1.processor.\2_lora.", key)
    return re.sub(r"self_attn\.to_q\.lora_", "self_attn.to_q_lora.", key)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "diffusers": lambda key: key.replace("lora_down", "lora_A").replace("lora_up", "lora_B"),
    "diffusers, first": lambda key: key.replace("lora_down", "lora.down").replace("lora_up", "lora.up"),
    "text encoder, first": lambda key: key.replace(".lora_down", ".lora_linear_layer.down").replace(
        ".lora_up", ".lora_linear_layer.up"
    ),
    "attention processors": processors,
    "PEFT": lambda key: key.replace("lora_down", "lora_A.default").replace("lora_up", "lora_B.default"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_end_of_a_key(model: SDModel, folder: Path, tmp_path: Path, spelling: str) -> None:
    modules = {"unet": (TO_K, TO_OUT), "text_encoder": (Q,)}
    expected = write_kohya(tmp_path / "a.safetensors", folder, modules=modules, alpha=None, name_of=diffusers_name)
    file = renamed(tmp_path / "a.safetensors", tmp_path / "b.safetensors", SPELLINGS[spelling])
    assert_added(changed(model, folder, LoraSpec(path=file)), expected)


@pytest.mark.parametrize(("rslora", "factor"), [(False, 6 / RANK), (True, 6 / RANK**0.5)])
def test_a_folder_of_peft_says_alpha_in_its_config(
    model: SDModel, folder: Path, tmp_path: Path, rslora: bool, factor: float
) -> None:
    file = tmp_path / "adapter_model.safetensors"
    expected = write_kohya(file, folder, modules={"unet": (TO_K, TO_OUT)}, alpha=None, name_of=peft_name)
    config = {"lora_alpha": 6, "r": RANK, "use_rslora": rslora, "alpha_pattern": {"attn1.to_out.0": 12}}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config), "utf-8")
    told = expected["unet"]
    scaled = {"unet": {TO_K: told[TO_K] * factor, TO_OUT: told[TO_OUT] * factor * 2}}
    assert_added(changed(model, folder, LoraSpec(path=tmp_path)), scaled)


def test_a_header_of_diffusers_says_alpha(model: SDModel, folder: Path, tmp_path: Path) -> None:
    weight = weights_of(folder, "unet")[f"{TO_K}.weight"]
    down, up = pair(weight, seed=1)
    tensors = {f"unet.{TO_K}.lora_A.weight": down, f"unet.{TO_K}.lora_B.weight": up}
    settings = {"unet.lora_alpha": 6, "unet.r": RANK, "text_encoder.lora_alpha": 1, "text_encoder.r": 1}
    file = write(tmp_path / "a.safetensors", tensors, {"lora_adapter_metadata": json.dumps(settings)})
    assert_added(changed(model, folder, LoraSpec(path=file)), {"unet": {TO_K: product((down, up), weight) * 6 / RANK}})


def test_open_clip_has_query_key_and_value_in_one(model: SDModel, folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    expected = dict(write_kohya(file, folder, modules={"text_encoder": (FC1,)}, name_of=open_clip_name))
    width = weights_of(folder, "text_encoder")[f"{Q}.weight"].shape[0]
    down, up = drawn(RANK, width, seed=1), drawn(3 * width, RANK, seed=2)
    stem = "lora_te_transformer_resblocks_0_attn_in_proj"
    fused = write(tmp_path / "b.safetensors", {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up})
    for number, name in enumerate(("q_proj", "k_proj", "v_proj")):
        part = up[number * width : (number + 1) * width]
        expected["text_encoder"][f"encoder.layers.0.self_attn.{name}"] = part @ down
    found = changed(model, folder, LoraSpec(path=file), LoraSpec(path=fused))
    assert_added(found, expected)


def lora_of(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    both = pair(weight, seed=3)
    parts = {"lora_down.weight": both[0], "lora_up.weight": both[1], "alpha": torch.tensor(2.0)}
    return parts, product(both, weight) * FACTOR


def locon_mid(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    """A convolution with a kernel between two of 1x1: three layers one after the other."""
    outputs, inputs = weight.shape[:2]
    down, middle, up = (
        drawn(RANK, inputs, 1, 1, seed=1),
        drawn(RANK, RANK, 3, 3, seed=2),
        drawn(outputs, RANK, 1, 1, seed=3),
    )
    eye = torch.eye(inputs)[:, :, None, None]
    kernel = torch.nn.functional.pad(eye, (2, 2, 2, 2))  # each input alone at the middle of a picture
    seen = torch.nn.functional.conv2d(kernel, down)
    seen = torch.nn.functional.conv2d(torch.nn.functional.conv2d(seen, middle), up)
    parts = {"lora_down.weight": down, "lora_mid.weight": middle, "lora_up.weight": up}
    return parts, seen.flip(2, 3).transpose(0, 1)


def loha(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    outputs, inputs = weight.flatten(1).shape
    parts = {f"hada_w{n}_a": drawn(outputs, RANK, seed=n) for n in (1, 2)}
    parts |= {f"hada_w{n}_b": drawn(RANK, inputs, seed=n + 2) for n in (1, 2)} | {"alpha": torch.tensor(2.0)}
    one, other = (parts[f"hada_w{n}_a"] @ parts[f"hada_w{n}_b"] for n in (1, 2))
    return parts, one * other * FACTOR


def loha_tucker(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    outputs, inputs = weight.shape[:2]
    parts = {f"hada_w{n}_a": drawn(RANK, outputs, seed=n) for n in (1, 2)}
    parts |= {f"hada_w{n}_b": drawn(RANK, inputs, seed=n + 2) for n in (1, 2)}
    parts |= {f"hada_t{n}": drawn(RANK, RANK, 3, 3, seed=n + 4) for n in (1, 2)}
    both: list[torch.Tensor] = []
    for n in (1, 2):
        made = torch.zeros_like(weight)
        for i in range(RANK):
            for j in range(RANK):
                outer = torch.outer(parts[f"hada_w{n}_a"][i], parts[f"hada_w{n}_b"][j])
                made += outer[:, :, None, None] * parts[f"hada_t{n}"][i, j]
        both.append(made)
    return parts, both[0] * both[1]


def blocks(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The Kronecker product: a block of the second for each number of the first."""
    return torch.cat([torch.cat([number * other for number in row], dim=1) for row in one], dim=0)


def lokr(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    outputs, inputs = weight.shape[:2]
    one, other = drawn(4, 2, seed=1), drawn(outputs // 4, inputs // 2, *weight.shape[2:], seed=2)
    return {"lokr_w1": one, "lokr_w2": other, "alpha": torch.tensor(5.0)}, blocks(one, other)


def lokr_low(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    outputs, inputs = weight.shape[:2]
    pixels = weight[0, 0].numel() if weight.ndim == 4 else 1
    parts = {"lokr_w1_a": drawn(4, RANK, seed=1), "lokr_w1_b": drawn(RANK, 2, seed=2), "alpha": torch.tensor(2.0)}
    parts |= {"lokr_w2_a": drawn(outputs // 4, RANK, seed=3), "lokr_w2_b": drawn(RANK, inputs // 2 * pixels, seed=4)}
    one, other = parts["lokr_w1_a"] @ parts["lokr_w1_b"], parts["lokr_w2_a"] @ parts["lokr_w2_b"]
    return parts, blocks(one, other) * FACTOR


def full(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    change = drawn(*weight.shape, seed=5)
    return {"diff": change}, change


def dora(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    parts, change = lora_of(weight)
    magnitude = drawn(weight.shape[0], seed=6).abs() + 1
    moved = weight + change.reshape(weight.shape)
    rows = torch.stack([m * row / row.norm() for m, row in zip(magnitude, moved, strict=True)])
    return {**parts, "dora_scale": magnitude.reshape(-1, *[1] * (weight.ndim - 1))}, rows - weight


def dora_of_columns(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    parts, change = lora_of(weight)
    magnitude = drawn(weight.shape[1], seed=6).abs() + 1
    moved = (weight + change.reshape(weight.shape)).transpose(0, 1)
    columns = torch.stack([m * one / one.norm() for m, one in zip(magnitude, moved, strict=True)])
    shape = (1, -1, *[1] * (weight.ndim - 2))
    return {**parts, "dora_scale": magnitude.reshape(shape)}, columns.transpose(0, 1) - weight


def dora_of_peft(weight: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
    parts, change = dora(weight)
    lengths = parts.pop("dora_scale").flatten()
    shape = (1, -1, 1, 1) if weight.ndim == 4 else (-1,)
    return {**parts, "lora_magnitude_vector": lengths.reshape(shape)}, change


METHODS = {
    "LoRA": lora_of,
    "LoHa": loha,
    "LoKr": lokr,
    "LoKr of factors": lokr_low,
    "full": full,
    "DoRA": dora,
    "DoRA of columns": dora_of_columns,
    "DoRA of PEFT": dora_of_peft,
}


@pytest.mark.parametrize("weight", [0.7, -1.0], ids=str)
@pytest.mark.parametrize("module", [PROJ, CONV, TO_K], ids=["conv 1x1", "conv 3x3", "linear"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method(model: SDModel, folder: Path, tmp_path: Path, method: str, module: str, weight: float) -> None:
    parts, expected = METHODS[method](weights_of(folder, "unet")[f"{module}.weight"])
    stem = kohya_name("unet", module)
    file = write(tmp_path / "a.safetensors", {f"{stem}.{name}": value for name, value in parts.items()})
    found = changed(model, folder, LoraSpec(path=file, weight=weight))
    assert_added(found, {"unet": {module: expected * weight}})


@pytest.mark.parametrize("method", [locon_mid, loha_tucker])
def test_a_kernel_between_the_factors(
    model: SDModel, folder: Path, tmp_path: Path, method: Callable[[torch.Tensor], tuple[Tensors, torch.Tensor]]
) -> None:
    parts, expected = method(weights_of(folder, "unet")[f"{CONV}.weight"])
    stem = kohya_name("unet", CONV)
    file = write(tmp_path / "a.safetensors", {f"{stem}.{name}": value for name, value in parts.items()})
    assert_added(changed(model, folder, LoraSpec(path=file)), {"unet": {CONV: expected}})


def test_biases_and_norms(model: SDModel, folder: Path, tmp_path: Path) -> None:
    norm, linear = "down_blocks.0.resnets.0.norm1", "down_blocks.0.resnets.0.time_emb_proj"
    weights = weights_of(folder, "unet")
    tensors = {
        f"{kohya_name('unet', norm)}.w_norm": drawn(*weights[f"{norm}.weight"].shape, seed=1),
        f"{kohya_name('unet', norm)}.b_norm": drawn(*weights[f"{norm}.bias"].shape, seed=2),
        f"{kohya_name('unet', linear)}.diff_b": drawn(*weights[f"{linear}.bias"].shape, seed=3),
    }
    file = write(tmp_path / "a.safetensors", tensors)
    one, two, three = tensors.values()
    assert_added(
        changed(model, folder, LoraSpec(path=file, weight=0.5)),
        {"unet": {norm: one / 2, f"{norm}.bias": two / 2, f"{linear}.bias": three / 2}},
    )


def test_several_add_up_and_none_weighs_nothing(model: SDModel, folder: Path, tmp_path: Path) -> None:
    first = write_kohya(tmp_path / "a.safetensors", folder)
    second = write_kohya(tmp_path / "b.safetensors", folder, modules={"unet": (TO_K,)}, seed=9)
    specs = [
        LoraSpec(path=tmp_path / "a.safetensors", weight=0.5),
        LoraSpec(path=tmp_path / "b.safetensors", weight=-2),
    ]
    expected = {part: {name: value / 2 for name, value in tensors.items()} for part, tensors in first.items()}
    expected["unet"][TO_K] = expected["unet"][TO_K] - 2 * second["unet"][TO_K]
    assert_added(changed(model, folder, *specs), expected)
    assert changed(model, folder, LoraSpec(path=tmp_path / "a.safetensors", weight=0)) == {}


def test_half_precision_is_summed_in_float32(folder: Path, tmp_path: Path) -> None:
    """A change below half of a float16's last bit is not lost where two of them make one."""
    model = load_sd(resolve(str(folder)), Loading(precision="float16"))
    weight = model.denoiser.unet.get_parameter(f"{TO_K}.weight")
    step = (torch.finfo(torch.float16).eps * weight.detach().float().abs()).clamp_min(1e-7)
    tensors = {f"{kohya_name('unet', TO_K)}.diff": 0.3 * step}
    files = [write(tmp_path / f"{n}.safetensors", tensors) for n in range(3)]
    options = RestyleOptions(prompt="x", loras=tuple(LoraSpec(path=file) for file in files))
    before = weight.detach().clone()
    with LORAS.sampling(model, options):
        assert weight.dtype == torch.float16
        torch.testing.assert_close(weight.detach(), (before.float() + 0.9 * step).half(), rtol=0, atol=0)
    assert torch.equal(weight, before)
