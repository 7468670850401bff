"""Noise belongs to the frame, not to the way the work was split."""

from __future__ import annotations

import torch

from vedit.diffusion.noise import frame_noise, frame_seed


def test_noise_depends_on_seed_and_frame_alone() -> None:
    together = frame_noise((4, 8, 8), seed=3, frames=range(10, 16))
    apart = torch.cat([frame_noise((4, 8, 8), seed=3, frames=[n]) for n in range(10, 16)])
    assert torch.equal(together, apart)
    assert not torch.equal(together, frame_noise((4, 8, 8), seed=4, frames=range(10, 16)))


def test_noise_is_standard_normal_and_independent_between_frames() -> None:
    noise = frame_noise((16, 32, 32), seed=0, frames=range(8))
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01
    correlation = torch.corrcoef(noise.flatten(1)) - torch.eye(8)
    assert float(correlation.abs().max()) < 0.03


def test_seeds_do_not_collide() -> None:
    seeds = {frame_seed(seed, frame) for seed in range(100) for frame in range(500)}
    assert len(seeds) == 50_000
    assert all(0 <= seed < 1 << 63 for seed in seeds)
