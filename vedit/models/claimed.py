"""Which family a model is of: the first that claims its folder or file, those of plug-ins before vedit's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vedit.embedded import FOLDER as EMBEDDED
from vedit.registry.families import OWN, VEDITS, families

if TYPE_CHECKING:
    from vedit.models.family import Family


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
