"""A tiny random model in the true SD 1.x layout, for tests of pipelines and model loading without real weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WIDTHS = (32, 64)
TEXT_WIDTH = 32
LENGTH = 16


def write_tiny_sd(folder: Path, *, seed: int = 0, controls: tuple[str, ...] = ("tile", "softedge")) -> Path:
    """Write a diffusers folder of about 1 MB: epsilon prediction, 4 latent channels, factor 8, a ControlNet a kind.

    The ControlNets' output convolutions get random weights, where a fresh one would have zeros and act on nothing.

    Args:
        folder: made if absent.
        seed: of the weights.
        controls: kinds of the control branches, in order.

    Returns:
        The folder, which `vedit.models.load.load` and diffusers itself can load.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = _unet()
        branches = [_controlnet(unet) for _ in controls]
        pipeline = StableDiffusionControlNetImg2ImgPipeline(
            vae=_autoencoder(),
            text_encoder=CLIPTextModel(_text_config()),
            tokenizer=_tokenizer(),
            unet=unet,
            controlnet=branches if len(branches) != 1 else branches[0],
            scheduler=DDIMScheduler(  # pyright: ignore[reportArgumentType]
                beta_start=0.00085,
                beta_end=0.012,
                beta_schedule="scaled_linear",
                clip_sample=False,
                set_alpha_to_one=False,
                steps_offset=1,
            ),
            safety_checker=None,  # pyright: ignore[reportArgumentType]
            feature_extractor=None,  # pyright: ignore[reportArgumentType]
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    names = {kind: "controlnet" if i == 0 else f"controlnet_{i}" for i, kind in enumerate(controls)}
    (folder / "controls.json").write_text(json.dumps(names), "utf-8")
    return folder


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=WIDTHS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
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
    )


def _text_config() -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=TEXT_WIDTH,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        vocab_size=64,
        max_position_embeddings=LENGTH,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )


def _tokenizer() -> CLIPTokenizer:
    """Spells every word in letters, as CLIP's byte pairs do without merges."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=LENGTH)
