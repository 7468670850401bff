"""How a few-step model or LoRA is to be sampled: told from its files, and held against what a look says.

A distilled model draws in a few evaluations what its teacher draws in dozens, but only in its own way: with its solver,
at its timesteps, and with a guidance that mostly is in it already. A regime is that way (`vedit.registry.regimes`).
Importing this does not import torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vedit.errors import InputError, ModelError
from vedit.models.brought import here
from vedit.models.configs import read_json
from vedit.models.headers import SUFFIX, read_header
from vedit.models.listed import CALLED, local_place
from vedit.registry.catalogue import ListedModel, catalogue
from vedit.registry.regimes import ORDINARY, Regime, regime_hinted, regime_of_name, regimes
from vedit.weights.hub_cache import cached
from vedit.weights.store import own_folders

if TYPE_CHECKING:
    from vedit.options.request import Quality, RestyleOptions

_TITLES = ("modelspec.title", "ss_output_name")
"""Metadata of safetensors files in which trainers say what they have made."""
_UNTOLD = "pytorch_lora_weights", "diffusion_pytorch_model", "model", "lora", "adapter_model"
"""Names of files that say nothing of what is in them."""


def regime_of_model(base: Path | None) -> Regime | None:
    """The regime of a model by its folder or file; None where it is sampled as any other.

    Raises:
        ModelError: a config is damaged, or it is named as one of a number of steps that vedit does not sample.
    """
    if base is None or not base.exists():
        return None
    if not base.is_dir():
        return _by_name(base)
    if _config(base / "unet" / "config.json").get("time_cond_proj_dim") is not None:
        return replace(regimes()["lcm-full"], why="its UNet takes the guidance as an input")
    return _by_name(base) or _by_scheduler(_config(base / "scheduler" / "scheduler_config.json"))


def acting(options: RestyleOptions, own: Regime | None) -> Regime | None:
    """The regime that a look is sampled by; None is the model's own trajectory, as of any other.

    Args:
        options: of the look, which may ask for one or for none, or bring a few-step LoRA.
        own: the model's.

    Raises:
        InputError: few-step weights of two kinds meet, or act in a mask.
        ModelError: a LoRA is named as one of a number of steps that vedit does not sample.
    """
    if options.regime == ORDINARY:
        return None
    if options.regime is not None:
        return replace(regimes()[options.regime], why="the look asks for it")
    brought: dict[str, Regime] = {}
    for spec in options.loras:
        found = regime_of_lora(spec.path) if spec.weight else None
        if found is None:
            continue
        if spec.mask is not None:
            raise InputError(
                f"the LoRA {spec.path.name} makes {found.title} of the model, which takes few steps in all of the "
                "picture, not in a mask alone",
                remedy=f"leave its mask out, or say how the look is sampled: --regime {ORDINARY} is as any other",
            )
        brought[found.name] = found
    # A motion adapter and its LoRA are halves of one thing.
    halves = () if own is None else (own.name, own.steps)
    met = [*([own] if own is not None else []), *(one for one in brought.values() if (one.name, one.steps) != halves)]
    if len(met) > 1:
        raise InputError(
            f"{' and '.join(f'{one.title} ({one.why})' for one in met)} are sampled each in a way of its own",
            remedy="leave one of them out, or say by which it is sampled: --regime NAME",
        )
    return met[0] if met else None


def regime_of_lora(path: Path, *, part: Literal["lora", "motion"] = "lora") -> Regime | None:
    """The regime of a few-step LoRA, or of a motion adapter, by its names and its metadata; None of any other, and of
    what is not here.

    Raises:
        ModelError: it is named as one of a number of steps that vedit does not sample, or is damaged.
    """
    there = here(path, part)
    return None if there is None else _by_name(there, of=f"the {CALLED[part]} {path.name}")


def hinted(place: Path) -> str | None:
    """A line on a checkpoint that nothing tells a regime of, and whose name speaks of one all the same; None: it does
    not."""
    there = cached(str(place))
    if there is None or not there.exists():
        return None
    for what, text in _names(there):
        name = regime_hinted(text)
        if name is not None:
            return (
                f"the {what} {text} speaks of few steps, and yet it is sampled as any other: add --regime {name} if it "
                "was distilled for them"
            )
    return None


def check_regime(own: Regime | None, options: RestyleOptions, *, model: str) -> None:
    """Raises InputError where a look asks for a regime that the network of a model, of regime `own`, has no input for,
    or for none where it cannot do without."""
    reads = own is not None and own.reads_guidance
    if options.regime is None or (options.regime != ORDINARY and regimes()[options.regime].reads_guidance) == reads:
        return
    raise InputError(
        f"{model} {'takes' if reads else 'does not take'} the guidance as an input, which regime {options.regime} "
        f"{'knows nothing of' if reads else 'is for'}",
        remedy="leave --regime out",
    )


def quality_by(regime: Regime, quality: Quality, options: RestyleOptions) -> Quality:
    """A preset of the family, resolved for a look, with the regime's steps and size where the look says none."""
    side = quality.short_side
    if regime.short_side is not None and options.short_side is None:
        side = min(side, regime.short_side)
    return replace(
        quality, steps=regime.presets[options.quality] if options.steps is None else options.steps, short_side=side
    )


def scale_by(regime: Regime, options: RestyleOptions) -> float:
    """The scale of classifier-free guidance of a look; 1 is none, which others write as 0, too."""
    return 1.0 if regime.reads_guidance else _scale(regime, options)


def guidance_input(regime: Regime, options: RestyleOptions) -> float | None:
    """The scale that the network is given as an input; None where it takes none."""
    return _scale(regime, options) if regime.reads_guidance else None


def settled_by(regime: Regime, options: RestyleOptions) -> RestyleOptions:
    """A look with the start and the strength of the regime where it says none.

    A few-step model begins at the noised source; with a variation, or where its inversion is spoken of, at the inverted
    one. A look that begins at the noise and says nothing else keeps the picture by a part of the strength.
    """
    start = options.start or ("inversion" if _of_inversion(options) else "noise")
    usual = regime.strength if start == "noise" else 1.0
    return replace(options, start=start, strength=usual if options.strength is None else options.strength)


def check_by(regime: Regime, options: RestyleOptions, *, model: str, steps: int) -> None:
    """What a look asks for that few-step weights cannot do.

    Args:
        regime: that acts.
        options: of the look, as they were asked for.
        model: its name, for messages.
        steps: of the sampling, in all.

    Raises:
        InputError: the steps, the guidance or a negative prompt are none for the regime, it does not invert, or the
            strength regenerates nothing.
    """
    called = f"{model} is sampled as {regime.title}"
    # A network with the guidance as an input has no other way.
    otherwise = "" if regime.reads_guidance else f", or sample it as any other model by --regime {ORDINARY}"
    if steps not in regime.steps:
        raise InputError(
            f"{called}, which takes {_listed(regime.steps)} steps, not {steps}",
            remedy=f"leave --steps out or give {_listed(regime.steps)}{otherwise}",
        )
    low, high = regime.guidances
    scale = _scale(regime, options)
    if not low <= scale <= high:
        range_ = "no guidance beside its own" if regime.unguided else f"guidance from {low:g} to {high:g}"
        raise InputError(
            f"{called}, which stands {range_}, not {scale:g}",
            remedy=f"leave --guidance out{otherwise}",
        )
    if options.negative_prompt.strip() and (scale == 1 or regime.reads_guidance):
        more = "" if regime.unguided or regime.reads_guidance else f", give a guidance above 1, at most {high:g}"
        raise InputError(f"{called}, in which a negative prompt does nothing", remedy=f"leave it out{more}")
    _check_start(regime, options, called, steps, otherwise)


def _check_start(regime: Regime, options: RestyleOptions, called: str, steps: int, otherwise: str) -> None:
    found = settled_by(regime, options)
    if found.begins == "inversion" and not regime.inverts:
        asked = " and ".join(_of_inversion(options)) or f"start {found.begins}"
        raise InputError(
            f"{called}, which draws noise at every step and cannot be inverted, as {asked} needs",
            remedy=f"leave {asked} out{otherwise}",
        )
    if found.regenerated > 0 and not regime.taken(steps, found.regenerated):
        raise InputError(
            f"{called}: strength {found.regenerated:g} of {steps} {'step' if steps == 1 else 'steps'} is less than one",
            remedy=f"give a --strength of at least {least_strength(steps):g}, or more --steps",
        )


def least_strength(steps: int) -> float:
    """The least strength, in hundredths, that regenerates one of so many steps."""
    return next(part / 100 for part in range(1, 101) if int(steps * (part / 100)))


def told(regime: Regime, options: RestyleOptions, *, model: str, steps: int) -> str:
    """A line on how a look is sampled, and why.

    Args:
        regime: that acts.
        options: of the look, settled.
        model: its name.
        steps: of the sampling, in all.
    """
    begins = "the noised source" if options.begins == "noise" else "the inverted source"
    taken = regime.taken(steps, options.regenerated)
    return (
        f"{model} is sampled as {regime.title} ({regime.name}), since {regime.why}: {taken} of {steps} steps from "
        f"{begins} at strength {options.regenerated:g}, guidance {_scale(regime, options):g}"
    )


def _scale(regime: Regime, options: RestyleOptions) -> float:
    if options.guidance is None:
        return regime.guidance
    # Where a model has its guidance in it, the field writes 0 for none beside.
    return 1.0 if options.guidance == 0 else options.guidance


def _of_inversion(options: RestyleOptions) -> tuple[str, ...]:
    """What a look says that has a sense for an inverted source alone, in words."""
    said = {
        "variation": bool(options.variation),
        f"inversion {options.inversion}": options.inversion != "fixed-point",
        "inject": options.inject is not None,
        "inversion_steps": options.inversion_steps is not None,
        "fixed_point": options.fixed_point is not None,
        "a control's invert": any(spec.invert is not None for spec in options.controls),
    }
    return tuple(name for name, there in said.items() if there)


def _by_name(place: Path, *, of: str = "the model") -> Regime | None:
    """By its list, by what a file or folder is called, and by what it calls itself."""
    listed = next((one for one in _of_lists(place) if one.regime and _lies_at(one, place)), None)
    if listed is not None:
        return replace(regimes()[listed.regime], why=f"{listed.origin} lists {of} {listed.name} so")
    for what, text in _names(place):
        found = regime_of_name(text)
        if found is None:
            continue
        regime, steps = found
        why = f"the {what} of {of} is {text}"
        if steps is None:
            return replace(regime, why=why)
        if steps not in regime.steps:
            raise ModelError(
                f"{place} is called {text}: {regime.title} of {steps} steps, which vedit does not sample",
                remedy=f"use one of {_listed(regime.steps)} steps",
            )
        return replace(regime, why=why, steps=(steps,), presets=dict.fromkeys(regime.presets, steps))
    return None


def _of_lists(place: Path) -> Iterable[ListedModel]:
    """What may be meant by a place; what lies neither in the hub's cache nor in a model folder is in no list."""
    folders = (Path(*place.parts[:count]) for count in range(1, len(place.parts)))
    pulled = any(part.startswith("models--") for part in place.parts)
    return catalogue().models.values() if pulled or any(folder in own_folders() for folder in folders) else ()


def _lies_at(listed: ListedModel, place: Path) -> bool:
    there = local_place(listed)
    return there is not None and there.resolve() == place.resolve()


def _names(place: Path) -> Iterator[tuple[str, str]]:
    """What is said of a checkpoint by names: (whose name it is, the name)."""
    file = place if place.suffix == SUFFIX and place.is_file() else None
    if file is not None:
        metadata = read_header(file).metadata
        yield from ((f"{key} in the metadata", metadata[key]) for key in _TITLES if metadata.get(key))
        if file.stem not in _UNTOLD:
            yield "name", file.stem
    folder = place if file is None else place.parent
    repository = next((part for part in folder.parts if part.startswith("models--")), "")
    if repository:
        yield "repository", repository.rsplit("--", 1)[-1]
    elif file is None or file.stem in _UNTOLD:
        yield "folder", folder.name
    for part in ("model_index.json", "unet/config.json"):
        said = _config(folder / part).get("_name_or_path") if file is None else None
        if isinstance(said, str) and said:
            yield f"origin in {part}", said.rstrip("/").rsplit("/", 1)[-1]


def _by_scheduler(config: Mapping[str, Any]) -> Regime | None:
    """By the scheduler that a folder asks for."""
    name = str(config.get("_class_name", ""))
    known = {"LCMScheduler": "lcm", "TCDScheduler": "tcd"}
    if name in known:
        return replace(regimes()[known[name]], why=f"its scheduler is {name}")
    trailing = config.get("timestep_spacing") == "trailing" and not config.get("rescale_betas_zero_snr")
    # As SD-Turbo's: Euler from the noisiest step on. Models of v are trained so to reach it, distilled or not.
    if trailing and name.startswith("Euler") and config.get("prediction_type", "epsilon") == "epsilon":
        return replace(regimes()["turbo"], why=f"its scheduler is {name} with trailing steps")
    return None


def _config(file: Path) -> Mapping[str, Any]:
    return read_json(file) if file.is_file() else {}


def _listed(numbers: tuple[int, ...]) -> str:
    if len(numbers) > 2 and list(numbers) == list(range(numbers[0], numbers[-1] + 1)):
        return f"{numbers[0]} to {numbers[-1]}"
    return " or ".join(map(str, numbers))
