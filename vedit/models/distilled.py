"""The fast tiers: what a model's folder says of its few-step weights, without loading them or torch.

A folder `fast/` in a model's holds a low-rank change of the UNet (`vedit.models.lora`) and `fast.json`, which says how
it is to be used; a folder `drawn/` the same for the looks that its `fast.json` names, which a critic has taught
(`examples/train_embedded/adversarial.py`). With the change one evaluation a step lands where a guided step of a finer
trajectory would (Meng et al. 2023, guidance distillation; Salimans & Ho 2022, progressive distillation).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vedit.errors import ModelError
from vedit.models.configs import read_json
from vedit.models.digests import file_digest
from vedit.models.source import TIER_FOLDERS
from vedit.models.words import vocabulary_of
from vedit.options.controls import branch
from vedit.options.request import DEFAULT_CONTROLS, QUALITIES

if TYPE_CHECKING:
    from vedit.options.request import RestyleOptions

WEIGHTS, SETTINGS = "pytorch_lora_weights.safetensors", "fast.json"
SINGLE = (1,)
"""The stops of an inversion in one evaluation: next to the clean picture, and from there to where sampling begins."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The steps of one quality. Timesteps are those of the model's noise schedule, the noisiest first.

    Raises:
        ValueError: timesteps that do not fall, or do not fit each other.
    """

    sampling: tuple[int, ...]
    """Noisy ends of the sampling's steps; a strength below 1 takes the last of them, as of any other trajectory."""
    inversion: tuple[int, ...]
    """Where the inversion stops on its way to where sampling begins; what is noisier than that is left out."""
    fixed_point: int = 0
    """Evaluations of each step of the inversion, which is solved for as any other (`vedit.diffusion.samplers.invert`);
    0 where it leaps (`vedit.diffusion.distilled.single_pass_inversion`) and evaluates each stop but the last once."""

    def __post_init__(self) -> None:
        if not self.sampling:
            raise ValueError("it has no sampling steps")
        for steps in (self.sampling, self.inversion):
            if any(type(t) is not int or t < 0 for t in steps) or list(steps) != sorted(set(steps), reverse=True):
                raise ValueError(f"timesteps are whole numbers, the noisiest first, not {list(steps)}")
        if type(self.fixed_point) is not int or self.fixed_point < 0:
            raise ValueError(f"fixed_point is a whole number of evaluations, not {self.fixed_point!r}")
        if not self.inversion or self.inversion[0] >= self.sampling[0]:
            raise ValueError("the inversion begins below the first sampling step")
        if not self.fixed_point and self.inversion[-1] >= self.sampling[-1]:
            raise ValueError("an inversion that leaps ends below the last sampling step")

    def taken(self, strength: float) -> tuple[int, ...]:
        """The steps that a strength in [0, 1] regenerates. Raises ValueError for any other."""
        if not 0.0 <= strength <= 1.0:
            raise ValueError(f"strength must lie in [0, 1], got {strength:g}")
        count = len(self.sampling)
        return self.sampling[count - min(int(count * strength), count) :]

    def stops(self, strength: float) -> tuple[int, ...]:
        """Where the inversion stops: where `taken` begins, then what is below; empty where nothing is regenerated."""
        return tuple(
            t for first in self.taken(strength)[:1] for t in (first, *(t for t in self.inversion if t < first))
        )

    def evaluations(self, options: RestyleOptions) -> int:
        """Network evaluations a frame."""
        stops = len(self.stops(options.regenerated)) if options.begins == "inversion" else 0
        inverting = self.fixed_point * stops if self.fixed_point else max(stops - 1, 0)
        return inverting + len(self.taken(options.regenerated))


@dataclass(frozen=True, kw_only=True)
class DistilledWeights:
    """How a model's few-step weights are used.

    Raises:
        ValueError: no quality, or one that is unknown; a guidance or a scale that is no number.
    """

    folder: Path
    schedules: Mapping[str, Schedule]
    """By quality: the presets that these weights stand in for."""
    guidance: float
    """The scale of classifier-free guidance that is in the weights: sampling adds none."""
    unet: str
    """The weights that the change is of, as `unet_digest` tells them: with others it is noise."""
    controls: tuple[str, ...] = tuple(spec.kind for spec in DEFAULT_CONTROLS)
    """The control branches that were active in all of the distillation: without one of them few steps end in mush."""
    scale: float = 1.0
    """What the low-rank change is multiplied by."""
    looks: tuple[str, ...] = ()
    """The looks, by their names in looks.json, that it serves where a prompt names one of them alone; none: it serves
    every prompt."""
    single_pass: tuple[str, ...] = ()
    """The looks whose source is inverted in one evaluation, whatever the schedule says, where a prompt names one of
    them alone: what a finer inversion keeps of the photograph stands in the way of their strokes."""

    def __post_init__(self) -> None:
        if not self.schedules or not set(self.schedules) <= set(QUALITIES):
            raise ValueError(f"it serves {', '.join(self.schedules) or 'nothing'}, of {', '.join(QUALITIES)}")
        if not (isfinite(self.guidance) and isfinite(self.scale)):
            raise ValueError("guidance and scale are finite numbers")
        if type(self.unet) is not str or not self.unet:
            raise ValueError("it does not say of which UNet it is")

    @property
    def weights(self) -> Path:
        """The file with the change."""
        return self.folder / WEIGHTS

    @property
    def text(self) -> str:
        """What `fast.json` says."""
        said = {
            "schedules": {
                quality: asdict(self.schedules[quality]) for quality in QUALITIES if quality in self.schedules
            },
            **{key: getattr(self, key) for key in ("guidance", "scale", "unet")},
            "controls": list(self.controls),
            **{key: list(names) for key in ("looks", "single_pass") if (names := getattr(self, key))},
        }
        return json.dumps(said, indent=1) + "\n"

    @property
    def noisiest(self) -> int:
        """The noisiest timestep of all."""
        return max(schedule.sampling[0] for schedule in self.schedules.values())

    def schedule(self, options: RestyleOptions) -> Schedule | None:
        """The steps of what is asked for; None where the weights were not distilled for it."""
        return self.steps_of(options) if self.draws(options) and not self.beyond(options) else None

    def steps_of(self, options: RestyleOptions) -> Schedule | None:
        """The steps of a quality and a look, whether or not all else that is asked for fits; None without any."""
        found = self.schedules.get(options.quality)
        if found is None or not self._names_alone(options.prompt, self.single_pass):
            return found
        return replace(found, inversion=SINGLE, fixed_point=0)

    def draws(self, options: RestyleOptions) -> bool:
        """Whether the prompt's look is one that it serves."""
        return not self.looks or self._names_alone(options.prompt, self.looks)

    def _names_alone(self, prompt: str, looks: tuple[str, ...]) -> bool:
        known = vocabulary_of(self.folder.parent) if looks else None
        named = None if known is None else known.named_alone(prompt)
        return named is not None and named.name in looks

    def beyond(self, options: RestyleOptions) -> tuple[str, ...]:
        """What is asked for, beside the quality, that the weights were not distilled for, in words.

        A negative prompt and regions need the unguided half of a step, another guidance would need other weights, and
        steps that are given count the model's own trajectory. A control that acts in a part of the picture or of the
        sampling alone is absent from the rest.
        """
        held = {
            branch(spec.kind)
            for spec in options.controls
            if spec.scale > 0 and spec.mask is None and spec.invert is None and (spec.start, spec.end) == (0.0, 1.0)
        }
        asked = {
            "steps": options.steps is not None,
            "inversion_steps": options.inversion_steps is not None,
            "fixed_point": options.fixed_point is not None,
            f"inversion {options.inversion}": options.inversion != "fixed-point",
            "injection": options.inject is not None,
            f"guidance other than {self.guidance:g}": options.guidance not in (None, self.guidance),
            "a negative prompt": bool(options.negative_prompt.strip()),
            "regions": bool(options.regions),
            **{f"no control {kind} over all of picture and sampling": kind not in held for kind in self.controls},
        }
        return tuple(name for name, there in asked.items() if there)


def serving(tiers: Iterable[DistilledWeights], options: RestyleOptions) -> tuple[DistilledWeights, Schedule] | None:
    """The first of some tiers that serves a look, and its steps; None where none does."""
    found = ((tier, tier.schedule(options)) for tier in tiers)
    return next(((tier, schedule) for tier, schedule in found if schedule is not None), None)


def distilled_in(model: Path) -> tuple[DistilledWeights, ...]:
    """The fast tiers in a model's folder, in the order in which they are asked whether they serve a look.

    Raises:
        ModelError: a file of settings is damaged, or a tier was made for other weights than the folder's.
    """
    folders = [model / name for name in TIER_FOLDERS if (model / name / SETTINGS).is_file()]
    if not folders:
        return ()
    tiers, unet = tuple(map(read_distilled, folders)), unet_digest(model)
    for tier in tiers:
        if tier.unet != unet:
            raise ModelError(
                f"{tier.folder} was distilled for another UNet than {model / 'unet'}",
                remedy=f"remove {tier.folder}, or distil again",
            )
    return tiers


def unet_digest(model: Path) -> str:
    """What tells the UNet in a model's folder from others: SHA-256 of its safetensors files, by name, with spaces."""
    return " ".join(file_digest(file) for file in sorted((model / "unet").glob("*.safetensors")))


def read_distilled(folder: Path) -> DistilledWeights:
    """What `fast.json` in `folder` says.

    Raises:
        ModelError: it is no JSON, lacks a key, has one that is unknown, or a value that makes no sense.
    """
    path = folder / SETTINGS
    try:
        said = read_json(path)
        tier = DistilledWeights(
            folder=folder,
            schedules={quality: _schedule(quality, dict(of)) for quality, of in said.pop("schedules").items()},
            guidance=float(said.pop("guidance")),
            unet=said.pop("unet"),
            **{key: _names(key, said.pop(key)) for key in ("controls", "looks", "single_pass") if key in said},
            scale=float(said.pop("scale", 1.0)),
        )
        _nothing_left(said)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"no key {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise ModelError(
            f"{path} cannot be used: {reason}", remedy=f"fetch the model again, or remove its folder {folder.name}/"
        ) from error
    return tier


def _names(key: str, said: object) -> tuple[str, ...]:
    """A list of names. Raises ValueError for anything else; an empty list of looks would stand for all of them."""
    names = cast("list[object]", said) if isinstance(said, list) else []
    if any(type(name) is not str for name in names) or (not names and (said != [] or key != "controls")):
        raise ValueError(f"{key} is a list of names, not {said!r}")
    return tuple(map(str, names))


def _schedule(quality: str, said: dict[str, Any]) -> Schedule:
    try:
        found = Schedule(
            sampling=tuple(said.pop("sampling")),
            inversion=tuple(said.pop("inversion")),
            fixed_point=said.pop("fixed_point", 0),
        )
        _nothing_left(said)
    except KeyError as error:
        raise ValueError(f"{quality} has no key {error}") from error
    except ValueError as error:
        raise ValueError(f"{quality}: {error}") from error
    return found


def _nothing_left(said: Mapping[str, Any]) -> None:
    if said:
        raise ValueError(f"unknown key {next(iter(said))!r}")


def withdraw_other(tier: DistilledWeights) -> None:
    """Remove a `fast.json` that says anything else, so that the tier's weights may be written: without the file there
    is no tier, and no weights are read under the settings of others."""
    path = tier.folder / SETTINGS
    if path.is_file() and path.read_text("utf-8") != tier.text:
        path.unlink()


def write_settings(tier: DistilledWeights) -> None:
    """Write `fast.json` into the tier's folder, in one step; its weights are there already."""
    part = tier.folder / f"{SETTINGS}.part"
    part.write_text(tier.text, "utf-8")
    part.replace(tier.folder / SETTINGS)
