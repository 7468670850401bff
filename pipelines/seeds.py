"""Whether the seed of a look acts, as its pipeline says, and how it is made to. Does not import torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from vedit.models.recipes import by_recipe
from vedit.pipelines.pipeline import load_pipeline
from vedit.registry.pipelines import OWN

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef
    from vedit.options.request import RestyleOptions

VARIATION = 0.6
"""Of renders that are to differ by their seeds, where neither they nor the look say one."""


def draws(options: RestyleOptions) -> bool:
    """Whether a look's frames depend on its seed, as its pipeline says.

    Args:
        options: with what the model sets: its recipe (`vedit.models.recipes.by_recipe`), its start (`Traits.settled`).

    Raises:
        InputError: the pipeline cannot be loaded.
    """
    # Vedit's own is not loaded for it: a command refuses a seed before torch is there.
    return options.draws if options.pipeline in OWN else load_pipeline(options.pipeline).draws(options)


def drawing(options: RestyleOptions, model: ModelRef) -> RestyleOptions:
    """Options under which the seed acts: as they are, where it does, else with a variation of `VARIATION`.

    Raises:
        InputError: the pipeline cannot be loaded.
        ModelError: the model's looks.json is damaged.
    """
    return options if draws(model.traits.settled(by_recipe(options, model))) else replace(options, variation=VARIATION)
