"""What a checkpoint is, from the names and shapes of its tensors: family, part and layout, in words.

The names are those that the original code, diffusers, kohya-ss and the authors of each model write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vedit.models.families.sd_keys import CLIP, CONTROLNET, OPEN_CLIP, UNET, VAE

Part = Literal["model", "controlnet", "lora", "adapter", "network", "other"]
Shapes = Mapping[str, tuple[int, ...]]

ANIMATEDIFF = "AnimateDiff"
SD1, SD2, SDXL, LIKE_SD = "Stable Diffusion 1.x", "Stable Diffusion 2.x", "Stable Diffusion XL", "Stable Diffusion"
FILE = "a single file"
_LORA_ENDS = (".lora_down.weight", ".lora_A.weight", ".lora.down.weight", ".hada_w1_a", ".lokr_w1", ".dora_scale")
_LORA_MORE = (
    "_lora.down.weight",
    ".lora_A.default.weight",
    ".lokr_w1_a",
    ".oft_blocks",
    ".lora_linear_layer.down.weight",
)
_WIDTHS = {768: SD1, 1024: SD2, 2048: SDXL}
REFINER = "the refiner of Stable Diffusion XL"
REFINES = "it adds detail to what the base model has drawn, with one text encoder alone: give the base model"
EDM_LACKS = "its noise levels are continuous, which vedit does not sample: use a model of Stable Diffusion XL's own"
# What a UNet takes beside the four channels of noisy latents.
INPUTS = {5: "guided by depth", 7: "an upscaler", 8: "InstructPix2Pix", 9: "for inpainting"}


_FACE_ID = (
    "it reads the numbers of a face recogniser, which vedit does not have: use ip-adapter-plus-face or "
    "ip-adapter-full-face, which read the picture"
)


GIVEN_AS = {
    "model": "--model {}",
    "controlnet": "--controlnet KIND={}",
    "t2i-adapter": "--controlnet KIND={}",
    "lora": "--lora {}",
    "ip-adapter": "--ip-adapter {}",
    "embedding": "--embedding {}",
    "motion": "--motion-adapter {}",
    "unet": "--unet {}",
}
"""How something is given, by its sort, or by its part where that says all."""
MOTION_GIVEN = f"give it as {GIVEN_AS['motion'].format('PATH')}, beside a --model of {SD1}"
BRANCH_GIVEN = f"give it as {GIVEN_AS['controlnet'].format('PATH')}, beside a --model"
_REFERENCES_GIVEN = f"give it as {GIVEN_AS['ip-adapter'].format('FILE')} with --reference PICTURE, beside a --model"
T2I_CELLS = {64: 8, 192: 8, 256: 16, 768: 16}
"""The channels of the first layer of a T2I-Adapter -> the side in pixels of the squares of one or three colours that it
takes as one."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What something is."""

    name: str
    """In words, with an article or a proper name: "a LoRA for Stable Diffusion XL, kohya layout"."""
    part: Part
    runs: bool = False
    """Whether vedit can use it as what it is."""
    family: str = ""
    """The family of models that it is of or for, where that is known."""
    lacks: str = ""
    """What it would need to be used, or why it cannot be."""
    sort: str = ""
    """Of an adapter, which: "ip-adapter", "t2i-adapter", "embedding", "motion", "lllite"; of a network "vae",
    "image-encoder"; "" where `part` says all."""
    precision: str = ""
    """What most of its numbers are stored in: fp16, bf16, fp32, fp8, or a quantisation; "" where that is not known."""

    def given_as(self, place: object) -> str:
        """The option with which one that lies there is given; empty where there is none, or it cannot be used."""
        option = GIVEN_AS.get(self.sort or self.part)
        if option is None or (not self.runs and (self.lacks or self.part in ("model", "controlnet"))):
            return ""
        return option.format(place)


def kind_of(shapes: Shapes, metadata: Mapping[str, str] | None = None) -> Kind:
    """What a safetensors file is, by the tensors in it, and by what its trainer wrote where these do not tell."""
    return (
        _lora(shapes, metadata or {})
        or _adapter(shapes)
        or _controlnet(shapes)
        or _checkpoint(shapes)
        or _transformer(shapes)
        or _network(shapes)
        or _unknown(shapes)
    )


def _unknown(shapes: Shapes) -> Kind:
    first = next(iter(shapes), None)
    told = "no tensors" if first is None else f"{len(shapes)} tensors, among them {first!r}"
    return Kind(name=f"a file that vedit does not know: it holds {told}", part="other")


def _has(shapes: Shapes, *beginnings: str) -> bool:
    return any(key.startswith(beginnings) for key in shapes)


def _within(shapes: Shapes, *pieces: str) -> bool:
    return any(piece in key for key in shapes for piece in pieces)


def cross_width(shapes: Shapes) -> int | None:
    """The width of the text states that cross-attention takes."""
    ends = (
        "attn2.to_k.weight",
        "attn2_to_k.lora_down.weight",
        "attn2.to_k.lora_A.weight",
        "attn2.to_k.lora.down.weight",
    )
    ends = (*ends, "attn2.processor.to_k_lora.down.weight", "to_k_ip.weight")
    return next((shape[-1] for key, shape in shapes.items() if key.endswith(ends) and shape), None)


def family_of(shapes: Shapes) -> str:
    """The Stable Diffusion that a UNet's keys are of or for; "" where the width of its text is of none."""
    return _WIDTHS.get(cross_width(shapes) or 0, "")


def built_on(family: str) -> str:
    """The Stable Diffusion whose ControlNets and LoRAs a family takes."""
    return SD1 if family == ANIMATEDIFF else family


def _for(family: str) -> str:
    return f" for {family}" if family else ""


def _lora(shapes: Shapes, metadata: Mapping[str, str]) -> Kind | None:
    if not any(key.endswith((*_LORA_ENDS, *_LORA_MORE)) for key in shapes):
        return None
    if _within(shapes, "motion_modules"):
        return Kind(name="a LoRA for AnimateDiff's motion module", part="lora", family="AnimateDiff")
    if _within(shapes, "image_proj.", "to_k_ip.", "image_proj_model."):
        return None  # an IP-Adapter that brings a LoRA
    family = _lora_family(shapes) or _trained_on(metadata)
    layout = "kohya layout" if _has(shapes, "lora_unet_", "lora_te_", "lora_te1_", "lora_transformer_") else ""
    layout = layout or ("diffusers layout" if _has(shapes, "unet.", "text_encoder.", "transformer.") else "")
    kind = "LoHa" if _within(shapes, ".hada_w1") else "LoKr" if _within(shapes, ".lokr_w1") else "LoRA"
    return Kind(name=f"a {kind}{_for(family)}{', ' if layout else ''}{layout}", part="lora", family=family)


def _lora_family(shapes: Shapes) -> str:
    # The second text encoder and deep transformers are SDXL's alone.
    deep = ("attentions_1_transformer_blocks_1_", "attentions.1.transformer_blocks.1.", "_1_transformer_blocks_1_")
    if _has(shapes, "lora_te1_", "lora_te2_", "text_encoder_2.") or (
        _has(shapes, "lora_unet_", "unet.") and _within(shapes, *deep)
    ):
        return SDXL
    family = _transformer_name(shapes) or family_of(shapes)
    if family:
        return family
    ends = tuple(f"mlp.fc1.{end}" for end in ("lora_A.weight", "lora_linear_layer.down.weight"))
    ends = (*ends, "mlp_fc1.lora_down.weight")
    width = next((shape[-1] for key, shape in shapes.items() if key.endswith(ends) and shape), 0)
    return {768: SD1, 1024: SD2}.get(width, "")


def _trained_on(metadata: Mapping[str, str]) -> str:
    """The family that the trainers of kohya-ss and the standard of model metadata name."""
    told = f"{metadata.get('ss_base_model_version', '')} {metadata.get('modelspec.architecture', '')}"
    named = {"sdxl": SDXL, "stable-diffusion-xl": SDXL, "sd_v1": SD1, "stable-diffusion-v1": SD1}
    named |= {"sd_v2": SD2, "stable-diffusion-v2": SD2}
    return next((family for said, family in named.items() if said in told), "")


def _adapter(shapes: Shapes) -> Kind | None:
    if _has(shapes, "ip_adapter.", "image_proj."):
        family = family_of(shapes)
        face = _is_face_id(shapes)
        name = f"an {'IP-Adapter FaceID' if face else 'IP-Adapter'}{_for(family)}"
        told = _FACE_ID if face else _REFERENCES_GIVEN
        return Kind(name=name, part="adapter", family=family, sort="ip-adapter", runs=not face, lacks=told)
    if _has(shapes, "lllite_"):
        name = "a ControlNet-LLLite for Stable Diffusion XL"
        return Kind(name=name, part="adapter", family=SDXL, sort="lllite")
    if _within(shapes, "motion_modules.") and not _within(shapes, "conv_in.weight", "input_blocks.0.0.weight"):
        return Kind(
            name="a motion module of AnimateDiff",
            part="adapter",
            runs=True,
            family=ANIMATEDIFF,
            lacks=MOTION_GIVEN,
            sort="motion",
        )
    if _has(shapes, "adapter.body.", "body.0.resnets.", "body.0.block1.", "body.0.in_conv."):
        return t2i_kind(_t2i_family(shapes))
    if _has(shapes, "emb_params", "clip_l", "clip_g", "string_to_param") or (len(shapes) == 1 and _embedding(shapes)):
        widths = {shape[-1] for shape in shapes.values() if shape}
        family = SDXL if 1280 in widths else SD2 if 1024 in widths else SD1 if 768 in widths else ""
        name = f"a textual inversion embedding{_for(family)}"
        return Kind(name=name, part="adapter", family=family, sort="embedding")
    return None


def t2i_kind(family: str) -> Kind:
    """A T2I-Adapter for a family; "" is not known."""
    name = f"a T2I-Adapter{_for(family)}"
    return Kind(name=name, part="adapter", family=family, sort="t2i-adapter", runs=True, lacks=BRANCH_GIVEN)


def _t2i_family(shapes: Shapes) -> str:
    """By the squares that the first layer takes, and its width, a quarter in the light one."""
    entries = (f"{prefix}{name}.weight" for prefix in ("", "adapter.") for name in ("conv_in", "body.0.in_conv"))
    entry = next((shapes[key] for key in entries if len(shapes.get(key, ())) == 4), (0, 0))
    return {8: SD1, 16: SDXL}.get(T2I_CELLS.get(entry[1], 0), "") if entry[0] in (80, 320) else ""


def _is_face_id(shapes: Shapes) -> bool:
    """Whether an IP-Adapter takes the 512 numbers of a face recogniser, or brings a LoRA as only these do."""
    first = shapes.get("image_proj.proj.0.weight", (0, 0))
    kept = "image_proj.norm.weight" in shapes and "image_proj.proj.0.weight" in shapes
    return kept or first[-1] == 512 or _within(shapes, "to_k_lora.", "to_q_lora.", "image_proj.perceiver_resampler.")


def _embedding(shapes: Shapes) -> bool:
    return next(iter(shapes.values()))[-1:] in ((768,), (1024,), (1280,))


def _controlnet(shapes: Shapes) -> Kind | None:
    if not _has(shapes, CONTROLNET, "zero_convs.", "input_hint_block.", "controlnet_cond_embedding."):
        return None
    if _has(shapes, UNET):
        return Kind(
            name="a Stable Diffusion with a ControlNet in one file", part="other", lacks="give the two as two files"
        )
    if _within(shapes, "motion_modules."):
        return Kind(name="a SparseCtrl of AnimateDiff", part="controlnet", family="AnimateDiff")
    family = SDXL if _within(shapes, "label_emb.", "add_embedding.") else family_of(shapes)
    if "difference" in shapes:
        return Kind(name=f"the difference of a ControlNet{_for(family)}", part="controlnet", family=family)
    if _has(shapes, "task_embedding", "control_type_proj", "control_add_embedding"):
        name = f"a ControlNet of many kinds in one{_for(family)}"
        return Kind(name=name, part="controlnet", runs=family == SDXL, family=family)
    return Kind(name=f"a ControlNet{_for(family)}", part="controlnet", runs=True, family=family)


def _checkpoint(shapes: Shapes) -> Kind | None:
    """Stable Diffusion in the layout of its original code, whole or as a UNet alone."""
    entry = next(
        (shapes[key] for key in (f"{UNET}input_blocks.0.0.weight", "input_blocks.0.0.weight") if key in shapes), None
    )
    if entry is None:
        return None
    if _has(shapes, "conditioner.embedders."):
        return _xl_checkpoint(shapes, takes=entry[1] if len(entry) > 1 else 4)
    family = SDXL if _within(shapes, ".label_emb.0.0.") and not _has(shapes, OPEN_CLIP, CLIP) else family_of(shapes)
    if entry[0] != 320 and family in (SD1, SD2):
        family = ""
    if _within(shapes, "motion_modules.", "temporal_transformer"):
        return Kind(name=f"AnimateDiff, {FILE}", part="model", family="AnimateDiff")
    if _within(shapes, "time_mix_blocks", "time_stack"):
        return Kind(name=f"Stable Video Diffusion, {FILE}", part="model", family="Stable Video Diffusion")
    called = family or "a Stable Diffusion of unknown width"
    if not _has(shapes, VAE, CLIP, OPEN_CLIP):
        return Kind(name=f"a UNet alone, of {called}", part="network", family=family)
    parts = {"autoencoder": (VAE,), "text encoder": (CLIP, OPEN_CLIP)}
    absent = [part for part, begins in parts.items() if not _has(shapes, *begins)]
    if absent:
        lacks = "give a file that holds all three networks, or a diffusers folder"
        return Kind(name=f"{called} without {' and '.join(absent)}, {FILE}", part="model", family=family, lacks=lacks)
    if len(entry) > 1 and entry[1] in INPUTS:
        lacks = inputs_lack(entry[1], 4)
        return Kind(name=f"{called}, {INPUTS[entry[1]]}, {FILE}", part="model", family=family, lacks=lacks)
    if _within(shapes, ".label_emb."):
        return Kind(name=f"{called} for variations of a picture, {FILE}", part="model", family=family)
    return Kind(name=f"{called}, {FILE}", part="model", runs=True, family=family or LIKE_SD)


def _xl_checkpoint(shapes: Shapes, *, takes: int) -> Kind:
    """Stable Diffusion XL in the layout of its original code, whose UNet takes so many channels."""
    name, lacks = SDXL, ""
    if not _has(shapes, "conditioner.embedders.1."):
        name, lacks = REFINER, REFINES
    elif takes in INPUTS:
        name, lacks = f"{SDXL}, {INPUTS[takes]}", inputs_lack(takes, 4)
    elif not _has(shapes, VAE):
        name, lacks = f"{SDXL} without autoencoder", "give a file that holds all networks, or a diffusers folder"
    elif _has(shapes, "edm_mean", "edm_vpred."):
        name, lacks = f"{SDXL}, trained on EDM's noise levels", EDM_LACKS
    return Kind(name=f"{name}, {FILE}", part="model", runs=not lacks, family=SDXL, lacks=lacks)


def inputs_lack(takes: int, gives: int) -> str:
    """Why a UNet that takes more than noisy latents cannot run."""
    return f"its UNet takes {takes} channels and its autoencoder gives {gives}: use a text-to-image model"


def _transformer(shapes: Shapes) -> Kind | None:
    name = _transformer_name(shapes)
    if not name:
        return None
    whole = _has(shapes, "vae.", VAE, "text_encoders.", "text_encoder.")
    return Kind(name=f"{name}, {FILE}" if whole else f"the transformer of {name} alone", part="model", family=name)


def _transformer_name(shapes: Shapes) -> str:
    """The family of a transformer by what only its blocks have; "" for anything else."""
    if _within(shapes, "vace_blocks.", "vace_blocks_0_"):
        return _wan(shapes)
    if _within(
        shapes, "blocks.0.cross_attn.q", "blocks_0_cross_attn_q", "blocks.0.self_attn.q", "blocks.0.attn2.add_k_proj"
    ):
        return _wan(shapes)
    if _within(shapes, "condition_embedder.text_embedder"):
        return _wan(shapes)
    if _within(shapes, "patchify_proj.") or (_within(shapes, "caption_projection.") and _within(shapes, "audio_")):
        return "LTX-2" if _within(shapes, "audio_") else "LTX-Video"
    if _within(shapes, "individual_token_refiner", "context_embedder.token_refiner"):
        return "HunyuanVideo"
    if _within(shapes, "joint_blocks.", "joint_blocks_"):
        return "Stable Diffusion 3"
    if _within(shapes, "double_blocks.", "double_blocks_", "single_transformer_blocks"):
        return "FLUX"
    if _within(shapes, "patch_embed.text_proj", "norm_final.weight") and _within(
        shapes, "transformer_blocks.0.norm1.linear"
    ):
        return "CogVideoX"
    if _within(shapes, "transformer_blocks.0.img_mlp", "transformer_blocks.0.img_mod"):
        return "Qwen-Image"
    if _within(shapes, "proj_in.weight", "scale_shift_table") and _has(
        shapes, "transformer_blocks.0.scale_shift_table"
    ):
        return "LTX-Video" if "proj_in.weight" in shapes else "PixArt"
    return ""


WAN_SIZES = {1536: "1.3B", 3072: "5B", 5120: "14B"}
"""The width of a transformer of Wan -> its parameters, as its authors name them."""
_WAN_ENDS = ("blocks.0.self_attn.q.weight", "blocks.0.attn1.to_q.weight", "blocks.0.self_attn.q_proj.weight")
_WAN_LORA_ENDS = ("cross_attn.q.lora_A.weight", "cross_attn_q.lora_down.weight", "self_attn.q.lora_A.weight")


def _wan(shapes: Shapes) -> str:
    """Which Wan, as far as its tensors tell: 2.1 and 2.2 have the same at 14B where no picture is put in."""
    entry = next((shape for key, shape in shapes.items() if key.endswith("patch_embedding.weight")), ())
    ends = (*_WAN_ENDS, *_WAN_LORA_ENDS, "vace_patch_embedding.bias")
    width = next((shape[-1] for key, shape in shapes.items() if key.endswith(ends) and shape), 0)
    size = f" {WAN_SIZES[width]}" if width in WAN_SIZES else ""
    if _within(shapes, "vace_blocks.", "vace_blocks_0_"):
        return f"Wan 2.1 VACE{size}" if size == " 1.3B" else f"Wan VACE{size}"
    if len(entry) > 1 and entry[1] == 48:
        return "Wan 2.2 5B"
    if _within(shapes, "img_emb.", "image_embedder", "k_img.", "add_k_proj"):
        return f"Wan 2.1 image to video{size}"
    if len(entry) > 1 and entry[1] == 36:
        return f"Wan 2.2 image to video{size}"
    return f"Wan 2.1 text to video{size}" if size == " 1.3B" and entry else f"Wan{size}"


def _network(shapes: Shapes) -> Kind | None:
    """A part of a model in a file of its own."""
    if _has(shapes, "down_blocks.") and "conv_in.weight" in shapes:
        family = SDXL if _has(shapes, "add_embedding.") else family_of(shapes)
        if _within(shapes, "motion_modules."):
            return Kind(name="the UNet of AnimateDiff alone", part="network", family="AnimateDiff")
        return Kind(name=f"a UNet alone, of {family or 'an unknown width'}", part="network", family=family)
    decoder = next((key for key in shapes if key.startswith(("decoder.", VAE)) and len(shapes[key]) >= 4), None)
    if decoder:
        video = any(len(shape) == 5 for shape in shapes.values())
        return Kind(name=f"an autoencoder{' for video' if video else ''} alone", part="network", sort="vae")
    if _has(shapes, "vision_model.", "visual."):
        return Kind(name="a CLIP image encoder", part="network", sort="image-encoder")
    if _within(shapes, "text_model.", "embeddings.token_embedding.", "token_embedding.weight", "SelfAttention.q"):
        return Kind(name="a text encoder alone", part="network")
    if _within(shapes, "rdb1.", "RDB1.", "conv_first.", "body.0.weight"):
        return Kind(name="an upscaler", part="other", lacks="it makes pictures larger and draws none: give a model")
    return None
