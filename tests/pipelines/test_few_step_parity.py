"""Few-step models from the noised source equal diffusers' own image-to-image pipelines, given the same noise."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.latent_consistency_models.pipeline_latent_consistency_img2img import (
    LatentConsistencyModelImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)
from diffusers.schedulers import scheduling_lcm, scheduling_tcd
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_tcd import TCDScheduler

from vedit.diffusion.few_steps import turned
from vedit.diffusion.noise import frame_noise, frame_seed
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

FRAMES = range(40, 43)
SEED = 5


def reads_guidance(folder: Path) -> None:
    """Give the UNet an input for the scale of guidance, as latent consistency models have one."""
    config = json.loads((folder / "unet" / "config.json").read_text("utf-8"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        unet = cast("Any", UNet2DConditionModel.from_config({**config, "time_cond_proj_dim": 8}))
    torch.nn.init.normal_(unet.time_embedding.cond_proj.weight, std=0.5)
    unet.save_pretrained(folder / "unet")


def few_step(folder: Path, scheduler: type[Any], write: Callable[..., Path] = write_tiny_sd, **config: object) -> Path:
    """A tiny model whose folder asks for a scheduler, as the published ones do."""
    write(folder, controls=())
    made = scheduler.from_config(json.loads((folder / "scheduler" / "scheduler_config.json").read_text()), **config)
    made.save_pretrained(folder / "scheduler")
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    (folder / "model_index.json").write_text(json.dumps({**index, "scheduler": ["diffusers", scheduler.__name__]}))
    return folder


@pytest.fixture
def same_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers' schedulers draw what vedit draws, step by step."""
    draws: Iterator[int] = iter(range(1, 99))

    def drawn(shape: tuple[int, ...], **_: object) -> torch.Tensor:
        return turned(frame_noise(shape[1:], seed=SEED, frames=FRAMES), next(draws))

    monkeypatch.setattr(scheduling_lcm, "randn_tensor", drawn)
    monkeypatch.setattr(scheduling_tcd, "randn_tensor", drawn)


def compared(
    folder: Path, pipeline: type[Any], look: RestyleOptions, *, scheduler: Callable[[Any], Any] | None = None, **of: Any
) -> float:
    """The largest difference between vedit's latents and those of a pipeline of diffusers."""
    frames = torch.rand(len(FRAMES), 3, 64, 96, generator=torch.Generator().manual_seed(1))
    model = load_sd(resolve(str(folder)))
    restyler = prepare(model, look)
    found = restyle_frames(restyler, frames, FRAMES, own_guides(restyler)(FRAMES, frames)).data
    unchecked: dict[str, Any] = {} if "XL" in pipeline.__name__ else {"safety_checker": None}
    peer = pipeline.from_pretrained(
        folder, torch_dtype=torch.float32, low_cpu_mem_usage=False, local_files_only=True, **unchecked
    )
    peer.set_progress_bar_config(disable=True)
    if scheduler is not None:
        peer.scheduler = scheduler(peer.scheduler.config)
    expected = peer(
        prompt=[look.prompt] * len(FRAMES),
        image=model.codec.encode(frames),
        strength=restyler.options.strength,
        generator=[torch.Generator().manual_seed(frame_seed(SEED, n)) for n in FRAMES],
        output_type="latent",
        return_dict=False,
        **of,
    )[0]
    assert found.std() > 0.05
    return float((found - expected).abs().max())


def look(**settings: Any) -> RestyleOptions:
    return RestyleOptions(prompt="watercolor", seed=SEED, cross_frame=False, controls=(), batch=2, **settings)


@pytest.mark.parametrize(("steps", "strength", "scale"), [(4, 0.5, None), (2, 1.0, 3.0)])
def test_lcm_with_the_guidance_as_an_input(
    tmp_path: Path, same_noise: None, steps: int, strength: float, scale: float | None
) -> None:
    folder = few_step(tmp_path / "lcm", LCMScheduler)
    reads_guidance(folder)
    asked = look(steps=steps, strength=strength, guidance=scale)
    # By the level: all steps are taken, from where the strength leads.
    said: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": 8.0 if scale is None else scale}
    assert compared(folder, LatentConsistencyModelImg2ImgPipeline, asked, **said) < 1e-4


def test_lcm_with_classifier_free_guidance(tmp_path: Path, same_noise: None) -> None:
    folder = few_step(tmp_path / "lcm", LCMScheduler)
    asked = look(steps=8, strength=0.75, guidance=1.5, negative_prompt="a photograph")
    said: dict[str, Any] = {
        "num_inference_steps": 8,
        "guidance_scale": 1.5,
        "negative_prompt": [asked.negative_prompt] * 3,
    }
    assert compared(folder, StableDiffusionImg2ImgPipeline, asked, **said) < 1e-4


@pytest.mark.parametrize(("steps", "strength"), [(1, 1.0), (3, 1.0), (4, 0.5), (4, None)])
def test_turbo(tmp_path: Path, steps: int, strength: float | None) -> None:
    folder = few_step(tmp_path / "sd-turbo", EulerDiscreteScheduler, timestep_spacing="trailing")
    said: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": 0.0}
    assert compared(folder, StableDiffusionImg2ImgPipeline, look(steps=steps, strength=strength), **said) < 1e-4


@pytest.mark.parametrize(("name", "steps"), [("Hyper-SD15-8steps-lora", 8), ("Hyper-SD15-12steps-CFG-lora", 12)])
def test_hyper(tmp_path: Path, name: str, steps: int) -> None:
    folder = few_step(tmp_path / name, DDIMScheduler)
    guided = "CFG" in name
    said: dict[str, Any] = {
        "num_inference_steps": steps,
        "guidance_scale": 5.0 if guided else 0.0,
        "negative_prompt": ["grey"] * 3,
    }
    asked = look(strength=0.75, negative_prompt="grey" if guided else "", quality="high")
    peer = compared(
        folder,
        StableDiffusionImg2ImgPipeline,
        asked,
        scheduler=lambda config: DDIMScheduler.from_config(config, timestep_spacing="trailing"),
        **said,
    )
    assert peer < 1e-4


def test_tcd(tmp_path: Path, same_noise: None) -> None:
    folder = few_step(tmp_path / "tcd", TCDScheduler)
    said: dict[str, Any] = {"num_inference_steps": 4, "guidance_scale": 0.0, "eta": 0.3}
    assert compared(folder, StableDiffusionImg2ImgPipeline, look(strength=0.75), **said) < 1e-4


@pytest.mark.parametrize("steps", [4, 8])
def test_lightning(tmp_path: Path, steps: int) -> None:
    folder = few_step(
        tmp_path / f"sdxl_lightning_{steps}step",
        EulerDiscreteScheduler,
        write_tiny_sdxl,
        timestep_spacing="trailing",
    )
    said: dict[str, Any] = {"num_inference_steps": steps, "guidance_scale": 0.0}
    # The sizes that the network is told.
    said |= dict.fromkeys(("original_size", "target_size"), (64, 96))
    assert compared(folder, StableDiffusionXLImg2ImgPipeline, look(strength=0.5), **said) < 1e-4
