"""The UNet of a Stable Diffusion with the motion modules of an adapter in it, from the files of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from diffusers.models.unets.unet_motion_model import MotionAdapter, UNetMotionModel

from vedit.models.families.sd_weights import built
from vedit.models.motion import MODULES, is_motion_weight, motion_config, motion_origins, motion_stored
from vedit.models.weight_files import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from vedit.models.families.sd_keys import Origin


@dataclass(frozen=True, kw_only=True)
class Blank:
    """A network without numbers in it, and where these are (`vedit.models.families.sd_weights.fill`)."""

    network: torch.nn.Module
    stored: Stored
    origins: Mapping[str, Origin]
    own: Callable[[str], bool]


def with_motion(unet: Blank, adapter: Path) -> Blank:
    """A UNet with an adapter's motion modules; the weights of both stay where they are.

    Args:
        unet: of a Stable Diffusion, as diffusers has it, on "meta".
        adapter: a folder or file that `vedit.models.motion.check_motion_adapter` has let through.
    """
    config, more = motion_config(adapter), motion_stored(adapter)
    still = cast("UNet2DConditionModel", unet.network)

    def make() -> UNetMotionModel:
        motion = MotionAdapter.from_config(config)
        made = UNetMotionModel.from_unet2d(still, cast("MotionAdapter", motion), load_weights=False)
        return cast("UNetMotionModel", made)

    network = built(make)
    moving = [name for name in network.state_dict() if MODULES in name]
    stored = Stored(place=f"{unet.stored.place} with {more.place}", files=(*unet.stored.files, *more.files))
    return Blank(
        network=network,
        stored=stored,
        origins={**unet.origins, **motion_origins(moving, more)},
        own=lambda key: is_motion_weight(key) if key in more.homes else unet.own(key),
    )
