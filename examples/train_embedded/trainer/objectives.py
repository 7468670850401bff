"""What the UNet is trained to say of a noisy latent, and how a picture is sampled from what it says.

Every objective here mixes x_t = a_t x_0 + s_t noise; they differ in a and s, in the mixture of x_0 and noise that is
asked for, and in how much each level counts. One step of the sampler takes the x_0 and the noise that the output stands
for and mixes them anew at the next level: that is DDIM without added noise (Song et al. 2021, equation 12) for epsilon
and v, and a step of Euler's method for flow matching.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from trainer.form import new_scheduler

Kind = Literal["epsilon", "v", "flow"]
Level = int | Tensor
"""A timestep, 0 (clean) to 999, or one for each latent, (N,)."""

MIN_SNR_GAMMA = 5.0
HALF_MIN_SNR = "v, half min-SNR weights"
OBJECTIVES = ("v", "epsilon", "flow", "v, zero terminal SNR", "v, min-SNR weights", HALF_MIN_SNR)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """A noise schedule, what is predicted on it, and what each level weighs in the loss.

    Attributes:
        kind: what is predicted.
        signal: a_t of each of the T timesteps, (T,).
        spread: s_t, (T,).
        weight: of the squared error at each timestep, (T,).
    """

    kind: Kind
    signal: Tensor
    spread: Tensor
    weight: Tensor

    def to(self, device: torch.device) -> "Objective":
        """With its tables on the device."""
        tables = {name: getattr(self, name).to(device) for name in ("signal", "spread", "weight")}
        return replace(self, **tables)

    def noised(self, clean: Tensor, noise: Tensor, timestep: Level) -> Tensor:
        """x_t (N, C, h, w)."""
        signal, spread = self._levels(timestep)
        return signal * clean + spread * noise

    def wanted(self, clean: Tensor, noise: Tensor, timestep: Level) -> Tensor:
        """What the network is to say: epsilon (Ho et al. 2020, equation 14), v (Salimans & Ho 2022, section 4) or the
        velocity of the straight path (Lipman et al. 2023, equation 23 with no variance at the clean end)."""
        if self.kind == "epsilon":
            return noise
        if self.kind == "flow":
            return noise - clean
        signal, spread = self._levels(timestep)
        return signal * noise - spread * clean

    def towards(self, noisy: Tensor, clean: Tensor, timestep: Level) -> Tensor:
        """What the network is to say of x_t so that it stands for this x_0, which need not be what is in the noise."""
        signal, spread = self._levels(timestep)
        return self.wanted(clean, (noisy - signal * clean) / spread, timestep)

    def clean(self, noisy: Tensor, output: Tensor, timestep: Level) -> Tensor:
        """The x_0 that an output stands for."""
        signal, spread = self._levels(timestep)
        if self.kind == "epsilon":
            return (noisy - spread * output) / signal
        return noisy - spread * output if self.kind == "flow" else signal * noisy - spread * output

    def noise(self, noisy: Tensor, output: Tensor, timestep: Level) -> Tensor:
        """The noise that an output stands for."""
        if self.kind == "epsilon":
            return output
        signal, spread = self._levels(timestep)
        return noisy + signal * output if self.kind == "flow" else spread * noisy + signal * output

    def step(self, noisy: Tensor, output: Tensor, timestep: int, cleaner: int | None) -> Tensor:
        """x at `timestep` -> x at `cleaner`; None: no noise is left."""
        clean = self.clean(noisy, output, timestep)
        return clean if cleaner is None else self.noised(clean, self.noise(noisy, output, timestep), cleaner)

    def _levels(self, timestep: Level) -> tuple[Tensor, Tensor]:
        return self.signal[timestep].view(-1, 1, 1, 1), self.spread[timestep].view(-1, 1, 1, 1)


def objective_named(name: str) -> Objective:
    """One of `OBJECTIVES`.

    The diffusion ones are on the model's own schedule. `HALF_MIN_SNR` is the mean of equal weights and of min-SNR
    weights of the same mean: the latter draw strokes and tones sooner, but looks that leave little of the source
    (night, bronze, stained glass) are decided where there is most noise, which they all but leave out. Flow matching
    has s_t = (t + 1) / T, so that the last timestep is pure noise.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"no objective {name!r}; there are {', '.join(OBJECTIVES)}")
    alphas: Tensor = new_scheduler().alphas_cumprod
    if name == "flow":
        spread = (torch.arange(len(alphas)) + 1) / len(alphas)
        return Objective(kind="flow", signal=1 - spread, spread=spread, weight=torch.ones_like(spread))
    if name == "v, zero terminal SNR":
        alphas = with_zero_terminal_snr(alphas)
    weight = min_snr_weight(alphas) if name in ("v, min-SNR weights", HALF_MIN_SNR) else torch.ones_like(alphas)
    if name == HALF_MIN_SNR:
        weight = (1 + weight / weight.mean()) / 2
    kind: Kind = "epsilon" if name == "epsilon" else "v"
    return Objective(kind=kind, signal=alphas.sqrt(), spread=(1 - alphas).sqrt(), weight=weight)


def with_zero_terminal_snr(alphas: Tensor) -> Tensor:
    """alphas_cumprod (T,) whose last level is pure noise and whose first is kept.

    Lin et al. 2024, "Common Diffusion Noise Schedules and Sample Steps are Flawed", algorithm 1: the square roots are
    shifted and scaled.
    """
    roots = alphas.sqrt()
    return ((roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])).square()


def min_snr_weight(alphas: Tensor, gamma: float = MIN_SNR_GAMMA) -> Tensor:
    """Weights (T,) of the error in v: min(SNR, gamma) / (SNR + 1).

    Hang et al. 2023, "Efficient Diffusion Training via Min-SNR Weighting Strategy": min(SNR, gamma) of the error in
    x_0, which is 1 / (SNR + 1) of the error in v. Written with SNR + 1 = 1 / (1 - alpha), which holds where
    the SNR is 0 too.
    """
    return torch.minimum(alphas, gamma * (1 - alphas))


def trailing(steps: int, total: int = 1000) -> tuple[int, ...]:
    """Timesteps of a sampling, the first of them the noisiest there is (Lin et al. 2024, section 3.3)."""
    return tuple(round(total * (steps - i) / steps) - 1 for i in range(steps))


def sample(
    objective: Objective, network: Callable[[Tensor, int], Tensor], noise: Tensor, timesteps: Sequence[int]
) -> Tensor:
    """Latents (N, C, h, w) from pure noise of that shape.

    Args:
        objective: what the network was trained on, its tables on the device.
        network: (x, timestep) -> output, all of x's shape.
        noise: of unit variance.
        timesteps: falling, the noisiest first.
    """
    x = noise
    for timestep, cleaner in zip(timesteps, [*timesteps[1:], None], strict=True):
        x = objective.step(x, network(x, timestep), timestep, cleaner)
    return x
