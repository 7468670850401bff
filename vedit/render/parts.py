"""The parts of a render that a look names and that plug-ins may bring: pipeline, attention method, upscaler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from vedit.finishing.upsample import load_upscaler
from vedit.models.attention import load_attention
from vedit.pipelines.pipeline import load_pipeline
from vedit.registry.attention import attention_methods
from vedit.registry.pipelines import pipelines
from vedit.registry.upscalers import upscalers
from vedit.render.conditioning import hashed

if TYPE_CHECKING:
    from vedit.options.request import RestyleOptions

_LATER = ("pipeline", "attention")
"""Settings that came after results were known again by all of them."""


def check_parts(options: RestyleOptions) -> None:
    """Raises InputError where a part that a look names cannot be loaded, or is none of its kind."""
    load_pipeline(options.pipeline)
    load_attention(options.attention_method)
    load_upscaler(options.upscale)


def plugged_parts(options: RestyleOptions) -> dict[str, object]:
    """The parts of a look that plug-ins bring, as a record has them: by kind, with distribution and version."""
    found = {
        "pipeline": pipelines()[options.pipeline],
        "attention": attention_methods()[options.attention_method],
        "upscale": upscalers()[options.upscale],
    }
    return {kind: entry.facts for kind, entry in found.items() if entry.facts is not None}


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
    usual = {one.name: one.default for one in fields(options)}
    parts = plugged_parts(options)
    kept = {key: value for key, value in facts.items() if key not in _LATER or getattr(options, key) != usual[key]}
    return {**kept, **({"plug-ins": parts} if parts else {})}
