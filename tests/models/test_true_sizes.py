"""Published files at their true sizes, without configs beside them: every tensor finds its place."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import cast

import pytest
import torch
from diffusers.loaders.single_file_utils import (
    convert_controlnet_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from transformers import CLIPTokenizer

from tests.models.layouts import (
    Shape,
    clip_text,
    controlnet,
    ldm_unet,
    ldm_vae,
    prefixed,
    sd1_checkpoint,
    sd2_checkpoint,
    sdxl_checkpoint,
    sdxl_controlnet,
    sdxl_unet,
    write_sparse,
)
from vedit.errors import ModelError
from vedit.models.families.sd_configs import SD1, SD2, SDXL
from vedit.models.families.sd_files import Components, Target, load_components
from vedit.models.families.sd_keys import unet_key, vae_key
from vedit.models.source import ModelSource

NOWHERE = Target(device=torch.device("meta"), dtype=torch.float16)
SD1_NUMBERS = {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
"""Parameters as published."""


def numbers(shapes: dict[str, Shape]) -> int:
    return sum(map(prod, shapes.values()))


def components(file: Path, **controlnets: str) -> Components:
    source = ModelSource(base=str(file), controlnets=controlnets)
    return load_components(source, controls=tuple(controlnets), target=NOWHERE)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder with a tokenizer in it, which no single file holds."""
    tokens = {token: i for i, token in enumerate(["<|startoftext|>", "<|endoftext|>", "!", "a", "a</w>"])}
    CLIPTokenizer(vocab=tokens, merges=[], model_max_length=77).save_pretrained(tmp_path / "tokenizer")
    return tmp_path


def test_the_layouts_are_those_of_the_published_files() -> None:
    assert (len(ldm_unet()), numbers(ldm_unet())) == (686, SD1_NUMBERS["unet"])
    assert (len(ldm_vae()), numbers(ldm_vae())) == (248, SD1_NUMBERS["vae"])
    assert (len(clip_text()), numbers(clip_text())) == (196, SD1_NUMBERS["text_encoder"])
    assert (len(controlnet()), numbers(controlnet())) == (340, 361_279_120)
    assert numbers(ldm_unet(cross=1024, linear=True)) == 865_910_724


def test_stable_diffusion_1_and_its_controlnets_1_1_load_from_one_file_each(room: Path) -> None:
    """ControlNets with and without a prefix to their names."""
    base = write_sparse(room / "v1-5-pruned.safetensors", sd1_checkpoint())
    tile = write_sparse(room / "control_v11f1e_sd15_tile_fp16.safetensors", prefixed("control_model.", controlnet()))
    softedge = write_sparse(room / "control_v11p_sd15_softedge_fp16.safetensors", controlnet())
    found = components(base, tile=str(tile), softedge=str(softedge))
    for part, count in SD1_NUMBERS.items():
        network = getattr(found, part)
        assert sum(p.numel() for p in network.parameters()) == count
        assert network.dtype == torch.float16
    assert found.scheduler_config["beta_schedule"] == "scaled_linear"
    assert set(found.controlnets) == {"tile", "softedge"}
    for network in found.controlnets.values():
        assert sum(p.numel() for p in network.parameters()) == 361_279_120


@pytest.mark.parametrize("prediction", ["v", "epsilon"])
def test_stable_diffusion_2_loads_from_one_file_that_says_what_it_predicts(room: Path, prediction: str) -> None:
    file = room / "v2-1.safetensors"
    write_sparse(file, sd2_checkpoint(), metadata={"modelspec.prediction_type": prediction})
    found = components(file)
    assert sum(p.numel() for p in found.unet.parameters()) == 865_910_724
    assert sum(p.numel() for p in found.text_encoder.parameters()) == 340_387_840
    assert found.scheduler_config["prediction_type"] == {"v": "v_prediction"}.get(prediction, prediction)
    assert found.tokenizer.pad_token == "<|endoftext|>", "that of the folder beside it holds"


def test_stable_diffusion_xl_and_its_controlnets_load_from_one_file_each(room: Path) -> None:
    base = write_sparse(room / "sd_xl_base_1.0.safetensors", sdxl_checkpoint())
    original = write_sparse(room / "canny.safetensors", sdxl_controlnet())
    found = components(base, canny=str(original))
    assert sum(p.numel() for p in found.unet.parameters()) == 2_567_463_684
    assert sum(p.numel() for p in found.text_encoder.parameters()) == SD1_NUMBERS["text_encoder"]
    second = found.text_encoder_2
    assert second is not None and sum(p.numel() for p in second.parameters()) == 694_659_840
    assert found.vae.config["scaling_factor"] == 0.13025
    assert sum(p.numel() for p in found.controlnets["canny"].parameters()) == numbers(sdxl_controlnet())
    assert found.tokenizer_2 is not None
    assert (found.tokenizer.pad_token, found.tokenizer_2.pad_token) == ("<|endoftext|>", "!")


@pytest.mark.parametrize("depths", [(0, 2, 10), (0, 0, 0), (0, 1, 1)], ids=["full", "small", "middle"])
def test_smaller_controlnets_for_xl_are_told_by_their_tensors(room: Path, depths: tuple[int, ...]) -> None:
    types = ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths]
    config = {
        **SDXL["controlnet"],
        "down_block_types": types,
        "transformer_layers_per_block": [max(depth, 1) for depth in depths],
        "mid_block_type": "UNetMidBlock2DCrossAttn" if depths[-1] else "UNetMidBlock2D",
    }
    with torch.device("meta"):
        made = cast("ControlNetModel", ControlNetModel.from_config(dict(config)))
    shapes = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    base = write_sparse(room / "base.safetensors", sdxl_checkpoint())
    file = write_sparse(room / "control" / "depth.safetensors", shapes)
    loaded = components(base, depth=str(file)).controlnets["depth"]
    assert {name: tuple(tensor.shape) for name, tensor in loaded.state_dict().items()} == shapes


@pytest.mark.parametrize("types", [6, 8])
def test_a_controlnet_of_many_kinds_loads_from_one_file_once(room: Path, types: int) -> None:
    config = {**SDXL["controlnet"], "num_control_type": types, "_class_name": "ControlNetUnionModel"}
    with torch.device("meta"):
        made = cast("ControlNetUnionModel", ControlNetUnionModel.from_config(dict(config)))
    shapes = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    base = write_sparse(room / "base.safetensors", sdxl_checkpoint())
    file = write_sparse(room / "control" / "union.safetensors", shapes)
    found = components(base, depth=str(file), canny=str(file)).controlnets
    assert found["depth"] is found["canny"]
    assert found["depth"].config["num_control_type"] == types


@pytest.mark.parametrize(
    ("configs", "unet", "control"),
    [
        (SD1, ldm_unet(), controlnet()),
        (SD2, ldm_unet(cross=1024, linear=True), controlnet(cross=1024, linear=True)),
        (SDXL, sdxl_unet(), sdxl_controlnet()),
    ],
    ids=["1.x", "2.x", "XL"],
)
def test_each_name_is_the_one_that_diffusers_converts(configs: dict, unet: dict, control: dict) -> None:  # pyright: ignore
    for shapes, part, key, convert, prefix in (
        (unet, "unet", unet_key, convert_ldm_unet_checkpoint, "model.diffusion_model."),
        (control, "controlnet", unet_key, convert_controlnet_checkpoint, "control_model."),
        (ldm_vae(), "vae", vae_key, convert_ldm_vae_checkpoint, "first_stage_model."),
    ):
        tagged = {prefix + name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
        names = {id(tensor): name for name, tensor in tagged.items()}
        made = convert(dict(tagged), config=configs[part])
        # diffusers leaves sizes and pooled text out of a ControlNet.
        left_out = [name for name in shapes if name.startswith("label_emb.") and part == "controlnet"]
        assert len(made) == len(shapes) - len(left_out)
        for theirs, tensor in made.items():
            if id(tensor) in names:  # those of the autoencoder's attention are new tensors of another shape
                assert prefix + key(theirs, configs[part]) == names[id(tensor)]


@pytest.mark.parametrize(
    ("lost", "part", "count"),
    [
        ("model.diffusion_model.middle_block.1.norm.weight", "UNet", 686),
        ("first_stage_model.decoder.mid.attn_1.q.weight", "autoencoder", 248),
        ("cond_stage_model.transformer.text_model.final_layer_norm.bias", "text encoder", 196),
    ],
)
def test_a_tensor_that_is_missing_is_an_error_that_names_it(room: Path, lost: str, part: str, count: int) -> None:
    shapes = sd1_checkpoint()
    shapes.pop(lost)
    with pytest.raises(ModelError, match=f"the {part} lacks 1 of its {count} tensors, among them '{lost}'"):
        components(write_sparse(room / "cut.safetensors", shapes))


def test_a_tensor_without_a_place_is_an_error_that_names_it(room: Path) -> None:
    shapes = {**sd1_checkpoint(), "model.diffusion_model.input_blocks.1.2.temporal.weight": (4, 4)}
    with pytest.raises(ModelError, match=r"the UNet has 1 that have no place in it.*input_blocks.1.2.temporal"):
        components(write_sparse(room / "more.safetensors", shapes))


def test_a_renamed_tensor_is_told_by_both_names(room: Path) -> None:
    shapes = {key.replace("zero_convs.3", "zero_conv.3"): shape for key, shape in controlnet().items()}
    file = write_sparse(room / "renamed.safetensors", shapes)
    base = write_sparse(room / "base.safetensors", sd1_checkpoint())
    with pytest.raises(ModelError, match=r"ControlNet lacks 2 of its 340.*zero_convs.3.*has 2 that.*zero_conv.3"):
        components(base, tile=str(file))


def test_averaged_weights_beside_those_that_are_used_are_no_fault(room: Path) -> None:
    shapes = {
        **sd1_checkpoint(),
        "model_ema.diffusion_modelinput_blocks00weight": (320, 4, 3, 3),
        "model_ema.decay": (),
    }
    assert components(write_sparse(room / "ema.safetensors", shapes)).unet.config["in_channels"] == 4


@pytest.mark.slow
def test_a_file_of_zeros_is_a_network_of_zeros(room: Path) -> None:
    """4 GB of memory: the same as above, with the numbers read."""
    file = write_sparse(room / "v1-5-pruned.safetensors", sd1_checkpoint())
    target = Target(device=torch.device("cpu"), dtype=torch.float16)
    found = load_components(ModelSource(base=str(file)), controls=(), target=target)
    assert not any(bool(p.any()) for p in found.unet.parameters())
    assert json.loads((room / "tokenizer" / "tokenizer_config.json").read_text("utf-8"))["model_max_length"] == 77
