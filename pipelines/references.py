"""The pictures that a look takes after: read beside its prompts, or, by a model that cannot, their palette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from vedit.diffusion.palette import Palette, palette
from vedit.geometry import pad, resize, working_fit
from vedit.media.reading.still import read_still

if TYPE_CHECKING:
    from pathlib import Path

    from vedit.models.family import Model
    from vedit.options.request import RestyleOptions
    from vedit.types import PromptEmbeds


def seeing(
    model: Model, options: RestyleOptions, prompts: Sequence[PromptEmbeds], negatives: Sequence[PromptEmbeds]
) -> tuple[list[PromptEmbeds], list[PromptEmbeds]]:
    """Prompts and negative ones with what the network reads of a look's references beside each of them.

    Raises:
        ModelError: what reads them is damaged.
        MediaError: one cannot be read.
    """
    read = model.adapters.pictures
    shown, hidden = read(options) if read is not None and options.references else ({}, {})
    return (
        [replace(one, others={**one.others, **shown}) for one in prompts],
        [replace(one, others={**one.others, **hidden}) for one in negatives],
    )


def palette_of(model: Model, options: RestyleOptions) -> Palette | None:
    """The palette of a look's references; None where it has none, or the model reads them itself.

    Raises:
        InputError: one is no still picture.
        MediaError: one cannot be read.
    """
    counted = [spec for spec in options.references if spec.weight > 0]
    if not counted or model.adapters.pictures is not None:
        return None
    side = model.traits.quality(options).short_side
    pictures = [(*_encoded(model, spec.path, side), spec.weight) for spec in counted]
    return palette(pictures, model.codec.factors.cell)


def _encoded(model: Model, path: Path, short_side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A picture's latents (1, C, h, w), itself (1, 3, H, W) and its opacity (1, 1, H, W), at the model's size."""
    still, traits = read_still(path), model.traits
    place = working_fit(
        still.picture.shape[:2],
        short_side=short_side,
        multiple_of=traits.size_multiple,
        minimum=traits.minimum_side,
    )
    picture, opacity = (
        pad(torch.from_numpy(resize(plane, place.inner)).permute(2, 0, 1)[None].clamp(0, 1), place)
        for plane in (still.picture, still.opacity)
    )
    return model.codec.encode(picture.to(model.device)).cpu(), picture, opacity
