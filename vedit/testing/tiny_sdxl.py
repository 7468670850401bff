"""A tiny random model in the true SDXL layout, for tests of pipelines and model loading without real weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.controlnet.pipeline_controlnet_sd_xl_img2img import (
    StableDiffusionXLControlNetImg2ImgPipeline,
)
from diffusers.pipelines.stable_diffusion_xl.pipeline_stable_diffusion_xl_img2img import (
    StableDiffusionXLImg2ImgPipeline,
)
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

WIDTHS = (32, 64)
TEXT_WIDTHS = (32, 48)
"""Of the two text encoders, whose states the UNet sees side by side."""
POOLED_WIDTH = 40
SIZE_WIDTH = 8
"""Numbers that each of the six sizes is spread over."""
LENGTH = 16


def write_tiny_sdxl(
    folder: Path, *, seed: int = 0, controls: tuple[str, ...] = ("tile", "softedge"), variant: str | None = None
) -> Path:
    """Write a diffusers folder of about 1 MB: two text encoders, sizes and a pooled text beside them, an autoencoder
    that asks for float32, epsilon prediction, a ControlNet a kind.

    The ControlNets' output convolutions get random weights, where a fresh one would have zeros and act on nothing.

    Args:
        folder: made if absent.
        seed: of the weights.
        controls: kinds of the control branches, in order.
        variant: in the names of the weights ("fp16", say), which are half precision under that name.

    Returns:
        The folder, which `vedit.models.load.load` and diffusers itself can load.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = _unet()
        branches = [_controlnet(unet) for _ in controls]
        parts: dict[str, Any] = {
            "vae": _autoencoder(),
            "text_encoder": CLIPTextModel(_text_config(0)),
            "text_encoder_2": CLIPTextModelWithProjection(_text_config(1)),
            "tokenizer": _tokenizer("<|endoftext|>"),
            "tokenizer_2": _tokenizer("!"),
            "unet": unet,
            "scheduler": DDIMScheduler(
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
            ),
            "force_zeros_for_empty_prompt": True,
            "add_watermarker": False,
        }
        pipeline = (
            StableDiffusionXLControlNetImg2ImgPipeline(
                **parts, controlnet=branches if len(branches) != 1 else branches[0]
            )
            if branches
            else StableDiffusionXLImg2ImgPipeline(**parts)
        )
    if variant is not None:
        pipeline.to(dtype=torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True, variant=variant)
    names = {kind: "controlnet" if i == 0 else f"controlnet_{i}" for i, kind in enumerate(controls)}
    (folder / "controls.json").write_text(json.dumps(names), "utf-8")
    return folder


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2),  # pyright: ignore[reportArgumentType]
        cross_attention_dim=sum(TEXT_WIDTHS),
        attention_head_dim=(4, 8),  # pyright: ignore[reportArgumentType]
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=SIZE_WIDTH,
        projection_class_embeddings_input_dim=6 * SIZE_WIDTH + POOLED_WIDTH,
        norm_num_groups=8,
    )


def _controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    branch = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(8, 16, 16, 32))
    outputs = [*branch.controlnet_down_blocks, branch.controlnet_mid_block, branch.controlnet_cond_embedding.conv_out]
    for module in outputs:
        torch.nn.init.normal_(module.weight, std=0.05)  # pyright: ignore[reportArgumentType]
    return branch


def _autoencoder() -> AutoencoderKL:
    # diffusers annotates these as tuples of one.
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),  # pyright: ignore[reportArgumentType]
        down_block_types=("DownEncoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
        up_block_types=("UpDecoderBlock2D",) * 4,  # pyright: ignore[reportArgumentType]
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.13025,
        force_upcast=True,
    )


def _text_config(number: int) -> CLIPTextConfig:
    """Two layers, so that the one before the last is another than the last."""
    return CLIPTextConfig(
        hidden_size=TEXT_WIDTHS[number],
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        vocab_size=64,
        max_position_embeddings=LENGTH,
        projection_dim=POOLED_WIDTH,
        hidden_act=("quick_gelu", "gelu")[number],
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )


def _tokenizer(padding: str) -> CLIPTokenizer:
    """Spells every word in letters, as CLIP's byte pairs do without merges."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["<|startoftext|>", "<|endoftext|>", "!", *letters, *(f"{letter}</w>" for letter in letters), "!</w>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=LENGTH, pad_token=padding)
