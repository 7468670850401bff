"""Restyling on the embedded weights: what must not change the frames, what must, and that inversion is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import (
    PreparedRestyle,
    own_guides,
    prepare,
    restyle_frames,
)
from vedit.pipelines.restyle_windows import join_windows, restyle_window, shot_windows
from vedit.types import FrameRange

OPTIONS = RestyleOptions(prompt="watercolor painting", steps=4, fixed_point=1, batch=4)


@pytest.fixture(scope="module")
def model() -> SDModel:
    return load_sd(resolve("embedded"), controls=("tile", "softedge"))


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """Ten frames of a soft random picture that pans, (10, 3, 128, 128) in [0, 1]."""
    picture = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture, (160, 192), mode="bicubic").clamp(0, 1)[0]
    return torch.stack([picture[:, 8:136, 2 * t : 2 * t + 128] for t in range(10)])


def alone(restyler: PreparedRestyle, frames: torch.Tensor, numbers: Sequence[int]) -> torch.Tensor:
    """Latents of frames that nothing but themselves and the prompt steers."""
    return restyle_frames(restyler, frames, numbers, own_guides(restyler)(numbers, frames)).data


@pytest.mark.parametrize("start", ["inversion", "noise"])
def test_the_batch_changes_the_last_bits_of_the_frames_alone(model: SDModel, frames: torch.Tensor, start: str) -> None:
    results = [
        model.codec.decode(
            alone(
                prepare(model, replace(OPTIONS, batch=batch, start=start)),  # pyright: ignore[reportArgumentType]
                frames[:5],
                range(5),
            )
        )
        for batch in (1, 2, 8)
    ]
    assert float((results[1] - results[0]).abs().max()) < 1e-3
    assert float((results[2] - results[0]).abs().max()) < 1e-3


def test_same_seed_same_frames_other_seed_others(model: SDModel, frames: torch.Tensor) -> None:
    options = replace(OPTIONS, start="noise", strength=0.5)
    first, again, other = (
        alone(prepare(model, replace(options, seed=seed)), frames[:3], range(3)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert float((first - other).abs().max()) > 0.1


def test_noise_belongs_to_the_frame_not_to_its_place_in_the_call(model: SDModel, frames: torch.Tensor) -> None:
    restyler = prepare(model, replace(OPTIONS, start="noise", cross_frame=False))
    whole = alone(restyler, frames[:6], range(6))
    part = alone(restyler, frames[3:6], range(3, 6))
    torch.testing.assert_close(part, whole[3:], rtol=0, atol=1e-4)


def test_strength_zero_leaves_the_latents(model: SDModel, frames: torch.Tensor) -> None:
    found = alone(prepare(model, replace(OPTIONS, strength=0.0)), frames[:2], range(2))
    assert torch.equal(found, model.codec.encode(frames[:2]))


def test_more_strength_moves_further(model: SDModel, frames: torch.Tensor) -> None:
    source = model.codec.encode(frames[:2])
    moved = [
        float((alone(prepare(model, replace(OPTIONS, strength=s)), frames[:2], range(2)) - source).square().mean())
        for s in (0.25, 0.5, 1.0)
    ]
    assert moved[0] < moved[1] < moved[2]


def test_prompt_and_negative_prompt_act(model: SDModel, frames: torch.Tensor) -> None:
    plain, prompt, negative = (
        alone(prepare(model, options), frames[:2], range(2))
        for options in (OPTIONS, replace(OPTIONS, prompt="night"), replace(OPTIONS, negative_prompt="night"))
    )
    assert float((plain - prompt).abs().max()) > 1e-2
    assert float((plain - negative).abs().max()) > 1e-2


@pytest.mark.parametrize(
    "options",
    [
        replace(OPTIONS, batch=2, guidance=1.5),
        replace(OPTIONS, batch=2, steps=None, quality="draft"),
        replace(OPTIONS, start="noise", seed=3),
        replace(OPTIONS, variation=0.6, seed=3, guidance=1.0),
    ],
    ids=["guided", "fast tier", "noise", "variation"],
)
def test_a_frame_under_several_prompts_is_what_it_is_under_each(
    model: SDModel, frames: torch.Tensor, options: RestyleOptions
) -> None:
    restylers = [prepare(model, replace(options, prompt=prompt)) for prompt in ("night", "woodcut", "bronze")]
    first, one = restylers[0], frames[4:5]
    targets = [restyler.prompt for restyler in restylers]
    together = restyle_frames(first, one, [4], own_guides(first)([4], one), targets=targets).data
    assert len(together) == 3
    for restyler, found in zip(restylers, together, strict=True):
        torch.testing.assert_close(found[None], alone(restyler, one, [4]), rtol=0, atol=1e-4)


def test_several_prompts_are_for_one_frame(model: SDModel, frames: torch.Tensor) -> None:
    restyler = prepare(model, OPTIONS)
    with pytest.raises(ValueError, match="a frame by itself"):
        restyle_frames(
            restyler,
            frames[:2],
            range(2),
            own_guides(restyler)(range(2), frames[:2]),
            targets=[restyler.prompt, restyler.prompt],
        )


def test_a_long_shot_comes_in_order_with_blended_seams(model: SDModel, frames: torch.Tensor) -> None:
    """Windows that share frames: every frame once, alone-held frames equal their window's, each window by itself."""
    options = replace(OPTIONS, window=6, overlap=2, guidance=1.0)
    restyler = prepare(model, options)
    shot = FrameRange(start=0, stop=10)

    def frames_of(part: FrameRange) -> torch.Tensor:
        return frames[part.start : part.stop]

    parts = shot_windows(options, shot, model.codec.factors)
    made = {
        part: restyle_window(restyler, shot, part.frames, frames_of, own_guides(restyler)) for part in reversed(parts)
    }
    pieces = list(join_windows(parts, made.__getitem__, model.codec.factors))
    assert [number for part, _ in pieces for number in range(part.start, part.stop)] == list(range(10))
    whole = torch.cat([latents.data for _, latents in pieces])
    sources = [latents.source for _, latents in pieces if latents.source is not None]
    torch.testing.assert_close(torch.cat(sources), model.codec.encode(frames[:10]), rtol=0, atol=1e-4)
    first = alone(restyler, frames[:6], range(6))
    second = alone(restyler, torch.cat([frames[:1], frames[4:]]), [0, *range(4, 10)])[1:]
    torch.testing.assert_close(whole[:4], first[:4], rtol=0, atol=1e-4)
    torch.testing.assert_close(whole[6:], second[2:], rtol=0, atol=1e-4)
    blended = torch.stack([first[4] * 2 / 3 + second[0] / 3, first[5] / 3 + second[1] * 2 / 3])
    torch.testing.assert_close(whole[4:6], blended, rtol=0, atol=1e-4)


def test_inversion_is_retraced(model: SDModel, frames: torch.Tensor) -> None:
    """Guidance 1 under the source's own prompt: sampling returns to the latents, and fixed-point iterations help."""
    source = model.codec.encode(frames[:3])
    errors: list[float] = []
    for iterations in (1, 3):
        options = replace(OPTIONS, prompt=OPTIONS.source_prompt, guidance=1.0, steps=10, fixed_point=iterations)
        found = alone(prepare(model, options), frames[:3], range(3))
        errors.append(float((found - source).square().mean() / source.square().mean()))
    assert errors[1] < errors[0]
    assert errors[1] < 0.02
