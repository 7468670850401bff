"""Names of the catalogue and of files in the user's model folders -> where they are. Does not import torch.

Whoever takes the path or hub id of a model, a ControlNet, a LoRA or another adapter asks here what a name stands for.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vedit.errors import ModelError
from vedit.models.kinds import GIVEN_AS
from vedit.models.model_folders import in_model_folders
from vedit.registry.catalogue import ListedModel, ListedPart, catalogue
from vedit.weights.hub_cache import HubPlace, cached

CALLED: dict[ListedPart, str] = {
    "model": "model",
    "controlnet": "ControlNet",
    "lora": "LoRA",
    "ip-adapter": "IP-Adapter",
    "t2i-adapter": "T2I-Adapter",
    "embedding": "embedding",
    "motion": "motion adapter",
}
"""What a name stands for, in messages."""


def place_of(name: str, part: ListedPart) -> str | None:
    """Where what a name stands for is: a path here, or a place on the hub; None where the name is of nothing.

    A path that is there is meant as such, and asked for before this. A model folder's own file of the name comes before
    the hub's.

    Args:
        name: as a user writes it.
        part: what is wanted.

    Raises:
        ModelError: the name is of something else in the catalogue.
        InputError: see `vedit.registry.catalogue.catalogue`.
    """
    found = in_model_folders(name, part)
    if found is not None:
        return str(found.resolve())
    listed = catalogue().models.get(name)
    if listed is None:
        return None
    if listed.part != part:
        taken = GIVEN_AS[listed.part].format(name)
        raise ModelError(f"{name} is {_one(listed.part)}, not {_one(part)}", remedy=f"give it as {taken}")
    return listed.place


def _one(part: ListedPart) -> str:
    return f"{'an' if CALLED[part][0].lower() in 'aeiou' else 'a'} {CALLED[part]}"


def branch_place_of(name: str) -> str | None:
    """`place_of` a ControlNet, or a T2I-Adapter where the name is of one."""
    listed = catalogue().models.get(name)
    return place_of(name, "t2i-adapter" if listed is not None and listed.part == "t2i-adapter" else "controlnet")


def hub_place_of(listed: ListedModel) -> HubPlace:
    """Where a listed model is on the hub."""
    return HubPlace(repo=listed.repo, file=listed.file or None, revision=listed.revision)


def local_place(listed: ListedModel) -> Path | None:
    """Where a listed model is on this machine: in a model folder, or in the hub's cache; None where it is not here, or
    not all of it."""
    found = in_model_folders(listed.name, listed.part)
    if found is not None:
        return found
    place = hub_place_of(listed)
    there = place.cached
    if there is None:
        return None
    folder = replace(place, file=None).cached
    # Of what an interrupted pull has left the small files are there, which come first.
    named = [file for file in listed.fetched if not any(sign in file for sign in "*?[")]
    first = "model_index.json" if listed.part == "model" else "config.json"
    needed = [*named, *([] if listed.file else [first])]
    return there if folder is not None and all((folder / file).is_file() for file in needed) else None


def branches_of(listed: ListedModel) -> dict[str, str]:
    """The ControlNets that a listed model comes with: kind -> where it is."""
    models = catalogue().models
    places = {
        kind: place_of(name, "controlnet") if name in models else name for kind, name in listed.controlnets.items()
    }
    return {kind: place for kind, place in places.items() if place is not None}


def is_here(listed: ListedModel) -> bool:
    """Whether all that a pull fetches is on this machine."""
    models = catalogue().models
    branches = (local_place(models[name]) if name in models else cached(name) for name in listed.controlnets.values())
    return local_place(listed) is not None and all(branch is not None for branch in branches)
