"""IP-Adapters: the same latents as diffusers' pipeline, several pictures, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_img2img import StableDiffusionImg2ImgPipeline
from transformers import CLIPVisionModelWithProjection

from tests.support.tiny.ip_adapter import SIDE, Sort, write_encoder, write_ip_adapter
from vedit.diffusion.adapters.image_prompts import PICTURES
from vedit.diffusion.conditioning import FrameConditioning, RegionConditioning
from vedit.diffusion.noise import frame_seed
from vedit.media.reading.still import read_still
from vedit.models.families.modules import weights_digest
from vedit.models.families.sd import SDModel
from vedit.models.families.sd_ip_adapter import seen_by_clip
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.references import ReferenceSpec
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd

FRAMES = range(7, 10)
OPTIONS = RestyleOptions(
    prompt="oil",
    negative_prompt="photo",
    strength=0.8,
    guidance=4.0,
    steps=6,
    seed=5,
    start="noise",
    cross_frame=False,
    batch=2,
    controls=(),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, adapters of each layout, their encoder near them, and two pictures that are not square."""
    place = tmp_path_factory.mktemp("pictures")
    write_tiny_sd(place / "model", controls=())
    write_encoder(place / "models" / "image_encoder")
    for sort in ("base", "plus", "full", "face-id"):
        write_ip_adapter(place / "models" / f"{sort}.safetensors", place / "model", sort)
    for number in range(2):
        picture = np.random.default_rng(number).integers(0, 256, (9, 12, 3), np.uint8)
        cv2.imwrite(str(place / f"still{number}.png"), cv2.resize(picture, (80, 60), interpolation=cv2.INTER_CUBIC))
    return place


@pytest.fixture(scope="module")
def loaded(folder: Path) -> Callable[[Sort], SDModel]:
    """The model with an adapter of a layout."""
    known: dict[str, SDModel] = {}

    def load(sort: Sort) -> SDModel:
        if sort not in known:
            reference = resolve(str(folder / "model"), ip_adapter=str(folder / "models" / f"{sort}.safetensors"))
            known[sort] = load_sd(reference)
        return known[sort]

    return load


def still(folder: Path, number: int = 0, weight: float = 1.0) -> ReferenceSpec:
    return ReferenceSpec(path=folder / f"still{number}.png", weight=weight)


def frames() -> torch.Tensor:
    return torch.rand(len(FRAMES), 3, 64, 96, generator=torch.Generator().manual_seed(1))


def made(model: SDModel, options: RestyleOptions, guides: FrameConditioning | None = None) -> torch.Tensor:
    restyler = prepare(model, options)
    return restyle_frames(restyler, frames(), FRAMES, guides or FrameConditioning()).data


def peer_of(folder: Path, model: SDModel, sort: Sort, options: RestyleOptions, count: int = 1) -> torch.Tensor:
    """What diffusers makes of the same, under one picture or several."""
    encoder = CLIPVisionModelWithProjection.from_pretrained(folder / "models" / "image_encoder", local_files_only=True)
    peer = cast(
        "Any",
        StableDiffusionImg2ImgPipeline.from_pretrained(
            folder / "model",
            image_encoder=encoder,
            torch_dtype=torch.float32,
            low_cpu_mem_usage=False,
            safety_checker=None,
            local_files_only=True,
        ),
    )
    peer.set_progress_bar_config(disable=True)
    peer.load_ip_adapter(
        str(folder / "models"),
        subfolder="",
        weight_name=f"{sort}.safetensors",
        image_encoder_folder=None,
        low_cpu_mem_usage=False,
        local_files_only=True,
    )
    peer.set_ip_adapter_scale(options.references[0].weight)
    pictures = torch.cat([seen_by_clip(read_still(spec.path), SIDE) for spec in options.references[:count]])
    embeds = peer.prepare_ip_adapter_image_embeds([pictures], None, "cpu", 1, do_classifier_free_guidance=True)
    return peer(
        prompt=[options.prompt] * len(FRAMES),
        negative_prompt=[options.negative_prompt] * len(FRAMES),
        image=model.codec.encode(frames()),
        strength=options.strength,
        num_inference_steps=options.steps,
        guidance_scale=options.guidance,
        ip_adapter_image_embeds=[one.repeat_interleave(len(FRAMES), 0) for one in embeds],
        generator=[torch.Generator().manual_seed(frame_seed(options.seed, n)) for n in FRAMES],
        output_type="latent",
        return_dict=False,
    )[0]


@pytest.mark.parametrize("sort", ["base", "plus", "full"])
def test_latents_equal_diffusers(folder: Path, loaded: Callable[[Sort], SDModel], sort: Sort) -> None:
    model, options = loaded(sort), replace(OPTIONS, references=(still(folder, weight=0.7),))
    found = made(model, options)
    torch.testing.assert_close(found, peer_of(folder, model, sort, options), rtol=0, atol=1e-4)
    assert float((found - made(model, OPTIONS)).abs().max()) > 0.05, "the picture acts"


def test_several_pictures_of_one_weight_equal_diffusers(folder: Path, loaded: Callable[[Sort], SDModel]) -> None:
    options = replace(OPTIONS, references=(still(folder, 0, 0.6), still(folder, 1, 0.6)))
    model = loaded("base")
    torch.testing.assert_close(made(model, options), peer_of(folder, model, "base", options, 2), rtol=0, atol=1e-4)


def test_pictures_count_by_their_weights(folder: Path, loaded: Callable[[Sort], SDModel]) -> None:
    model = loaded("base")

    def under(*specs: ReferenceSpec) -> torch.Tensor:
        return made(model, replace(OPTIONS, references=specs))

    alone = under(still(folder, 0, 0.8))
    assert torch.equal(under(still(folder, 0, 0.8), still(folder, 1, 0.0)), alone)
    near = under(still(folder, 0, 0.8), still(folder, 1, 0.001))
    torch.testing.assert_close(near, alone, rtol=0, atol=0.02)
    twice = under(still(folder, 0, 0.8), still(folder, 0, 0.2))
    torch.testing.assert_close(twice, alone, rtol=0, atol=1e-4)
    assert float((under(still(folder, 0, 0.8), still(folder, 1, 0.8)) - alone).abs().max()) > 0.02
    assert torch.equal(under(still(folder, 0, 0.0)), made(model, OPTIONS))


def test_a_picture_is_cut_and_scaled_as_clip_was_trained(folder: Path) -> None:
    """In floats, where CLIP's own processor rounds to 8 bits on the way."""
    from transformers import CLIPImageProcessor

    size = {"shortest_edge": SIDE}
    processor = cast("Any", CLIPImageProcessor(size=size, crop_size={"height": SIDE, "width": SIDE}))
    drawn = cv2.imread(str(folder / "still0.png"))
    assert drawn is not None
    picture = cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB)
    expected = processor(picture, return_tensors="pt").pixel_values
    torch.testing.assert_close(seen_by_clip(read_still(folder / "still0.png"), SIDE), expected, rtol=0, atol=0.03)


def test_frames_do_not_depend_on_the_batch(folder: Path, loaded: Callable[[Sort], SDModel]) -> None:
    options = replace(OPTIONS, cross_frame=True, references=(still(folder), still(folder, 1, 0.5)))
    model = loaded("plus")
    alone = made(model, replace(options, batch=1))
    torch.testing.assert_close(made(model, replace(options, batch=3)), alone, rtol=0, atol=1e-4)


def test_with_regions_each_keeps_its_prompt_and_all_see_the_picture(
    folder: Path, loaded: Callable[[Sort], SDModel]
) -> None:
    """A region under the prompt of the rest changes nothing: the adapter adds the same behind both."""
    model, options = loaded("base"), replace(OPTIONS, cross_frame=True, references=(still(folder),))
    mask = torch.zeros(len(FRAMES), 1, 64, 96)
    mask[..., 40:] = 1

    def under(prompt: str) -> torch.Tensor:
        region = RegionConditioning(prompt=model.text(prompt), mask=mask)
        return made(model, options, FrameConditioning(regions=(region,)))

    plain = made(model, options)
    torch.testing.assert_close(under(options.prompt), plain, rtol=0, atol=1e-4)
    assert float((under("bronze") - plain)[..., 6:].abs().mean()) > 1e-4


def test_the_network_is_as_it_was(folder: Path, loaded: Callable[[Sort], SDModel]) -> None:
    model, options = loaded("base"), replace(OPTIONS, references=(still(folder),))
    unet = model.denoiser.unet
    before, digest, plain = dict(unet.attn_processors), weights_digest(unet), made(model, OPTIONS)
    made(model, options)

    def same() -> bool:
        now = unet.attn_processors
        return now.keys() == before.keys() and all(now[name] is before[name] for name in before)

    assert same()
    sampling, regional = model.adapters.sampling, model.adapters.regional
    assert sampling is not None
    assert regional is not None
    for nested in ((sampling,), (sampling, sampling)):
        with pytest.raises(RuntimeError, match="on purpose"), ExitStack() as stack:
            stack.enter_context(model.cross_frame())
            for one in nested:
                stack.enter_context(one(options))
            stack.enter_context(regional())
            assert not same()
            raise RuntimeError("on purpose")
        assert same()
    assert weights_digest(unet) == digest
    assert torch.equal(made(model, OPTIONS), plain)


def test_what_decides_the_frames_is_told(folder: Path, loaded: Callable[[Sort], SDModel], tmp_path: Path) -> None:
    model = loaded("base")

    def told(*specs: ReferenceSpec) -> dict[str, str]:
        return prepare(model, replace(OPTIONS, references=specs)).fingerprint

    plain = told()
    assert not {"ip_adapter", "references", "palette"} & plain.keys()
    assert told(still(folder)).keys() - plain.keys() == {"ip_adapter", "references"}
    other = tmp_path / "other.png"
    other.write_bytes((folder / "still0.png").read_bytes())
    assert told(still(folder)) == told(ReferenceSpec(path=other))
    assert told(still(folder)) != told(still(folder, weight=0.5)) != told(still(folder, 1))
    assert loaded("plus").adapters.facts is not None
    assert prepare(loaded("plus"), replace(OPTIONS, references=(still(folder),))).fingerprint != told(still(folder))


def test_the_negative_sees_nothing_and_the_source_is_inverted_without(
    folder: Path, loaded: Callable[[Sort], SDModel]
) -> None:
    restyler = prepare(loaded("base"), replace(OPTIONS, references=(still(folder),)))
    shown, hidden = (prompt.others[PICTURES] for prompt in (restyler.prompt, restyler.negative))
    assert shown.shape == hidden.shape
    assert not torch.equal(shown, hidden)
    assert PICTURES not in restyler.source_prompt.others
