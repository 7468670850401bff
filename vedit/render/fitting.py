"""How a source lies in the model's frame under a look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.geometry import working_fit
from vedit.options.request import RestyleOptions
from vedit.types import Fit

if TYPE_CHECKING:
    from vedit.models.family import Traits


def fit_of(size: tuple[int, int], options: RestyleOptions, traits: Traits) -> Fit:
    """How a source of a size (width, height) lies in the frame of a model of some traits under a look."""
    return working_fit(
        (size[1], size[0]),
        short_side=traits.quality(options).short_side,
        multiple_of=traits.size_multiple,
        minimum=traits.minimum_side,
    )
