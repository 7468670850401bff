"""Diffusers folders as they are published: variants, shards, own ControlNets; and keys that do not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vedit.errors import ModelError
from vedit.models.branches import own_controlnets, unnamed_controlnets
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.models.weight_files import stored_in
from vedit.testing.tiny_sd import write_tiny_sd

UNET = Path("unet", "diffusion_pytorch_model.safetensors")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("models") / "tiny", controls=("tile",))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "model"))


def as_variant(folder: Path, variant: str) -> None:
    for part in ("unet", "vae", "text_encoder", "controlnet"):
        for file in (folder / part).glob("*.safetensors"):
            tensors = {key: tensor.half() for key, tensor in load_file(file).items()}
            save_file(tensors, file.with_suffix(f".{variant}.safetensors"))
            file.unlink()


def in_shards(folder: Path) -> None:
    file = folder / UNET
    tensors = sorted(load_file(file).items())
    halves = {1: dict(tensors[::2]), 2: dict(tensors[1::2])}
    names = {n: f"diffusion_pytorch_model-{n:05}-of-00002.safetensors" for n in halves}
    for number, half in halves.items():
        save_file(half, file.with_name(names[number]))
    weight_map = {key: names[number] for number, half in halves.items() for key in half}
    file.with_name(file.name + ".index.json").write_text(json.dumps({"weight_map": weight_map}), "utf-8")
    file.unlink()


@pytest.mark.parametrize("variant", ["fp16", "bf16", "non_ema"])
def test_a_folder_with_a_variant_alone_loads(made: Path, folder: Path, variant: str) -> None:
    as_variant(folder, variant)
    whole, half = load_sd(resolve(str(made)), controls=("tile",)), load_sd(resolve(str(folder)), controls=("tile",))
    for name, tensor in whole.denoiser.unet.state_dict().items():
        assert torch.equal(half.denoiser.unet.state_dict()[name], tensor.half().float())
    assert half.control_kinds == ("tile",)


def test_full_precision_is_taken_where_it_lies_beside_a_variant(folder: Path) -> None:
    file = folder / UNET
    save_file({"another": torch.zeros(1)}, file.with_suffix(".fp16.safetensors"))
    assert stored_in(folder / "unet").files == (file,)


def test_two_variants_of_unknown_names_are_a_question(folder: Path) -> None:
    for variant in ("ema", "non_ema"):
        shutil.copy(folder / UNET, (folder / UNET).with_suffix(f".{variant}.safetensors"))
    (folder / UNET).unlink()
    with pytest.raises(ModelError, match="holds 2 sets of weights: ema, non_ema"):
        load_sd(resolve(str(folder)))


def test_shards_are_the_same_model(made: Path, folder: Path) -> None:
    in_shards(folder)
    assert load_sd(resolve(str(folder))).fingerprint == load_sd(resolve(str(made))).fingerprint


def test_a_shard_that_is_absent_is_named(folder: Path) -> None:
    in_shards(folder)
    (folder / "unet" / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"there is no file .*00002-of-00002"):
        load_sd(resolve(str(folder)))


def test_an_index_reads_nothing_outside_its_folder(folder: Path) -> None:
    in_shards(folder)
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(index.read_text("utf-8").replace("diffusion_pytorch_model-00002", "../vae/x-00002"), "utf-8")
    with pytest.raises(ModelError, match="which is no file beside it"):
        load_sd(resolve(str(folder)))


def test_pickles_alone_are_called_so(folder: Path) -> None:
    (folder / UNET).rename(folder / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(ModelError, match="pickles alone"):
        load_sd(resolve(str(folder)))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("lllyasviel/control_v11f1e_sd15_tile", "tile"),
        ("lllyasviel/sd-controlnet-hed", "softedge"),
        ("/home/me/models/control_v11p_sd15_openpose", "pose"),
        ("lllyasviel/control_v11f1p_sd15_depth", "depth"),
    ],
)
def test_a_controlnet_that_diffusers_saved_is_found_by_its_source(folder: Path, source: str, kind: str) -> None:
    (folder / "controls.json").unlink()
    config = folder / "controlnet" / "config.json"
    assert own_controlnets(folder) == {}
    assert unnamed_controlnets(folder) == ("controlnet",)
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "_name_or_path": source}), "utf-8")
    assert own_controlnets(folder) == {kind: "controlnet"}
    assert load_sd(resolve(str(folder)), controls=(kind,)).control_kinds == (kind,)


def test_the_table_of_controls_names_subfolders_alone(folder: Path) -> None:
    (folder / "controls.json").write_text('{"tile": "../elsewhere"}', "utf-8")
    with pytest.raises(ModelError, match=r"is no folder beside it"):
        load_sd(resolve(str(folder)))


def rewritten(file: Path, rename: Callable[[str], str | None]) -> None:
    named = [(rename(key), tensor) for key, tensor in load_file(file).items()]
    save_file({key: tensor for key, tensor in named if key is not None}, file)


@pytest.mark.parametrize(
    ("part", "called"),
    [("unet", "UNet"), ("vae", "autoencoder"), ("text_encoder", "text encoder"), ("controlnet", "ControlNet")],
)
@pytest.mark.parametrize("fault", ["missing", "renamed", "prefixed"])
def test_no_part_is_left_at_random(folder: Path, part: str, called: str, fault: str) -> None:
    file = next((folder / part).glob("*.safetensors"))
    keys = sorted(load_file(file))
    faults: dict[str, Callable[[str], str | None]] = {
        "missing": lambda key: None if key == keys[3] else key,
        "renamed": lambda key: f"{key}_x" if key == keys[3] else key,
        "prefixed": lambda key: f"module.{key}",
    }
    rewritten(file, faults[fault])
    lacking = len(keys) if fault == "prefixed" else 1
    with pytest.raises(ModelError) as error:
        load_sd(resolve(str(folder)), controls=("tile",))
    assert str(file) in error.value.message
    assert f"the {called} lacks {lacking} of its {len(keys)} tensors, among them '" in error.value.message
    assert ("have no place" in error.value.message) == (fault != "missing")


def test_what_the_network_has_no_place_for_is_told(folder: Path) -> None:
    file = folder / UNET
    save_file({**load_file(file), "down_blocks.0.motion_modules.0.weight": torch.zeros(2)}, file)
    with pytest.raises(ModelError, match=r"the UNet has 1 that have no place in it.*motion_modules"):
        load_sd(resolve(str(folder)))


def test_buffers_of_earlier_versions_and_the_rest_of_clip_are_no_fault(made: Path, folder: Path) -> None:
    file = folder / "text_encoder" / "model.safetensors"
    old = {f"text_model.{key.removeprefix('text_model.')}": tensor for key, tensor in load_file(file).items()}
    more = {"text_model.embeddings.position_ids": torch.arange(16)[None], "logit_scale": torch.ones(())}
    save_file({**old, **more, "vision_model.embeddings.class_embedding": torch.zeros(4)}, file)
    vae = next((folder / "vae").glob("*.safetensors"))
    before_2023 = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

    def renamed(key: str) -> str:
        for new, earlier in before_2023.items():
            key = key.replace(new, earlier) if "attentions" in key else key
        return key

    rewritten(vae, renamed)
    assert load_sd(resolve(str(folder))).fingerprint == load_sd(resolve(str(made))).fingerprint


def test_weights_of_another_shape_or_kind_are_named(folder: Path) -> None:
    file = folder / UNET
    tensors = load_file(file)
    save_file({**tensors, "conv_in.weight": torch.zeros(32, 9, 3, 3)}, file)
    with pytest.raises(ModelError, match=r"takes 'conv_in.weight' of \(32, 4, 3, 3\), not \(32, 9, 3, 3\)"):
        load_sd(resolve(str(folder)))
    save_file({**tensors, "conv_in.weight": tensors["conv_in.weight"].to(torch.int8)}, file)
    with pytest.raises(ModelError, match="quantised weights are not supported"):
        load_sd(resolve(str(folder)))
