"""What the quality presets stand for in the published Stable Diffusions, by the size that each was trained at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vedit.models.configs import Part, read_config
from vedit.models.families.sd_configs import CONFIG, SDXL, cell_of, config_of, part_config
from vedit.models.folder_kinds import family_of, is_xl
from vedit.options.request import QUALITIES, Quality

_LEAST_CELLS = 64
"""Some copies of Stable Diffusion 1.5 say 32 cells of theirs, half of what it was trained at."""


def qualities_of(base: Path) -> Mapping[str, Quality]:
    """The presets of a model's folder or file: of the size that it was trained at, 512 pixels for Stable Diffusion 1.x,
    768 for 2.1 with v-prediction and 1024 for XL, a draft at three quarters of it; those of the embedded model where
    its UNet has other widths than these.

    Raises:
        ModelError: a config is damaged.
    """
    unet, vae = _config(base, "unet"), _config(base, "vae")
    if unet is None or vae is None:
        return QUALITIES
    published = unet["block_out_channels"] == SDXL["unet"]["block_out_channels"] if is_xl(unet) else family_of(unet)
    if not published:
        return QUALITIES
    cells = unet.get("sample_size")
    side = max(cells if isinstance(cells, int) else 0, _LEAST_CELLS) * cell_of(vae)
    return {
        "draft": Quality(steps=12, fixed_point=1, short_side=side * 3 // 4),
        "standard": Quality(steps=25, fixed_point=1, short_side=side),
        "high": Quality(steps=40, fixed_point=2, short_side=side),
    }


def ends_in_noise(base: Path) -> bool:
    """Whether nothing of the picture is left at the last timestep of a model's schedule (zero terminal SNR, Lin et al.
    2024). Raises ModelError where its config is damaged."""
    if base.is_file():
        return bool(config_of(base, "scheduler").get("rescale_betas_zero_snr"))
    file = base / "scheduler" / "scheduler_config.json"
    return file.is_file() and bool(read_config(file, "scheduler").get("rescale_betas_zero_snr"))


def _config(base: Path, part: Part) -> Mapping[str, Any] | None:
    return None if base.is_dir() and not (base / part / CONFIG).is_file() else part_config(base, part)
