"""Names of tensors: what diffusers calls them -> what the original Stable Diffusion code wrote into its files.

Each name has one counterpart, so that a file can be held against a network tensor by tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNET, CONTROLNET, VAE = "model.diffusion_model.", "control_model.", "first_stage_model."
CLIP, OPEN_CLIP = "cond_stage_model.transformer.", "cond_stage_model.model."
XL_CLIP, XL_OPEN_CLIP = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
"""Both encoders of Stable Diffusion XL."""

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "class_embedding.linear_1": "label_emb.0.0",
    "class_embedding.linear_2": "label_emb.0.2",
    # Sizes and pooled text of Stable Diffusion XL, which its authors built as a label.
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "mid_block.attentions.0": "middle_block.1",
    "controlnet_mid_block": "middle_block_out.0",
    # Activations stand between the convolutions of the hint.
    "controlnet_cond_embedding.conv_in": "input_hint_block.0",
}
_VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
_OPEN_CLIP = {
    "embeddings.token_embedding": "token_embedding",
    "final_layer_norm": "ln_final",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a tensor is in a file."""

    key: str
    third: int | None = None
    """Of a tensor that holds query, key and value one after the other: which of them."""
    transposed: bool = False
    """A matrix that is multiplied from the other side."""


def unet_key(name: str, config: Mapping[str, Any]) -> str:
    """The original name of a tensor of a UNet or of a ControlNet, without the prefix.

    Args:
        name: as diffusers has it.
        config: of the network.
    """
    stem, _, kind = name.rpartition(".")
    if stem in _UNET_ENDS:
        return f"{_UNET_ENDS[stem]}.{kind}"
    parts = name.split(".")
    layers = int(config["layers_per_block"])
    if parts[0] == "down_blocks":
        level, what, number, *rest = parts[1:]
        first = 1 + int(level) * (layers + 1)
        if what == "downsamplers":
            return _join("input_blocks", first + layers, 0, "op", *rest[1:])
        return _block("input_blocks", first + int(number), what, rest)
    if parts[0] == "up_blocks":
        level, what, number, *rest = parts[1:]
        first = int(level) * (layers + 1)
        if what == "upsamplers":
            # It follows the attention in the last block of a level, or the residual block where there is none.
            attends = "CrossAttn" in config["up_block_types"][int(level)]
            return _join("output_blocks", first + layers, 2 if attends else 1, *rest)
        return _block("output_blocks", first + int(number), what, rest)
    if parts[0] == "mid_block":
        what, number, *rest = parts[1:]
        if what == "attentions":
            return _join("middle_block", 1, *rest)
        return _join("middle_block", 2 * int(number), _RESNET[rest[0]], *rest[1:])
    if parts[0] == "controlnet_down_blocks":
        return _join("zero_convs", parts[1], 0, *parts[2:])
    if parts[:2] == ["controlnet_cond_embedding", "blocks"]:
        return _join("input_hint_block", 2 * int(parts[2]) + 2, *parts[3:])
    if parts[:2] == ["controlnet_cond_embedding", "conv_out"]:
        return _join("input_hint_block", 4 * len(config["conditioning_embedding_out_channels"]) - 2, *parts[2:])
    return name


def _block(side: str, number: int, what: str, rest: list[str]) -> str:
    if what == "attentions":
        return _join(side, number, 1, *rest)
    return _join(side, number, 0, _RESNET[rest[0]], *rest[1:])


def vae_key(name: str, config: Mapping[str, Any]) -> str:
    """The original name of a tensor of an autoencoder, without the prefix: decoder levels count from the other end."""
    side, _, within = name.partition(".")
    if side in ("quant_conv", "post_quant_conv"):
        return name
    if within.startswith("conv_norm_out."):
        return _join(side, "norm_out", within.removeprefix("conv_norm_out."))
    parts = within.split(".")
    if parts[0] == "mid_block":
        what, number, *rest = parts[1:]
        if what == "attentions":
            stem, _, kind = ".".join(rest).rpartition(".")
            return _join(side, "mid.attn_1", _VAE_ATTENTION.get(stem, stem), kind)
        return _join(side, f"mid.block_{int(number) + 1}", *_shortcut(rest))
    if parts[0] in ("down_blocks", "up_blocks"):
        level, what, number, *rest = parts[1:]
        way = parts[0].removesuffix("_blocks")
        own = int(level) if way == "down" else len(config["up_block_types"]) - 1 - int(level)
        if what == "resnets":
            return _join(side, way, own, "block", number, *_shortcut(rest))
        return _join(side, way, own, f"{way}sample", *rest)
    return name


def open_clip_origin(name: str) -> Origin:
    """Where a tensor of a text encoder is in a file written by OpenCLIP, without the prefix."""
    if name == "text_projection.weight":
        return Origin(key="text_projection", transposed=True)
    if name == "embeddings.position_embedding.weight":
        return Origin(key="positional_embedding")
    own = name.replace("encoder.layers.", "transformer.resblocks.")
    for part, third in (("q_proj", 0), ("k_proj", 1), ("v_proj", 2)):
        stem, found, kind = own.partition(f"self_attn.{part}.")
        if found:
            return Origin(key=f"{stem}attn.in_proj_{kind}", third=third)
    for theirs, original in _OPEN_CLIP.items():
        own = own.replace(f"{theirs}.", f"{original}.")
    return Origin(key=own)


def _shortcut(parts: list[str]) -> list[str]:
    return ["nin_shortcut" if part == "conv_shortcut" else part for part in parts]


def _join(*parts: object) -> str:
    return ".".join(map(str, parts))
