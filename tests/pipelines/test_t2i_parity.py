"""Restyling with T2I-Adapters equals diffusers' own pipelines with them, on the same random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.adapter import MultiAdapter, T2IAdapter
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.pipelines.t2i_adapter.pipeline_stable_diffusion_adapter import StableDiffusionAdapterPipeline
from diffusers.pipelines.t2i_adapter.pipeline_stable_diffusion_xl_adapter import StableDiffusionXLAdapterPipeline

from tests.support.tiny.t2i import Sort, t2i_adapter, write_t2i, write_three_levels
from vedit.control_maps.maps import control_maps
from vedit.diffusion.conditioning import RegionConditioning
from vedit.diffusion.noise import frame_seed
from vedit.models.families.modules import weights_digest
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_t2i import features_of
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlInput, ControlSpec

FRAMES = range(40, 43)
STEPS = 8
OPTIONS = RestyleOptions(
    prompt="watercolor",
    negative_prompt="a photograph",
    strength=1.0,
    guidance=3.5,
    steps=STEPS,
    seed=5,
    start="noise",
    cross_frame=False,
    batch=2,
    controls=(ControlSpec(kind="tile", scale=0.8),),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_three_levels(tmp_path_factory.mktemp("t2i") / "model")


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_three_levels(tmp_path_factory.mktemp("t2i") / "xl", xl=True)


def frames() -> torch.Tensor:
    return torch.rand(len(FRAMES), 3, 64, 96, generator=torch.Generator().manual_seed(1))


def ours(model: SDModel, options: RestyleOptions) -> torch.Tensor:
    restyler = prepare(model, options)
    return restyle_frames(restyler, frames(), FRAMES, own_guides(restyler)(FRAMES, frames())).data


def theirs(kind: Any, folder: Path, adapter: Any, model: SDModel, pictures: Any, **more: Any) -> torch.Tensor:
    """Diffusers' pipeline, which draws from noise, begun at the frames under as much of it as ours."""
    where = {"torch_dtype": torch.float32, "low_cpu_mem_usage": False, "local_files_only": True}
    peer = kind.from_pretrained(folder, adapter=adapter, **where)
    peer.set_progress_bar_config(disable=True)
    clean = model.codec.encode(frames())
    drawn = [
        torch.randn(1, *clean.shape[1:], generator=torch.Generator().manual_seed(frame_seed(OPTIONS.seed, n)))
        for n in FRAMES
    ]
    peer.scheduler.set_timesteps(STEPS)
    return peer(
        prompt=[OPTIONS.prompt] * len(FRAMES),
        negative_prompt=[OPTIONS.negative_prompt] * len(FRAMES),
        image=pictures,
        height=frames().shape[-2],
        width=frames().shape[-1],
        latents=peer.scheduler.add_noise(clean, torch.cat(drawn), peer.scheduler.timesteps[:1]),
        num_inference_steps=STEPS,
        guidance_scale=OPTIONS.guidance,
        output_type="latent",
        return_dict=False,
        **more,
    )[0]


def loaded(folder: Path, **adapters: Path) -> SDModel:
    return load_sd(
        resolve(str(folder), {kind: str(place) for kind, place in adapters.items()}), controls=tuple(adapters)
    )


def pictures_of(options: RestyleOptions) -> list[torch.Tensor]:
    return [one.frames for one in control_maps(options.controls, frames())]


@pytest.mark.parametrize("sort", ["full_adapter", "light_adapter"])
def test_latents_equal_diffusers(folder: Path, tmp_path: Path, sort: Sort) -> None:
    adapter = t2i_adapter(sort)
    model = loaded(folder, tile=write_t2i(tmp_path / "tile", adapter))
    expected = theirs(
        StableDiffusionAdapterPipeline,
        folder,
        adapter,
        model,
        pictures_of(OPTIONS)[0],
        adapter_conditioning_scale=0.8,
    )
    found = ours(model, OPTIONS)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert float((found - ours(model, replace(OPTIONS, controls=()))).abs().max()) > 0.05, "the adapter acts"


def test_several_equal_diffusers_one_of_them_of_grey(folder: Path, tmp_path: Path) -> None:
    tile, softedge = t2i_adapter(), t2i_adapter(seed=1)
    grey = t2i_adapter(seed=2, channels=1)
    options = replace(OPTIONS, controls=(ControlSpec(kind="tile", scale=0.8), ControlSpec(kind="softedge", scale=1.2)))
    authors = write_t2i(tmp_path / "softedge.safetensors", softedge, "authors")
    model = loaded(folder, tile=write_t2i(tmp_path / "tile", tile), softedge=authors)
    expected = theirs(
        StableDiffusionAdapterPipeline,
        folder,
        MultiAdapter([tile, softedge]),
        model,
        pictures_of(options),
        adapter_conditioning_scale=[0.8, 1.2],
    )
    torch.testing.assert_close(ours(model, options), expected, rtol=0, atol=1e-4)
    alone = replace(options, controls=options.controls[1:])
    model = loaded(folder, softedge=write_t2i(tmp_path / "grey", grey))
    (edges,) = pictures_of(alone)
    assert torch.equal(edges[:, :1].expand_as(edges), edges), "a map of one channel"
    expected = theirs(StableDiffusionAdapterPipeline, folder, grey, model, edges[:, :1], adapter_conditioning_scale=1.2)
    torch.testing.assert_close(ours(model, alone), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("end", [1.0, 0.5])
def test_xl_equals_diffusers_in_its_middle_block_too(xl: Path, tmp_path: Path, end: float) -> None:
    adapter = t2i_adapter("full_adapter_xl")
    options = replace(OPTIONS, controls=(ControlSpec(kind="tile", scale=0.8, end=end),))
    model = loaded(xl, tile=write_t2i(tmp_path / "tile", adapter))
    more = {"adapter_conditioning_scale": 0.8, "adapter_conditioning_factor": end}
    expected = theirs(StableDiffusionXLAdapterPipeline, xl, adapter, model, pictures_of(options)[0], **more)
    found = ours(model, options)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    with torch.no_grad():
        for parameter in cast("Any", adapter.adapter).body[-1].parameters():
            parameter.zero_()
    other = ours(loaded(xl, tile=write_t2i(tmp_path / "less", adapter)), options)
    assert not torch.allclose(other, found, atol=1e-3), "what goes to the middle block acts"


def test_beside_a_controlnet_both_are_what_diffusers_unet_makes_of_them(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model", controls=("tile",))
    adapter = t2i_adapter(widths=[32, 64])
    model = load_sd(
        resolve(str(folder), {"softedge": str(write_t2i(tmp_path / "a", adapter))}), controls=("tile", "softedge")
    )
    assert model.control_kinds == ("tile", "softedge")
    x, pictures = torch.randn(3, 4, 8, 12, generator=torch.Generator().manual_seed(0)), frames()
    prompt = model.text("night")
    tile = ControlInput(branch="tile", frames=pictures, scale=0.7)
    softedge = ControlInput(branch="softedge", frames=pictures.flip(3), scale=0.9)
    text = prompt.states.expand(3, -1, -1)
    with torch.inference_mode():
        net = cast("ControlNetModel", model.denoiser.controlnets["tile"])
        down, middle = net(x, 500, text, pictures, conditioning_scale=0.7, return_dict=False)
        within = [0.9 * one for one in adapter(pictures.flip(3))]
        more = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        expected = model.denoiser.unet(x, 500, text, **more, down_intrablock_additional_residuals=within)[0]
    for controls in ((tile, softedge), (softedge, tile)):
        torch.testing.assert_close(model.denoiser(x, 500, prompt, controls), expected, rtol=0, atol=1e-5)


def test_pictures_are_read_once_a_mask_holds_and_one_picture_serves_all_frames(folder: Path, tmp_path: Path) -> None:
    model = loaded(folder, tile=write_t2i(tmp_path / "tile", t2i_adapter()))
    adapter = cast("T2IAdapter", model.denoiser.controlnets["tile"])
    read: list[object] = []
    adapter.register_forward_hook(lambda module, given, made: read.append(given))
    assert torch.equal(ours(model, OPTIONS), ours(model, OPTIONS))
    assert len(read) == 2 * 2, "each batch of each render once, for all steps and both prompts"
    x = torch.randn(3, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    prompt, picture = model.text("night"), frames()[:1]

    def made(picture: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return model.denoiser(x, 500, prompt, [ControlInput(branch="tile", frames=picture, mask=mask)])

    torch.testing.assert_close(made(picture), made(picture.expand(3, -1, -1, -1).clone()), rtol=0, atol=1e-5)
    everywhere, nowhere = torch.ones(3, 1, 64, 96), torch.zeros(3, 1, 64, 96)
    assert torch.equal(made(picture, everywhere), made(picture))
    bare = model.denoiser(x, 500, prompt, ())
    assert torch.equal(made(picture, nowhere), bare)
    half = everywhere.clone()
    half[..., 48:] = 0
    features = features_of(adapter, picture)
    within = [one * F.adaptive_avg_pool2d(half, (one.shape[-2], one.shape[-1])) for one in features]
    with torch.inference_mode():
        text = prompt.states.expand(3, -1, -1)
        expected = model.denoiser.unet(x, 500, text, down_intrablock_additional_residuals=within)[0]
    torch.testing.assert_close(made(picture, half), expected, rtol=0, atol=1e-5)
    assert not torch.allclose(expected, bare, atol=1e-2)


def test_regions_pass_the_adapter_by(folder: Path, tmp_path: Path) -> None:
    """It reads no text, so there is nothing in it to give a prompt of its own; afterwards all is as it was."""
    model = loaded(folder, tile=write_t2i(tmp_path / "tile", t2i_adapter()))
    x = torch.randn(3, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    controls = [ControlInput(branch="tile", frames=frames())]
    before = model.denoiser(x, 500, model.text("night"), controls)
    digests = {name: weights_digest(net) for name, net in model.denoiser.controlnets.items()}
    with model.regional() as regional:
        regional.show([RegionConditioning(prompt=model.text("day"), mask=torch.ones(3, 1, 64, 96))])
        day = model.denoiser(x, 500, model.text("night"), controls)
    torch.testing.assert_close(day, model.denoiser(x, 500, model.text("day"), controls), rtol=0, atol=1e-5)
    assert torch.equal(before, model.denoiser(x, 500, model.text("night"), controls))
    assert digests == {name: weights_digest(net) for name, net in model.denoiser.controlnets.items()}
