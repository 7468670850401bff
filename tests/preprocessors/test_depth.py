"""Depth with tiny random models of the real classes: streaming, the shot's range, steadiness, odd frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest
import torch
from torch.nn import functional as F

from tests.support.tiny.depth import save_depth
from vedit.errors import InputError
from vedit.preprocessors import depth as module
from vedit.preprocessors.depth import depth, depth_dpt, depth_values, depth_zoe
from vedit.preprocessors.depth_models import DEPTH_ANYTHING, DPT, NEAREST_METRES, ZOE, DepthModel
from vedit.preprocessors.depth_steady import Steady
from vedit.weights.store import FOLDER_VARIABLE

Maps = Callable[[Iterable[torch.Tensor]], Iterator[torch.Tensor]]
SMALL = 56
KINDS: dict[str, Maps] = {
    "depth": partial(depth, short_side=SMALL),
    "depth-dpt": partial(depth_dpt, short_side=64),
    "depth-zoe": partial(depth_zoe, short_side=64),
}


@pytest.fixture(scope="module", autouse=True)
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("weights")
    save_depth(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(folder))
        yield


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def whole(maps: Iterator[torch.Tensor]) -> torch.Tensor:
    return torch.cat(list(maps))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(48, 80), (61, 33)])
def test_contract(kind: str, size: tuple[int, int]) -> None:
    frames = noise(6, 3, *size)
    before = frames.clone()
    made = whole(KINDS[kind]([frames]))
    assert made.shape == frames.shape and made.dtype == frames.dtype and torch.equal(frames, before)
    assert torch.equal(made[:, 0], made[:, 1]) and torch.equal(made[:, 0], made[:, 2])
    assert float(made.min()) >= 0 and float(made.max()) <= 1
    assert float(made.max() - made.min()) > 0.9, "the shot's range is used"


@pytest.mark.parametrize("kind", KINDS)
def test_how_the_shot_is_cut_changes_nothing(kind: str) -> None:
    frames = noise(7, 3, 40, 52)
    once = whole(KINDS[kind]([frames]))
    assert torch.equal(once, whole(KINDS[kind](frames.split(1))))
    assert torch.equal(once, whole(KINDS[kind](frames.split([3, 0, 4]))))


@pytest.mark.parametrize("kind", KINDS)
def test_one_frame_no_frame_black_frames(kind: str) -> None:
    assert whole(KINDS[kind]([noise(1, 3, 30, 41)])).shape == (1, 3, 30, 41)
    assert list(KINDS[kind]([])) == []
    assert not whole(KINDS[kind]([torch.zeros(3, 3, 32, 32)])).any()


def test_frames_that_show_nothing_do_not_count() -> None:
    """A fade from black must not change the greys of what comes after it."""
    shown = noise(4, 3, 40, 40, seed=1)
    alone = whole(depth([shown], short_side=SMALL))
    faded = whole(depth([torch.zeros(4, 3, 40, 40), shown], short_side=SMALL))
    assert not faded[:4].any()
    torch.testing.assert_close(faded[4:], alone, atol=1e-5, rtol=0)


def test_one_range_for_the_shot() -> None:
    """A frame keeps its greys' order and spacing, so its own range is smaller than that of all."""
    frames = noise(2, 3, 56, 70, seed=1)  # the very size that the model looks at
    frames[1] = frames[1] * 0.1 + 0.9
    values = whole(depth_values([frames], steady=False, short_side=SMALL))
    made = whole(depth([frames], steady=False, short_side=SMALL))[:, :1]
    low, high = torch.quantile(values.flatten(), torch.tensor([0.01, 0.99]))
    torch.testing.assert_close(made, ((values - low) / (high - low)).clamp(0, 1), atol=2e-3, rtol=0)


def test_the_range_is_that_of_quantiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few pixels far from all others must not turn the rest grey."""

    def look(model: DepthModel, frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        del model
        ramp = torch.linspace(1, 2, size[0] * size[1]).view(1, 1, *size).repeat(len(frames), 1, 1, 1)
        ramp[0, 0, 0, :3] = 1000
        return ramp

    monkeypatch.setattr(module, "inverse_depth", look)
    made = whole(depth([noise(2, 3, 56, 56)], steady=False, short_side=56))
    assert float(made[1, 0, 28, 28]) == pytest.approx(0.5, abs=0.02)
    assert float(made[0, 0, 0, 0]) == 1


def test_flat_depth_is_black(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(model: DepthModel, frames: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        del model
        return torch.full((len(frames), 1, *size), 3.0) + torch.rand(len(frames), 1, *size) * 1e-6

    monkeypatch.setattr(module, "inverse_depth", look)
    assert not whole(depth([noise(3, 3, 32, 32)])).any()


def test_values_are_not_normalised() -> None:
    frames = noise(3, 3, 45, 61)
    for kind, most in (("depth", None), ("depth-dpt", None), ("depth-zoe", 1 / NEAREST_METRES)):
        values = whole(depth_values(frames.split(2), kind=kind, short_side=64))
        assert values.shape == (3, 1, 45, 61) and values.dtype == torch.float32
        assert float(values.min()) >= 0 and values.isfinite().all()
        assert most is None or float(values.max()) <= most * 1.001
    with pytest.raises(InputError, match="depth-zoe"):
        list(depth_values([frames], kind="luma"))


def test_metric_depth_is_inverted() -> None:
    """What the model puts farther must come out darker."""
    from vedit.preprocessors.depth_models import _load  # pyright: ignore[reportPrivateUsage]
    from vedit.weights.store import local

    frames = noise(1, 3, 64, 64)
    network = _load(ZOE.weights, local(ZOE.weights), "cpu")
    padding = int((64 / 2) ** 0.5 * 3)
    seen = F.pad(frames, [padding] * 4, mode="reflect")
    scaled = F.interpolate(seen, (64, 64), mode="bicubic", antialias=True).clamp(0, 1)
    with torch.inference_mode():
        metres = network(pixel_values=(scaled - 0.5) / 0.5).predicted_depth
    full = F.interpolate(metres[:, None], seen.shape[-2:], mode="bilinear")[..., padding:-padding, padding:-padding]
    values = whole(depth_values([frames], kind="depth-zoe", steady=False, short_side=64))
    order = torch.stack([full.flatten(), values.flatten()])
    assert float(torch.corrcoef(order.argsort(1).argsort(1).float())[0, 1]) < -0.95


@pytest.mark.parametrize(
    ("model", "frame", "size"),
    [
        (DEPTH_ANYTHING, (720, 1280), (518, 924)),
        (DEPTH_ANYTHING, (1280, 720), (924, 518)),
        (DEPTH_ANYTHING, (180, 321), (518, 924)),
        (DPT, (720, 1280), (384, 384)),
        (ZOE, (720, 1280), (384, 672)),
        (ZOE, (100, 100), (384, 384)),
    ],
)
def test_the_size_a_model_looks_at(model: DepthModel, frame: tuple[int, int], size: tuple[int, int]) -> None:
    assert model.size(*frame) == size


def test_input_is_prepared_as_the_models_own_code_does() -> None:
    """Against the image processor that comes with transformers, on a frame that needs no resizing."""
    from transformers import DPTImageProcessorPil

    from vedit.preprocessors import depth_models

    frame = (noise(1, 3, 518, 518) * 255).round() / 255
    seen: list[torch.Tensor] = []

    class Network:
        def __call__(self, pixel_values: torch.Tensor) -> object:
            seen.append(pixel_values)
            return type("Answer", (), {"predicted_depth": torch.ones(1, 518, 518)})()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(depth_models, "_load", lambda *_: Network())  # pyright: ignore[reportUnknownLambdaType]
        depth_models.inverse_depth(DEPTH_ANYTHING, frame, (518, 518))
    processor = DPTImageProcessorPil(
        size={"height": 518, "width": 518},
        ensure_multiple_of=14,
        keep_aspect_ratio=True,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    image = (frame[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    expected = processor(images=image, return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(seen[0], expected, atol=1e-4, rtol=0)


def textured(count: int, size: int = 96, step: float = 2.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A picture that moves to the left by `step` pixels a frame, and a depth that moves with it."""
    picture = F.interpolate(noise(1, 3, 24, 64, seed=3), (size, 3 * size), mode="bicubic").clamp(0, 1)[0]
    truth = F.interpolate(noise(1, 1, 6, 16, seed=4), (size, 3 * size), mode="bicubic")[0] + 1
    offsets = [round(index * step) for index in range(count)]
    frames = torch.stack([picture[..., offset : offset + size] for offset in offsets])
    return frames, torch.stack([truth[..., offset : offset + size] for offset in offsets])


def steadied(frames: torch.Tensor, depths: torch.Tensor) -> torch.Tensor:
    steady = Steady()
    return torch.stack([steady.push(frame, value) for frame, value in zip(frames, depths, strict=True)])


def test_steadying_takes_out_shimmer_and_scale() -> None:
    """Scale and shift that jump by 10 %, and noise: the error to the truth, scale aside, falls to less than half."""
    frames, truth = textured(24)
    random = torch.Generator().manual_seed(5)
    jumps = 1 + 0.1 * torch.randn(24, 1, 1, 1, generator=random).clamp(-1.5, 1.5)
    shifts = 0.1 * torch.randn(24, 1, 1, 1, generator=random)
    given = truth * jumps + shifts + 0.03 * torch.randn(truth.shape, generator=random)
    held = steadied(frames, given.clamp(min=0))

    def jitter(values: torch.Tensor) -> float:
        """Change along the motion, which is 2 pixels a frame, after the first few frames."""
        return float((values[5:, ..., :-4] - values[4:-1, ..., 2:-2]).abs().mean())

    assert jitter(truth) < 1e-6
    assert jitter(held) < 0.4 * jitter(given)


def test_steadying_does_not_lose_contrast_or_drift() -> None:
    frames, truth = textured(90, step=1.0)
    random = torch.Generator().manual_seed(6)
    held = steadied(frames, (truth + 0.05 * torch.randn(truth.shape, generator=random)).clamp(min=0))
    assert float(held[-10:].std() / truth[-10:].std()) == pytest.approx(1, abs=0.08)
    assert float((held[-10:] - truth[-10:]).abs().mean()) < 0.04


def test_steadying_follows_a_lasting_change() -> None:
    """An object that comes nearer for good is not held back."""
    frames = noise(1, 3, 64, 64, seed=7).expand(60, -1, -1, -1)
    given = torch.linspace(1, 2, 64).expand(60, 1, 64, 64).clone()
    given[5:, :, 16:48, 16:48] += 1
    held = steadied(frames, given)
    assert float((held[-1] - given[-1]).abs().mean()) < 0.05


def test_steadying_lets_go_where_nothing_matches() -> None:
    frames = torch.stack([F.interpolate(noise(1, 3, 16, 16, seed=n), (96, 96), mode="bicubic")[0] for n in (8, 9)])
    given = noise(2, 1, 96, 96, seed=10) + 1
    given[1] += 3
    assert torch.equal(steadied(frames.clamp(0, 1), given), given)
