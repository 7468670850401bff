"""Which model renders, and how it is loaded: what a preview takes as its render does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypedDict, TypeVar, cast, get_type_hints

from vedit.options.request import AttentionBackend, Offload, Precision, Quantize, RenderRequest

Call = TypeVar("Call", bound=Callable[..., object])


class ModelSettings(TypedDict, total=False):
    """The settings of a model, by their names in `vedit.Video.render`, which says what they mean; those that are left
    out are as they are there."""

    model: str
    controlnets: Mapping[str, str] | None
    ip_adapter: str | None
    image_encoder: str | None
    motion_adapter: str | None
    unet: str | None
    device: str
    precision: Precision
    quantize: Quantize
    offload: Offload
    attention_backend: AttentionBackend


def takes_model_settings(call: Call) -> Call:
    """The same function, whose `**settings: Unpack[ModelSettings]` stand in its signature each by its name and type, so
    that they are checked and shown as any other argument."""
    hints = get_type_hints(ModelSettings)
    defaults = {field.name: field.default for field in fields(RenderRequest)}
    signature = inspect.signature(call)
    (*own, settings) = signature.parameters.values()
    named = [
        # No control branches are None, as in `Video.render`.
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name] or None, annotation=hint)
        for name, hint in hints.items()
    ]
    changed = cast("Any", call)
    changed.__signature__ = signature.replace(parameters=[*own, *named])
    del changed.__annotations__[settings.name]
    changed.__annotations__ |= hints
    return call


def in_request(settings: ModelSettings) -> dict[str, object]:
    """The settings as `vedit.options.request.RenderRequest` has them."""
    told: dict[str, object] = dict(settings)
    if "controlnets" in settings:
        told["controlnets"] = tuple((settings["controlnets"] or {}).items())
    return told
