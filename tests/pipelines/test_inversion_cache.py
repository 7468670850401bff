"""Inversions kept on disk, on the embedded weights: the same frames to the last bit, and the network runs less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from vedit.diffusion.conditioning import Conditioning, FrameConditioning
from vedit.diffusion.flow_matching import straight
from vedit.diffusion.inversion_cache import inversion_facts, kept_inversion
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.store.computed import ComputedCache
from vedit.types import ControlSpec, Latents, PromptEmbeds

STEPS, FIXED_POINT, BATCHES = 2, 2, 2
OPTIONS = RestyleOptions(prompt="watercolor painting", steps=STEPS, fixed_point=FIXED_POINT, batch=2, guidance=2.0)
NUMBERS = (4, 5, 6)
INVERTED, SAMPLED = STEPS * FIXED_POINT * BATCHES, STEPS * 2 * BATCHES


class Counting:
    """A denoiser that counts how often it is called; all else is the one within."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, 0

    def __call__(self, *args: Any) -> torch.Tensor:
        self.calls += 1
        return self.inner(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture(scope="module")
def model() -> SDModel:
    found = load_sd(resolve("embedded"), controls=("tile", "softedge"))
    return replace(found, denoiser=Counting(found.denoiser))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """(3, 3, 64, 64) in [0, 1]: a soft picture that pans."""
    picture = torch.rand(1, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture, (64, 90), mode="bicubic").clamp(0, 1)[0]
    return torch.stack([picture[:, :, 3 * t : 3 * t + 64] for t in range(3)])


@pytest.fixture
def cache(tmp_path: Path) -> ComputedCache:
    return ComputedCache(tmp_path / "cache").__enter__()


def restyled(
    model: SDModel,
    options: RestyleOptions,
    frames: torch.Tensor,
    kept: ComputedCache | None,
    *,
    mask: torch.Tensor | None = None,
) -> tuple[torch.Tensor, int]:
    """The latents, and how often the network was called for them."""
    restyler = prepare(model, options, kept)
    guides: FrameConditioning = replace(own_guides(restyler)(NUMBERS, frames), mask=mask)
    counted: Any = model.denoiser
    counted.calls = 0
    return restyle_frames(restyler, frames, NUMBERS, guides).data, counted.calls


def test_another_prompt_goes_on_from_the_kept_inversion(
    model: SDModel, frames: torch.Tensor, cache: ComputedCache
) -> None:
    _, calls = restyled(model, OPTIONS, frames, cache)
    assert calls == INVERTED + SAMPLED
    for changes in ({"prompt": "night"}, {"negative_prompt": "noise"}, {"guidance": 3.0}, {"seed": 5}):
        options = replace(OPTIONS, **changes)
        found, calls = restyled(model, options, frames, cache)
        assert calls == SAMPLED, changes
        fresh, calls = restyled(model, options, frames, None)
        assert calls == INVERTED + SAMPLED
        assert torch.equal(found, fresh), changes


def test_a_mask_needs_all_steps_and_finds_them_the_next_time(
    model: SDModel, frames: torch.Tensor, cache: ComputedCache
) -> None:
    """What an unmasked render kept is not enough; what a masked one kept is enough for both and for other masks."""
    mask = torch.zeros(3, 1, 64, 64)
    mask[..., :32] = 1
    expected, _ = restyled(model, OPTIONS, frames, None, mask=mask)
    restyled(model, OPTIONS, frames, cache)
    for calls_expected in (INVERTED + SAMPLED, SAMPLED):
        found, calls = restyled(model, OPTIONS, frames, cache, mask=mask)
        assert calls == calls_expected
        assert torch.equal(found, expected)
    assert restyled(model, OPTIONS, frames, cache, mask=mask.flip(-1))[1] == SAMPLED
    found, calls = restyled(model, replace(OPTIONS, prompt="night"), frames, cache)
    assert calls == SAMPLED
    assert torch.equal(found, restyled(model, replace(OPTIONS, prompt="night"), frames, None)[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"source_prompt": "night"},
        {"strength": 0.5},
        {"steps": STEPS + 1},
        {"fixed_point": FIXED_POINT + 1},
        {"attention": "cross-frame"},
        {"batch": 3},
        {"controls": (ControlSpec(kind="tile", scale=0.5), ControlSpec(kind="softedge"))},
        {"controls": (ControlSpec(kind="tile", end=0.5), ControlSpec(kind="softedge"))},
        {"controls": (ControlSpec(kind="tile"),)},
    ],
    ids=lambda changes: "-".join(map(str, changes)),
)
def test_what_an_inversion_depends_on_makes_another(
    model: SDModel, frames: torch.Tensor, cache: ComputedCache, changes: dict[str, Any]
) -> None:
    restyled(model, OPTIONS, frames, cache)
    options = replace(OPTIONS, **changes)
    _, calls = restyled(model, options, frames, cache)
    steps, batches = len(prepare(model, options).trajectory.steps), -(-len(frames) // options.batch)
    assert calls == steps * batches * ((options.fixed_point or 0) + 2)


def test_frames_and_weights_are_told_by_what_is_in_them(
    model: SDModel, frames: torch.Tensor, cache: ComputedCache
) -> None:
    """A pixel, the frame that stands first, and weights of the same name."""
    restyled(model, OPTIONS, frames, cache)
    dotted = frames.clone()
    dotted[1, :, 20, 20] = 1 - dotted[1, :, 20, 20]
    for other in (dotted, frames[[1, 0, 2]]):
        assert restyled(model, OPTIONS, other, cache)[1] == INVERTED + SAMPLED
    parameter = next(model.denoiser.unet.parameters())
    before = parameter.detach().clone()
    model.__dict__.pop("_digests", None)
    with torch.no_grad():
        parameter.add_(1e-3)
    try:
        assert restyled(model, OPTIONS, frames, cache)[1] == INVERTED + SAMPLED
    finally:
        with torch.no_grad():
            parameter.copy_(before)
        model.__dict__.pop("_digests", None)
    assert restyled(model, OPTIONS, frames, cache)[1] == SAMPLED


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(data)


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_cut, _flip, _empty, Path.unlink])
def test_damage_is_noticed_and_made_good(
    model: SDModel, frames: torch.Tensor, tmp_path: Path, cache: ComputedCache, damage: Any
) -> None:
    expected, _ = restyled(model, OPTIONS, frames, cache)
    (file,) = (tmp_path / "cache").rglob("*.safetensors")
    damage(file)
    for calls_expected in (INVERTED + SAMPLED, SAMPLED):
        found, calls = restyled(model, OPTIONS, frames, cache)
        assert calls == calls_expected
        assert torch.equal(found, expected)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_is_kept_lies_in_memory_as_what_was_made(tmp_path: Path, layout: torch.memory_format) -> None:
    """The network's last bits depend on it."""
    source = torch.randn(2, 4, 6, 5).to(memory_format=layout)
    made = [source + step for step in (1, 2)]
    with ComputedCache(tmp_path) as cache:
        assert kept_inversion(cache, {"n": 1}, source, 2, lambda: made, whole=True) == made
        found = kept_inversion(cache, {"n": 1}, source, 2, list, whole=True)
    assert [data.stride() for data in found] == [source.stride()] * 2
    assert all(map(torch.equal, found, made))


def test_progress_is_told_where_nothing_is_inverted(model: SDModel, frames: torch.Tensor, cache: ComputedCache) -> None:
    seen: list[Sequence[object]] = []
    for _ in range(2):
        seen.clear()
        restyler = prepare(model, OPTIONS, cache)
        guides = own_guides(restyler)(NUMBERS, frames)
        restyle_frames(restyler, frames, NUMBERS, guides, lambda stage, part: seen.append((stage, part)))
    assert seen == [("sample", (n + 1) / STEPS) for n in range(STEPS)]


def test_no_step_no_entry(model: SDModel, frames: torch.Tensor, tmp_path: Path, cache: ComputedCache) -> None:
    restyled(model, replace(OPTIONS, strength=0.0), frames, cache)
    assert list((tmp_path / "cache").iterdir()) == []


def test_every_tensor_of_a_prompt_tells_inversions_apart() -> None:
    states, pooled = torch.rand(1, 4, 8), torch.rand(2, 1, 4)

    def facts(others: dict[str, torch.Tensor]) -> dict[str, object]:
        return inversion_facts(
            Latents(data=torch.zeros(1, 4, 2, 2)),
            Conditioning(prompt=PromptEmbeds(states=states, others=others)),
            straight(steps=2),
            fixed_point=1,
            cross_frame=False,
            batch=1,
            fingerprint={},
        )

    alone, first, second = facts({}), facts({"pooled": pooled[:1]}), facts({"pooled": pooled[1:]})
    assert alone != first != second
    assert facts({"pooled": pooled[:1].clone()}) == first
