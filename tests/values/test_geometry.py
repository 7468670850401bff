"""Geometry: the fit keeps the aspect, obeys the model's needs, and is undone exactly."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from vedit.geometry import fit, pad, unfit, working_fit
from vedit.types import Clip, Fit

SIDE = st.integers(1, 5000)


def make_clip(frames: np.ndarray, bit_depth: int = 8) -> Clip:
    return Clip(frames=frames, bit_depth=bit_depth, pts=tuple(range(len(frames))), time_base=Fraction(1, 25), start=0)


@given(height=SIDE, width=SIDE, short_side=st.integers(16, 800), multiple=st.sampled_from([1, 2, 8, 16, 64]))
@example(height=1, width=5000, short_side=256, multiple=64)
@example(height=1080, width=1920, short_side=384, multiple=8)
@example(height=181, width=321, short_side=256, multiple=8)
def test_fit_obeys_its_contract(height: int, width: int, short_side: int, multiple: int) -> None:
    made = working_fit((height, width), short_side=short_side, multiple_of=multiple)
    for source, inner, outer, offset in zip(
        (height, width), made.inner, made.outer, (made.top, made.left), strict=True
    ):
        assert 1 <= inner <= min(outer, source)
        assert outer % multiple == 0
        assert outer - inner < multiple
        assert offset == (outer - inner) // 2
    assert min(made.inner) == min(height, width, short_side)
    # The long side is at least what the aspect asks, and less than a pixel more.
    asked = Fraction(max(height, width) * min(made.inner), min(height, width))
    assert asked <= max(made.inner) < asked + 1


@pytest.mark.parametrize(
    ("source", "inner", "outer"),
    [
        ((1080, 1920), (256, 456), (256, 456)),
        ((1920, 1080), (456, 256), (456, 256)),
        ((720, 1280), (256, 456), (256, 456)),
        ((181, 321), (181, 321), (184, 328)),
        ((24, 32), (64, 86), (64, 88)),
        ((1, 1), (64, 64), (64, 64)),
        ((2, 2000), (2, 2000), (64, 2000)),
    ],
)
def test_known_fits(source: tuple[int, int], inner: tuple[int, int], outer: tuple[int, int]) -> None:
    made = working_fit(source, short_side=256, multiple_of=8, minimum=64)
    assert (made.inner, made.outer) == (inner, outer)


@given(height=st.integers(1, 40), width=st.integers(1, 40), multiple=st.sampled_from([1, 8, 64]))
def test_unfit_undoes_pad(height: int, width: int, multiple: int) -> None:
    made = working_fit((height, width), short_side=64, multiple_of=multiple)
    frames = torch.rand(2, 3, *made.inner)
    padded = pad(frames, made)
    assert padded.shape == (2, 3, *made.outer)
    assert torch.equal(unfit(padded, made), frames)
    assert padded.min() >= frames.min() and padded.max() <= frames.max()


@pytest.mark.parametrize(("bit_depth", "dtype"), [(8, np.uint8), (10, np.uint16), (16, np.uint16)])
def test_fit_scales_integers_of_any_depth(bit_depth: int, dtype: type) -> None:
    frames = np.full((2, 4, 90, 161), (1 << bit_depth) - 1, dtype)
    frames[:, 1] //= 2
    made = working_fit((90, 161), short_side=45, multiple_of=8)
    fitted = fit(make_clip(frames, bit_depth), made)
    assert fitted.shape == (2, 3, *made.outer)
    assert fitted.dtype == torch.float32
    assert torch.allclose(fitted[:, 0], torch.ones(()))
    assert torch.allclose(fitted[:, 1], torch.full((), 0.5), atol=0.003)


def test_fit_without_scaling_is_exact() -> None:
    frames = np.arange(3 * 17 * 23, dtype=np.uint8).reshape(1, 3, 17, 23)
    made = working_fit((17, 23), short_side=256, multiple_of=8)
    inner = unfit(fit(make_clip(frames), made), made)
    assert np.array_equal((inner * 255).round().numpy().astype(np.uint8), frames)


def test_scaling_down_does_not_alias() -> None:
    frames = np.zeros((1, 3, 256, 256), np.uint8)
    frames[..., ::2] = 255  # finer than the small grid can hold: must become an even grey
    fitted = fit(make_clip(frames), working_fit((256, 256), short_side=64, multiple_of=8))
    assert fitted.std() < 0.01


def test_wrong_sizes_are_refused() -> None:
    made = Fit(source=(8, 8), inner=(8, 8), outer=(8, 8), top=0, left=0)
    with pytest.raises(ValueError, match="fit is for frames"):
        fit(make_clip(np.zeros((1, 3, 9, 8), np.uint8)), made)
    with pytest.raises(ValueError, match="fit is for frames"):
        unfit(torch.zeros(1, 3, 9, 8), made)
    with pytest.raises(ValueError, match="at least 1"):
        working_fit((0, 8), short_side=8, multiple_of=8)
