"""The LoRAs and embeddings that looks bring, found by what a user calls them. Does not import torch."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.checks.nearest import VERY_ALIKE, did_you_mean
from vedit.errors import ModelError
from vedit.models.listed import CALLED, place_of
from vedit.registry.catalogue import catalogue
from vedit.weights.hub_cache import hub_place, on_disk

if TYPE_CHECKING:
    from vedit.options.embeddings import EmbeddingSpec
    from vedit.options.request import RestyleOptions
    from vedit.registry.catalogue import ListedPart

_SNAPSHOT = re.compile(r"(?:^|/)models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/(?P<commit>[^/]+)/(?P<file>.+)$")


def here(path: Path, part: ListedPart) -> Path | None:
    """Where something is on this machine: a file or a folder that is there, one of the model folders by its name, a
    listed name, or an id of the hub; None where it is not here.

    What lay in the hub's cache of another machine, as records of renders name it, is looked for in the cache of this
    one, under the same commit.

    Raises:
        ModelError: the name is of something else.
    """
    try:
        if path.exists():
            return path
    except (OSError, ValueError):  # no name of a file
        return None
    place = _place(path, part)
    found = None if place is None else Path(on_disk(place))
    return found if found is not None and found.exists() else None


def found(path: Path, part: ListedPart) -> Path:
    """As `here`. Raises ModelError where it is not on this machine too, with how to get it."""
    there = here(path, part)
    if there is not None:
        return there
    place = _place(path, part)
    pulled = "" if place is None else f", or fetch it with: vedit models pull {_pulled_as(path, place)}"
    names = [one.name for one in catalogue().models.values() if one.part == part]
    near = "" if place is not None else did_you_mean(path.as_posix(), names, cutoff=VERY_ALIKE)
    raise ModelError(f"the {CALLED[part]} {path} is not on this machine", remedy=near or f"check the path{pulled}")


def with_embedding_files(options: RestyleOptions) -> RestyleOptions:
    """A look whose embeddings are named by their files; the words that stand for them stay. Raises ModelError."""
    if all(one.path.exists() for one in options.embeddings):
        return options
    return replace(options, embeddings=tuple(map(_named_by_file, options.embeddings)))


def _named_by_file(spec: EmbeddingSpec) -> EmbeddingSpec:
    path = found(spec.path, "embedding")
    return spec if path == spec.path else replace(spec, path=path, token=spec.word)


def _place(path: Path, part: ListedPart) -> str | None:
    """What a path that is not there stands for: a path or a place on the hub; None for nothing."""
    text = path.as_posix()
    kept = _SNAPSHOT.search(text)
    if kept is not None:
        place = f"{kept['owner']}/{kept['name']}@{kept['commit']}/{kept['file']}"
        return place if hub_place(place) is not None else None
    return place_of(text, part) or (text if hub_place(text) is not None else None)


def _pulled_as(path: Path, place: str) -> str:
    """What `vedit models pull` calls it."""
    text = path.as_posix()
    return place if _SNAPSHOT.search(text) else text
