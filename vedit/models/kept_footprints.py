"""Footprints that were found before, so that a second plan runs no network. Importing this does not import torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vedit.models.findings import found_before, keep, key_of
from vedit.models.footprint import Footprint, Pass, Work
from vedit.models.ip_adapters import check_ip_adapter
from vedit.weights.hub_cache import cached

if TYPE_CHECKING:
    from vedit.models.footprint import Scene
    from vedit.models.source import ModelSource

_PASSES = ("encode", "denoise", "decode")


def kept_footprint(
    source: ModelSource, kinds: Collection[str], scene: Scene, find: Callable[[], Footprint | None]
) -> Footprint | None:
    """A model's footprint in a scene: what was found before, else what `find` finds now.

    Args:
        source: where its parts are.
        kinds: of the controls that are used.
        scene: what it works on.
        find: runs the networks; None where nothing is known.

    Raises:
        ModelError: as `find`, or the IP-Adapter has no encoder that fits.
    """
    used = {kind: place for kind, place in sorted(source.controlnets.items()) if kind in kinds}
    places = [source.base, *used.values(), *source.added.values(), *_encoder_near(source)]
    key = key_of(places, footprint=asdict(scene), parts=[*used, *source.added], kinds=sorted(kinds))
    found = footprint_from(found_before(key))
    if found is None:
        found = find()
        if found is not None:
            keep(key, asdict(found))
    return found


def footprint_from(told: object) -> Footprint | None:
    """A footprint as `dataclasses.asdict` tells it, through JSON; None where it is none that can be believed."""
    if not isinstance(told, dict):
        return None
    values = cast("dict[str, Any]", told)
    try:
        passes = {name: Pass(peak=values[name]["peak"], work=Work(**values[name]["work"])) for name in _PASSES}
        found = replace(Footprint(**values), **cast("dict[str, Any]", passes))
    except (KeyError, TypeError):
        return None
    return found if _believed(found) and found.weights.keys() == found.stored.keys() else None


def _believed(told: Footprint | Pass | Work) -> bool:
    """Whether every field holds what its type says, and no size or rate is below none or without end."""
    return all(_CHECKS[str(field.type)](getattr(told, field.name)) for field in fields(told))


def _is_size(value: object) -> bool:
    return type(value) is int and value >= 0


def _are_sizes(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_size, cast("dict[str, object]", value).values()))


def _is_rate(value: object) -> bool:
    return type(value) in (int, float) and 0 <= cast("float", value) < math.inf


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "str": lambda value: isinstance(value, str),
    "int": _is_size,
    "float": _is_rate,
    "Mapping[str, int]": _are_sizes,
    "Pass": _believed,
    "Work": _believed,
}
"""By the types of the fields."""


def _encoder_near(source: ModelSource) -> tuple[str, ...]:
    """The image encoder of an IP-Adapter that is not named, where both models are on this machine."""
    base = cached(source.base)
    adapter = None if source.ip_adapter is None else cached(source.ip_adapter)
    if base is None or adapter is None or source.image_encoder is not None:
        return ()
    return (str(check_ip_adapter(Path(adapter), None, base)),)
