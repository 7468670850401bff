"""SDXL from a folder, one file, shards or a variant: the same model; and what of it is told before it is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from vedit.errors import ModelError
from vedit.models.check import checked
from vedit.models.families.sd import SDModel, target_of
from vedit.models.families.sd_files import load_components
from vedit.models.families.sd_keys import unet_key, vae_key
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.models.source import ModelSource
from vedit.testing.tiny_sdxl import POOLED_WIDTH, TEXT_WIDTHS, write_tiny_sdxl

OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
OPEN_CLIP_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sdxl(tmp_path_factory.mktemp("xl") / "tiny")


def output(model: SDModel) -> torch.Tensor:
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return model.denoiser(x, 300, model.text("a photograph"), ())


def test_it_is_a_family_of_its_own_with_both_encoders(folder: Path) -> None:
    found = resolve(str(folder))
    assert (found.family.name, found.control_kinds) == ("sdxl", ("tile", "softedge"))
    model = load_sd(found, controls=("tile",))
    assert set(model.text.encoders) == set(model.text.tokenizers) == {"text_encoder", "text_encoder_2"}
    assert {"text_encoder", "text_encoder_2"} < set(model.fingerprint)
    prompt = model.text("a dog")
    assert prompt.states.shape[::2] == (1, sum(TEXT_WIDTHS))
    assert prompt.others["pooled"].shape == (1, POOLED_WIDTH)
    assert not model.text("").states.any()
    sizes = found.sizes()
    assert sizes is not None
    assert sizes.text_encoder == sum(p.numel() for e in model.text.encoders.values() for p in e.parameters())


def test_an_empty_text_is_zeros_unless_the_model_says_otherwise(folder: Path, tmp_path: Path) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    index = json.loads((other / "model_index.json").read_text("utf-8"))
    (other / "model_index.json").write_text(json.dumps({**index, "force_zeros_for_empty_prompt": False}), "utf-8")
    text = load_sd(resolve(str(other))).text("")
    assert text.states.any() and text.others["pooled"].any()


def test_a_single_file_is_the_same_model(folder: Path, tmp_path: Path) -> None:
    file = write_single_file(folder, tmp_path / "model.safetensors")
    found = resolve(str(file))
    assert found.family.name == "sdxl"
    single, diffusers = load_sd(found), load_sd(resolve(str(folder)))
    assert single.fingerprint == {k: v for k, v in diffusers.fingerprint.items() if ":" not in k}
    torch.testing.assert_close(output(single), output(diffusers), rtol=0, atol=1e-5)
    sizes, wanted = found.sizes(), resolve(str(folder)).sizes()
    assert sizes is not None and wanted is not None
    assert (sizes.unet, sizes.vae) == (wanted.unet, wanted.vae)


def test_shards_and_a_variant_are_the_same_model(folder: Path, tmp_path: Path) -> None:
    sharded = shutil.copytree(folder, tmp_path / "sharded")
    (sharded / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", local_files_only=True)
    unet.save_pretrained(sharded / "unet", max_shard_size="1MB")
    assert len(list((sharded / "unet").glob("*.safetensors"))) > 1
    whole = output(load_sd(resolve(str(folder))))
    assert torch.equal(output(load_sd(resolve(str(sharded)))), whole)
    half = write_tiny_sdxl(tmp_path / "half", variant="fp16")
    torch.testing.assert_close(output(load_sd(resolve(str(half)))), whole, rtol=0, atol=2e-2)


@pytest.mark.parametrize(
    ("lost", "part"),
    [
        ("text_encoder_2", "text_encoder_2 is missing"),
        ("tokenizer_2", r"tokenizer_2.tokenizer.json is missing"),
        ("text_encoder_2/config.json", r"text_encoder_2.config.json is missing"),
    ],
)
def test_a_part_that_is_missing_is_told_before_loading(folder: Path, tmp_path: Path, lost: str, part: str) -> None:
    broken = shutil.copytree(folder, tmp_path / "broken")
    place = broken / lost
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    with pytest.raises(ModelError, match=part):
        checked(resolve(str(broken)))


def test_a_tensor_of_the_second_encoder_that_is_missing(folder: Path, tmp_path: Path) -> None:
    file = write_single_file(
        folder, tmp_path / "model.safetensors", lost="conditioner.embedders.1.model.text_projection"
    )
    with pytest.raises(
        ModelError, match=r"the second text encoder lacks 1 of its .* 'conditioner.embedders.1.*projection'"
    ):
        load_sd(resolve(str(file)))


@pytest.mark.parametrize(
    ("upcast", "device", "precision", "codec"),
    [
        (True, "cuda", "auto", torch.float32),
        (True, "mps", "auto", torch.float32),
        (False, "cuda", "auto", torch.float16),  # the autoencoder that was mended for float16 says so
        (True, "cuda", "bfloat16", torch.float32),
        (False, "cuda", "bfloat16", torch.float32),  # eight bits band
        (True, "cpu", "auto", torch.float32),
        (True, "cpu", "float16", torch.float32),
    ],
)
def test_an_autoencoder_that_overflows_keeps_to_float32(
    folder: Path, tmp_path: Path, upcast: bool, device: str, precision: str, codec: torch.dtype
) -> None:
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "vae" / "config.json").read_text("utf-8"))
    (other / "vae" / "config.json").write_text(json.dumps({**config, "force_upcast": upcast}), "utf-8")
    target = target_of(Loading(device=device, precision=precision))
    assert target.device == torch.device(device)
    nowhere = type(target)(device=torch.device("meta"), dtype=target.dtype)
    parts = load_components(ModelSource(base=str(other)), controls=("tile",), target=nowhere)
    assert parts.vae.dtype == codec
    usual = torch.float16 if device != "cpu" else torch.float32
    network = usual if precision == "auto" else getattr(torch, precision)
    assert parts.unet.dtype == parts.text_encoder.dtype == parts.controlnets["tile"].dtype == network


def test_the_codec_of_another_precision_than_the_network(folder: Path) -> None:
    model = load_sd(resolve(str(folder)), Loading(precision="bfloat16"))
    torch.nn.Module.to(model.codec.vae, torch.float32)
    latents = model.codec.encode(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    assert latents.dtype == torch.float32
    made = model.denoiser(latents, 300, model.text("a photograph"), ())
    assert made.dtype == torch.float32
    assert model.codec.decode(made).isfinite().all()


def write_single_file(folder: Path, file: Path, *, lost: str = "") -> Path:
    """The tiny folder as one file with the key names of the original code, configs and tokenizers beside it."""
    parts = {part: json.loads((folder / part / "config.json").read_text("utf-8")) for part in ("unet", "vae")}
    single: dict[str, torch.Tensor] = {}
    for name, tensor in load_file(folder / "unet" / "diffusion_pytorch_model.safetensors").items():
        single[f"model.diffusion_model.{unet_key(name, parts['unet'])}"] = tensor
    for name, tensor in load_file(folder / "vae" / "diffusion_pytorch_model.safetensors").items():
        conv = "attentions" in name and tensor.ndim == 2
        single[f"first_stage_model.{vae_key(name, parts['vae'])}"] = tensor[:, :, None, None] if conv else tensor
    for name, tensor in load_file(folder / "text_encoder" / "model.safetensors").items():
        single[f"conditioner.embedders.0.transformer.text_model.{name.removeprefix('text_model.')}"] = tensor
    second = load_file(folder / "text_encoder_2" / "model.safetensors")
    single.update({f"conditioner.embedders.1.model.{name}": tensor for name, tensor in open_clip(second).items()})
    single["conditioner.embedders.1.model.logit_scale"] = torch.ones(())
    single.pop(lost, None)
    save_file({name: tensor.contiguous() for name, tensor in single.items()}, file)
    beside = file.with_suffix("")
    for part in ("unet", "vae", "text_encoder", "text_encoder_2", "scheduler", "tokenizer", "tokenizer_2"):
        (beside / part).mkdir(parents=True)
        for source in (folder / part).glob("*.json"):
            (beside / part / source.name).write_text(source.read_text("utf-8"), "utf-8")
    return file


def open_clip(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """transformers' text encoder with its projection -> OpenCLIP's layout: query, key and value in one matrix."""
    found: dict[str, torch.Tensor] = {}
    for full, tensor in tensors.items():
        name = full.removeprefix("text_model.")
        if full == "text_projection.weight":
            found["text_projection"] = tensor.T
        elif name in OPEN_CLIP:
            found[OPEN_CLIP[name]] = tensor
        elif ".q_proj." in name:
            stem, kind = name.replace("encoder.layers", "transformer.resblocks").split(".self_attn.q_proj.")
            parts = [tensors[full.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            found[f"{stem}.attn.in_proj_{kind}"] = torch.cat(parts)
        elif ".k_proj." not in name and ".v_proj." not in name:
            own = name.replace("encoder.layers", "transformer.resblocks")
            for theirs, original in OPEN_CLIP_LAYER.items():
                own = own.replace(f"{theirs}.", f"{original}.")
            found[own] = tensor
    return found
