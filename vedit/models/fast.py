"""The fast tier: what a model's folder says of its few-step weights, without loading them or torch.

A folder `fast/` in a model's holds a low-rank change of the UNet (`vedit.models.lora`) and `fast.json`, which says how
it is to be used. With the change one evaluation a step lands where a guided step of a finer trajectory would (Meng et
al. 2023, guidance distillation; Salimans & Ho 2022, progressive distillation).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedit.errors import ModelError
from vedit.models import resolve

if TYPE_CHECKING:
    from vedit.options import RestyleOptions

FOLDER, WEIGHTS, SETTINGS = "fast", "pytorch_lora_weights.safetensors", "fast.json"
QUALITY = "draft"
"""The preset that stands for the least evaluations."""


@dataclass(frozen=True, kw_only=True)
class FastTier:
    """How a model's few-step weights are used.

    Timesteps are those of the model's noise schedule; a trajectory is the noisy ends of its steps, noisiest first.
    """

    folder: Path
    sampling: tuple[int, ...]
    """Of the whole trajectory; a strength below 1 takes the last of them, as of any other."""
    inversion: tuple[int, ...]
    """Where the network is evaluated on the way to where sampling begins (`vedit.diffusion.few_steps.leap`); what is
    noisier than that is left out."""
    guidance: float
    """The scale of classifier-free guidance that is in the weights: sampling adds none."""
    scale: float = 1.0
    """What the low-rank change is multiplied by."""

    @property
    def weights(self) -> Path:
        """The file with the change."""
        return self.folder / WEIGHTS

    def serves(self, options: RestyleOptions) -> bool:
        """Whether these options ask for a draft, and for nothing that the weights were not distilled for.

        A negative prompt and regions need the unguided half of a step, another guidance would need other weights, and
        steps that are given count the model's own trajectory.
        """
        own_steps = options.steps is not None or options.fixed_point is not None
        guided = options.guidance is not None and options.guidance != self.guidance
        described = bool(options.negative_prompt.strip() or options.regions)
        return options.quality == QUALITY and not (own_steps or guided or described)

    def taken(self, strength: float) -> tuple[int, ...]:
        """The steps that a strength in [0, 1] regenerates."""
        count = len(self.sampling)
        return self.sampling[count - min(int(count * strength), count) :]

    def stops(self, strength: float) -> tuple[int, ...]:
        """Where the inversion stops: where `taken` begins, then what is below; empty where nothing is regenerated."""
        return tuple(
            t for first in self.taken(strength)[:1] for t in (first, *(t for t in self.inversion if t < first))
        )

    def evaluations(self, options: RestyleOptions) -> int:
        """Network evaluations a frame."""
        inverted = self.stops(options.strength)[1:] if options.start == "inversion" else ()
        return len(inverted) + len(self.taken(options.strength))


def fast_tier(name: str) -> FastTier | None:
    """The fast tier of a model, by any name that `vedit.models.resolve` takes; None where it has none.

    Raises:
        ModelError: as `resolve`; or the tier's file of settings is damaged.
    """
    folder = Path(resolve(name).base) / FOLDER
    return read_tier(folder) if (folder / SETTINGS).is_file() else None


def read_tier(folder: Path) -> FastTier:
    """What `fast.json` in `folder` says.

    Raises:
        ModelError: it is no JSON, lacks a key, has one that is unknown, or a value that makes no sense.
    """
    path = folder / SETTINGS
    try:
        said: dict[str, Any] = json.loads(path.read_text("utf-8"))
        tier = FastTier(
            folder=folder,
            sampling=tuple(said.pop("sampling")),
            inversion=tuple(said.pop("inversion")),
            guidance=float(said.pop("guidance")),
            scale=float(said.pop("scale", 1.0)),
        )
        if said:
            raise ValueError(f"unknown key {next(iter(said))!r}")
        if not tier.sampling:
            raise ValueError("it has no sampling steps")
        for steps in (tier.sampling, tier.inversion):
            if any(type(t) is not int or t < 0 for t in steps) or list(steps) != sorted(set(steps), reverse=True):
                raise ValueError(f"timesteps are whole numbers, the noisiest first, not {list(steps)}")
        if not tier.inversion or tier.inversion[0] >= tier.sampling[0] or tier.inversion[-1] >= tier.sampling[-1]:
            raise ValueError("the inversion begins below the last sampling step and ends below the first")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"no key {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise ModelError(
            f"{path} cannot be used: {reason}", remedy=f"fetch the model again, or remove its folder {FOLDER}/"
        ) from error
    return tier


def write_settings(tier: FastTier) -> None:
    """Write `fast.json` into the tier's folder."""
    said = {key: getattr(tier, key) for key in ("sampling", "inversion", "guidance", "scale")}
    (tier.folder / SETTINGS).write_text(json.dumps(said, indent=1) + "\n", "utf-8")
