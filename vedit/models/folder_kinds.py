"""What a diffusers folder is, from its configs: family, part and layout, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedit.models.kinds import (
    ANIMATEDIFF,
    EDM_LACKS,
    INPUTS,
    LIKE_SD,
    MOTION_GIVEN,
    REFINER,
    REFINES,
    SD1,
    SD2,
    SDXL,
    WAN_SIZES,
    Kind,
    inputs_lack,
    t2i_kind,
)

FOLDER = "a diffusers folder"
_TRANSFORMERS = {
    "LTXVideoTransformer3DModel": "LTX-Video",
    "LTX2VideoTransformer3DModel": "LTX-2",
    "CogVideoXTransformer3DModel": "CogVideoX",
    "HunyuanVideoTransformer3DModel": "HunyuanVideo",
    "MochiTransformer3DModel": "Mochi",
    "SD3Transformer2DModel": "Stable Diffusion 3",
    "FluxTransformer2DModel": "FLUX",
    "Flux2Transformer2DModel": "FLUX.2",
    "PixArtTransformer2DModel": "PixArt",
    "QwenImageTransformer2DModel": "Qwen-Image",
    "SanaTransformer2DModel": "Sana",
    "WanTransformer3DModel": "Wan",
    "WanVACETransformer3DModel": "Wan VACE",
    "WanModel": "Wan, in its authors' layout",
    "VaceWanModel": "Wan VACE, in its authors' layout",
}
_WIDTHS = [320, 640, 1280, 1280]
_UNETS = {
    "UNetMotionModel": "AnimateDiff",
    "UNetSpatioTemporalConditionModel": "Stable Video Diffusion",
    "UNet3DConditionModel": "ModelScope's text to video",
}
_COMPONENTS = {
    "AutoencoderKL": "an autoencoder alone",
    "AutoencoderTiny": "an autoencoder alone",
}
_SORTS = {
    "AutoencoderKL": "vae",
    "AutoencoderTiny": "vae",
}
_CONTROLNETS = {
    "SparseControlNetModel": "a SparseCtrl of AnimateDiff",
    "ControlNetXSAdapter": "a ControlNet-XS",
    "SD3ControlNetModel": "a ControlNet for Stable Diffusion 3",
    "FluxControlNetModel": "a ControlNet for FLUX",
}


def pipeline_kind(index: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]]) -> Kind:
    """What a whole pipeline is.

    Args:
        index: its model_index.json.
        configs: of its parts, those that there are.
    """
    pipeline = str(index.get("_class_name", ""))
    classes = {part: str(entry[-1]) for part, entry in index.items() if isinstance(entry, list) and entry and entry[-1]}
    unet = configs.get("unet", {})
    network = str(unet.get("_class_name", classes.get("unet", "")))
    if "motion_adapter" in classes or "AnimateDiff" in pipeline or _UNETS.get(network) == "AnimateDiff":
        return _animatediff(unet, classes, gives=configs.get("vae", {}).get("latent_channels", 4))
    if network in _UNETS:
        return Kind(name=f"{_UNETS[network]}, {FOLDER}", part="model", family=_UNETS[network])
    if "transformer" in classes or "transformer" in configs:
        own = str(configs.get("transformer", {}).get("_class_name", classes.get("transformer", "")))
        name = _wan(pipeline, own, index, classes, configs) if own.startswith("Wan") else _TRANSFORMERS.get(own, "")
        return Kind(name=f"{name or f'a pipeline of the class {pipeline}'}, {FOLDER}", part="model", family=name)
    if "text_encoder_2" in classes or "StableDiffusionXL" in pipeline or is_xl(unet):
        return _xl(index, classes, configs)
    text = str(configs.get("text_encoder", {}).get("model_type", "clip"))
    if (network and network != "UNet2DConditionModel") or not text.startswith("clip") or "prior" in classes:
        return Kind(name=f"a pipeline of the class {pipeline}, {FOLDER}", part="model")
    return _stable_diffusion(unet, configs.get("vae", {}))


def _animatediff(unet: Mapping[str, Any], classes: Mapping[str, str], *, gives: object) -> Kind:
    takes, lacks = unet.get("in_channels", 4), ""
    if is_xl(unet) or "text_encoder_2" in classes:
        lacks = "its motion modules are for Stable Diffusion XL: use those for 1.x"
    elif classes.get("controlnet") in _CONTROLNETS:
        lacks = "a SparseCtrl steers it, which vedit does not have: give its motion adapter beside a model"
    elif takes != gives and isinstance(takes, int) and isinstance(gives, int):
        lacks = inputs_lack(takes, gives)
    return Kind(name=f"{ANIMATEDIFF}, {FOLDER}", part="model", runs=not lacks, family=ANIMATEDIFF, lacks=lacks)


def _stable_diffusion(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> Kind:
    family = family_of(unet)
    called = family or "a model of the Stable Diffusion layout"
    takes, gives = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    # A value of another kind is a damaged config, which is told as one.
    if isinstance(takes, int) and isinstance(gives, int) and takes != gives:
        what = INPUTS.get(takes - gives + 4, "")
        return Kind(
            name=f"{called}, {what or 'for another input'}, {FOLDER}",
            part="model",
            family=family,
            lacks=inputs_lack(takes, gives),
        )
    if unet.get("time_cond_proj_dim") is not None:
        return Kind(
            name=f"a latent consistency model of {called}, {FOLDER}",
            part="model",
            runs=True,
            family=family or LIKE_SD,
        )
    if unet.get("class_embed_type") is not None or unet.get("encoder_hid_dim_type") is not None:
        return Kind(name=f"{called} for variations of a picture, {FOLDER}", part="model", family=family)
    return Kind(name=f"{called}, {FOLDER}", part="model", runs=True, family=family or LIKE_SD)


_XL_PARTS = {"unet": "UNet2DConditionModel", "text_encoder": "CLIPText", "text_encoder_2": "CLIPText"}
"""How the classes of its parts begin."""


def _xl(index: Mapping[str, Any], classes: Mapping[str, str], configs: Mapping[str, Mapping[str, Any]]) -> Kind:
    """Stable Diffusion XL and what was made of it."""
    unet, vae = configs.get("unet", {}), configs.get("vae", {})
    takes, gives = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    name, lacks = SDXL, ""
    if index.get("requires_aesthetics_score") or unet.get("cross_attention_dim") == 1280:
        name, lacks = REFINER, REFINES
    elif isinstance(takes, int) and isinstance(gives, int) and takes != gives:
        name, lacks = f"{SDXL}, {INPUTS.get(takes - gives + 4, 'for another input')}", inputs_lack(takes, gives)
    elif unet.get("time_cond_proj_dim") is not None:
        name = f"a latent consistency model of {SDXL}"
        lacks = "its UNet takes the guidance as an input, which vedit does not give: use the model it was made from"
    elif vae.get("latents_mean") is not None or "EDM" in classes.get("scheduler", ""):
        name, lacks = f"{SDXL}, trained on EDM's noise levels", EDM_LACKS
    other = next((part for part, known in _XL_PARTS.items() if not classes.get(part, known).startswith(known)), None)
    if not lacks and other is not None:
        name, lacks = f"{SDXL} with a {classes[other]}", "use a model with both text encoders of Stable Diffusion XL"
    turbo = " Turbo" if name == SDXL and "turbo" in str(index.get("_name_or_path", "")).lower() else ""
    return Kind(name=f"{name}{turbo}, {FOLDER}", part="model", runs=not lacks, family=SDXL, lacks=lacks)


def component_kind(config: Mapping[str, Any]) -> Kind:
    """What a folder with one network is, from its config.json."""
    own = str(config.get("_class_name", ""))
    if own == "ControlNetModel" or "num_control_type" in config:
        family = SDXL if is_xl(config) else family_of(config)
        name = f"a ControlNet for {family}" if family else "a ControlNet"
        if "num_control_type" in config:
            name = name.replace("a ControlNet", "a ControlNet of many kinds in one", 1)
        return Kind(name=name, part="controlnet", runs=True, family=family)
    if own in _CONTROLNETS:
        return Kind(name=_CONTROLNETS[own], part="controlnet")
    if own == "MotionAdapter":
        return Kind(
            name="a motion adapter of AnimateDiff",
            part="adapter",
            runs=True,
            family=ANIMATEDIFF,
            lacks=MOTION_GIVEN,
            sort="motion",
        )
    if own == "T2IAdapter":
        return t2i_kind(_t2i_family(config))
    if own in _COMPONENTS:
        return Kind(name=_COMPONENTS[own], part="network", sort=_SORTS[own])
    if own == "UNet2DConditionModel":
        family = SDXL if is_xl(config) else family_of(config)
        return Kind(name=f"a UNet alone{f', of {family}' if family else ''}", part="network", family=family)
    if own in _UNETS:
        return Kind(name=f"the UNet of {_UNETS[own]} alone", part="network", family=_UNETS[own])
    if own in _TRANSFORMERS:
        whole = own in ("WanModel", "VaceWanModel")
        name = _TRANSFORMERS[own] if whole else f"the transformer of {_TRANSFORMERS[own]} alone"
        return Kind(name=name, part="model" if whole else "network", family=_TRANSFORMERS[own])
    if "clip_vision" in str(config.get("model_type", "")):
        return Kind(name="a CLIP image encoder", part="network", sort="image-encoder")
    if str(config.get("model_type", "")).startswith(("clip", "t5", "umt5")):
        return Kind(name=f"a text encoder alone ({config['model_type']})", part="network")
    said = own or config.get("model_type") or "nothing of it"
    return Kind(name=f"no diffusers folder: it has no model_index.json, and its config.json says {said}", part="other")


def family_of(config: Mapping[str, Any]) -> str:
    """The Stable Diffusion that a UNet or ControlNet of these widths is of or for; "" for any other."""
    if config.get("block_out_channels", _WIDTHS) != _WIDTHS:
        return ""
    width = config.get("cross_attention_dim", 1280)
    return {768: SD1, 1024: SD2}.get(width, "") if isinstance(width, int) else ""


def _t2i_family(config: Mapping[str, Any]) -> str:
    """The Stable Diffusion that a T2I-Adapter is for; "" for other widths."""
    widths, sort = config.get("channels", _WIDTHS), config.get("adapter_type", "full_adapter")
    known = {"full_adapter": (_WIDTHS, 8, SD1), "light_adapter": (_WIDTHS[:-1], 8, SD1)}
    known |= {"full_adapter_xl": (_WIDTHS, 16, SDXL)}
    wanted, cell, family = known.get(sort, ([], 0, "")) if isinstance(sort, str) else ([], 0, "")
    return family if (widths, config.get("downscale_factor", 8)) == (wanted, cell) else ""


def is_xl(config: Mapping[str, Any]) -> bool:
    """Whether a UNet or ControlNet takes what Stable Diffusion XL's do beside the text: sizes and a pooled text."""
    return config.get("addition_embed_type") == "text_time"


def _wan(
    pipeline: str,
    own: str,
    index: Mapping[str, Any],
    classes: Mapping[str, str],
    configs: Mapping[str, Mapping[str, Any]],
) -> str:
    second = "transformer_2" in classes or index.get("boundary_ratio") is not None
    second = second or configs.get("vae", {}).get("z_dim") == 48
    version = "2.2" if second else "2.1"
    told = configs.get("transformer", {})
    heads, side = told.get("num_attention_heads"), told.get("attention_head_dim")
    size = WAN_SIZES.get(heads * side, "") if isinstance(heads, int) and isinstance(side, int) else ""
    task = "VACE" if "VACE" in own else "image to video" if "ImageToVideo" in pipeline else "text to video"
    return f"Wan {version} {task}{' ' if size else ''}{size}"
