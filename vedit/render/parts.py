"""The parts of a render that a look names and that plug-ins may bring: pipeline, attention method, upscaler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from vedit.errors import InputError
from vedit.finishing.upsample import load_upscaler
from vedit.models.attention import load_attention
from vedit.options.adapting import Adapting
from vedit.options.request import RestyleOptions
from vedit.pipelines.pipeline import load_pipeline
from vedit.registry.attention import CROSS_FRAME, attention_methods
from vedit.registry.pipelines import pipelines
from vedit.registry.regimes import ORDINARY
from vedit.registry.upscalers import upscalers
from vedit.render.conditioning import hashed

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef

_LISTED = {"pipeline": pipelines, "attention": attention_methods, "upscale": upscalers}
"""Kind of a part, as options name it -> what lists it."""
_LATER = ("pipeline", "attention", "inversion", "inject", *(one.name for one in fields(Adapting)))
"""Settings that came after results were known again by all of them."""
_ONCE = {"attention": CROSS_FRAME}
"""What such a setting was before the model had a say in it: a look that says so, or is settled so, is what it was."""
_ONCE_ALWAYS = {"start": "inversion", "strength": 1.0}
"""What settings were that say nothing today, where the model has a say in them."""


def check_parts(options: RestyleOptions) -> None:
    """Raises InputError where a part that a look names cannot be loaded, is none of its kind, or has no use for what
    the look says of the inversion."""
    inverts = load_pipeline(options.pipeline).inverts
    load_attention(options.attention_method)
    load_upscaler(options.upscale)
    usual = RestyleOptions()
    for name in ("inversion", "inject"):
        if not inverts and getattr(options, name) != getattr(usual, name):
            raise InputError(
                f"the pipeline {options.pipeline} inverts nothing, so {name} {getattr(options, name)} is not for it",
                remedy=f"leave {name} out, or take another pipeline",
            )
    inverting = next((spec.kind for spec in options.controls if spec.invert is not None), None)
    if not inverts and inverting is not None:
        raise InputError(
            f"the pipeline {options.pipeline} inverts nothing, so the invert of the control {inverting} is not for it",
            remedy="leave the invert out, or take another pipeline",
        )


def check_few_steps(look: RestyleOptions, model: ModelRef) -> None:
    """Raises InputError where a look of a few-step model has a pipeline that samples all models alike."""
    regime = model.traits.regime_of(look)
    if regime is not None and not load_pipeline(look.pipeline).few_steps:
        raise InputError(
            f"the pipeline {look.pipeline} does not sample {regime.title}, as {model.name} is",
            remedy=f"leave --pipeline out, or sample it as any other model by --regime {ORDINARY}",
        )


def check_brought(look: RestyleOptions) -> None:
    """Raises InputError where a look brings what its pipeline would leave out in silence."""
    if look.brought and not load_pipeline(look.pipeline).enters_adapters:
        named = ", ".join(name.replace("_", " ") for name in look.brought)
        raise InputError(
            f"the pipeline {look.pipeline} takes no {named}", remedy="leave them out, or leave --pipeline out"
        )


def plugged_parts(options: RestyleOptions) -> dict[str, object]:
    """The parts of a look that plug-ins bring, as a record has them: by kind, with distribution and version."""
    named = {"pipeline": options.pipeline, "attention": options.attention_method, "upscale": options.upscale}
    found = {kind: _LISTED[kind]()[name] for kind, name in named.items()}
    return {kind: entry.facts for kind, entry in found.items() if entry.facts is not None}


@dataclass(frozen=True, kw_only=True)
class PluggedPart:
    """A part of a plug-in, as a record has it."""

    kind: str
    name: str
    origin: str
    """The distribution that brought it."""
    version: str | None

    @property
    def brought_by(self) -> str:
        """The distribution with its version."""
        return f"{self.origin} {self.version or 'of an unknown version'}"

    @property
    def here(self) -> PluggedPart | None:
        """The part of this name that is installed now; None where there is none."""
        listing = _LISTED[self.kind]()
        if self.name not in listing:
            return None
        entry = listing[self.name]
        return replace(self, origin=entry.origin, version=entry.version)


def recorded_parts(recipe: Mapping[str, Any]) -> tuple[PluggedPart, ...]:
    """The plug-ins' parts that a recipe names, for all shots or for some.

    Raises:
        LookupError, TypeError, AttributeError: it is no recipe as vedit records it.
    """
    told = [
        PluggedPart(kind=kind, name=facts["name"], origin=facts["of"], version=facts["version"])
        for settings in (recipe, *recipe.get("looks", ()))
        for kind, facts in settings.get("plug-ins", {}).items()
        if kind in _LISTED
    ]
    return tuple(dict.fromkeys(told))


def upscaler_facts(options: RestyleOptions) -> object:
    """What decides finished frames of how they are brought to full size: of vedit's own upscalers the name."""
    return upscalers()[options.upscale].facts or options.upscale


def options_facts(options: RestyleOptions, told: Callable[[object], Any] = hashed) -> dict[str, Any]:
    """Options as a finished result is known again by them: with the plug-ins that they name, and without the settings
    that came later where these are left alone, so that what was made before is known still.

    Args:
        options: of a look.
        told: what makes plain values of them, `hashed` or `plain` of `vedit.render.conditioning`.
    """
    facts: dict[str, Any] = told(options)
    usual = {one.name: (one.default, _ONCE.get(one.name, one.default)) for one in fields(options)}
    parts = plugged_parts(options)
    kept = {key: value for key, value in facts.items() if key not in _LATER or getattr(options, key) not in usual[key]}
    # Said outright such a value may be another than the model's own, and is no longer what older versions meant.
    said = [key for key, value in _ONCE_ALWAYS.items() if getattr(options, key) == value]
    kept |= {key: told(value) for key, value in _ONCE_ALWAYS.items() if getattr(options, key) is None}
    return {**kept, **({"plug-ins": parts} if parts else {}), **({"said": said} if said else {})}
