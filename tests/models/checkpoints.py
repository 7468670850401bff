"""Checkpoints of every kind that people have, as small as what tells them apart allows, in their true layouts."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.models.layouts import (
    Shape,
    controlnet,
    ldm_unet,
    ldm_vae,
    prefixed,
    sd1_checkpoint,
    sd2_checkpoint,
    sdxl_checkpoint,
    write_sparse,
)
from vedit.models.families.sd_configs import SD1, SD2

Make = Callable[[Path], Path]


def file_of(shapes: Mapping[str, Shape], name: str = "model.safetensors") -> Make:
    return lambda folder: write_sparse(folder / name, shapes)


def pipeline_of(pipeline: str, *, index: Mapping[str, Any] | None = None, **configs: Mapping[str, Any]) -> Make:
    """A diffusers folder without weights: its index and the configs of its parts."""

    def make(folder: Path) -> Path:
        parts = {part: ["diffusers", config.get("_class_name", "CLIPTextModel")] for part, config in configs.items()}
        _json(folder / "model_index.json", {"_class_name": pipeline, **parts, **(index or {})})
        for part, config in configs.items():
            name = "scheduler_config.json" if part == "scheduler" else "config.json"
            _json(folder / part / name, config)
        return folder

    return make


def component_of(config: Mapping[str, Any]) -> Make:
    def make(folder: Path) -> Path:
        _json(folder / "config.json", config)
        return folder

    return make


def _json(file: Path, value: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value), "utf-8")


def gguf(architecture: str) -> Make:
    def make(folder: Path) -> Path:
        def text(value: str) -> bytes:
            return struct.pack("<Q", len(value)) + value.encode()

        said = text("general.architecture") + struct.pack("<I", 8) + text(architecture)
        version = text("general.quantization_version") + struct.pack("<II", 4, 2)
        file = folder / "model-Q4_K_M.gguf"
        file.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 2) + version + said)
        return file

    return make


def raw(content: bytes, name: str = "model.safetensors") -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _sd(unet: Mapping[str, Any] | None = None, second: bool = False, **more: Mapping[str, Any]) -> dict[str, Any]:
    family = SD2 if second else SD1
    parts = {part: family[part] for part in ("vae", "text_encoder", "scheduler")}
    return {"unet": {**family["unet"], **(unet or {})}, **parts, **more}


_CROSS = "input_blocks_1_1_transformer_blocks_0_attn2_to_k"
_KOHYA = {f"lora_unet_{_CROSS}.lora_down.weight": (8, 768), f"lora_unet_{_CROSS}.lora_up.weight": (320, 8)}
_XL_TEXT = {"lora_te2_text_model_encoder_layers_0_mlp_fc1.lora_down.weight": (8, 1280)}
_PEFT = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
_IP = {"image_proj.proj.weight": (3072, 1024), "ip_adapter.1.to_k_ip.weight": (320, 768)}
_MOTION = {"down_blocks.0.motion_modules.0.temporal_transformer.norm.weight": (320,)}
_XL = {"_class_name": "UNet2DConditionModel", "addition_embed_type": "text_time", "cross_attention_dim": 2048}
_WAN_BLOCK = {"blocks.0.self_attn.q.weight": (1536, 1536), "blocks.0.cross_attn.q.weight": (1536, 1536)}
_WAN_ENTRY = {"patch_embedding.weight": (1536, 16, 1, 2, 2)}
_LTX = {"patchify_proj.weight": (2048, 128), "transformer_blocks.0.scale_shift_table": (6, 2048)}
_COG = {"patch_embed.text_proj.weight": (1920, 4096), "transformer_blocks.0.norm1.linear.weight": (11520, 512)}
_FLUX = {"double_blocks.0.img_attn.qkv.weight": (9216, 3072)}

REFUSED: dict[str, tuple[Make, str]] = {
    "SD 1.5 inpainting, folder": (
        pipeline_of("StableDiffusionInpaintPipeline", **_sd({"in_channels": 9})),
        "Stable Diffusion 1.x, for inpainting, a diffusers folder, which vedit cannot run; its UNet takes 9 channels "
        "and its autoencoder gives 4",
    ),
    "SD 1.5 inpainting, file": (
        file_of(sd1_checkpoint(in_channels=9)),
        "Stable Diffusion 1.x, for inpainting, a single file",
    ),
    "InstructPix2Pix, folder": (
        pipeline_of("StableDiffusionInstructPix2PixPipeline", **_sd({"in_channels": 8})),
        "Stable Diffusion 1.x, InstructPix2Pix, a diffusers folder",
    ),
    "SD 2.1, file that does not say what it predicts": (
        file_of(sd2_checkpoint()),
        "Stable Diffusion 2.x, a single file, which vedit cannot run; the file does not say whether it predicts",
    ),
    "SD 2 guided by depth, file": (
        file_of(sd2_checkpoint(in_channels=5)),
        "Stable Diffusion 2.x, guided by depth, a single file",
    ),
    "SDXL refiner, folder": (
        pipeline_of(
            "StableDiffusionXLImg2ImgPipeline",
            index={"requires_aesthetics_score": True, "text_encoder": [None, None]},
            text_encoder_2={},
            unet={**_XL, "cross_attention_dim": 1280},
        ),
        "the refiner of Stable Diffusion XL, a diffusers folder, which vedit cannot run; it adds detail to what",
    ),
    "SDXL refiner, file": (
        file_of({k: v for k, v in sdxl_checkpoint().items() if not k.startswith("conditioner.embedders.1.")}),
        "the refiner of Stable Diffusion XL, a single file, which vedit cannot run",
    ),
    "SDXL inpainting, folder": (
        pipeline_of("StableDiffusionXLInpaintPipeline", text_encoder_2={}, **_sd({**_XL, "in_channels": 9})),
        "Stable Diffusion XL, for inpainting, a diffusers folder, which vedit cannot run; its UNet takes 9 channels",
    ),
    "SDXL inpainting, file": (
        file_of(sdxl_checkpoint(in_channels=9)),
        "Stable Diffusion XL, for inpainting, a single file, which vedit cannot run",
    ),
    "SDXL InstructPix2Pix, folder": (
        pipeline_of("StableDiffusionXLInstructPix2PixPipeline", text_encoder_2={}, **_sd({**_XL, "in_channels": 8})),
        "Stable Diffusion XL, InstructPix2Pix, a diffusers folder",
    ),
    "SDXL on noise levels of EDM, folder": (
        pipeline_of("StableDiffusionXLPipeline", text_encoder_2={}, **_sd(_XL, vae={"latents_mean": [0.0] * 4})),
        "Stable Diffusion XL, trained on EDM's noise levels, a diffusers folder, which vedit cannot run; its noise",
    ),
    "SDXL on noise levels of EDM, file": (
        file_of({**sdxl_checkpoint(), "edm_mean": (1, 4, 1, 1)}),
        "Stable Diffusion XL, trained on EDM's noise levels, a single file",
    ),
    "SDXL with another text encoder, folder": (
        pipeline_of("KolorsPipeline", index={"text_encoder": ["kolors", "ChatGLMModel"]}, unet=_XL),
        "Stable Diffusion XL with a ChatGLMModel, a diffusers folder",
    ),
    "AnimateDiff for SDXL, folder": (
        pipeline_of("AnimateDiffSDXLPipeline", motion_adapter={"_class_name": "MotionAdapter"}, **_sd(_XL)),
        "AnimateDiff, a diffusers folder, which vedit cannot run; its motion modules are for Stable Diffusion XL",
    ),
    "motion adapter, folder": (
        component_of({"_class_name": "MotionAdapter"}),
        "a motion adapter of AnimateDiff, not a",
    ),
    "motion module, file": (file_of(_MOTION), "a motion module of AnimateDiff, not a model"),
    "ControlNet, folder": (
        component_of(SD1["controlnet"]),
        "a ControlNet for Stable Diffusion 1.x, not a model; give it as --controlnet KIND=PATH",
    ),
    "ControlNet, file": (
        file_of(prefixed("control_model.", controlnet())),
        "a ControlNet for Stable Diffusion 1.x, not a model",
    ),
    "LoRA of kohya": (
        file_of(_KOHYA),
        "a LoRA for Stable Diffusion 1.x, kohya layout, not a model; it changes a model and is none: give it as --lora",
    ),
    "LoRA of kohya for SDXL": (file_of({**_KOHYA, **_XL_TEXT}), "a LoRA for Stable Diffusion XL, kohya layout"),
    "LoRA of diffusers": (
        file_of({f"{_PEFT}.lora_A.weight": (4, 1024), f"{_PEFT}.lora_B.weight": (320, 4)}),
        "a LoRA for Stable Diffusion 2.x, diffusers layout",
    ),
    "LoRA, folder": (
        file_of(_KOHYA, "lora/pytorch_lora_weights.safetensors"),
        "a LoRA for Stable Diffusion 1.x, kohya layout",
    ),
    "LoRA for Wan": (
        file_of({"diffusion_model.blocks.0.cross_attn.q.lora_A.weight": (32, 5120)}),
        "a LoRA for Wan 14B, not a model",
    ),
    "T2I-Adapter, folder": (
        component_of(
            {
                "_class_name": "T2IAdapter",
                "adapter_type": "full_adapter_xl",
                "channels": [320, 640, 1280, 1280],
                "downscale_factor": 16,
            }
        ),
        "a T2I-Adapter for Stable Diffusion XL, not a model; give it as --controlnet KIND=PATH",
    ),
    "T2I-Adapter, file": (
        file_of({"conv_in.weight": (320, 192, 3, 3), "body.0.block1.weight": (320, 320, 3, 3)}),
        "a T2I-Adapter for Stable Diffusion 1.x, not a model",
    ),
    "IP-Adapter": (file_of(_IP), "an IP-Adapter for Stable Diffusion 1.x, not a model"),
    "textual inversion": (
        file_of({"emb_params": (4, 768)}),
        "a textual inversion embedding for Stable Diffusion 1.x, not a model",
    ),
    "UNet alone, original layout": (
        file_of(prefixed("model.diffusion_model.", ldm_unet())),
        "a UNet alone, of Stable Diffusion 1.x, not a model; give the whole model: UNet, autoencoder",
    ),
    "UNet alone, folder": (component_of(SD2["unet"]), "a UNet alone, of Stable Diffusion 2.x"),
    "UNet alone, diffusers layout": (
        file_of({"conv_in.weight": (320, 4, 3, 3), "down_blocks.0.resnets.0.norm1.weight": (320,)}),
        "a UNet alone, of an unknown width",
    ),
    "checkpoint without its autoencoder": (
        file_of({k: v for k, v in sd1_checkpoint().items() if not k.startswith("first_stage_model.")}),
        "Stable Diffusion 1.x without autoencoder, a single file",
    ),
    "autoencoder alone": (file_of(ldm_vae()), "an autoencoder alone, not a model"),
    "Wan 2.1 VACE, folder": (
        pipeline_of("WanVACEPipeline", transformer={"_class_name": "WanVACETransformer3DModel"}, vae={"z_dim": 16}),
        "Wan 2.1 VACE, a diffusers folder, which vedit cannot run",
    ),
    "Wan 2.2 VACE, folder": (
        pipeline_of(
            "WanVACEPipeline",
            index={"boundary_ratio": 0.875},
            transformer={"_class_name": "WanVACETransformer3DModel"},
            transformer_2={"_class_name": "WanVACETransformer3DModel"},
        ),
        "Wan 2.2 VACE, a diffusers folder",
    ),
    "Wan 2.2 text to video, folder": (
        pipeline_of("WanPipeline", transformer={"_class_name": "WanTransformer3DModel"}, vae={"z_dim": 48}),
        "Wan 2.2 text to video, a diffusers folder",
    ),
    "Wan VACE, file": (
        file_of({**_WAN_ENTRY, **_WAN_BLOCK, "vace_blocks.0.before_proj.weight": (1536, 1536)}),
        "the transformer of Wan 2.1 VACE 1.3B alone",
    ),
    "Wan, file": (
        file_of(prefixed("model.diffusion_model.", {**_WAN_ENTRY, **_WAN_BLOCK})),
        "the transformer of Wan 2.1 text to video 1.3B alone",
    ),
    "LTX-Video, folder": (
        pipeline_of("LTXPipeline", transformer={"_class_name": "LTXVideoTransformer3DModel"}),
        "LTX-Video, a diffusers folder",
    ),
    "LTX-Video, file": (
        file_of({**prefixed("model.diffusion_model.", _LTX), "vae.decoder.conv_in.conv.weight": (4, 4, 3, 3, 3)}),
        "LTX-Video, a single file",
    ),
    "CogVideoX, folder": (
        pipeline_of("CogVideoXPipeline", transformer={"_class_name": "CogVideoXTransformer3DModel"}),
        "CogVideoX, a diffusers folder",
    ),
    "CogVideoX, file": (file_of(_COG), "the transformer of CogVideoX alone"),
    "FLUX, file": (file_of(_FLUX), "the transformer of FLUX alone"),
    "Wan, GGUF": (gguf("wan"), "a GGUF file of Wan, which vedit cannot run"),
    "an upscaler": (file_of({"conv_first.weight": (64, 3, 3, 3)}), "is an upscaler; it makes pictures larger"),
    "an unknown file": (
        file_of({"a.b": (3,)}),
        "a file that vedit does not know: it holds 1 tensors, among them 'a.b'",
    ),
    "a folder with a file in it": (
        lambda folder: file_of(_KOHYA, "x/style.safetensors")(folder).parent,
        "is not a diffusers folder: it has no model_index.json, but style.safetensors in it is a LoRA",
    ),
    "a pickle": (raw(b"PK\3\4", "model.ckpt"), "is a pickle file"),
    "a pickle under another name": (raw(b"PK\3\4" + b"\0" * 99), "is a pickle under the name of a safetensors file"),
    "a pointer of Git LFS": (raw(b"version https://git-lfs.github.com/spec/v1\n"), "is a pointer of Git LFS"),
    "a web page": (raw(b"<!DOCTYPE html><html></html>"), "is a web page, not weights"),
    "an empty file": (raw(b""), "is empty"),
}
"""What is refused as --model, and what the error says of it."""
