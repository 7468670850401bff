"""Loading: a folder, a single file, a hub id that is absent, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.models.layouts import sdxl_checkpoint, write_sparse
from vedit.errors import ModelError
from vedit.models.families.sd_configs import SDXL, config_of, configs_beside, has_scheduler_beside
from vedit.models.load import load_sd
from vedit.models.resolve import describe, known_models, resolve
from vedit.testing.tiny_sd import write_tiny_sd


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("models") / "tiny")


def test_a_folder_brings_its_control_branches_by_kind(folder: Path) -> None:
    model = load_sd(resolve(str(folder)), controls=("softedge", "depth"))
    assert model.control_kinds == ("softedge",)
    wanted = load_file(folder / "controlnet_1" / "diffusion_pytorch_model.safetensors")
    own = model.denoiser.controlnets["softedge"].state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in wanted.items())
    traits = resolve(str(folder)).traits
    assert (traits.size_multiple, traits.factors) == (16, model.codec.factors)


def test_a_control_branch_can_come_from_elsewhere(folder: Path) -> None:
    model = load_sd(resolve(str(folder), {"depth": str(folder / "controlnet")}), controls=("depth",))
    assert model.control_kinds == ("depth",)


def test_a_damaged_folder_is_one_clear_error(folder: Path, tmp_path: Path) -> None:
    broken = write_tiny_sd(tmp_path / "broken")
    (broken / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(ModelError, match=r"unet.diffusion_pytorch_model.safetensors is no safetensors file; fetch"):
        load_sd(resolve(str(broken)))


def test_a_single_file_loads_without_network(folder: Path, tmp_path: Path) -> None:
    file = write_single_file(folder, tmp_path / "model.safetensors")
    single, diffusers = load_sd(resolve(str(file))), load_sd(resolve(str(folder)))
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    text = single.text("a photograph")
    torch.testing.assert_close(text.states, diffusers.text("a photograph").states)
    torch.testing.assert_close(single.denoiser(x, 300, text, ()), diffusers.denoiser(x, 300, text, ()))
    torch.testing.assert_close(single.codec.decode(x), diffusers.codec.decode(x))
    frames = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(single.codec.encode(frames), diffusers.codec.encode(frames))


def test_configs_of_another_network_beside_a_single_file_are_not_its_own(tmp_path: Path) -> None:
    """They would be silent about what is wrong: another scale of latents, another noise schedule."""
    file = write_sparse(tmp_path / "model.safetensors", sdxl_checkpoint())
    folder = write_tiny_sd(tmp_path / "model", controls=())
    for part in ("unet", "vae", "scheduler"):
        assert config_of(file, part) == SDXL[part]
    assert not has_scheduler_beside(file) and configs_beside(file) is None
    unet = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    (folder / "unet" / "config.json").write_text(json.dumps({**unet, "cross_attention_dim": 2048}), "utf-8")
    assert configs_beside(file) == folder and config_of(file, "vae") != SDXL["vae"]
    (folder / "unet" / "config.json").unlink()
    assert configs_beside(file) == folder, "of a lone scheduler/ nothing says that it is another's"


def test_a_control_branch_of_one_file(folder: Path, tmp_path: Path) -> None:
    weights = load_file(folder / "controlnet" / "diffusion_pytorch_model.safetensors")
    file, beside = tmp_path / "control_tile.safetensors", tmp_path / "control_tile" / "controlnet"
    save_file({f"control_model.{_controlnet_key(name)}": tensor for name, tensor in weights.items()}, file)
    beside.mkdir(parents=True)
    (beside / "config.json").write_text((folder / "controlnet" / "config.json").read_text("utf-8"), "utf-8")
    model = load_sd(resolve(str(folder), {"depth": str(file)}), controls=("depth",))
    own = model.denoiser.controlnets["depth"].state_dict()
    assert set(own) == set(weights)
    assert all(torch.equal(own[name], tensor) for name, tensor in weights.items())


def test_a_control_file_that_is_absent(folder: Path) -> None:
    with pytest.raises(ModelError, match="there is no file"):
        load_sd(resolve(str(folder), {"depth": "/missing/depth.safetensors"}), controls=("depth",))


def test_a_single_file_without_a_tokenizer_says_where_to_get_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    file = write_single_file(folder, tmp_path / "model.safetensors", tokenizer=False)
    with pytest.raises(ModelError, match=r"holds no tokenizer.*vedit models pull openai/clip"):
        load_sd(resolve(str(file)))


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("embeded", "did you mean 'embedded'"),
        ("missing.safetensors", "there is no file"),
        ("weights.ckpt", "pickle"),
        ("no such model", "there is no model"),
    ],
)
def test_what_is_no_model(name: str, part: str) -> None:
    with pytest.raises(ModelError, match=part):
        resolve(name)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model_index"):
        resolve(str(tmp_path))


def test_the_embedded_model_is_the_first_and_present() -> None:
    first, *_ = known_models()
    assert first.name == "embedded"
    assert first.present
    assert first.size_bytes <= 37e6
    known = describe("embedded")
    assert len(known["looks"]) >= 24  # pyright: ignore[reportArgumentType]
    model = load_sd(resolve("embedded"), controls=("tile", "softedge"))
    assert model.control_kinds == ("tile", "softedge")
    assert model.text.unknown_words("A watercolor, zyzzyva!") == ("zyzzyva",)


def write_single_file(folder: Path, file: Path, *, tokenizer: bool = True) -> Path:
    """The tiny folder as one file with the key names of the original Stable Diffusion code, configs beside it."""
    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    text = load_file(folder / "text_encoder" / "model.safetensors")
    single = {f"model.diffusion_model.{_unet_key(name)}": tensor for name, tensor in unet.items()}
    for name, tensor in vae.items():
        # The original autoencoder's attention is made of 1x1 convolutions.
        conv = "attentions" in name and tensor.ndim == 2
        single[f"first_stage_model.{_vae_key(name)}"] = tensor[:, :, None, None] if conv else tensor
    prefix = "cond_stage_model.transformer.text_model."
    single.update({prefix + name.removeprefix("text_model."): tensor for name, tensor in text.items()})
    save_file({name: tensor.contiguous() for name, tensor in single.items()}, file)
    beside = file.with_suffix("")
    for part in ("unet", "vae", "text_encoder", "scheduler", *(["tokenizer"] if tokenizer else [])):
        (beside / part).mkdir(parents=True)
        for source in (folder / part).glob("*.json"):
            (beside / part / source.name).write_text(source.read_text("utf-8"), "utf-8")
    assert json.loads((beside / "unet" / "config.json").read_text("utf-8"))["layers_per_block"] == 1
    return file


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def _unet_key(name: str) -> str:
    """diffusers' name -> the original UNet's, for two levels of one layer each."""
    plain = {
        "conv_in.": "input_blocks.0.0.",
        "conv_out.": "out.2.",
        "conv_norm_out.": "out.0.",
        "time_embedding.linear_1.": "time_embed.0.",
        "time_embedding.linear_2.": "time_embed.2.",
        # Level 0 of the encoder: input block 1; its downsampler: 2; level 1: 3.
        "down_blocks.0.resnets.0.": "input_blocks.1.0.",
        "down_blocks.0.attentions.0.": "input_blocks.1.1.",
        "down_blocks.0.downsamplers.0.conv.": "input_blocks.2.0.op.",
        "down_blocks.1.resnets.0.": "input_blocks.3.0.",
        "mid_block.resnets.0.": "middle_block.0.",
        "mid_block.attentions.0.": "middle_block.1.",
        "mid_block.resnets.1.": "middle_block.2.",
        # The decoder has layers + 1 blocks a level; the upsampler follows the last of level 0.
        "up_blocks.0.resnets.0.": "output_blocks.0.0.",
        "up_blocks.0.resnets.1.": "output_blocks.1.0.",
        "up_blocks.0.upsamplers.0.conv.": "output_blocks.1.1.conv.",
        "up_blocks.1.resnets.0.": "output_blocks.2.0.",
        "up_blocks.1.attentions.0.": "output_blocks.2.1.",
        "up_blocks.1.resnets.1.": "output_blocks.3.0.",
        "up_blocks.1.attentions.1.": "output_blocks.3.1.",
    }
    for ours, original in plain.items():
        if name.startswith(ours):
            rest = name.removeprefix(ours)
            head, _, tail = rest.partition(".")
            return original + (f"{_RESNET[head]}.{tail}" if ".resnets." in ours else rest)
    raise AssertionError(name)


def _controlnet_key(name: str) -> str:
    """diffusers' name -> the original ControlNet's: the hint is seven convolutions with activations between."""
    kind, *rest = name.split(".")
    if kind == "controlnet_down_blocks":
        return ".".join(["zero_convs", rest[0], "0", *rest[1:]])
    if kind == "controlnet_mid_block":
        return ".".join(["middle_block_out", "0", *rest])
    if kind == "controlnet_cond_embedding":
        if rest[0] == "blocks":
            return ".".join(["input_hint_block", str(2 * int(rest[1]) + 2), *rest[2:]])
        return ".".join(["input_hint_block", {"conv_in": "0", "conv_out": "14"}[rest[0]], *rest[1:]])
    return _unet_key(name)


def _vae_key(name: str) -> str:
    """diffusers' name -> the original autoencoder's: four levels, decoder levels counted from the other end."""
    parts = name.split(".")
    if parts[0] in ("quant_conv", "post_quant_conv"):
        return name
    side, block, *rest = parts
    if block == "conv_norm_out":
        return ".".join([side, "norm_out", *rest])
    if block == "mid_block":
        kind, number, *tail = rest
        if kind == "resnets":
            return ".".join([side, "mid", f"block_{int(number) + 1}", *_shortcut(tail)])
        names = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"}
        tail = [part for part in tail if part != "0" or tail[0] != "to_out"]
        return ".".join([side, "mid", "attn_1", names[tail[0]], *tail[1:]])
    if block in ("down_blocks", "up_blocks"):
        level, kind, number, *tail = rest
        way = "down" if block == "down_blocks" else "up"
        level = level if way == "down" else str(3 - int(level))
        if kind == "resnets":
            return ".".join([side, way, level, "block", number, *_shortcut(tail)])
        return ".".join([side, way, level, f"{way}sample", *tail])
    return name


def _shortcut(parts: list[str]) -> list[str]:
    return ["nin_shortcut" if part == "conv_shortcut" else part for part in parts]
