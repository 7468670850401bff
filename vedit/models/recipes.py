"""How a look is best drawn with a model's weights: what its looks.json says of the look, where nothing else is asked.

A look of looks.json may carry `"recipe": {QUALITY: {KEY: VALUE}}`: for a quality the keys of a plan file's look that
say how sampling begins and goes, `RECIPE` below. It serves a render whose prompt names that look and no other, and
which says none of these itself: then what is measured for the look takes the place of what suits most of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vedit.errors import InputError
from vedit.models.configs import damaged, read_json
from vedit.options.look_parser import look_options
from vedit.options.look_schema import LOOK, check_table
from vedit.options.request import QUALITIES, RestyleOptions
from vedit.registry.pipelines import OWN

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef

RECIPE = ("start", "variation", "inversion_steps", "fixed_point", "steps", "guidance", "controls")
"""The keys of a plan's look that a recipe may set; what is written of any of them in a render leaves the recipe out."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is set for a look at a quality."""

    look: str
    """Its name."""
    options: RestyleOptions
    """With the recipe's keys, and all else as by default."""
    keys: tuple[str, ...]

    def over(self, options: RestyleOptions) -> RestyleOptions:
        """Options of a render with the recipe in them."""
        return replace(options, **{key: getattr(self.options, key) for key in self.keys})

    def acts(self, options: RestyleOptions) -> bool:
        """Whether options say what the recipe sets."""
        return all(getattr(options, key) == getattr(self.options, key) for key in self.keys)

    def __str__(self) -> str:
        said = {key: getattr(self.options, key) for key in self.keys}
        if "controls" in said:
            said["controls"] = " ".join(map(str, said["controls"])) or "none"
        told = (
            f"{key.replace('_', ' ')} {value:g}" if isinstance(value, float) else f"{key.replace('_', ' ')} {value}"
            for key, value in said.items()
        )
        return ", ".join(told)


def by_recipe(options: RestyleOptions, model: ModelRef) -> RestyleOptions:
    """Options with what the model's recipe for their look sets, where there is one and it serves.

    Args:
        options: of a render. They come back with a variation, 0 where none is asked for, so that what is kept of them
            says all: neither once more nor in a later vedit does a recipe serve that was not there.
        model: that draws the look.

    Raises:
        ModelError: the model's looks.json is damaged.
    """
    found = recipe_of(options, model)
    if found is not None and not own_words(options):
        options = found.over(options)
    return replace(options, variation=options.variation or 0.0)


def without_recipe(options: RestyleOptions, model: ModelRef) -> RestyleOptions:
    """Options without what the recipe of their look has set, so that another look or quality is drawn by its own."""
    found = recipe_of(options, model)
    if found is None or not found.acts(options):
        return options
    plain = RestyleOptions()
    return replace(options, **{key: getattr(plain, key) for key in found.keys})


def recipe_notes(asked: Iterable[RestyleOptions], model: ModelRef) -> tuple[str, ...]:
    """What is to be said of recipes, for options as they were asked for: which one serves, or why it does not."""
    notes: dict[str, None] = {}
    for options in asked:
        found, own = recipe_of(options, model), own_words(options)
        if found is None:
            continue
        if own and not found.acts(options):
            notes[f"the recipe of {found.look} ({found}) is left out, because of: {', '.join(own)}"] = None
        else:
            notes[f"{found.look} by its recipe: {found}"] = None
    return tuple(notes)


def own_words(options: RestyleOptions) -> tuple[str, ...]:
    """What a render says itself that a recipe would set or that does not go with one, in words."""
    plain = RestyleOptions()
    said = [key.replace("_", " ") for key in RECIPE if getattr(options, key) != getattr(plain, key)]
    if "start" in said and options.begins == plain.begins:
        said.remove("start")  # as settled looks have it where nothing was said
    # A negative prompt acts through a guidance that a recipe may lack; what is kept are controls.
    other = [
        ("an inversion", options.inversion != plain.inversion),
        ("injection", options.inject is not None),
        ("a negative prompt", options.negative_prompt.strip()),
        ("regions", options.regions),
        ("keep", options.keep),
    ]
    return (*said, *(name for name, there in other if there))


def recipe_of(options: RestyleOptions, model: ModelRef) -> Recipe | None:
    """The recipe of a model for the one look that a prompt names, at its quality; None where there is none, and for a
    plug-in's pipeline, for which nothing was measured.

    Raises:
        ModelError: as `by_recipe`.
    """
    looks = model.looks if options.pipeline in OWN else None
    recipes = {} if looks is None else _recipes(looks, looks.stat().st_mtime_ns)
    known = model.vocabulary if recipes else None
    named = None if known is None else known.named_alone(options.prompt)
    return None if named is None else recipes.get((named.name, options.quality))


@lru_cache(maxsize=8)
def _recipes(path: Path, changed: int) -> Mapping[tuple[str, str], Recipe]:
    """Of a looks.json as it was last changed, by look and quality. Raises ModelError where it is damaged."""
    del changed
    found: dict[tuple[str, str], Recipe] = {}
    try:
        for look in read_json(path).get("looks", []):
            for quality, table in look.get("recipe", {}).items():
                found[look["name"], quality] = _recipe(look["name"], quality, table)
    except (KeyError, TypeError, AttributeError, InputError) as error:
        said = error.message if isinstance(error, InputError) else f"a recipe is no table: {error}"
        raise damaged(path, f"cannot be used: {said}") from error
    return found


class _AsWritten:
    """Files lie where a recipe says."""

    def place(self, file: Path) -> Path:
        return file

    def weights(self, path: Path, _: str) -> Path:
        return path


def _recipe(look: str, quality: str, table: object) -> Recipe:
    if quality not in QUALITIES:
        raise InputError(f"the recipe of {look} is for {quality!r}, of {', '.join(QUALITIES)}")
    where = f"the recipe of {look} for {quality}"
    said: dict[str, Any] = {**check_table(table, {key: LOOK[key] for key in RECIPE}, where), "quality": quality}
    options = look_options(said, files=_AsWritten(), where=where)
    return Recipe(look=look, options=options, keys=tuple(key for key in RECIPE if key in said))
