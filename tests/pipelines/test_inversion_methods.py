"""Methods of inversion in the pipeline: what each gives back of the source, how the seed acts, what a mask keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from vedit.errors import InputError
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.request import InversionName, RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.pipelines.restyle_windows import restyle_window
from vedit.render.evaluations import ordinary_evaluations
from vedit.store.computed import ComputedCache
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.video_family import FakeVideoModel
from vedit.types import ControlSchedule, ControlSpec, FrameRange, PromptEmbeds

METHODS = ("fixed-point", "ddim", "ddpm")
OPTIONS = RestyleOptions(prompt="oil painting", steps=3, guidance=1.0, batch=2)


class Counting:
    """A denoiser that counts the frames that it is given; all else is the one within."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.frames = inner, 0

    def __call__(self, x: torch.Tensor, *args: Any) -> torch.Tensor:
        self.frames += len(x)
        return self.inner(x, *args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture(scope="module")
def model() -> SDModel:
    found = load_sd(resolve("embedded"), controls=("tile", "softedge"))
    return replace(found, denoiser=Counting(found.denoiser))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    """A random SD 1.5, which is fast and predicts noise."""
    found = load_sd(
        resolve(str(write_tiny_sd(tmp_path_factory.mktemp("model") / "tiny"))), controls=("tile", "softedge")
    )
    return replace(found, denoiser=Counting(found.denoiser))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """(4, 3, 64, 64) in [0, 1]: a soft picture that pans."""
    picture = torch.rand(1, 3, 10, 14, generator=torch.Generator().manual_seed(0))
    picture = torch.nn.functional.interpolate(picture, (64, 90), mode="bicubic").clamp(0, 1)[0]
    return torch.stack([picture[:, :, 3 * t : 3 * t + 64] for t in range(4)])


def restyled(
    model: Any,
    options: RestyleOptions,
    frames: torch.Tensor,
    numbers: Sequence[int] = (4, 5),
    mask: torch.Tensor | None = None,
    kept: ComputedCache | None = None,
    targets: Sequence[PromptEmbeds] = (),
) -> torch.Tensor:
    restyler, frames = prepare(model, options, kept), frames[: len(numbers)]
    guides = replace(own_guides(restyler)(numbers, frames), mask=mask)
    return restyle_frames(restyler, frames, numbers, guides, targets=targets).data


def looks(**changes: Any) -> list[Any]:
    """Each method, and each with injection."""
    made = [replace(OPTIONS, inversion=method, inject=inject) for inject in (None, "0.8,0.5") for method in METHODS]
    return [pytest.param(replace(one, **changes), id=f"{one.inversion} {one.inject or ''}".strip()) for one in made]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_under_its_own_description_the_source_comes_back(
    model: SDModel, frames: torch.Tensor, method: str, strength: float
) -> None:
    """DDPM to half precision, a fixed point nearly, plain DDIM far less so."""
    options = replace(OPTIONS, prompt="a photograph", inversion=method, strength=strength)
    if method == "fixed-point":
        options = replace(options, fixed_point=4)
    source = model.codec.encode(frames[:2])
    off = float((restyled(model, options, frames) - source).abs().mean())
    bounds = {"fixed-point": (0, 0.02), "ddim": (0.03, 1), "ddpm": (0, 2e-3)}
    low, high = bounds[method]
    assert low <= off < high, off


@pytest.mark.parametrize("inject", ["1,0", "1,1"])
def test_injection_leaves_a_round_trip_as_it_is(model: SDModel, frames: torch.Tensor, inject: str) -> None:
    """On the source's own way its states are those that are there already; the half precision of the way is all that
    shows."""
    options = replace(OPTIONS, prompt="a photograph", fixed_point=4)
    plain = restyled(model, options, frames)
    found = restyled(model, replace(options, inject=inject), frames)
    assert 0 < float((found - plain).abs().mean()) < 5e-3


@pytest.mark.parametrize("method", METHODS)
def test_injection_keeps_more_of_the_source(model: SDModel, frames: torch.Tensor, method: str) -> None:
    options = replace(OPTIONS, inversion=method, guidance=2.0, controls=(), attention="cross-frame")
    source = model.codec.encode(frames[:2])
    free, held = (restyled(model, replace(options, inject=inject), frames) for inject in (None, "1,1"))
    assert float((held - source).abs().mean()) < 0.97 * float((free - source).abs().mean())


@pytest.mark.parametrize("options", looks())
def test_estimates_count_what_is_evaluated(tiny: SDModel, frames: torch.Tensor, options: RestyleOptions) -> None:
    counted: Any = tiny.denoiser
    for look in (options, replace(options, strength=0.7, guidance=2.0)):
        counted.frames = 0
        restyled(tiny, look, frames)
        assert counted.frames == 2 * ordinary_evaluations(tiny.traits, look)


@pytest.mark.parametrize("options", looks(strength=0.75))
def test_the_seed_acts_with_variation_and_not_without(
    tiny: SDModel, frames: torch.Tensor, options: RestyleOptions
) -> None:
    plain, other = (restyled(tiny, replace(options, seed=seed), frames) for seed in (1, 2))
    assert torch.equal(plain, other)
    options = replace(options, variation=0.6)
    first, again, second = (restyled(tiny, replace(options, seed=seed), frames) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert float((first - second).abs().mean()) > 0.05
    assert float((first - plain).abs().mean()) > 0.05


@pytest.mark.parametrize("options", [*looks()[:4], *looks(variation=0.5)[:3]])
def test_outside_the_mask_the_latents_stay(tiny: SDModel, frames: torch.Tensor, options: RestyleOptions) -> None:
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32] = 1
    found, source = restyled(tiny, options, frames, mask=mask), tiny.codec.encode(frames[:2])
    assert torch.equal(found[..., 4:], source[..., 4:])
    assert float((found - source)[..., :4].abs().mean()) > 0.05


@pytest.mark.parametrize("options", looks())
def test_a_batch_of_other_size_changes_the_last_bits_alone(
    tiny: SDModel, frames: torch.Tensor, options: RestyleOptions
) -> None:
    one, other = (restyled(tiny, replace(options, batch=batch), frames, range(4)) for batch in (1, 4))
    # Half precision may round what differs in the last bit to two neighbours.
    torch.testing.assert_close(one, other, rtol=0, atol=2e-2)
    assert float((one - other).abs().mean()) < 1e-3


def test_a_frame_has_its_noise_whatever_window_it_is_in(tiny: SDModel, frames: torch.Tensor) -> None:
    """Frames that see only themselves and the shot's first come out alike from a window of their own."""
    restyler = prepare(tiny, replace(OPTIONS, inversion="ddpm", attention="none"))
    shot = FrameRange(start=0, stop=4)

    def window(start: int, stop: int) -> torch.Tensor:
        guides, part = own_guides(restyler), FrameRange(start=start, stop=stop)
        return restyle_window(restyler, shot, part, lambda one: frames[one.start : one.stop], guides).data

    torch.testing.assert_close(window(2, 4), window(0, 4)[2:], rtol=0, atol=2e-2)


@pytest.mark.parametrize("options", looks())
def test_what_is_kept_gives_the_same_frames_to_the_last_bit(
    tiny: SDModel, frames: torch.Tensor, tmp_path: Path, options: RestyleOptions
) -> None:
    counted: Any = tiny.denoiser
    mask = torch.zeros(2, 1, 64, 64)
    mask[..., :32] = 1
    with ComputedCache(tmp_path / "cache") as cache:
        for part in (None, mask):
            fresh = restyled(tiny, options, frames, mask=part)
            made = restyled(tiny, options, frames, mask=part, kept=cache)
            counted.frames = 0
            found = restyled(tiny, options, frames, mask=part, kept=cache)
            assert torch.equal(made, fresh) and torch.equal(found, fresh)
            sampled = ordinary_evaluations(
                tiny.traits, replace(options, start="noise", inversion="fixed-point", inject=None)
            )
            injected = 0 if options.injection is None else options.injection.steps_of(OPTIONS.steps or 0)
            assert counted.frames == 2 * (sampled + injected), "it was inverted once more"


def test_methods_do_not_take_each_others_inversions(tiny: SDModel, frames: torch.Tensor, tmp_path: Path) -> None:
    """One step of a fixed point is no DDIM step; nor are noise maps, or what is rounded beside injection."""
    with ComputedCache(tmp_path / "cache") as cache:
        asked = [replace(OPTIONS, fixed_point=1), *(replace(OPTIONS, inversion=method) for method in METHODS[1:])]
        asked += [replace(look, inject="0.5") for look in asked]
        for look in asked:
            assert torch.equal(restyled(tiny, look, frames, kept=cache), restyled(tiny, look, frames))


@pytest.mark.parametrize("options", looks())
def test_a_frame_under_several_prompts_is_what_it_is_under_each(
    tiny: SDModel, frames: torch.Tensor, options: RestyleOptions
) -> None:
    asked = [replace(options, prompt=prompt) for prompt in ("night", "woodcut")]
    together = restyled(tiny, asked[0], frames, [4], targets=[prepare(tiny, look).prompt for look in asked])
    for look, found in zip(asked, together, strict=True):
        torch.testing.assert_close(found[None], restyled(tiny, look, frames, [4]), rtol=0, atol=2e-2)


def test_fewer_steps_of_the_inversion_go_with_injection(tiny: SDModel, frames: torch.Tensor) -> None:
    found = restyled(tiny, replace(OPTIONS, inversion_steps=2, inject="0.8,0.5"), frames)
    assert bool(found.isfinite().all())
    assert not torch.equal(found, restyled(tiny, replace(OPTIONS, inversion_steps=2), frames))


@pytest.mark.parametrize("method", METHODS)
def test_a_flow_model_gives_the_source_back(method: str) -> None:
    """A latent for four frames, straight trajectories, one call for all of a window."""
    video = FakeVideoModel(name="video")
    clip = torch.rand(9, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    options = RestyleOptions(prompt="a photograph", steps=4, inversion=cast("InversionName", method), controls=())
    if method == "fixed-point":
        options = replace(options, fixed_point=8)
    found = restyled(video, options, clip, range(9))
    torch.testing.assert_close(found, video.codec.encode(clip), rtol=0, atol=2e-3 if method != "ddim" else 1)


def test_a_model_without_a_place_for_it_refuses_injection() -> None:
    video = FakeVideoModel(name="video")
    with pytest.raises(InputError, match="no place for the source's features"):
        prepare(video, RestyleOptions(prompt="night", inject="0.8"))


@pytest.mark.parametrize("method", METHODS)
def test_a_control_of_its_own_in_the_inversion(
    tiny: SDModel, frames: torch.Tensor, tmp_path: Path, method: Any
) -> None:
    """Said to act as it does in the sampling it changes no bit; else the way there is another, and kept as another."""
    spec = ControlSpec(kind="tile", scale=0.8, end=0.7)
    options = replace(OPTIONS, prompt="a photograph", inversion=method, controls=(spec,))

    def found(invert: ControlSchedule | None, cache: ComputedCache) -> torch.Tensor:
        look = replace(options, controls=(replace(spec, invert=invert),))
        made = restyled(tiny, look, frames, kept=cache)
        assert torch.equal(made, restyled(tiny, look, frames))
        return made

    with ComputedCache(tmp_path / "cache") as cache:
        usual = found(None, cache)
        assert torch.equal(found(ControlSchedule(scale=0.8, end=0.7), cache), usual)
        for other in (ControlSchedule(scale=0.2), ControlSchedule(scale=0), ControlSchedule(scale=0.8, start=0.3)):
            assert not torch.equal(found(other, cache), usual)
