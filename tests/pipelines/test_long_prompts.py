"""Long prompts through the pipeline: read to the end, and beside shorter ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.clips import two_shots
from vedit.gallery.pictures import make_gallery
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.masks import parse_region
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import LENGTH, write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

OPTIONS = RestyleOptions(prompt="ink", negative_prompt="fog", steps=2, fixed_point=1, guidance=3.0, controls=())
LONG = "a drawing in ink of a lake "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("long") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> SDModel:
    return load_sd(resolve(str(folder)))


def latents(model: SDModel, options: RestyleOptions) -> torch.Tensor:
    frames = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    restyler = prepare(model, options)
    return restyle_frames(restyler, frames, [0, 1], own_guides(restyler)([0, 1], frames)).data


def test_the_last_word_and_the_weight_of_a_word_act(model: SDModel) -> None:
    made = [latents(model, replace(OPTIONS, prompt=LONG + last)) for last in ("dawn", "dusk", "(dusk:1.5)")]
    assert float((made[0] - made[1]).abs().max()) > 1e-3
    assert float((made[1] - made[2]).abs().max()) > 1e-4


def test_negative_and_regions_are_as_long_as_the_prompt(model: SDModel) -> None:
    region = parse_region("box:0,0,50%,50%=fog")
    made = prepare(model, replace(OPTIONS, prompt=LONG, regions=(region,)))
    assert made.prompt.states.shape[1] > LENGTH
    assert {one.states.shape[1] for one in (made.prompt, made.negative, *made.regions)} == {made.prompt.states.shape[1]}
    empty, short = model.text("").states, model.text("fog").states
    for one in (made.negative, *made.regions):
        assert torch.equal(one.states[:, :LENGTH], short)
        assert torch.equal(one.states[:, LENGTH : 2 * LENGTH], empty)


def test_what_xl_leaves_out_stays_out(tmp_path: Path) -> None:
    """No negative prompt is zeros in XL, however long the prompt; one that is short goes on with the empty text."""
    model = load_sd(resolve(str(write_tiny_sdxl(tmp_path / "xl", controls=()))))
    made = prepare(model, replace(OPTIONS, prompt=LONG, negative_prompt="", regions=(parse_region("box:0,0,9,9=fog"),)))
    assert made.negative.states.shape == made.prompt.states.shape
    assert not made.negative.states.any()
    (region,), empty = made.regions, model.text(" ").states
    assert empty.any()
    assert torch.equal(region.states[:, -empty.shape[1] :], empty)


def test_looks_of_different_lengths_share_a_gallery(folder: Path, tmp_path: Path) -> None:
    clip = two_shots(tmp_path / "in.mov")
    looks = [replace(OPTIONS, prompt=prompt, quality="draft") for prompt in ("ink", LONG, "fog")]
    request = RenderRequest(source=clip, options=looks[0], output=tmp_path / "out.mov", model=str(folder))
    together = make_gallery(request, looks, "#2")
    for look, shown in zip(looks, together.pictures, strict=True):
        (alone,) = make_gallery(request, [look], "#2").pictures
        assert abs(alone.astype(int) - shown.astype(int)).max() <= 1
