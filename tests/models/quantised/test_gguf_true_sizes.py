"""GGUF files of the published UNets' names and shapes: told, held against their configs, as large as their blocks."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.models.layouts import Shape, ldm_unet, prefixed, sdxl_unet
from tests.support.gguf_files import write_sparse_gguf
from vedit.models.families.sd_configs import SD1, SD2, SDXL
from vedit.models.families.sd_files import made
from vedit.models.families.sd_gguf import check_gguf, fill_from_gguf
from vedit.models.families.sd_keys import UNET
from vedit.models.identify import identify

KINDS: dict[str, tuple[dict[str, Shape], Mapping[str, Any], str]] = {
    "Stable Diffusion 1.x": (ldm_unet(), SD1["unet"], "sd1"),
    "Stable Diffusion 2.x": (ldm_unet(cross=1024, linear=True), SD2["unet"], "sd1"),
    "Stable Diffusion XL": (sdxl_unet(), SDXL["unet"], "sdxl"),
}
BITS = {"F16": 16.0, "Q8_0": 8.5, "Q4_K": 4.5}


@pytest.mark.parametrize("layout", BITS)
@pytest.mark.parametrize("family", KINDS)
def test_a_published_unet_fits_and_takes_what_its_file_does(family: str, layout: str, tmp_path: Path) -> None:
    shapes, config, architecture = KINDS[family]
    named = prefixed(UNET, shapes) if layout == "F16" else shapes
    file = write_sparse_gguf(tmp_path / "unet.gguf", named, layout, architecture=architecture)
    assert identify(file).name == f"a UNet in GGUF, of {family}"
    network = made("unet", config)
    check_gguf(network, file, config)
    fill_from_gguf(network, file, config, device=torch.device("meta"), dtype=torch.float16)
    held = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    assert held == pytest.approx(sum(map(prod, shapes.values())) * BITS[layout] / 8, rel=0.01)
    assert held <= file.stat().st_size
