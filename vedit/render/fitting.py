"""How a source lies in the model's frame under a look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vedit.geometry import working_fit
from vedit.options.request import RestyleOptions
from vedit.types import Fit

if TYPE_CHECKING:
    from vedit.models.family import Traits

PAINTED_SIDE = 480
"""Pixels of the shorter side at which paintings are carried where no model draws: its own size is no matter then."""


def fit_of(size: tuple[int, int], options: RestyleOptions, traits: Traits) -> Fit:
    """How a source of a size (width, height) lies in the frame of a model of some traits under a look."""
    if options.only_painted:
        return painted_fit(size, options.short_side)
    return working_fit(
        (size[1], size[0]),
        short_side=traits.quality(options).short_side,
        multiple_of=traits.size_multiple,
        minimum=traits.minimum_side,
    )


def painted_fit(size: tuple[int, int], short_side: int | None = None) -> Fit:
    """How a source of a size (width, height) lies at the size at which paintings are carried without a model."""
    side = PAINTED_SIDE if short_side is None else short_side
    return working_fit((size[1], size[0]), short_side=side, multiple_of=1)


def carried_fit(model: Fit) -> Fit:
    """How a source lies at the size at which paintings are carried beside what a model draws, whose own may be less: a
    stroke would be sharp in its frame alone."""
    finer = painted_fit((model.source[1], model.source[0]))
    return finer if min(finer.inner) > min(model.inner) else model
