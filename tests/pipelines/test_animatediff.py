"""AnimateDiff: the same latents as diffusers' pipelines, windows of any length, an inversion that is walked back."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import cv2
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
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
from transformers import CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from tests.support.tiny.ip_adapter import SIDE, write_encoder, write_ip_adapter
from tests.support.tiny.motion import write_motion_adapter, write_motion_file
from vedit.control_maps.maps import control_maps
from vedit.diffusion.noise import frame_seed
from vedit.media.reading.still import read_still
from vedit.models.families.animatediff_denoiser import AnimateDiffDenoiser, contexts
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_ip_adapter import seen_by_clip
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.references import ReferenceSpec
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
    """A tiny model; an adapter as a folder and, with the same numbers, as a file; a whole pipeline of diffusers."""
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
    return UNet2DConditionModel.from_pretrained(folder / "model", subfolder="unet", low_cpu_mem_usage=False)


def _adapter(folder: Path) -> MotionAdapter:
    return MotionAdapter.from_pretrained(folder / "motion", low_cpu_mem_usage=False)


def _parts(folder: Path, *, unet: UNet2DConditionModel, adapter: MotionAdapter) -> dict[str, Any]:
    model = folder / "model"
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
        [
            torch.randn(1, *latents.shape[1:], generator=torch.Generator().manual_seed(frame_seed(5, 40 + n)))
            for n in range(len(latents))
        ]
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


@pytest.mark.parametrize(("model", "motion"), [("model", "motion.safetensors"), ("whole", None)])
def test_every_layout_is_the_same_network(place: Path, frames: torch.Tensor, model: str, motion: str | None) -> None:
    other = load(place, model=model, motion=motion)
    assert other.fingerprint["unet"] == load(place).fingerprint["unet"]
    assert torch.equal(restyled(other, OPTIONS, frames[:4]), restyled(load(place), OPTIONS, frames[:4]))


def test_frames_see_one_another(place: Path, frames: torch.Tensor) -> None:
    model = load(place)
    changed = torch.cat([frames[:4], 1 - frames[4:5]])
    near, far = restyled(model, OPTIONS, frames[:5]), restyled(model, OPTIONS, changed)
    assert (near[0] - far[0]).abs().max() > 1e-4


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (1, [(0, 1)]),
        (16, [(0, 16)]),
        (17, [(0, 16), (1, 17)]),
        (24, [(0, 16), (8, 24)]),
        (40, [(0, 16), (12, 28), (24, 40)]),
    ],
)
def test_contexts(frames: int, expected: list[tuple[int, int]]) -> None:
    assert [(part.start, part.stop) for part in contexts(frames, 16)] == expected


@pytest.mark.parametrize("length", [1, 2, 5, 16])
def test_contexts_cover_every_frame(length: int) -> None:
    for frames in range(1, 60):
        parts = contexts(frames, length)
        assert {n for part in parts for n in range(part.start, part.stop)} == set(range(frames))
        assert all(part.stop - part.start == min(length, frames) for part in parts)
        least = min(4, length // 4)
        assert all(one.stop - other.start >= least for one, other in pairwise(parts))


def test_outputs_of_contexts_are_averaged(place: Path) -> None:
    denoiser = load(place).denoiser
    assert isinstance(denoiser, AnimateDiffDenoiser) and denoiser.context == 16
    x = torch.randn(20, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    prompt = PromptEmbeds(states=torch.randn(20, 16, 32, generator=torch.Generator().manual_seed(3)))
    whole = denoiser(x, 500.0, prompt, ())
    first, last = (denoiser(x[part], 500.0, prompt.part(part), ()) for part in (slice(0, 16), slice(4, 20)))
    torch.testing.assert_close(whole[:4], first[:4])
    torch.testing.assert_close(whole[4:16], (first[4:] + last[:12]) / 2)
    torch.testing.assert_close(whole[16:], last[12:])


def test_modules_of_fewer_frames_see_fewer(place: Path, tmp_path: Path) -> None:
    file = write_motion_file(tmp_path / "short.safetensors", length=6, middle=False)
    model = load_sd(resolve(str(place / "model"), motion_adapter=str(file)))
    assert cast("AnimateDiffDenoiser", model.denoiser).context == 6
    assert (
        model.denoiser(torch.zeros(9, 4, 8, 8), 1.0, PromptEmbeds(states=torch.zeros(1, 16, 32)), ()).isfinite().all()
    )


def test_the_inversion_is_walked_back(place: Path, frames: torch.Tensor) -> None:
    model, source = load(place), frames[:3, :, :, :64]
    # Random weights are no smooth function of the latents, whose fixed point nothing would lead to.
    model.denoiser.unet.conv_out.weight.mul_(0.1)
    latents, missed = model.codec.encode(source), list[float]()
    for evaluations in (1, 8):
        options = RestyleOptions(
            prompt="", guidance=1.0, steps=4, fixed_point=evaluations, controls=(), start="inversion"
        )
        missed.append(float((restyled(model, options, source) - latents).norm() / latents.norm()))
    assert missed[1] < 1e-3 < missed[0]


def test_a_window_is_a_clip_without_a_frame_from_elsewhere(place: Path, frames: torch.Tensor) -> None:
    model = load(place)
    restyler = prepare(model, OPTIONS)
    shot, window = FrameRange(start=40, stop=52), FrameRange(start=46, stop=52)

    def frames_of(part: FrameRange) -> torch.Tensor:
        return frames[part.start - 40 : part.stop - 40]

    found = restyle_window(restyler, shot, window, frames_of, own_guides(restyler)).data
    numbers = range(46, 52)
    alone = restyle_frames(restyler, frames[6:12], numbers, own_guides(restyler)(numbers, frames[6:12])).data
    assert torch.equal(found, alone)
    shared = restyle_window(restyler, shot, window, frames_of, own_guides(restyler), anchor=41)
    assert shared.data.shape == alone.shape and not torch.equal(shared.data, alone)


def test_stills_are_clips_of_one_frame(place: Path, frames: torch.Tensor) -> None:
    restyler = prepare(load(place), OPTIONS)
    few, numbers = frames[:2], (40, 51)
    found = restyle_stills(restyler, few, numbers, own_guides(restyler)(numbers, few)).data
    last = restyle_frames(restyler, few[1:], (51,), own_guides(restyler)((51,), few[1:])).data
    assert torch.equal(found[1:], last)


def test_prompts_that_change_are_of_each_frame(place: Path, frames: torch.Tensor) -> None:
    model = load(place)
    found = restyled(model, replace(OPTIONS, prompt="#40: oil | #57: ink"), torch.cat([frames, frames[:2]]))
    assert found.shape[0] == 18 and found.isfinite().all()


def test_nothing_is_left_in_the_networks(place: Path, frames: torch.Tensor) -> None:
    model = load(place)
    before = {name: value.clone() for name, value in model.denoiser.unet.state_dict().items()}
    processors = dict(model.denoiser.unet.attn_processors)
    restyled(model, OPTIONS, frames[:3])
    assert all(torch.equal(value, before[name]) for name, value in model.denoiser.unet.state_dict().items())
    assert dict(model.denoiser.unet.attn_processors) == processors
    adapters = model.adapters
    assert adapters.cross_frame is adapters.regional is adapters.injection is None


def test_freeu_equals_diffusers(place: Path, frames: torch.Tensor) -> None:
    model, options = load(place), replace(OPTIONS, freeu="1.5,1.6,0.9,0.2")
    found = restyled(model, options, frames[:4])
    peer = AnimateDiffVideoToVideoPipeline(**_parts(place, unet=_unet(place), adapter=_adapter(place)))
    peer.enable_freeu(s1=0.9, s2=0.2, b1=1.5, b2=1.6)
    expected = diffused(peer, options, model.codec.encode(frames[:4]))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert (found - restyled(model, OPTIONS, frames[:4])).abs().max() > 1e-3


def test_pictures_equal_diffusers(place: Path, frames: torch.Tensor, tmp_path: Path) -> None:
    encoder = write_encoder(tmp_path / "image_encoder")
    file = write_ip_adapter(tmp_path / "base.safetensors", place / "model")
    picture = (torch.rand(60, 80, 3, generator=torch.Generator().manual_seed(4)) * 255).byte().numpy()
    cv2.imwrite(str(tmp_path / "still.png"), picture)
    options = replace(OPTIONS, references=(ReferenceSpec(path=tmp_path / "still.png", weight=0.6),))
    reference = resolve(str(place / "model"), motion_adapter=str(place / "motion"), ip_adapter=str(file))
    model = load_sd(reference)
    found = restyled(model, options, torch.cat([frames, frames[:2]]))
    assert found.shape[0] == 18
    found = restyled(model, options, frames[:4])
    parts = _parts(place, unet=_unet(place), adapter=_adapter(place))
    seer = CLIPVisionModelWithProjection.from_pretrained(encoder, local_files_only=True)
    peer = cast("Any", AnimateDiffVideoToVideoPipeline(**parts, image_encoder=seer))
    peer.load_ip_adapter(
        str(tmp_path),
        subfolder="",
        weight_name=file.name,
        image_encoder_folder=None,
        low_cpu_mem_usage=False,
        local_files_only=True,
    )
    peer.set_ip_adapter_scale(0.6)
    seen = seen_by_clip(read_still(tmp_path / "still.png"), SIDE)
    embeds = peer.prepare_ip_adapter_image_embeds([seen], None, "cpu", 1, True)
    expected = diffused(peer, options, model.codec.encode(frames[:4]), ip_adapter_image_embeds=embeds)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
