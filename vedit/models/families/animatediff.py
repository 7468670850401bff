"""AnimateDiff (Guo et al. 2023) before a model is loaded: a Stable Diffusion 1.x whose UNet sees a clip's frames
together, through the modules of a motion adapter.

Importing this does not import torch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError, ModelError, VeditError
from vedit.models.check import branches_at
from vedit.models.families.stable_diffusion import StableDiffusion
from vedit.models.identify import identify
from vedit.models.kinds import ANIMATEDIFF
from vedit.models.motion import motion_config, motion_place, motion_stored
from vedit.models.regimes import regime_of_lora
from vedit.models.t2i_adapters import is_t2i_adapter
from vedit.registry.families import MOVING

if TYPE_CHECKING:
    from vedit.models.family import Traits
    from vedit.models.sizes import Sizes
    from vedit.models.source import ModelSource


class AnimateDiff(StableDiffusion):
    """See `vedit.models.family.Family`; loaded as any Stable Diffusion, from parts that its files tell."""

    name = MOVING

    def matches(self, base: Path) -> bool:
        """Whether a whole pipeline of it lies there; one from a model and an adapter is made of what is asked for."""
        try:
            kind = identify(base)
        except VeditError:
            return False  # told where it is checked, as of the family that takes what no other does
        return kind.family == ANIMATEDIFF and kind.part == "model"

    def check(self, source: ModelSource, controls: Collection[str], *, fast: bool) -> None:
        """The parts, and the motion adapter.

        Raises:
            ModelError: something is missing or damaged, or a control is read by a T2I-Adapter: diffusers' UNet with
                motion modules has no place for what one adds.
        """
        super().check(source, controls, fast=fast)
        for kind, branch in branches_at(source, controls).items():
            if is_t2i_adapter(branch):
                raise ModelError(
                    f"{branch} is a T2I-Adapter, for which AnimateDiff has no place",
                    remedy=f"give a ControlNet with --controlnet {kind}=PATH, or leave {kind} out of the controls",
                )
        place = motion_place(source.on_disk)
        if place is not None:
            motion_config(place)
            _ = motion_stored(place).homes

    def traits(self, source: ModelSource) -> Traits:
        """Those of the model beneath. Frames see one another through the motion modules, which the places of
        cross-frame attention, regions and injection know nothing of.

        Raises:
            InputError: the model and the adapter are distilled, each in a way of its own.
        """
        found = super().traits(source)
        place = motion_place(source.on_disk)
        regime = None if place is None else regime_of_lora(place, part="motion")
        if regime is not None and found.regime is not None and regime.name != found.regime.name:
            raise InputError(
                f"{found.regime.title} ({found.regime.why}) and {regime.title} ({regime.why}) are sampled each in a "
                "way of its own",
                remedy="use a motion adapter that is not distilled, or a model that is not",
            )
        return replace(
            found,
            singly=False,
            regions=False,
            cross_frame=False,
            self_attention=False,
            injection=False,
            regime=regime or found.regime,
        )

    def sizes(self, source: ModelSource, kinds: Collection[str]) -> Sizes | None:
        """As of a Stable Diffusion, with the motion modules as a part of the UNet."""
        found, place = super().sizes(source, kinds), motion_place(source.on_disk)
        if found is None or place is None:
            return found
        return replace(found, unet=found.unet + motion_stored(place).parameters) if place.exists() else None


FAMILY = AnimateDiff()
