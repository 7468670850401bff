"""Published files rebuilt at their true sizes: names and shapes as the original code writes them, with holes for zeros.

Each function walks the original network's construction, so that what it lists is independent of vedit's own mapping.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Form:
    """The levels of a UNet."""

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    """Of the attention of each; 0 is none. The middle block is as deep as the last level, or 1."""
    label: int = 0
    """Numbers of the label that it takes."""


SD = Form(widths=(320, 640, 1280, 1280), depths=(1, 1, 1, 0))
XL = Form(widths=(320, 640, 1280), depths=(0, 2, 10), label=2816)
SCHEDULE = ("betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod")


def write_sparse(
    path: Path, shapes: Mapping[str, Shape], *, dtype: str = "F16", metadata: Mapping[str, str] | None = None
) -> Path:
    """A safetensors file of zeros that takes a few kilobytes of the disk, whatever its size."""
    width = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1}[dtype]
    header: dict[str, object] = {"__metadata__": dict(metadata or {"format": "pt"})}
    end = 0
    for key, shape in shapes.items():
        start, end = end, end + prod(shape) * width
        header[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        os.truncate(file.fileno(), 8 + len(text) + end)
    return path


def prefixed(prefix: str, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    return {prefix + key: shape for key, shape in shapes.items()}


def sd1_checkpoint(*, in_channels: int = 4) -> dict[str, Shape]:
    """As v1-5-pruned: 686 + 248 + 197 tensors, and the buffers of the noise schedule."""
    return {
        **prefixed("model.diffusion_model.", ldm_unet(in_channels=in_channels)),
        **prefixed("first_stage_model.", ldm_vae()),
        **prefixed("cond_stage_model.transformer.text_model.", clip_text()),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": (1, 77),
        **dict.fromkeys(SCHEDULE, (1000,)),
    }


def sd2_checkpoint(*, in_channels: int = 4) -> dict[str, Shape]:
    """As v2-1_768-ema-pruned."""
    return {
        **prefixed("model.diffusion_model.", ldm_unet(in_channels=in_channels, cross=1024, linear=True)),
        **prefixed("first_stage_model.", ldm_vae()),
        **prefixed("cond_stage_model.model.", open_clip_text(width=1024, layers=24)),
        **dict.fromkeys(SCHEDULE, (1000,)),
    }


def sdxl_checkpoint(*, in_channels: int = 4) -> dict[str, Shape]:
    """As sd_xl_base_1.0: 1680 + 248 + 197 + 390 tensors, and the buffers of the noise schedule."""
    return {
        **prefixed("model.diffusion_model.", sdxl_unet(in_channels=in_channels)),
        **prefixed("first_stage_model.", ldm_vae()),
        **prefixed("conditioner.embedders.0.transformer.text_model.", clip_text()),
        "conditioner.embedders.0.transformer.text_model.embeddings.position_ids": (1, 77),
        **prefixed("conditioner.embedders.1.model.", open_clip_text(width=1280, layers=32)),
        "denoiser.sigmas": (1000,),
    }


def controlnet(*, cross: int = 768, linear: bool = False, form: Form = SD) -> dict[str, Shape]:
    """As ControlNet 1.1: 340 tensors."""
    shapes = dict(_encoder(4, cross=cross, linear=linear, form=form))
    width = form.widths[0]
    sides = (3, 16, 16, 32, 32, 96, 96, 256, width)
    for number, (before, after) in enumerate(pairwise(sides)):
        shapes.update(_layer(f"input_hint_block.{2 * number}", (after, before, 3, 3)))
    for number, channels in enumerate(_outputs(form)):
        shapes.update(_layer(f"zero_convs.{number}.0", (channels, channels, 1, 1)))
    shapes.update(_layer("middle_block_out.0", (form.widths[-1], form.widths[-1], 1, 1)))
    return shapes


def sdxl_unet(*, in_channels: int = 4) -> dict[str, Shape]:
    """openaimodel.UNetModel of Stable Diffusion XL: 1680 tensors."""
    return ldm_unet(in_channels=in_channels, cross=2048, linear=True, form=XL)


def sdxl_controlnet() -> dict[str, Shape]:
    """A ControlNet for Stable Diffusion XL, in the layout of the original code."""
    return controlnet(cross=2048, linear=True, form=XL)


def ldm_unet(*, in_channels: int = 4, cross: int = 768, linear: bool = False, form: Form = SD) -> dict[str, Shape]:
    """openaimodel.UNetModel of Stable Diffusion 1.x (cross 768) and 2.x (1024, linear)."""
    shapes = dict(_encoder(in_channels, cross=cross, linear=linear, form=form))
    skips, width, number = list(_outputs(form)), form.widths[-1], 0
    for level in reversed(range(len(form.widths))):
        for block in range(3):
            name = f"output_blocks.{number}"
            shapes.update(_resnet(f"{name}.0", width + skips.pop(), form.widths[level]))
            width, last = form.widths[level], 1
            if form.depths[level]:
                shapes.update(_transformer(f"{name}.1", width, form.depths[level], cross=cross, linear=linear))
                last = 2
            if level and block == 2:
                shapes.update(_layer(f"{name}.{last}.conv", (width, width, 3, 3)))
            number += 1
    return {**shapes, **_norm("out.0", width), **_layer("out.2", (4, width, 3, 3))}


def _outputs(form: Form) -> Iterator[int]:
    """Channels of the encoder's outputs, in order."""
    yield form.widths[0]
    for level, width in enumerate(form.widths):
        yield from (width, width)
        if level < len(form.widths) - 1:
            yield width


def _encoder(in_channels: int, *, cross: int, linear: bool, form: Form) -> Iterator[tuple[str, Shape]]:
    if form.label:
        yield from _layer("label_emb.0.0", (1280, form.label)).items()
        yield from _layer("label_emb.0.2", (1280, 1280)).items()
    yield from _layer("time_embed.0", (1280, 320)).items()
    yield from _layer("time_embed.2", (1280, 1280)).items()
    yield from _layer("input_blocks.0.0", (320, in_channels, 3, 3)).items()
    number, width = 1, form.widths[0]
    for level, own in enumerate(form.widths):
        for _ in range(2):
            yield from _resnet(f"input_blocks.{number}.0", width, own).items()
            width, depth = own, form.depths[level]
            if depth:
                yield from _transformer(f"input_blocks.{number}.1", width, depth, cross=cross, linear=linear).items()
            number += 1
        if level < len(form.widths) - 1:
            yield from _layer(f"input_blocks.{number}.0.op", (width, width, 3, 3)).items()
            number += 1
    yield from _resnet("middle_block.0", width, width).items()
    yield from _transformer("middle_block.1", width, max(form.depths[-1], 1), cross=cross, linear=linear).items()
    yield from _resnet("middle_block.2", width, width).items()


def _layer(name: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _norm(name: str, width: int) -> dict[str, Shape]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _resnet(name: str, before: int, after: int) -> dict[str, Shape]:
    skip = {} if before == after else _layer(f"{name}.skip_connection", (after, before, 1, 1))
    return {
        **_norm(f"{name}.in_layers.0", before),
        **_layer(f"{name}.in_layers.2", (after, before, 3, 3)),
        **_layer(f"{name}.emb_layers.1", (after, 1280)),
        **_norm(f"{name}.out_layers.0", after),
        **_layer(f"{name}.out_layers.3", (after, after, 3, 3)),
        **skip,
    }


def _transformer(name: str, width: int, depth: int, *, cross: int, linear: bool) -> dict[str, Shape]:
    square = (width, width) if linear else (width, width, 1, 1)
    shapes = {**_norm(f"{name}.norm", width), **_layer(f"{name}.proj_in", square), **_layer(f"{name}.proj_out", square)}
    for number in range(depth):
        shapes.update(_transformer_block(f"{name}.transformer_blocks.{number}", width, cross=cross))
    return shapes


def _transformer_block(block: str, width: int, *, cross: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for attention, source in (("attn1", width), ("attn2", cross)):
        shapes[f"{block}.{attention}.to_q.weight"] = (width, width)
        shapes[f"{block}.{attention}.to_k.weight"] = (width, source)
        shapes[f"{block}.{attention}.to_v.weight"] = (width, source)
        shapes.update(_layer(f"{block}.{attention}.to_out.0", (width, width)))
    shapes.update(_layer(f"{block}.ff.net.0.proj", (width * 8, width)))
    shapes.update(_layer(f"{block}.ff.net.2", (width, width * 4)))
    return {
        **shapes,
        **_norm(f"{block}.norm1", width),
        **_norm(f"{block}.norm2", width),
        **_norm(f"{block}.norm3", width),
    }


def ldm_vae() -> dict[str, Shape]:
    """model.AutoencoderKL of all Stable Diffusions: 248 tensors."""
    widths, shapes = (128, 256, 512, 512), {}
    shapes.update(_layer("encoder.conv_in", (128, 3, 3, 3)))
    width = 128
    for level, own in enumerate(widths):
        for block in range(2):
            shapes.update(_vae_resnet(f"encoder.down.{level}.block.{block}", width, own))
            width = own
        if level < 3:
            shapes.update(_layer(f"encoder.down.{level}.downsample.conv", (width, width, 3, 3)))
    shapes.update({**_vae_middle("encoder", width), **_norm("encoder.norm_out", width)})
    shapes.update(_layer("encoder.conv_out", (8, width, 3, 3)))
    shapes.update({**_layer("quant_conv", (8, 8, 1, 1)), **_layer("post_quant_conv", (4, 4, 1, 1))})
    shapes.update({**_layer("decoder.conv_in", (width, 4, 3, 3)), **_vae_middle("decoder", width)})
    for level in reversed(range(4)):
        for block in range(3):
            shapes.update(_vae_resnet(f"decoder.up.{level}.block.{block}", width, widths[level]))
            width = widths[level]
        if level:
            shapes.update(_layer(f"decoder.up.{level}.upsample.conv", (width, width, 3, 3)))
    return {**shapes, **_norm("decoder.norm_out", width), **_layer("decoder.conv_out", (3, width, 3, 3))}


def _vae_resnet(name: str, before: int, after: int) -> dict[str, Shape]:
    skip = {} if before == after else _layer(f"{name}.nin_shortcut", (after, before, 1, 1))
    return {
        **_norm(f"{name}.norm1", before),
        **_layer(f"{name}.conv1", (after, before, 3, 3)),
        **_norm(f"{name}.norm2", after),
        **_layer(f"{name}.conv2", (after, after, 3, 3)),
        **skip,
    }


def _vae_middle(side: str, width: int) -> dict[str, Shape]:
    attention = {**_norm(f"{side}.mid.attn_1.norm", width)}
    for part in ("q", "k", "v", "proj_out"):
        attention.update(_layer(f"{side}.mid.attn_1.{part}", (width, width, 1, 1)))
    blocks = {**_vae_resnet(f"{side}.mid.block_1", width, width), **_vae_resnet(f"{side}.mid.block_2", width, width)}
    return {**blocks, **attention}


def clip_text(*, width: int = 768, layers: int = 12) -> dict[str, Shape]:
    """transformers' CLIPTextModel of CLIP ViT-L/14: 196 tensors."""
    shapes: dict[str, Shape] = {
        "embeddings.token_embedding.weight": (49408, width),
        "embeddings.position_embedding.weight": (77, width),
        **_norm("final_layer_norm", width),
    }
    for layer in range(layers):
        name = f"encoder.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes.update(_layer(f"{name}.self_attn.{part}", (width, width)))
        shapes.update({**_norm(f"{name}.layer_norm1", width), **_norm(f"{name}.layer_norm2", width)})
        shapes.update(
            {**_layer(f"{name}.mlp.fc1", (width * 4, width)), **_layer(f"{name}.mlp.fc2", (width, width * 4))}
        )
    return shapes


def open_clip_text(*, width: int, layers: int) -> dict[str, Shape]:
    """OpenCLIP's text tower."""
    shapes: dict[str, Shape] = {
        "positional_embedding": (77, width),
        "text_projection": (width, width),
        "logit_scale": (),
        "token_embedding.weight": (49408, width),
        "attn_mask": (77, 77),
        **_norm("ln_final", width),
    }
    for layer in range(layers):
        name = f"transformer.resblocks.{layer}"
        shapes.update({f"{name}.attn.in_proj_weight": (3 * width, width), f"{name}.attn.in_proj_bias": (3 * width,)})
        shapes.update({**_layer(f"{name}.attn.out_proj", (width, width)), **_norm(f"{name}.ln_1", width)})
        shapes.update({**_layer(f"{name}.mlp.c_fc", (width * 4, width)), **_norm(f"{name}.ln_2", width)})
        shapes.update(_layer(f"{name}.mlp.c_proj", (width, width * 4)))
    return shapes
