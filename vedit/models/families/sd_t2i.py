"""T2I-Adapters (Mou et al. 2023) as networks: loaded, and what they make of control pictures.

An adapter sees the picture alone, neither the noisy latents nor the timestep, so what it makes serves every step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from diffusers.models.adapter import T2IAdapter

from vedit.models.families.sd_weights import built, fill
from vedit.models.t2i_adapters import adapter_config, adapter_origins, adapter_stored

if TYPE_CHECKING:
    from pathlib import Path

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, by which pictures became grey for the adapters of one channel."""


def load_t2i_adapter(place: Path, *, device: torch.device, dtype: torch.dtype, rests: bool = False) -> T2IAdapter:
    """An adapter from its folder or file.

    Args:
        place: what `vedit.models.t2i_adapters.check_t2i_adapter` has let through.
        device: where its tensors go; on "meta" they are accounted for and not read.
        dtype: what they become.
        rests: whether large ones of half precision may stay so (`vedit.weights.at_rest`).

    Raises:
        ModelError: it is damaged, or not the whole of its network.
    """
    config, stored = adapter_config(place), adapter_stored(place)
    network = built(lambda: cast("T2IAdapter", T2IAdapter.from_config(config)))
    origins = adapter_origins(network.state_dict(), stored, config)
    fill(network, stored, origins, part="T2I-Adapter", own=lambda _: True, device=device, dtype=dtype, rests=rests)
    return network


def features_of(adapter: T2IAdapter, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """What an adapter adds within the blocks of a UNet, before its scale.

    Args:
        adapter: on its device.
        pictures: (T, 3, H, W) in [0, 1].

    Returns:
        One (T, C, h, w) for each block, in the adapter's number format.
    """
    seen = pictures.to(adapter.device, adapter.dtype)
    if adapter.config["in_channels"] == 1:
        seen = (seen * seen.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
    return tuple(adapter(seen))
