"""Which family a model is of: the first that claims its folder or file, those of plug-ins before vedit's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vedit.embedded import FOLDER as EMBEDDED
from vedit.registry.families import OWN, families
from vedit.weights.hub_cache import cached

if TYPE_CHECKING:
    from vedit.models.family import Family
    from vedit.models.source import ModelSource


def family_of(source: ModelSource) -> Family:
    """The family of a model; vedit's own where no other claims it, or where it is not on this machine.

    Raises:
        InputError: a plug-in cannot be loaded.
    """
    base = cached(source.base)
    return families()[OWN].load() if base is None else family_at(base)


def family_at(base: Path) -> Family:
    """The family of a folder or file; see `family_of`."""
    if base != EMBEDDED:
        for entry in families():
            if entry.name != OWN and (family := entry.load()).matches(base):
                return family
    return families()[OWN].load()


def is_own(base: Path) -> bool:
    """Whether no plug-in's family claims a folder or file."""
    return family_at(base).name == OWN
