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
_ADDED = ("motion_adapter", "ip_adapter", "image_encoder", "unet")
"""Of a `ModelSource`, what may stand beside the model and its branches."""
_TABLES = ("weights", "stored")


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
    added = {name: getattr(source, name) for name in _ADDED if getattr(source, name) is not None}
    places = [source.base, *used.values(), *added.values(), *_encoder_near(source)]
    key = key_of(places, footprint=asdict(scene), parts=[*used, *added], kinds=sorted(kinds))
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
        held = [size for table in _TABLES for size in cast("Mapping[str, int]", getattr(found, table)).values()]
        held += [found.reader, found.reader_stored, *(one.peak for one in passes.values())]
        rates = [getattr(one.work, field.name) for one in passes.values() for field in fields(Work)]
    except (KeyError, TypeError, AttributeError):
        return None
    whole = all(type(size) is int and size >= 0 for size in held) and isinstance(values["precision"], str)
    return found if whole and all(isinstance(rate, float | int) and 0 <= rate < math.inf for rate in rates) else None


def _encoder_near(source: ModelSource) -> tuple[str, ...]:
    """The image encoder of an IP-Adapter that is not named, where both models are on this machine."""
    base = cached(source.base)
    adapter = None if source.ip_adapter is None else cached(source.ip_adapter)
    if base is None or adapter is None or source.image_encoder is not None:
        return ()
    return (str(check_ip_adapter(Path(adapter), None, base)),)
