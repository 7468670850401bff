"""Edit-friendly DDPM inversion (Huberman-Spiegelglas et al. 2024): a source as the noise maps of a stochastic sampling.

The source is noised to every level independently, which no sampling would do, and each step of a DDPM sampling is
solved for the noise that leads from one of these to the next. Sampled again under the source's own description these
noise maps give the source back to the last digits; under another prompt they draw the new look where the source has its
structure, since maps that are found so hold more of it than those of a sampling would. All frames are noised alike.

Unlike in the paper the map of the last step is kept too, which its code sets to zero: only with it does the source come
back whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.noise import frame_noise, frame_seed
from vedit.diffusion.solvers import DDIM
from vedit.diffusion.steps import noised
from vedit.errors import ModelError

if TYPE_CHECKING:
    from vedit.diffusion.samplers import Denoise
    from vedit.diffusion.solvers import Trajectory
    from vedit.diffusion.steps import Step

_LEVELS, _TURN = 1 << 48, 1 << 49
"""Key the noise of levels, and what turns that of a seed: beyond the seeds that anyone gives."""


@dataclass(frozen=True, kw_only=True)
class NoiseMaps:
    """What a step adds to the mean that the model says, (T, C, h, w) for each step in sampling order: the noise map
    times its deviation."""

    solver: DDIM
    added: tuple[torch.Tensor, ...]

    def take(self, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
        """A step of the sampling, for `vedit.diffusion.samplers.sample`."""
        return posterior_mean(self.solver, x, output, step) + self.added[step.index]

    def varied(self, noise: Sequence[torch.Tensor], amount: float) -> NoiseMaps:
        """The maps with a share of them drawn anew, each with its own deviation in each frame.

        Args:
            noise: standard normal (T, C, h, w), for each step.
            amount: [0, 1]; 0 leaves them, 1 is DDPM sampling with noise as strong as theirs.
        """
        kept = sqrt(1 - amount**2)

        def mixed(own: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
            return kept * own + amount * own.std(dim=(1, 2, 3), keepdim=True) * drawn.to(own)

        return NoiseMaps(
            solver=self.solver, added=tuple(mixed(own, drawn) for own, drawn in zip(self.added, noise, strict=True))
        )


def deviation(step: Step) -> float:
    """Of the noise that DDPM adds in a step: eta 1 in DDIM's terms (Song et al. 2021, equation 16), written with the
    shares of picture and noise so that it holds on straight schedules too."""
    if step.noise_cleaner == 0:
        return 0.0
    held = step.signal * step.noise_cleaner / (step.signal_cleaner * step.noise)
    return step.noise_cleaner * sqrt(max(0.0, 1 - held**2))


def posterior_mean(solver: DDIM, x: torch.Tensor, output: torch.Tensor, step: Step) -> torch.Tensor:
    """Where DDPM's step leads before it adds noise; x and output (T, C, h, w) at the step's noisy end."""
    picture, noise = solver.parts(x, output, step)
    left = sqrt(max(0.0, step.noise_cleaner**2 - deviation(step) ** 2))
    return step.signal_cleaner * picture + left * noise


def level_noise(shape: Sequence[int], path: Trajectory) -> list[torch.Tensor]:
    """Standard normal noise (1, *shape) for each step's noisy end, independent of that of other levels.

    It is the same for all frames, so that nothing flickers that the source does not, and depends on the step's place
    before the clean end alone: neither on what is sampled together nor on the strength.
    """
    return [frame_noise(shape, seed=_LEVELS + len(path.steps) - step.index, frames=[0]) for step in path.steps]


def noised_levels(clean: torch.Tensor, noise: Sequence[torch.Tensor], path: Trajectory) -> list[torch.Tensor]:
    """The source (T, C, h, w), and what stands at the noisy end of each step, the cleanest first."""
    return [clean, *(noised(clean, noise[step.index].to(clean), step) for step in reversed(path.steps))]


def noise_maps(denoise: Denoise, levels: Sequence[torch.Tensor], path: Trajectory) -> Iterator[torch.Tensor]:
    """What each step has to add, from the clean end on; one evaluation each, and none depends on another.

    Args:
        denoise: bound to the conditioning that describes the source, without guidance.
        levels: from `noised_levels`.
        path: the trajectory that will be sampled.

    Raises:
        ModelError: as `stochastic`.
    """
    solver = stochastic(path)
    for cleaner, noisy, step in zip(levels, levels[1:], reversed(path.steps), strict=False):
        yield cleaner - posterior_mean(solver, noisy, denoise(noisy, step), step)


def stochastic(path: Trajectory) -> DDIM:
    """The solver of a trajectory that can be sampled with noise. Raises ModelError for any other."""
    if not isinstance(path.solver, DDIM):
        raise ModelError(
            f"inversion ddpm does not go with the solver {path.solver.name}", remedy="take the inversion fixed-point"
        )
    return path.solver


def turned_noise(noise: torch.Tensor, seed: int, count: int) -> list[torch.Tensor]:
    """Noise for several levels from that of one, as the scene carries it: in each level it is turned in its channels.

    A turn of white noise is white noise in the same places, so it goes on moving as the scene moves; turned by
    matrices that are drawn, the levels do not add up to anything, however many there are; those of few steps
    (`vedit.diffusion.few_steps.turned`) would.

    Args:
        noise: standard normal (T, C, h, w).
        seed: keys the matrices.
        count: of levels.

    Returns:
        `count` times standard normal (T, C, h, w).
    """
    channels = noise.shape[1]
    found: list[torch.Tensor] = []
    for level in range(count):
        generator = torch.Generator().manual_seed(frame_seed(seed ^ _TURN, level))
        matrix, scale = torch.linalg.qr(torch.randn(channels, channels, generator=generator))
        # With the signs of the other factor the matrices are drawn evenly (Mezzadri 2007).
        turn = matrix * scale.diagonal().sign()
        found.append(torch.einsum("dc,tchw->tdhw", turn.to(noise), noise))
    return found
