"""How a source lies in the model's frame under a look."""

from __future__ import annotations

from vedit.geometry import working_fit
from vedit.models.facts import traits_of
from vedit.options.request import RestyleOptions
from vedit.types import Fit


def fit_of(size: tuple[int, int], options: RestyleOptions, model: str) -> Fit:
    """How a source of a size (width, height) lies in the model's frame under a look."""
    traits = traits_of(model)
    return working_fit(
        (size[1], size[0]),
        short_side=traits.quality(options).short_side,
        multiple_of=traits.size_multiple,
        minimum=traits.minimum_side,
    )
