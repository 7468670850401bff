"""The parts of a render that a look names and that plug-ins may bring: pipeline, attention method, upscaler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.finishing.upsample import load_upscaler
from vedit.models.attention import load_attention
from vedit.pipelines.pipeline import load_pipeline
from vedit.registry.attention import attention_methods
from vedit.registry.pipelines import pipelines
from vedit.registry.upscalers import upscalers

if TYPE_CHECKING:
    from vedit.options.request import RestyleOptions


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
