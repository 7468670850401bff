"""What `--motion-adapter` takes, and what it refuses by its true name before anything is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import UNetMotionModel
from safetensors.torch import load_file, save_file

from tests.models.checkpoints import component_of, pipeline_of
from tests.models.layouts import sd1_checkpoint, sd2_checkpoint, write_sparse
from tests.support.clips import two_shots
from tests.support.lora_files import write_kohya
from tests.support.tiny.ip_adapter import write_encoder, write_ip_adapter
from tests.support.tiny.motion import motion_adapter, write_motion_adapter, write_motion_file
from vedit import api
from vedit.errors import InputError, ModelError
from vedit.models.facts import facts_of
from vedit.models.families.modules import weights_digest
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_configs import SD1, SD2
from vedit.models.families.sd_ip_adapter import load_ip_adapter
from vedit.models.families.sd_loras import LORAS, check_loras
from vedit.models.identify import identify
from vedit.models.load import load_sd
from vedit.models.motion import check_motion_adapter, motion_config
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("motion")
    write_tiny_sd(place / "model", controls=())
    write_motion_adapter(place / "motion")
    write_motion_file(place / "motion.safetensors")
    two_shots(place / "clip.mov")
    return place


def moving(folder: Path, adapter: Path) -> SDModel:
    return load_sd(resolve(str(folder / "model"), motion_adapter=str(adapter)))


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("middle", [True, False], ids=["version 2", "versions 1 and 3"])
def test_a_file_of_the_authors_is_the_folder(folder: Path, tmp_path: Path, middle: bool, prefix: str) -> None:
    own = write_motion_adapter(tmp_path / "own", middle=middle, length=24)
    file = write_motion_file(tmp_path / "mm.safetensors", middle=middle, length=24, prefix=prefix)
    told = motion_config(file)
    assert (told["block_out_channels"], told["motion_layers_per_block"]) == ([32, 64], 1)
    assert (told["motion_max_seq_length"], told["use_motion_mid_block"]) == (24, middle)
    one, other = moving(folder, own).denoiser.unet, moving(folder, file).denoiser.unet
    assert weights_digest(one) == weights_digest(other)


def test_the_network_is_that_of_diffusers(folder: Path) -> None:
    unet = UNet2DConditionModel.from_pretrained(folder / "model", subfolder="unet", low_cpu_mem_usage=False)
    expected = cast("UNetMotionModel", UNetMotionModel.from_unet2d(unet, motion_adapter())).state_dict()
    found = moving(folder, folder / "motion.safetensors").denoiser.unet.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_the_true_size_is_told_by_the_tensors(tmp_path: Path) -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for number, width in enumerate((320, 640, 1280, 1280)):
        for module in range(2):
            begin = f"down_blocks.{number}.motion_modules.{module}.temporal_transformer."
            shapes |= {f"{begin}norm.weight": (width,)}
            shapes |= {f"{begin}transformer_blocks.0.attention_blocks.0.pos_encoder.pe": (1, 32, width)}
    file = write_sparse(tmp_path / "mm.safetensors", shapes)
    base = write_sparse(tmp_path / "model.safetensors", sd1_checkpoint())
    check_motion_adapter(file, base)
    assert motion_config(file) == {
        "block_out_channels": [320, 640, 1280, 1280],
        "motion_layers_per_block": 2,
        "motion_transformer_layers_per_block": 1,
        "motion_num_attention_heads": 8,
        "motion_max_seq_length": 32,
        "use_motion_mid_block": False,
    }


def test_it_is_told_what_it_is(folder: Path) -> None:
    for place in (folder / "motion", folder / "motion.safetensors"):
        found = facts_of(place)
        assert (found.part, found.runs, found.given_as) == ("motion", True, f"--motion-adapter {place}")
        with pytest.raises(ModelError, match=r"not a model; give it as --motion-adapter PATH"):
            resolve(str(place))


def _without(folder: Path, tmp_path: Path) -> Path:
    tensors = load_file(folder / "motion.safetensors")
    tensors.pop("mid_block.motion_modules.0.temporal_transformer.proj_in.weight")
    save_file(tensors, tmp_path / "less.safetensors")
    return tmp_path / "less.safetensors"


def _beyond(folder: Path, tmp_path: Path) -> Path:
    extra = {"down_blocks.0.motion_modules.0.temporal_transformer.more.weight": torch.zeros(2)}
    save_file(load_file(folder / "motion.safetensors") | extra, tmp_path / "more.safetensors")
    return tmp_path / "more.safetensors"


def test_every_tensor_is_accounted_for(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"UNet lacks 1 of its .* tensors.*proj_in\.weight"):
        moving(folder, _without(folder, tmp_path))
    with pytest.raises(ModelError, match=r"UNet has 1 that have no place in it.*more\.weight"):
        moving(folder, _beyond(folder, tmp_path))


def test_what_is_no_motion_adapter_is_refused(folder: Path, tmp_path: Path) -> None:
    model = str(folder / "model")
    write_kohya(lora := tmp_path / "lora.safetensors", folder / "model")
    pia = component_of({"_class_name": "MotionAdapter", "block_out_channels": [32, 64], "conv_in_channels": 9})
    (tmp_path / "pickled.ckpt").write_bytes(b"x")
    for place, said in (
        (str(lora), "is a LoRA.*, no motion adapter"),
        (model, "is a model of the Stable Diffusion layout, a diffusers folder, no motion adapter"),
        (str(pia(tmp_path / "pia")), r"takes a picture beside the latents \(PIA\)"),
        (str(tmp_path / "pickled.ckpt"), "is a pickle file"),
        (str(tmp_path / "nowhere.safetensors"), "there is no motion adapter"),
        ("", "there is no motion adapter"),
        ("lcm-lora-sd15", "lcm-lora-sd15 is a LoRA, not a motion adapter"),
    ):
        with pytest.raises(ModelError, match=said):
            resolve(model, motion_adapter=place)


def test_a_model_that_it_is_not_for_is_refused(folder: Path, tmp_path: Path) -> None:
    adapter = str(folder / "motion")
    second = {part: SD2[part] for part in ("unet", "vae", "text_encoder", "scheduler")}
    whole = {part: SD1[part] for part in ("vae", "text_encoder", "scheduler")}
    unet = {**SD1["unet"], "_class_name": "UNetMotionModel"}
    for base, said in (
        (write_tiny_sdxl(tmp_path / "xl"), "for Stable Diffusion 1.x, and .* is Stable Diffusion XL"),
        (pipeline_of("StableDiffusionPipeline", **second)(tmp_path / "2"), "and .* is Stable Diffusion 2.x"),
        (pipeline_of("AnimateDiffPipeline", unet=unet, **whole)(tmp_path / "whole"), "motion modules of its own"),
        (pipeline_of("StableDiffusionPipeline", unet=SD1["unet"], **whole)(tmp_path / "1"), "block_out_channels"),
    ):
        with pytest.raises(ModelError, match=said):
            resolve(str(base), motion_adapter=adapter)
    file = write_sparse(tmp_path / "2.safetensors", {**sd2_checkpoint(), "v_pred": ()})
    with pytest.raises(ModelError, match=r"is Stable Diffusion 2\.x"):
        resolve(str(file), motion_adapter=adapter)
    with pytest.raises(ModelError, match="embedded has no place for a motion adapter"):
        resolve("embedded", motion_adapter=adapter)


def test_pipelines_are_told(tmp_path: Path) -> None:
    parts: dict[str, Any] = {part: SD1[part] for part in ("vae", "text_encoder", "scheduler")}
    motion = {"_class_name": "MotionAdapter"}
    unet = {**SD1["unet"], "_class_name": "UNetMotionModel"}
    found = identify(pipeline_of("AnimateDiffPipeline", unet=unet, motion_adapter=motion, **parts)(tmp_path / "1"))
    assert (found.name, found.runs) == ("AnimateDiff, a diffusers folder", True)
    wide = {**unet, "in_channels": 9}
    for number, (changes, said) in enumerate(
        (
            ({"unet": {**unet, "addition_embed_type": "text_time"}}, "for Stable Diffusion XL"),
            ({"unet": unet, "controlnet": {"_class_name": "SparseControlNetModel"}}, "a SparseCtrl"),
            ({"unet": wide}, "its UNet takes 9 channels"),
        )
    ):
        refused = pipeline_of("AnimateDiffPipeline", motion_adapter=motion, **{**parts, **changes})
        with pytest.raises(ModelError, match=rf"is AnimateDiff, a diffusers folder, which vedit cannot run; .*{said}"):
            resolve(str(refused(tmp_path / f"refused{number}")))


def test_what_it_cannot_do_is_refused(folder: Path) -> None:
    traits = resolve(str(folder / "model"), motion_adapter=str(folder / "motion")).traits
    with pytest.raises(InputError, match="has no place for the source's features"):
        traits.check(RestyleOptions(prompt="x", inject="0.5"), model="it")
    assert not traits.regions and not traits.cross_frame


def test_animatelcm_is_sampled_in_its_own_way(folder: Path, tmp_path: Path) -> None:
    adapter = write_motion_file(tmp_path / "AnimateLCM_sd15_t2v.safetensors")
    write_kohya(lora := tmp_path / "AnimateLCM_sd15_t2v_lora.safetensors", folder / "model")
    traits = resolve(str(folder / "model"), motion_adapter=str(adapter)).traits
    for options in (RestyleOptions(prompt="x"), RestyleOptions(prompt="x", loras=(LoraSpec(path=lora),))):
        found = traits.regime_of(options)
        assert found is not None and found.name == "animatelcm"
        assert (traits.quality(options).steps, traits.scale(options)) == (6, 2.0)
    assert "motion adapter AnimateLCM" in (traits.regime.why if traits.regime else "")


def test_loras_act_on_the_model_beneath(folder: Path, tmp_path: Path) -> None:
    found = resolve(str(folder / "model"), motion_adapter=str(folder / "motion"))
    lora = LoraSpec(path=tmp_path / "lora.safetensors")
    write_kohya(lora.path, folder / "model")
    check_loras(found.source, [lora])
    model, options = load_sd(found), RestyleOptions(prompt="x", loras=(lora,))
    before = weights_digest(model.denoiser.unet)
    with LORAS.sampling(model, options):
        assert weights_digest(model.denoiser.unet) != before
    assert weights_digest(model.denoiser.unet) == before


@pytest.mark.parametrize(
    "layer",
    [
        "unet.down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_q.lora_{}.weight",
        "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0.processor"
        ".to_q_lora.{}.weight",
    ],
    ids=["diffusers", "authors"],
)
def test_loras_of_motion_are_refused_as_what_they_are(folder: Path, tmp_path: Path, layer: str) -> None:
    down, up = ("A", "B") if layer.startswith("unet") else ("down", "up")
    file = tmp_path / "motion-lora.safetensors"
    save_file({layer.format(down): torch.zeros(2, 32), layer.format(up): torch.zeros(32, 2)}, file)
    found = resolve(str(folder / "model"), motion_adapter=str(folder / "motion"))
    with pytest.raises(ModelError, match="a LoRA for AnimateDiff's motion module, and the model is"):
        check_loras(found.source, [LoraSpec(path=file)])


def test_pictures_are_read_by_the_layers_that_read_text(folder: Path, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "image_encoder")
    file = write_ip_adapter(tmp_path / "base.safetensors", folder / "model")
    still, model = load_sd(resolve(str(folder / "model"))), moving(folder, folder / "motion")
    names = [
        load_ip_adapter(file, encoder, one.denoiser.unet, device=one.device, dtype=torch.float32).layers.keys()
        for one in (still, model)
    ]
    assert list(names[0]) == list(names[1])


def test_its_weights_are_counted(folder: Path) -> None:
    alone = resolve(str(folder / "model")).sizes()
    both = resolve(str(folder / "model"), motion_adapter=str(folder / "motion")).sizes()
    assert alone is not None and both is not None
    held = sum(value.numel() for value in motion_adapter().state_dict().values())
    assert both.unet - alone.unet == held


def test_a_render_by_it_is_recorded_and_asked_for_again(folder: Path, tmp_path: Path) -> None:
    asked = api.request(
        folder / "clip.mov",
        output=tmp_path / "out.mov",
        prompt="ink",
        model=str(folder / "model"),
        controls=(),
        steps=2,
        fixed_point=1,
        short_side=64,
        motion_adapter=str(folder / "motion.safetensors"),
    )
    assert api.plan(asked).peak_memory_bytes
    api.restyle(asked)
    record = json.loads((tmp_path / "out.mov.vedit.json").read_text())
    assert "motion_adapter" in record["recipe"]["weights"]
    again = as_asked(json.loads(json.dumps(as_recorded(asked, tmp_path))), tmp_path)
    assert again.motion_adapter == asked.motion_adapter
