"""Masks on the latent grid lose nothing, and what is outside them follows the source."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vedit.diffusion.blending import blend_outside, inverted_source, noised_source, pool_mask, source_between
from vedit.diffusion.distilled import from_timesteps
from vedit.diffusion.samplers import sample
from vedit.diffusion.solvers import add_noise
from vedit.diffusion.trajectory import trajectory
from vedit.latent_shape import ScaleFactors
from vedit.types import Latents

CONFIG: dict[str, object] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}


@given(data=st.data())
def test_every_pixel_keeps_its_cell(data: st.DataObject) -> None:
    """The cell of a pixel is exactly the highest of its pixels: none that is edited is lost, none is made up."""
    frames, height, width = (
        data.draw(st.integers(1, most), label) for most, label in ((14, "T"), (21, "H"), (21, "W"))
    )
    space, time = data.draw(st.integers(1, 8), "space"), data.draw(st.integers(1, 5), "time")
    first_alone = data.draw(st.booleans(), "first_alone")
    mask = torch.zeros(frames, 1, height, width)
    points = st.tuples(
        st.integers(0, frames - 1),
        st.integers(0, height - 1),
        st.integers(0, width - 1),
        st.sampled_from((0.125, 0.5, 1.0)),
    )
    for t, y, x, value in data.draw(st.lists(points, max_size=4), "points"):
        mask[t, 0, y, x] = value
    factors = ScaleFactors(time=time, height=space, width=space, first_frame_alone=first_alone)
    cells = pool_mask(mask, factors)

    def group(frame: int) -> int:
        if first_alone:
            return 0 if frame == 0 else 1 + (frame - 1) // time
        return frame // time

    assert cells.shape == (group(frames - 1) + 1, 1, -(-height // space), -(-width // space))
    expected = torch.zeros_like(cells)
    for t, y, x in torch.argwhere(mask[:, 0] > 0).tolist():
        place = (group(t), 0, y // space, x // space)
        expected[place] = max(expected[place], mask[t, 0, y, x])
    assert torch.equal(cells, expected)


def test_one_edited_frame_keeps_its_latent_frame() -> None:
    """17 frames of a causal autoencoder are 5 latent ones, 1 + 4 x 4: a mask on one frame is in exactly one of them."""
    for frame in range(17):
        mask = torch.zeros(17, 1, 16, 16)
        mask[frame, 0, 5, 5] = 1
        cells = pool_mask(mask, ScaleFactors(time=4, first_frame_alone=True))
        assert cells.shape == (5, 1, 2, 2)
        assert cells.sum() == 1
        assert cells[-(-frame // 4), 0, 0, 0] == 1


@pytest.mark.parametrize(
    "shape",
    [(2, 3, 8, 8), (2, 8, 8), (0, 1, 8, 8)],
)
def test_what_is_no_mask(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="a mask is"):
        pool_mask(torch.zeros(shape), ScaleFactors())


def test_outside_follows_the_noised_source_at_every_step() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 2, 4, 4, 4, generator=generator)
    mask = torch.zeros(2, 1, 4, 4)
    mask[..., :2] = 1
    mask[..., 2] = 0.25
    path = trajectory(CONFIG, steps=5)
    noisy = add_noise(Latents(data=clean), noise, path)
    plain = list(sample(lambda x, _: torch.tanh(x), noisy, path))
    kept = list(sample(lambda x, _: torch.tanh(x), noisy, path, keep=blend_outside(mask, noised_source(clean, noise))))
    for step, after in zip(path.steps[:-1], kept[:-1], strict=True):
        source = sqrt(step.alpha_cleaner) * clean + sqrt(1 - step.alpha_cleaner) * noise
        torch.testing.assert_close(after.data[..., 3], source[..., 3])
    # Each value is sampled by itself here, so that what is inside does not see what is outside.
    assert torch.equal(kept[-1].data[..., :2], plain[-1].data[..., :2])
    assert torch.equal(kept[-1].data[..., 3], clean[..., 3])
    torch.testing.assert_close(
        kept[0].data[..., 2],
        0.25 * plain[0].data[..., 2]
        + 0.75 * (sqrt(path.steps[0].alpha_cleaner) * clean + sqrt(1 - path.steps[0].alpha_cleaner) * noise)[..., 2],
    )


def test_the_inverted_source_is_walked_backwards() -> None:
    path = trajectory(CONFIG, steps=3)
    passed = [torch.full((1, 1, 1, 1), float(level)) for level in range(4)]
    at = inverted_source(passed)
    assert [float(at(step)) for step in path.steps] == [2, 1, 0]


def test_between_stops_the_source_goes_where_ddim_leads() -> None:
    """With one picture and one noise to each part of the way, as a step of the inversion has it."""
    stops, path = from_timesteps(CONFIG, (901, 451)), from_timesteps(CONFIG, (901, 721, 541, 451, 361, 181, 1))
    generator = torch.Generator().manual_seed(0)
    clean, low_noise, high_picture, high_noise = torch.randn(4, 1, 2, 3, 3, generator=generator, dtype=torch.float64)

    def mix(picture: torch.Tensor, noise: torch.Tensor, alpha: float) -> torch.Tensor:
        return alpha**0.5 * picture + (1 - alpha) ** 0.5 * noise

    middle = mix(clean, low_noise, stops.steps[1].alpha)
    # What the upper part's picture and noise are must agree with where it begins.
    high_noise = (middle - stops.steps[1].alpha ** 0.5 * high_picture) / (1 - stops.steps[1].alpha) ** 0.5
    end = stops.steps[1].alpha_cleaner
    passed = [mix(clean, low_noise, end), middle, mix(high_picture, high_noise, stops.steps[0].alpha)]
    at = source_between(passed, stops)
    for step in path.steps[:-1]:
        parts = (high_picture, high_noise) if step.alpha_cleaner <= stops.steps[1].alpha else (clean, low_noise)
        torch.testing.assert_close(at(step), mix(*parts, step.alpha_cleaner))
    assert at(path.steps[-1]) is passed[0]
