"""With cross-frame attention off and plain noise, restyling with SDXL equals diffusers' own image-to-image."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from diffusers.pipelines.controlnet.pipeline_controlnet_sd_xl_img2img import (
    StableDiffusionXLControlNetImg2ImgPipeline,
)
from diffusers.pipelines.controlnet.pipeline_controlnet_union_sd_xl_img2img import (
    StableDiffusionXLControlNetUnionImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)
from transformers import CLIPVisionModelWithProjection

from tests.support.lora_files import FC1, Q, diffusers_name, kohya_name, write_kohya
from tests.support.tiny.ip_adapter import SIDE, Sort, write_encoder, write_ip_adapter
from vedit.control_maps.maps import control_maps
from vedit.diffusion.noise import frame_seed
from vedit.media.reading.still import read_still
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_ip_adapter import seen_by_clip
from vedit.models.families.sd_keys import unet_key
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec
from vedit.options.references import ReferenceSpec
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.types import ControlSpec

FRAMES = range(40, 43)
TILE, SOFTEDGE = ControlSpec(kind="tile", scale=0.8, end=0.7), ControlSpec(kind="softedge", scale=1.1, start=0.2)
OPTIONS = RestyleOptions(
    prompt="watercolor",
    negative_prompt="a photo",
    strength=0.75,
    guidance=3.5,
    steps=8,
    seed=5,
    start="noise",
    cross_frame=False,
    batch=2,
    controls=(),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sdxl(tmp_path_factory.mktemp("parity") / "tiny")


@pytest.fixture(scope="module")
def union(folder: Path) -> Path:
    """A ControlNet of eight kinds in one, with weights that act."""
    torch.manual_seed(3)
    config = json.loads((folder / "controlnet" / "config.json").read_text("utf-8"))
    config.pop("mid_block_type")
    sides = {"num_control_type": 8, "num_trans_channel": 32, "num_proj_channel": 32}
    made = cast("ControlNetUnionModel", ControlNetUnionModel.from_config({**config, **sides}))
    for name, parameter in made.named_parameters():
        if name.startswith(("controlnet_", "spatial_ch_projs")):
            torch.nn.init.normal_(parameter, std=0.05)
    made.save_pretrained(folder.parent / "union")
    return folder.parent / "union"


def frames() -> torch.Tensor:
    return torch.rand(len(FRAMES), 3, 64, 96, generator=torch.Generator().manual_seed(1))


def ours(model: SDModel, options: RestyleOptions) -> torch.Tensor:
    restyler = prepare(model, options)
    return restyle_frames(restyler, frames(), FRAMES, own_guides(restyler)(FRAMES, frames())).data


def theirs(peer: Any, model: SDModel, options: RestyleOptions, **more: Any) -> torch.Tensor:
    peer.set_progress_bar_config(disable=True)
    negative = options.negative_prompt or None
    return peer(
        prompt=[options.prompt] * len(FRAMES),
        negative_prompt=None if negative is None else [negative] * len(FRAMES),
        image=model.codec.encode(frames()),
        strength=options.strength,
        num_inference_steps=8,
        guidance_scale=options.guidance or 1.0,
        generator=[torch.Generator().manual_seed(frame_seed(options.seed, n)) for n in FRAMES],
        output_type="latent",
        return_dict=False,
        **more,
    )[0]


def of_diffusers(kind: Any, folder: Path) -> Any:
    return kind.from_pretrained(folder, torch_dtype=torch.float32, low_cpu_mem_usage=False, local_files_only=True)


@pytest.mark.parametrize(
    "options",
    [OPTIONS, replace(OPTIONS, negative_prompt=""), replace(OPTIONS, strength=1.0, guidance=1.0, negative_prompt="")],
    ids=["guided", "against zeros", "unguided"],
)
def test_latents_equal_diffusers(folder: Path, options: RestyleOptions) -> None:
    model = load_sd(resolve(str(folder)))
    peer = of_diffusers(StableDiffusionXLImg2ImgPipeline, folder)
    torch.testing.assert_close(ours(model, options), theirs(peer, model, options), rtol=0, atol=1e-4)


@pytest.mark.parametrize("controls", [(TILE,), (TILE, SOFTEDGE)], ids=["one", "two"])
def test_latents_with_controlnets_equal_diffusers(folder: Path, controls: tuple[ControlSpec, ...]) -> None:
    options = replace(OPTIONS, controls=controls)
    model = load_sd(resolve(str(folder)), controls=("tile", "softedge"))
    peer = of_diffusers(StableDiffusionXLControlNetImg2ImgPipeline, folder)
    if len(controls) == 1:
        peer.register_modules(controlnet=peer.controlnet.nets[0])
    pictures = [m.frames for m in control_maps(options.controls, frames())]
    several = len(pictures) > 1
    expected = theirs(
        peer,
        model,
        options,
        control_image=pictures if several else pictures[-1],
        controlnet_conditioning_scale=[spec.scale for spec in controls] if several else controls[-1].scale,
        control_guidance_start=[spec.start for spec in controls],
        control_guidance_end=[spec.end for spec in controls],
    )
    torch.testing.assert_close(ours(model, options), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kinds", [("tile",), ("tile", "softedge")], ids=["one", "two"])
def test_a_controlnet_of_many_kinds_equals_diffusers(folder: Path, union: Path, kinds: tuple[str, ...]) -> None:
    types = {"tile": 6, "softedge": 2}
    options = replace(OPTIONS, controls=tuple(ControlSpec(kind=kind, scale=0.7) for kind in kinds))
    model = load_sd(resolve(str(folder), {kind: str(union) for kind in types}), controls=("tile", "softedge"))
    assert model.denoiser.controlnets["tile"] is model.denoiser.controlnets["softedge"]
    parts = of_diffusers(StableDiffusionXLControlNetImg2ImgPipeline, folder).components
    own = ControlNetUnionModel.from_pretrained(union, local_files_only=True)
    given: dict[str, Any] = {**parts, "controlnet": own}
    peer = StableDiffusionXLControlNetUnionImg2ImgPipeline(**given)
    expected = theirs(
        peer,
        model,
        options,
        control_image=[m.frames for m in control_maps(options.controls, frames())],
        control_mode=[types[kind] for kind in kinds],
        controlnet_conditioning_scale=[0.7] * len(kinds),
    )
    torch.testing.assert_close(ours(model, options), expected, rtol=0, atol=1e-4)
    without = ours(model, replace(options, controls=()))
    assert not torch.allclose(without, expected, atol=1e-3), "the branch acts"


@pytest.mark.parametrize("sort", ["base", "plus"])
def test_latents_with_an_ip_adapter_equal_diffusers(folder: Path, tmp_path: Path, sort: Sort) -> None:
    """Tokens as wide as both texts together, beside the pooled text and the sizes."""
    encoder = write_encoder(tmp_path / "image_encoder")
    adapter = write_ip_adapter(tmp_path / "adapter.safetensors", folder, sort)
    still = tmp_path / "still.png"
    assert cv2.imwrite(str(still), np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    options = replace(OPTIONS, references=(ReferenceSpec(path=still, weight=0.7),))
    model = load_sd(resolve(str(folder), ip_adapter=str(adapter)))
    peer = of_diffusers(StableDiffusionXLImg2ImgPipeline, folder)
    peer.image_encoder = CLIPVisionModelWithProjection.from_pretrained(encoder, local_files_only=True)
    where = {"subfolder": "", "weight_name": adapter.name, "image_encoder_folder": None}
    peer.load_ip_adapter(str(tmp_path), **where, low_cpu_mem_usage=False, local_files_only=True)
    peer.set_ip_adapter_scale(0.7)
    seen = seen_by_clip(read_still(still), SIDE)
    embeds = peer.prepare_ip_adapter_image_embeds([seen], None, "cpu", 1, do_classifier_free_guidance=True)
    shown = [one.repeat_interleave(len(FRAMES), 0) for one in embeds]
    found = ours(model, options)
    torch.testing.assert_close(found, theirs(peer, model, options, ip_adapter_image_embeds=shown), rtol=0, atol=1e-4)
    assert float((found - ours(model, OPTIONS)).abs().max()) > 0.05, "the picture acts"


def of_kohya(part: str, module: str) -> str:
    """As kohya-ss names what it trains for XL: both text encoders by number, and the UNet's layers as the original code
    does."""
    if part == "unet":
        config = {"layers_per_block": 1, "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]}
        return f"lora_unet_{unet_key(f'{module}.weight', config).removesuffix('.weight').replace('.', '_')}"
    return kohya_name(part, module).replace("lora_te_", "lora_te1_")


@pytest.mark.parametrize("name_of", [of_kohya, diffusers_name], ids=["kohya", "diffusers"])
def test_latents_with_loras_equal_diffusers(folder: Path, tmp_path: Path, name_of: Callable[[str, str], str]) -> None:
    """Two of them, in the UNet and in both text encoders; added by hand to the weights of diffusers' pipeline."""
    block = "transformer_blocks.0"
    first = (f"down_blocks.1.attentions.0.{block}.attn2.to_k", f"mid_block.attentions.0.{block}.attn1.to_out.0")
    second = (f"up_blocks.0.attentions.1.{block}.attn2.to_v", "down_blocks.0.resnets.0.conv1")
    sets = {"a": {"unet": first, "text_encoder": (Q,), "text_encoder_2": (FC1, Q)}, "b": {"unet": second}}
    weights = {"a": 0.6, "b": -0.4}
    files = {name: tmp_path / f"{name}.safetensors" for name in sets}
    added = {
        name: write_kohya(files[name], folder, modules=modules, name_of=name_of, seed=number)
        for number, (name, modules) in enumerate(sets.items())
    }
    options = replace(OPTIONS, loras=tuple(LoraSpec(path=files[name], weight=weights[name]) for name in sets))
    model = load_sd(resolve(str(folder)))
    peer = of_diffusers(StableDiffusionXLImg2ImgPipeline, folder)
    with torch.no_grad():
        for name, change in added.items():
            for part, tensors in change.items():
                network, level = getattr(peer, part), "text_model." if part == "text_encoder_2" else ""
                for module, value in tensors.items():
                    network.get_parameter(f"{level}{module}.weight").add_(weights[name] * value)
    found = ours(model, options)
    torch.testing.assert_close(found, theirs(peer, model, options), rtol=0, atol=1e-4)
    assert float((found - ours(model, OPTIONS)).abs().max()) > 0.05, "they act"
