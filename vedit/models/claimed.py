"""Which family a model is of: the first that claims its folder or file, those of plug-ins before vedit's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vedit.embedded import FOLDER as EMBEDDED
from vedit.errors import ModelError
from vedit.models.motion import check_motion_adapter
from vedit.models.source import DEFAULT
from vedit.registry.families import MOVING, OWN, VEDITS, families
from vedit.weights.hub_cache import cached

if TYPE_CHECKING:
    from vedit.models.family import Family
    from vedit.models.source import ModelSource


def family_at(base: Path | None) -> Family:
    """The family of a folder or file; vedit's own where no other claims it, or where it is not on this machine.

    Raises:
        InputError: a plug-in cannot be loaded.
    """
    if base is not None and base != EMBEDDED:
        for entry in sorted(families(), key=lambda entry: entry.name in VEDITS):
            if entry.name != OWN and (family := entry.load()).matches(base):
                return family
    return families()[OWN].load()


def moving(family: Family, source: ModelSource, *, name: str) -> Family:
    """The family of a model that a motion adapter is given beside.

    Args:
        family: of the model alone.
        source: with the adapter.
        name: of the model, for messages.

    Raises:
        ModelError: it is no adapter, or none for the model.
    """
    base = None if name == DEFAULT else cached(source.base)
    if family.name not in VEDITS or name == DEFAULT:
        raise ModelError(
            f"{name} has no place for a motion adapter", remedy="use a model of Stable Diffusion 1.x, or leave it out"
        )
    adapter = cached(str(source.motion_adapter))
    if adapter is not None:
        check_motion_adapter(adapter, base)
    return families()[MOVING].load()
