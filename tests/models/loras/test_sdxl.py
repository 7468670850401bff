"""LoRAs of Stable Diffusion XL: the UNet and both text encoders, in kohya's layout and in diffusers'."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.support.lora_files import FC1, Q, diffusers_name, kohya_name, write_kohya
from vedit.models.families.sd_loras import LORAS, check_loras
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.models.source import ModelSource
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.testing.tiny_sdxl import write_tiny_sdxl

CROSS = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
MODULES = {"unet": ("conv_in", CROSS), "text_encoder": (Q,), "text_encoder_2": (FC1, Q)}


@pytest.mark.parametrize("name_of", [kohya_name, diffusers_name], ids=["kohya", "diffusers"])
def test_all_three_networks_are_changed(tmp_path: Path, name_of: Callable[[str, str], str]) -> None:
    folder = write_tiny_sdxl(tmp_path / "model", controls=())

    def named(part: str, module: str) -> str:
        return name_of(part, module).replace("lora_te_", "lora_te1_")

    added = write_kohya(tmp_path / "a.safetensors", folder, modules=MODULES, name_of=named)
    look = RestyleOptions(prompt="x", loras=(LoraSpec(path=tmp_path / "a.safetensors", weight=0.5),))
    check_loras(ModelSource(base=str(folder)), look.loras)
    model = load_sd(resolve(str(folder)))
    networks: dict[str, torch.nn.Module] = {"unet": model.denoiser.unet, **model.text.encoders}
    before = {part: {name: value.clone() for name, value in net.state_dict().items()} for part, net in networks.items()}
    with LORAS.encoding(model, look), LORAS.sampling(model, look):
        for part, network in networks.items():
            changes = {
                name.removeprefix("text_model.").removesuffix(".weight"): value - before[part][name]
                for name, value in network.state_dict().items()
                if not torch.equal(value, before[part][name])
            }
            assert set(changes) == set(MODULES[part])
            for name, value in changes.items():
                torch.testing.assert_close(value, 0.5 * added[part][name], rtol=1e-5, atol=1e-6)
    for part, network in networks.items():
        for name, value in network.state_dict().items():
            assert torch.equal(value, before[part][name]), name
