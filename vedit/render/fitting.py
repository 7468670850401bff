"""How a source lies in the model's frame under a look."""

from __future__ import annotations

from vedit.geometry import working_fit
from vedit.models.facts import size_multiple
from vedit.options.request import RestyleOptions
from vedit.types import Fit

MINIMUM_SIDE = 128


def fit_of(size: tuple[int, int], options: RestyleOptions, model: str) -> Fit:
    """How a source of a size (width, height) lies in the model's frame under a look."""
    return working_fit(
        (size[1], size[0]),
        short_side=options.resolved().short_side,
        multiple_of=size_multiple(model),
        minimum=MINIMUM_SIDE,
    )
