"""A look with LoRAs equals diffusers' own pipeline on weights to which the same changes were added by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline

from tests.support.lora_files import CONV, FC1, PROJ, TO_K, TO_OUT, Q, Tensors, diffusers_name, kohya_name, write_kohya
from vedit.control_maps.maps import control_maps
from vedit.diffusion.noise import frame_seed
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec

FRAMES = range(40, 43)
BOTH = {"unet": (TO_K, TO_OUT, CONV, PROJ), "text_encoder": (FC1, Q)}
UNET = {"unet": (TO_K, CONV)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("parity") / "tiny", controls=("tile",))


def frames() -> torch.Tensor:
    return torch.rand(len(FRAMES), 3, 64, 96, generator=torch.Generator().manual_seed(1))


def look(*loras: LoraSpec) -> RestyleOptions:
    return RestyleOptions(
        prompt="ink wash",
        negative_prompt="a photo",
        strength=0.75,
        guidance=3.5,
        steps=8,
        seed=5,
        start="noise",
        cross_frame=False,
        controls=(ControlSpec(kind="tile", scale=0.8),),
        loras=loras,
    )


def ours(folder: Path, *loras: LoraSpec) -> torch.Tensor:
    restyler = prepare(load_sd(resolve(str(folder)), controls=("tile",)), look(*loras))
    return restyle_frames(restyler, frames(), FRAMES, own_guides(restyler)(FRAMES, frames())).data


def theirs(folder: Path, changes: Sequence[tuple[Mapping[str, Tensors], float]]) -> torch.Tensor:
    peer = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
        folder, torch_dtype=torch.float32, low_cpu_mem_usage=False, safety_checker=None, local_files_only=True
    )
    peer.set_progress_bar_config(disable=True)
    with torch.no_grad():
        for change, weight in changes:
            for part, tensors in change.items():
                for name, value in tensors.items():
                    getattr(peer, part).get_parameter(f"{name}.weight").add_(weight * value)
    options = look()
    (tile,) = control_maps(options.controls, frames())
    return peer(
        prompt=[options.prompt] * len(FRAMES),
        negative_prompt=[options.negative_prompt] * len(FRAMES),
        image=load_sd(resolve(str(folder))).codec.encode(frames()),
        control_image=tile.frames,
        height=64,
        width=96,
        strength=1.0 if options.strength is None else options.strength,
        num_inference_steps=8,
        guidance_scale=options.guidance or 1.0,
        generator=[torch.Generator().manual_seed(frame_seed(options.seed, n)) for n in FRAMES],
        controlnet_conditioning_scale=0.8,
        output_type="latent",
        return_dict=False,
    )[0]


@pytest.mark.parametrize("name_of", [kohya_name, diffusers_name], ids=["kohya", "diffusers"])
def test_one_lora_equals_diffusers(folder: Path, tmp_path: Path, name_of: Callable[[str, str], str]) -> None:
    added = write_kohya(tmp_path / "a.safetensors", folder, modules=BOTH, name_of=name_of)
    found = ours(folder, LoraSpec(path=tmp_path / "a.safetensors", weight=0.6))
    torch.testing.assert_close(found, theirs(folder, [(added, 0.6)]), rtol=0, atol=1e-5)
    assert (found - ours(folder)).abs().max() > 0.05


def test_two_weighted_loras_equal_diffusers(folder: Path, tmp_path: Path) -> None:
    first = write_kohya(tmp_path / "a.safetensors", folder, modules=BOTH)
    second = write_kohya(tmp_path / "b.safetensors", folder, modules=UNET, name_of=diffusers_name, alpha=None, seed=7)
    found = ours(
        folder,
        LoraSpec(path=tmp_path / "a.safetensors", weight=0.5),
        LoraSpec(path=tmp_path / "b.safetensors", weight=-0.3),
    )
    torch.testing.assert_close(found, theirs(folder, [(first, 0.5), (second, -0.3)]), rtol=0, atol=1e-5)
