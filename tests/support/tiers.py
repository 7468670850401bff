"""Fast tiers of random weights for the models of `vedit.testing.tiny_sd`, and what they evaluate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import load_file

from vedit.models.distilled import DistilledWeights, Schedule, unet_digest, withdraw_other, write_settings
from vedit.models.load import load_sd
from vedit.models.lora import write_lora
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames

if TYPE_CHECKING:
    from vedit.models.families.sd import SDModel
    from vedit.store.computed import ComputedCache

SAMPLING, INVERSION = (751, 501, 251), (1,)
TEN, STOPS = (901, 811, 721, 631, 541, 451, 361, 271, 181, 81), (671, 451, 251, 81)
SCHEDULES = {
    "draft": Schedule(sampling=SAMPLING, inversion=INVERSION),
    "standard": Schedule(sampling=TEN, inversion=STOPS, fixed_point=2),
}
DRAFT = RestyleOptions(prompt="night", quality="draft")
STANDARD = replace(DRAFT, quality="standard")
CONV, LINEAR = "conv_in", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"


def random_pairs(folder: Path, *, rank: int = 3, seed: int = 7) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """(A, B) for a convolution and a linear layer of the model's UNet, large enough to be seen."""
    weights = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    generator = torch.Generator().manual_seed(seed)
    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name in (CONV, LINEAR):
        outputs, *inputs = weights[f"{name}.weight"].shape
        down = torch.randn(rank, *inputs, generator=generator) * 0.1
        pairs[name] = (down, torch.randn(outputs, rank, *(1 for _ in inputs[1:]), generator=generator))
    return pairs


def tier_for(folder: Path, **changes: Any) -> DistilledWeights:
    """A tier of the model's own weights with `SCHEDULES`, where `changes` has no others.

    `sampling`, `inversion` and `fixed_point` change the draft's.
    """
    steps = {key: changes.pop(key) for key in ("sampling", "inversion", "fixed_point") if key in changes}
    schedules = SCHEDULES | {"draft": replace(SCHEDULES["draft"], **steps)}
    given: dict[str, Any] = {"schedules": schedules, "guidance": 2.0, **changes}
    return DistilledWeights(folder=folder / "fast", unet=unet_digest(folder), **given)


def write_tier(folder: Path, *, seed: int = 7, **changes: Any) -> DistilledWeights:
    """A tier that is loaded with the model; it takes the place of one that is there."""
    tier = tier_for(folder, **changes)
    withdraw_other(tier)
    write_lora(tier.weights, random_pairs(folder, seed=seed))
    write_settings(tier)
    return tier


class Counting:
    """A denoiser that counts how often it is called, and with what; all else is the one within."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.calls = inner, 0
        self.seen: list[tuple[int, torch.Tensor, list[str]]] = []
        """Of the last `restyled`: timestep, latents and active controls of each call."""

    def __call__(self, x: torch.Tensor, timestep: int, prompt: Any, controls: Any) -> torch.Tensor:
        self.calls += 1
        self.seen.append((timestep, x.clone(), [control.branch for control in controls]))
        return self.inner(x, timestep, prompt, controls)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def counted(folder: Path) -> SDModel:
    found = load_sd(resolve(str(folder)), controls=("tile", "softedge"))
    return replace(found, denoiser=Counting(found.denoiser))  # pyright: ignore[reportArgumentType]


def restyled(
    model: SDModel, options: RestyleOptions, frames: torch.Tensor, kept: ComputedCache | None = None, **guides: Any
) -> tuple[torch.Tensor, int]:
    """Latents, and how often the network was evaluated for them."""
    restyler = prepare(model, options, kept)
    denoiser: Any = model.denoiser
    denoiser.calls = 0
    denoiser.seen.clear()
    steered = replace(own_guides(restyler)((0, 1), frames), **guides)
    return restyle_frames(restyler, frames, (0, 1), steered).data, denoiser.calls


def with_tier(model: SDModel, tier: DistilledWeights) -> SDModel:
    (fast,) = model.fast
    return replace(model, fast=(replace(fast, tier=tier),))


def schedule_of(model: SDModel, options: RestyleOptions) -> Schedule:
    found = model.fast_for(options)
    return found[1] if found is not None else pytest.fail("the tier serves this")
