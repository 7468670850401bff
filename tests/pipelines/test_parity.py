"""With cross-frame attention off and plain noise, restyling equals diffusers' own ControlNet image-to-image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline

from vedit.control_maps.maps import control_maps
from vedit.diffusion.noise import frame_seed
from vedit.embedded import FOLDER
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec

FRAMES = range(40, 43)
OPTIONS = RestyleOptions(
    prompt="watercolor",  # the tiny encoder's chunk is that short, and diffusers cuts what is longer
    negative_prompt="a photograph",
    strength=0.75,
    guidance=3.5,
    steps=8,
    seed=5,
    start="noise",
    cross_frame=False,
    batch=2,
    controls=(ControlSpec(kind="tile", scale=0.8, end=0.7), ControlSpec(kind="softedge", scale=1.1, start=0.2)),
)


@pytest.fixture(scope="module", params=["embedded", "sd15"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded checkpoint (v prediction, AutoencoderTiny) and a random SD 1.5 (epsilon, AutoencoderKL)."""
    return FOLDER if request.param == "embedded" else write_tiny_sd(tmp_path_factory.mktemp("parity") / "tiny")


@pytest.mark.parametrize(
    "options",
    [OPTIONS, replace(OPTIONS, strength=1.0, guidance=1.0, negative_prompt="")],
    ids=["guided", "unguided"],
)
def test_latents_equal_diffusers(folder: Path, options: RestyleOptions) -> None:
    generator = torch.Generator().manual_seed(1)
    frames = torch.rand(len(FRAMES), 3, 64, 96, generator=generator)
    model = load_sd(resolve(str(folder)), controls=("tile", "softedge"))
    restyler = prepare(model, options)
    found = restyle_frames(restyler, frames, FRAMES, own_guides(restyler)(FRAMES, frames)).data

    peer = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(
        folder, torch_dtype=torch.float32, low_cpu_mem_usage=False, safety_checker=None, local_files_only=True
    )
    assert isinstance(peer.controlnet, MultiControlNetModel)
    peer.set_progress_bar_config(disable=True)
    maps = control_maps(options.controls, frames)
    expected = peer(
        prompt=[options.prompt] * len(FRAMES),
        negative_prompt=[options.negative_prompt] * len(FRAMES),
        # A 4-channel autoencoder's latents go in as they are: diffusers would draw from the encoder's distribution.
        image=model.codec.encode(frames) if model.codec.vae.config["latent_channels"] == 4 else frames,
        control_image=[m.frames for m in maps],
        height=frames.shape[-2],
        width=frames.shape[-1],
        strength=1.0 if options.strength is None else options.strength,
        num_inference_steps=8,
        guidance_scale=options.guidance or 1.0,
        generator=[torch.Generator().manual_seed(frame_seed(options.seed, n)) for n in FRAMES],
        controlnet_conditioning_scale=[spec.scale for spec in options.controls],
        control_guidance_start=[spec.start for spec in options.controls],
        control_guidance_end=[spec.end for spec in options.controls],
        output_type="latent",
        return_dict=False,
    )[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
