"""The way back to full size: detail comes back where the look kept it, and untouched pixels are the source's."""

from typing import Any, Literal

import cv2
import numpy as np
import pytest
import torch

from vedit.finishing.upsample import composite, side_by_side, upsample_change

FULL, SMALL = (180, 320), (60, 107)


def picture(seed: int = 0) -> torch.Tensor:
    """(1, 3, H, W) in [0, 1]: noise at every scale, as photographs have, with hard edges."""
    generator = np.random.default_rng(seed)
    image = np.full((*FULL, 3), 0.5, np.float32)
    for octave in range(6):
        coarse = generator.normal(0, 0.12 / 1.6**octave, (4 << octave, 6 << octave, 3)).astype(np.float32)
        image += cv2.resize(coarse, FULL[::-1], interpolation=cv2.INTER_CUBIC)
    image[40:120, 60:140] *= 0.4
    return torch.from_numpy(image.clip(0.05, 0.95).transpose(2, 0, 1).copy())[None]


def shrink(frames: torch.Tensor, size: tuple[int, int] = SMALL) -> torch.Tensor:
    images = [cv2.resize(f.permute(1, 2, 0).numpy(), size[::-1], interpolation=cv2.INTER_AREA) for f in frames]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def gradient_energy(frames: torch.Tensor) -> float:
    grey = frames.mean(1)
    return float(grey.diff(dim=-1).square().mean() + grey.diff(dim=-2).square().mean())


def test_pass_through_is_the_source() -> None:
    source = picture()
    small = shrink(source)
    out = upsample_change(source, small, small)
    assert torch.allclose(out, source, atol=1e-6)
    lanczos = upsample_change(source, small, small, method="lanczos")
    assert gradient_energy(lanczos) < 0.8 * gradient_energy(source)


def test_integer_sources_come_back_exactly() -> None:
    source = (picture() * 1023).round().numpy().astype(np.uint16)
    small = shrink(torch.from_numpy(source.astype(np.float32)) / 1023)
    out = upsample_change(source, small, small, bit_depth=10)
    assert np.array_equal((out * 1023).round().numpy().astype(np.uint16), source)


def test_a_regrade_keeps_the_detail() -> None:
    """A colour matrix is affine everywhere: the full-size result is the full-size source, regraded."""
    source = picture()
    matrix = torch.tensor([[0.2, 0.6, 0.1], [0.1, 0.5, 0.2], [0.3, 0.1, 0.4]])

    def regrade(frames: torch.Tensor) -> torch.Tensor:
        return torch.einsum("ij,tjhw->tihw", matrix, frames) + 0.03

    out = upsample_change(source, shrink(source), regrade(shrink(source)))
    truth = regrade(source)
    blurred = upsample_change(source, shrink(source), regrade(shrink(source)), method="lanczos")
    assert (out - truth).square().mean() < 0.2 * (blurred - truth).square().mean()
    assert gradient_energy(out) > 0.9 * gradient_energy(truth)


def test_a_rough_regrade_keeps_the_detail_too() -> None:
    source = picture()
    small = shrink(source)
    rough = torch.randn(small.shape, generator=torch.Generator().manual_seed(3))
    rough = torch.nn.functional.avg_pool2d(rough, 3, stride=1, padding=1)  # coarser than what is taken for error
    fine = source - upsample_change(source, small, small, method="lanczos")
    kept: list[float] = []
    for deviation in (0.0, 0.05):
        graded = 0.2 + 0.6 * small + deviation * rough / rough.std()
        change = upsample_change(source, small, graded) - upsample_change(source, small, graded, method="lanczos")
        kept.append(float((fine * change).sum() / fine.square().sum()))
    assert kept[1] > 0.88 * kept[0] > 0.4


def test_a_drawn_texture_survives_and_the_photograph_does_not_shine_through() -> None:
    source = picture()
    generator = torch.Generator().manual_seed(1)
    drawn = (torch.rand(1, 1, *SMALL, generator=generator) > 0.5).float().expand(1, 3, *SMALL)
    out = upsample_change(source, shrink(source), drawn)
    plain = upsample_change(source, shrink(source), drawn, method="lanczos")
    assert (shrink(out) - shrink(plain)).abs().mean() < 0.02
    fine = source - upsample_change(source, shrink(source), shrink(source), method="lanczos")
    leaked = float((fine * (out - plain)).sum() / fine.square().sum())
    assert abs(leaked) < 0.15


def test_it_does_not_pulse() -> None:
    """A frame's result does not depend on its neighbours."""
    source = torch.cat([picture(0), picture(1)])
    small = shrink(source)
    result = (small * 0.5 + 0.2).sqrt()
    both = upsample_change(source, small, result)
    assert torch.equal(both[1:], upsample_change(source[1:], small[1:], result[1:]))


@pytest.mark.parametrize("method", ["guided", "lanczos"])
def test_other_target_sizes(method: Literal["guided", "lanczos"]) -> None:
    source = picture()
    for size in ((180, 322), (60, 107), (33, 50)):
        out = upsample_change(source, shrink(source), shrink(source), method=method, target_hw=size)
        assert out.shape == (1, 3, *size)
        assert float(out.min()) >= 0 and float(out.max()) <= 1
    with pytest.raises(ValueError, match="do not belong together"):
        upsample_change(source, shrink(source), shrink(source)[..., 1:], method=method)


@pytest.mark.parametrize(("bit_depth", "dtype"), [(8, np.uint8), (10, np.uint16), (16, np.uint16)])
@pytest.mark.parametrize("channels", [3, 4])
def test_outside_the_mask_nothing_changes(bit_depth: int, dtype: Any, channels: int) -> None:
    generator = np.random.default_rng(0)
    source = generator.integers(0, 1 << bit_depth, (3, channels, 20, 30)).astype(dtype)
    result = torch.rand(3, 3, 20, 30)
    mask = torch.zeros(3, 1, 20, 30)
    mask[..., 5:12, 5:12] = 0.5
    mask[..., 7:10, 7:10] = 1
    out = composite(source, result, mask, bit_depth)
    outside = np.broadcast_to(mask.numpy() == 0, (3, 3, 20, 30))
    assert out.dtype == source.dtype
    assert np.array_equal(out[:, :3][outside], source[:, :3][outside])
    assert np.array_equal(out[:, 3:], source[:, 3:])
    full = (1 << bit_depth) - 1
    assert np.array_equal(out[:, :3, 7:10, 7:10], (result[..., 7:10, 7:10] * full).round().numpy().astype(dtype))
    still = composite(source, result, mask[:1], bit_depth)
    assert np.array_equal(still, out)


def test_composite_without_a_mask_is_the_result() -> None:
    source = np.zeros((2, 4, 4, 6), np.uint8)
    source[:, 3] = 77
    out = composite(source, torch.ones(2, 3, 4, 6), None, 8)
    assert (out[:, :3] == 255).all() and (out[:, 3] == 77).all()
    with pytest.raises(ValueError, match="asks for"):
        composite(source, torch.ones(2, 3, 4, 5), None, 8)
    with pytest.raises(ValueError, match="mask"):
        composite(source, torch.ones(2, 3, 4, 6), torch.ones(2, 3, 4, 6), 8)


def test_side_by_side() -> None:
    left, right = np.zeros((2, 3, 4, 5), np.uint8), np.full((2, 3, 4, 8), 9, np.uint8)
    both = side_by_side(left, right)
    assert both.shape == (2, 3, 4, 16)
    assert np.array_equal(both[..., :5], left) and np.array_equal(both[..., -8:], right)
    with pytest.raises(ValueError, match="beside"):
        side_by_side(left, right[:, :, 1:])
