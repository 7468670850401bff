"""AnimateDiff: the same latents as diffusers' pipelines, windows of any length, an inversion that is walked back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.models.unets.unet_motion_model import MotionAdapter
from diffusers.pipelines.animatediff.pipeline_animatediff import AnimateDiffPipeline
from diffusers.pipelines.animatediff.pipeline_animatediff_video2video import AnimateDiffVideoToVideoPipeline
from diffusers.pipelines.animatediff.pipeline_animatediff_video2video_controlnet import (
    AnimateDiffVideoToVideoControlNetPipeline,
)
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextModel, CLIPTokenizer

from tests.support.tiny.motion import write_motion_adapter, write_motion_file
from vedit.control_maps.maps import control_maps
from vedit.diffusion.noise import frame_seed
from vedit.models.families.animatediff_denoiser import AnimateDiffDenoiser, contexts
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.pipelines.restyle_windows import restyle_stills, restyle_window
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec, FrameRange, PromptEmbeds

SIZE = (64, 96)
OPTIONS = RestyleOptions(
    prompt="oil",
    negative_prompt="photo",
    strength=0.75,
    guidance=3.5,
    steps=4,
    seed=5,
    start="noise",
    batch=2,
    controls=(),
)
CONTROLS = (ControlSpec(kind="tile", scale=0.8), ControlSpec(kind="softedge", scale=1.1))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model; the same numbers of an adapter as a folder and as a file; a whole pipeline as diffusers saves it."""
    folder = tmp_path_factory.mktemp("animatediff")
    write_tiny_sd(folder / "model")
    write_motion_adapter(folder / "motion")
    write_motion_file(folder / "motion.safetensors")
    peer = AnimateDiffPipeline(**_parts(folder, unet=_unet(folder), adapter=_adapter(folder)))
    peer.save_pretrained(folder / "whole")
    return folder


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(16, 3, *SIZE, generator=torch.Generator().manual_seed(1))


def _unet(folder: Path) -> UNet2DConditionModel:
    found = UNet2DConditionModel.from_pretrained(folder / "model", subfolder="unet", low_cpu_mem_usage=False)
    return cast("UNet2DConditionModel", found)


def _adapter(folder: Path) -> MotionAdapter:
    return cast("MotionAdapter", MotionAdapter.from_pretrained(folder / "motion", low_cpu_mem_usage=False))


def _parts(folder: Path, *, unet: UNet2DConditionModel, adapter: MotionAdapter) -> dict[str, Any]:
    model = folder / "model"
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    return {
        "vae": AutoencoderKL.from_pretrained(model, subfolder="vae", low_cpu_mem_usage=False),
        "text_encoder": CLIPTextModel.from_pretrained(model / "text_encoder"),
        "tokenizer": CLIPTokenizer.from_pretrained(model / "tokenizer"),
        "unet": unet,
        "motion_adapter": adapter,
        "scheduler": DDIMScheduler.from_pretrained(model, subfolder="scheduler", beta_schedule="linear"),
    }


def load(folder: Path, *, model: str = "model", motion: str | None = "motion", controls: bool = False) -> SDModel:
    found = resolve(str(folder / model), motion_adapter=None if motion is None else str(folder / motion))
    assert found.family.name == "animatediff"
    return load_sd(found, controls=("tile", "softedge") if controls else ())


def restyled(model: SDModel, options: RestyleOptions, frames: torch.Tensor) -> torch.Tensor:
    restyler, numbers = prepare(model, options), range(40, 40 + len(frames))
    return restyle_frames(restyler, frames, numbers, own_guides(restyler)(numbers, frames)).data


def diffused(peer: Any, options: RestyleOptions, latents: torch.Tensor, **more: Any) -> torch.Tensor:
    """Diffusers' latents from the same noised ones: it draws one noise for all frames, and vedit one for each."""
    peer.set_progress_bar_config(disable=True)
    noise = torch.cat(
        [torch.randn(1, *latents.shape[1:], generator=torch.Generator().manual_seed(frame_seed(5, 40 + n))) for n in range(len(latents))]
    )
    peer.scheduler.set_timesteps(4)
    taken = peer.scheduler.timesteps[4 - int(4 * options.regenerated) :]
    noised = peer.scheduler.add_noise(latents, noise, taken[:1])
    found = peer(
        prompt=options.prompt,
        negative_prompt=options.negative_prompt,
        latents=noised.transpose(0, 1)[None],
        height=SIZE[0],
        width=SIZE[1],
        num_inference_steps=4,
        strength=options.regenerated,
        guidance_scale=options.guidance,
        output_type="latent",
        return_dict=False,
        **more,
    )[0]
    return found[0].transpose(0, 1)


def test_sixteen_frames_equal_diffusers(place: Path, frames: torch.Tensor) -> None:
    model = load(place)
    found = restyled(model, OPTIONS, frames)
    peer = AnimateDiffVideoToVideoPipeline(**_parts(place, unet=_unet(place), adapter=_adapter(place)))
    expected = diffused(peer, OPTIONS, model.codec.encode(frames))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_sixteen_frames_with_controlnets_equal_diffusers(place: Path, frames: torch.Tensor) -> None:
    options = replace(OPTIONS, controls=CONTROLS)
    model = load(place, controls=True)
    found = restyled(model, options, frames)
    nets = [
        ControlNetModel.from_pretrained(place / "model", subfolder=sub, low_cpu_mem_usage=False)
        for sub in ("controlnet", "controlnet_1")
    ]
    parts = _parts(place, unet=_unet(place), adapter=_adapter(place))
    peer = AnimateDiffVideoToVideoControlNetPipeline(**parts, controlnet=MultiControlNetModel(cast("Any", nets)))
    maps = [list(m.frames) for m in control_maps(options.controls, frames)]
    expected = diffused(
        peer,
        options,
        model.codec.encode(frames),
        conditioning_frames=maps,
        controlnet_conditioning_scale=[spec.scale for spec in CONTROLS],
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
