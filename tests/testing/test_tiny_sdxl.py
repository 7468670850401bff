"""The tiny SDXL is what diffusers takes for one, and its parts differ where those of true ones do."""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers.pipelines.controlnet.pipeline_controlnet_sd_xl_img2img import (
    StableDiffusionXLControlNetImg2ImgPipeline,
)

from vedit.models.identify import identify
from vedit.testing.tiny_sdxl import LENGTH, POOLED_WIDTH, TEXT_WIDTHS, write_tiny_sdxl


def test_diffusers_loads_it_and_encodes_a_prompt_twice(tmp_path: Path) -> None:
    folder = write_tiny_sdxl(tmp_path, controls=("tile",))
    assert "Stable Diffusion XL" in identify(folder).name
    loaded = StableDiffusionXLControlNetImg2ImgPipeline.from_pretrained(folder, low_cpu_mem_usage=False)
    states, negative, pooled, _ = loaded.encode_prompt("a dog", device=torch.device("cpu"), num_images_per_prompt=1)
    assert (states.shape, pooled.shape) == ((1, LENGTH, sum(TEXT_WIDTHS)), (1, POOLED_WIDTH))
    assert negative is not None and not negative.any(), "an empty negative prompt is zeros"
    ids = [t("dog", padding="max_length").input_ids for t in (loaded.tokenizer, loaded.tokenizer_2)]
    assert ids[0] != ids[1], "the second one pads with another token"


def test_a_variant_holds_half_precision_alone(tmp_path: Path) -> None:
    folder = write_tiny_sdxl(tmp_path, controls=(), variant="fp16")
    assert {file.name for file in folder.rglob("*.safetensors")} == {
        "diffusion_pytorch_model.fp16.safetensors",
        "model.fp16.safetensors",
    }
