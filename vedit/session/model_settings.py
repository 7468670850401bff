"""Which model renders, and how it is loaded: what a preview takes as its render does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast, get_type_hints

from vedit.checks.arguments import fitted, unknown_argument
from vedit.options.request import AttentionBackend, Offload, Precision, Quantize


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


def in_request(called: str, settings: ModelSettings) -> dict[str, object]:
    """The settings as `vedit.options.request.RenderRequest` has them.

    Args:
        called: what was called with them, for the error.
        settings: as they were given, by whatever names.

    Raises:
        ArgumentError: there is no such setting.
        SettingError: a value is of another type.
    """
    hints = get_type_hints(ModelSettings)
    told: dict[str, object] = {}
    for name, value in settings.items():
        if name not in hints:
            raise unknown_argument(called, name, hints)
        told[name] = fitted(name, value, hints[name])
    if "controlnets" in told:
        told["controlnets"] = tuple((cast("Mapping[str, str] | None", told["controlnets"]) or {}).items())
    return told
