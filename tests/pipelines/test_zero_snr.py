"""Stable Diffusion 2.1 with v-prediction and zero terminal SNR: sampled as diffusers does, inverted and retraced."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)

from tests.models.layouts import sd2_checkpoint, write_sparse
from vedit.diffusion.noise import frame_seed
from vedit.errors import SettingError
from vedit.models.families.sd_configs import config_of
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

FRAMES = range(40, 43)
OPTIONS = RestyleOptions(
    prompt="watercolor", negative_prompt="a photo", source_prompt="a photo", steps=8, cross_frame=False, controls=()
)


def zero_snr(folder: Path) -> Path:
    """A model's schedule, as those who train with zero terminal SNR write it."""
    file = folder / "scheduler" / "scheduler_config.json"
    changed = {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **changed}), "utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return zero_snr(write_tiny_sd(tmp_path_factory.mktemp("zero") / "tiny", controls=()))


def frames() -> torch.Tensor:
    return torch.rand(len(FRAMES), 3, 64, 96, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("strength", [1.0, 0.75])
@pytest.mark.parametrize(
    ("write", "kind"),
    [(write_tiny_sd, StableDiffusionImg2ImgPipeline), (write_tiny_sdxl, StableDiffusionXLImg2ImgPipeline)],
    ids=["2.1", "XL"],
)
def test_latents_equal_diffusers(
    write: Callable[..., Path], kind: type[StableDiffusionImg2ImgPipeline], tmp_path: Path, strength: float
) -> None:
    place = zero_snr(write(tmp_path / "tiny", controls=("tile",)))
    options = replace(OPTIONS, start="noise", strength=strength, guidance=3.5, seed=5)
    model = load_sd(resolve(str(place)))
    restyler = prepare(model, options)
    assert restyler.trajectory.steps[0].signal == (0.0 if strength == 1.0 else pytest.approx(0.33, abs=0.2))
    found = restyle_frames(restyler, frames(), FRAMES, own_guides(restyler)(FRAMES, frames())).data
    peer = kind.from_pretrained(place, torch_dtype=torch.float32, low_cpu_mem_usage=False, local_files_only=True)
    peer.set_progress_bar_config(disable=True)
    expected = peer(
        prompt=[options.prompt] * len(FRAMES),
        negative_prompt=[options.negative_prompt] * len(FRAMES),
        image=model.codec.encode(frames()),  # pyright: ignore[reportArgumentType]
        strength=strength,
        num_inference_steps=8,
        guidance_scale=3.5,
        generator=[torch.Generator().manual_seed(frame_seed(options.seed, n)) for n in FRAMES],
        output_type="latent",
        return_dict=False,
    )[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_an_inversion_to_noise_alone_is_retraced(folder: Path) -> None:
    """Under the source's own description and without guidance, sampling comes back to the source, the nearer the more
    often each step of the inversion is evaluated; noise has a standard deviation of 1."""
    model = load_sd(resolve(str(folder)))
    source, errors = model.codec.encode(frames()), list[float]()
    for fixed_point in (1, 3, 12):
        options = replace(OPTIONS, prompt=OPTIONS.source_prompt, guidance=1.0, steps=25, fixed_point=fixed_point)
        restyler = prepare(model, options)
        assert restyler.trajectory.steps[0].signal == 0.0
        found = restyle_frames(restyler, frames(), FRAMES, own_guides(restyler)(FRAMES, frames())).data
        errors.append(float((found - source).square().mean().sqrt()))
    assert errors[0] > 2 * errors[1] > 10 * errors[2]
    assert errors[2] < 1.5e-3


def test_one_step_from_noise_alone_cannot_be_inverted(folder: Path) -> None:
    model = resolve(str(folder))
    with pytest.raises(SettingError, match=r"steps is 1, and m begins at pure noise.*give at least 2 steps"):
        model.traits.check(replace(OPTIONS, steps=1), model="m")
    with pytest.raises(SettingError, match="or take the inversion ddpm"):
        model.traits.check(replace(OPTIONS, steps=1, inversion="ddim"), model="m")
    for fine in ({"steps": 2}, {"steps": 1, "start": "noise"}, {"steps": 1, "inversion": "ddpm"}):
        model.traits.check(replace(OPTIONS, **fine), model="m")  # pyright: ignore[reportArgumentType]


def test_the_noise_map_of_one_step_from_noise_alone_gives_the_source_back(folder: Path) -> None:
    model = load_sd(resolve(str(folder)))
    options = replace(OPTIONS, prompt=OPTIONS.source_prompt, guidance=1.0, steps=1, inversion="ddpm", controls=())
    restyler = prepare(model, options)
    assert [step.signal for step in restyler.trajectory.steps] == [0.0]
    found = restyle_frames(restyler, frames(), FRAMES, own_guides(restyler)(FRAMES, frames())).data
    # The map is kept in half precision.
    torch.testing.assert_close(found, model.codec.encode(frames()), rtol=0, atol=2e-3)


def test_a_single_file_says_so_by_empty_tensors(tmp_path: Path) -> None:
    file = write_sparse(tmp_path / "model.safetensors", {**sd2_checkpoint(), "v_pred": (0,), "ztsnr": (0,)})
    told = config_of(file, "scheduler")
    assert told["prediction_type"] == "v_prediction"
    assert (told["rescale_betas_zero_snr"], told["timestep_spacing"]) == (True, "trailing")
    assert resolve(str(file)).traits.fewest_inverted == 2
