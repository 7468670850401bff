"""The fast tier on tiny random weights: what it costs, when it is used, and that nothing of it stays behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from vedit.diffusion.conditioning import RegionGuide
from vedit.diffusion.few_steps import through
from vedit.errors import ModelError
from vedit.map_cache import FrameCache
from vedit.masking import MaskSpec, RegionSpec
from vedit.models import load
from vedit.models.fast import FastTier, fast_tier, write_settings
from vedit.models.lora import Lora, read_lora, write_lora
from vedit.options import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing_sd import write_tiny_sd

if TYPE_CHECKING:
    from vedit.models.sd import Model

DRAFT = RestyleOptions(prompt="night", quality="draft")
MOST = 5
SAMPLING, INVERSION = (751, 501, 251), (1,)
CONV, LINEAR = "conv_in", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


class Counting:
    """A denoiser that counts how often it is called; all else is the one within."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, 0

    def __call__(self, *args: Any) -> torch.Tensor:
        self.calls += 1
        return self.inner(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def random_pairs(model: Model, names: tuple[str, ...] = (CONV, LINEAR), rank: int = 3) -> dict[str, Any]:
    """(A, B) for some layers, large enough to be seen."""
    generator = torch.Generator().manual_seed(7)
    pairs: dict[str, Any] = {}
    for name in names:
        weight = model.denoiser.unet.get_parameter(f"{name}.weight")
        ones = (1,) * (weight.ndim - 2)
        down = torch.randn(rank, *weight.shape[1:], generator=generator) * 0.1
        pairs[name] = (down, torch.randn(weight.shape[0], rank, *ones, generator=generator))
    return pairs


@pytest.fixture(scope="module")
def plain_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, plain_folder: Path) -> Path:
    """The same model with a fast tier."""
    folder = tmp_path_factory.mktemp("fast") / "model"
    shutil.copytree(plain_folder, folder)
    tier = FastTier(folder=folder / "fast", sampling=SAMPLING, inversion=INVERSION, guidance=2.0)
    write_lora(tier.weights, random_pairs(load(str(plain_folder))))
    write_settings(tier)
    return folder


def counted(folder: Path) -> Model:
    found = load(str(folder), controls=("tile", "softedge"))
    return replace(found, denoiser=Counting(found.denoiser))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return counted(folder)


@pytest.fixture(scope="module")
def plain(plain_folder: Path) -> Model:
    return counted(plain_folder)


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def restyled(
    model: Model, options: RestyleOptions, frames: torch.Tensor, kept: FrameCache | None = None, **guides: Any
) -> tuple[torch.Tensor, int]:
    """Latents, and how often the network was evaluated for them."""
    restyler = prepare(model, options, kept)
    denoiser: Any = model.denoiser
    denoiser.calls = 0
    steered = replace(own_guides(restyler)((0, 1), frames), **guides)
    return restyle_frames(restyler, frames, (0, 1), steered).data, denoiser.calls


def test_merging_is_the_sum_of_the_weight_and_the_product(plain: Model, frames: torch.Tensor, tmp_path: Path) -> None:
    """Against Hu et al.'s second path, evaluated beside the layer: of a convolution A has the kernel and B is 1x1."""
    unet = plain.denoiser.unet
    pairs = random_pairs(plain)
    lora = Lora(pairs=pairs, scale=0.5)
    conv, linear = unet.get_submodule(CONV), unet.get_submodule(LINEAR)
    weight = unet.get_parameter(f"{CONV}.weight")
    pictures, states = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 32)
    down, up = pairs[CONV]
    beside = torch.nn.functional.conv2d(torch.nn.functional.conv2d(pictures, down, padding=1), up)
    expected = conv(pictures) + 0.5 * beside
    expected_linear = linear(states) + 0.5 * states @ pairs[LINEAR][0].T @ pairs[LINEAR][1].T
    before = {name: value.clone() for name, value in unet.state_dict().items()}
    addresses = {name: value.data_ptr() for name, value in unet.named_parameters()}
    with lora.merged(unet):
        torch.testing.assert_close(conv(pictures), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(linear(states), expected_linear, rtol=1e-4, atol=1e-5)
        assert weight.is_contiguous(memory_format=torch.channels_last)
    for name, value in unet.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert {name: value.data_ptr() for name, value in unet.named_parameters()} == addresses
    with pytest.raises(RuntimeError, match="on purpose"), lora.merged(unet):
        raise RuntimeError("on purpose")
    assert torch.equal(weight, before[f"{CONV}.weight"])


def test_half_precision_weights_stay_so(plain: Model) -> None:
    layer = torch.nn.Module()
    inner = torch.nn.Linear(6, 4).half()
    layer.add_module("inner", inner)
    lora = Lora(pairs={"inner": (torch.randn(2, 6), torch.randn(4, 2))})
    before = inner.weight.clone()
    with lora.merged(layer):
        assert inner.weight.dtype == torch.float16
        assert not torch.equal(inner.weight, before)
    assert torch.equal(inner.weight, before)


def test_the_file_has_the_keys_that_diffusers_reads(folder: Path, model: Model) -> None:
    """`load_lora_weights` wants pytorch_lora_weights.safetensors, unet. before and PEFT's names behind."""
    file = folder / "fast" / "pytorch_lora_weights.safetensors"
    found = load_file(file)
    assert set(found) == {f"unet.{name}.lora_{part}.weight" for name in (CONV, LINEAR) for part in "AB"}
    assert {value.dtype for value in found.values()} == {torch.float16}
    assert found[f"unet.{CONV}.lora_A.weight"].shape == (3, 4, 3, 3)
    assert found[f"unet.{CONV}.lora_B.weight"].shape == (32, 3, 1, 1)
    assert found[f"unet.{LINEAR}.lora_A.weight"].shape == (3, 32)
    assert set(read_lora(file, model.denoiser.unet).pairs) == {CONV, LINEAR}


@pytest.mark.parametrize(("changes", "most"), [({}, MOST), ({"start": "noise"}, 3), ({"cross_frame": False}, MOST)])
def test_a_draft_costs_at_most_five_evaluations(
    model: Model, plain: Model, frames: torch.Tensor, changes: dict[str, Any], most: int
) -> None:
    options = replace(DRAFT, **changes)
    fast, calls = restyled(model, options, frames)
    tier = model.fast.tier if model.fast is not None else pytest.fail("the folder has a fast tier")
    assert calls == tier.evaluations(options) <= most
    slow, slow_calls = restyled(plain, options, frames)
    assert slow_calls > 2 * calls
    assert fast.shape == slow.shape
    assert not torch.allclose(fast, slow)


def test_the_guidance_that_is_in_the_weights_may_be_named(model: Model, frames: torch.Tensor) -> None:
    implicit, _ = restyled(model, DRAFT, frames)
    named, calls = restyled(model, replace(DRAFT, guidance=2.0), frames)
    assert calls <= MOST
    assert torch.equal(named, implicit)


@pytest.mark.parametrize(
    "changes",
    [
        {"quality": "standard"},
        {"negative_prompt": "blurry"},
        {"guidance": 3.0},
        {"guidance": 1.0},
        {"steps": 4},
        {"fixed_point": 1},
        {"regions": (RegionSpec(prompt="night", mask=MaskSpec()),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_the_tier_cannot_do_goes_the_ordinary_way(
    model: Model, plain: Model, frames: torch.Tensor, changes: dict[str, Any]
) -> None:
    """To the last bit what a model without the tier makes of it."""
    options = replace(DRAFT, **{"steps": 2, "guidance": 2.0, **changes} if "quality" in changes else changes)
    assert not prepare(model, options).few_steps
    mask = torch.ones(2, 1, 64, 64)
    guides: dict[str, Any] = {}
    if options.regions:
        guides = {"regions": (RegionGuide(prompt=model.text("night"), mask=mask),)}
    found, calls = restyled(model, options, frames, **guides)
    expected, expected_calls = restyled(plain, options, frames, **guides)
    assert calls == expected_calls > 0
    assert torch.equal(found, expected)


def test_nothing_leaks_between_qualities(model: Model, plain: Model, frames: torch.Tensor) -> None:
    """Restylers of one model, used in turns as the shots of a plan are."""
    ordinary = replace(DRAFT, quality="standard", steps=2)
    expected, _ = restyled(plain, ordinary, frames)
    first, _ = restyled(model, DRAFT, frames)
    assert torch.equal(restyled(model, ordinary, frames)[0], expected)
    assert torch.equal(restyled(model, DRAFT, frames)[0], first)
    assert torch.equal(restyled(model, ordinary, frames)[0], expected)


def test_the_fingerprint_says_which_weights(model: Model, plain: Model) -> None:
    fast, slow = prepare(model, DRAFT), prepare(model, replace(DRAFT, quality="standard"))
    assert set(fast.fingerprint) - set(slow.fingerprint) == {"fast"}
    assert slow.fingerprint == prepare(plain, DRAFT).fingerprint == fast.inverting
    assert model.fast is not None
    tier, lora = model.fast.tier, model.fast.lora
    others = (
        replace(model.fast, tier=replace(tier, sampling=(801, 401))),
        replace(model.fast, tier=replace(tier, inversion=(251, 1))),
        replace(model.fast, lora=replace(lora, scale=0.5)),
        replace(model.fast, lora=replace(lora, pairs={CONV: lora.pairs[CONV]})),
    )
    assert len({model.fast.fingerprint, *(one.fingerprint for one in others)}) == 5


def test_an_inversion_is_kept_apart_from_the_ordinary_one(model: Model, frames: torch.Tensor, tmp_path: Path) -> None:
    with FrameCache(tmp_path / "cache") as cache:
        made, calls = restyled(model, DRAFT, frames, cache)
        again, fewer = restyled(model, DRAFT, frames, cache)
        assert (calls, fewer) == (len(SAMPLING) + len(INVERSION), len(SAMPLING))
        assert torch.equal(made, again)
        ordinary = replace(DRAFT, steps=3)
        expected, all_calls = restyled(model, ordinary, frames)
        found, ordinary_calls = restyled(model, ordinary, frames, cache)
        assert ordinary_calls == all_calls
        assert torch.equal(found, expected)


def test_outside_a_mask_the_source_stays(model: Model, frames: torch.Tensor) -> None:
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32] = 1
    found, calls = restyled(model, DRAFT, frames, mask=mask)
    source = model.codec.encode(frames)
    assert calls <= MOST
    torch.testing.assert_close(found[..., 4:], source[..., 4:])
    assert not torch.allclose(found[..., :4], source[..., :4], atol=0.05)


@pytest.mark.parametrize(
    ("strength", "sampling", "inversion"),
    [
        (1.0, SAMPLING, (751, 400, 1)),
        (0.7, (501, 251), (501, 400, 1)),
        (0.4, (251,), (251, 1)),
        (0.0, (), ()),
    ],
)
def test_a_strength_takes_the_last_steps(
    model: Model, strength: float, sampling: tuple[int, ...], inversion: tuple[int, ...]
) -> None:
    tier = FastTier(folder=Path(), sampling=SAMPLING, inversion=(400, 1), guidance=2.0)
    assert tier.taken(strength) == sampling
    assert tier.stops(strength) == inversion
    path, up = (through(model.scheduler_config, steps) for steps in (sampling, inversion))
    if sampling:
        assert path.steps[0].alpha == up.steps[0].alpha, "the inversion ends where sampling begins"
        assert path.steps[-1].alpha_cleaner == up.steps[-1].alpha_cleaner


def test_a_model_without_the_folder_has_no_tier(plain_folder: Path, plain: Model, folder: Path) -> None:
    assert fast_tier(str(plain_folder)) is None
    assert plain.fast is None
    found = fast_tier(str(folder))
    assert found is not None
    assert found.sampling == SAMPLING


def other_shape(found: dict[str, torch.Tensor]) -> None:
    found[f"unet.{LINEAR}.lora_A.weight"] = torch.zeros(3, 48)


def no_counterpart(found: dict[str, torch.Tensor]) -> None:
    del found[f"unet.{LINEAR}.lora_B.weight"]


def no_place(found: dict[str, torch.Tensor]) -> None:
    found["unet.nowhere.lora_A.weight"] = found["unet.nowhere.lora_B.weight"] = torch.zeros(3, 3)


def nothing(found: dict[str, torch.Tensor]) -> None:
    found.clear()


@pytest.mark.parametrize("damage", [other_shape, no_counterpart, no_place, nothing])
def test_a_change_that_does_not_fit_is_refused(folder: Path, tmp_path: Path, damage: Any) -> None:
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    file = broken / "fast" / "pytorch_lora_weights.safetensors"
    found = {name: value.clone() for name, value in load_file(file).items()}
    damage(found)
    save_file({name: value.clone() for name, value in found.items()}, file)
    with pytest.raises(ModelError) as caught:
        load(str(broken))
    assert str(file) in caught.value.message
    assert "\n" not in caught.value.message
    assert "fast/" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sampling": None}, "sampling"),
        ({"sampling": []}, "no sampling steps"),
        ({"sampling": [251, 501]}, "noisiest first"),
        ({"inversion": [751]}, "below the last"),
        ({"start": "noise"}, "start"),
        ({"sampling": [1200, 251]}, "timestep 1200 of 1000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(folder: Path, tmp_path: Path, changes: Any, told: str) -> None:
    broken = tmp_path / "model"
    shutil.copytree(folder, broken)
    file = broken / "fast" / "fast.json"
    said = {**json.loads(file.read_text("utf-8")), **changes}
    file.write_text(json.dumps({key: value for key, value in said.items() if value is not None}), "utf-8")
    with pytest.raises(ModelError, match=told) as caught:
        load(str(broken))
    assert "\n" not in caught.value.message
    (broken / "fast" / "fast.json").write_text("{", "utf-8")
    with pytest.raises(ModelError, match="cannot be used"):
        fast_tier(str(broken))
    file.write_text(json.dumps(json.loads((folder / "fast" / "fast.json").read_text("utf-8"))), "utf-8")
    (broken / "fast" / "pytorch_lora_weights.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load(str(broken))
