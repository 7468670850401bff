"""Families, sizes and precision from headers alone, and how long it takes for what is large."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.models.checkpoints import component_of, file_of, pipeline_of
from tests.models.layouts import Shape, prefixed, sd1_checkpoint, sdxl_checkpoint, write_sparse
from vedit.models.families.sd_configs import SD1
from vedit.models.gguf_header import read_gguf
from vedit.models.identify import identify

_TE = "text_model_encoder_layers_0_mlp_fc1.lora_down.weight"
_PEFT_TE = "text_encoder.text_model.encoder.layers.0.mlp.fc1.lora_A.weight"
_RES = {"lora_unet_down_blocks_0_resnets_0_conv1.lora_down.weight": (8, 320, 3, 3)}
_DEEP = "lora_unet_input_blocks_4_1_transformer_blocks_1_attn1_to_k.lora_down.weight"


@pytest.mark.parametrize(
    ("shapes", "name"),
    [
        ({f"lora_te_{_TE}": (8, 768)}, "a LoRA for Stable Diffusion 1.x, kohya layout"),
        ({f"lora_te_{_TE}": (8, 1024)}, "a LoRA for Stable Diffusion 2.x, kohya layout"),
        ({f"lora_te1_{_TE}": (8, 768)}, "a LoRA for Stable Diffusion XL, kohya layout"),
        ({_PEFT_TE: (4, 1024)}, "a LoRA for Stable Diffusion 2.x, diffusers layout"),
        ({_DEEP: (8, 640)}, "a LoRA for Stable Diffusion XL, kohya layout"),
        (_RES, "a LoRA, kohya layout"),
        ({"emb_params": (4, 1024)}, "a textual inversion embedding for Stable Diffusion 2.x"),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, "a textual inversion embedding for Stable Diffusion XL"),
        (
            {"image_proj.proj.0.weight": (1024, 512), "ip_adapter.1.to_k_ip.weight": (320, 768)},
            "an IP-Adapter FaceID for Stable Diffusion 1.x",
        ),
        (
            {
                "image_proj.proj.0.weight": (1024, 512),
                "ip_adapter.0.to_k_lora.down.weight": (128, 320),
                "ip_adapter.1.to_k_ip.weight": (640, 2048),
            },
            "an IP-Adapter FaceID for Stable Diffusion XL",
        ),
        (
            {"patch_embedding.weight": (5120, 36, 1, 2, 2), "blocks.0.self_attn.q.weight": (5120, 5120)},
            "the transformer of Wan 2.2 image to video 14B alone",
        ),
        (
            {"vace_blocks.0.before_proj.weight": (5120, 5120), "blocks.0.self_attn.q.weight": (5120, 5120)},
            "the transformer of Wan VACE 14B alone",
        ),
    ],
)
def test_a_file_is_told_by_its_tensors(tmp_path: Path, shapes: Mapping[str, Shape], name: str) -> None:
    assert identify(file_of(shapes)(tmp_path)).name == name


@pytest.mark.parametrize(
    ("metadata", "family"),
    [
        ({"ss_base_model_version": "sd_v2_v"}, "Stable Diffusion 2.x"),
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "Stable Diffusion XL"),
        ({"modelspec.architecture": "stable-diffusion-v1/lora"}, "Stable Diffusion 1.x"),
    ],
)
def test_where_no_tensor_tells_the_trainer_does(tmp_path: Path, metadata: Mapping[str, str], family: str) -> None:
    file = write_sparse(tmp_path / "lora.safetensors", _RES, metadata=metadata)
    assert identify(file).family == family


def test_a_folder_of_wan_is_told_with_its_size(tmp_path: Path) -> None:
    config = {"_class_name": "WanVACETransformer3DModel", "num_attention_heads": 40, "attention_head_dim": 128}
    folder = pipeline_of("WanVACEPipeline", transformer=config)(tmp_path)
    assert identify(folder).name == "Wan 2.1 VACE 14B, a diffusers folder"


@pytest.mark.parametrize(
    ("dtype", "precision"), [("F16", "fp16"), ("BF16", "bf16"), ("F32", "fp32"), ("F8_E4M3", "fp8")]
)
def test_precision_is_what_most_numbers_are_stored_in(tmp_path: Path, dtype: str, precision: str) -> None:
    assert identify(write_sparse(tmp_path / "x.safetensors", sd1_checkpoint(), dtype=dtype)).precision == precision
    folder = pipeline_of("StableDiffusionPipeline", unet=SD1["unet"], vae=SD1["vae"])(tmp_path / "folder")
    write_sparse(folder / "unet" / "diffusion_pytorch_model.fp16.safetensors", {"a": (2,)}, dtype=dtype)
    assert identify(folder).precision == precision


def write_gguf(path: Path, tensors: Mapping[str, tuple[Shape, int]], architecture: str = "wan") -> Path:
    """A GGUF file without its numbers: tensors by name, with shape and ggml's number of their format."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text(architecture)
    keys += text("some.list") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    keys += text("other.list") + struct.pack("<IIQ", 9, 4, 3) + b"\0" * 12
    body = b"".join(
        text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), kind, 0)
        for name, (shape, kind) in tensors.items()
    )
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 3) + keys + body)
    return path


def test_a_gguf_file_says_its_network_its_size_and_its_quantisation(tmp_path: Path) -> None:
    tensors: dict[str, tuple[Shape, int]] = {
        "vace_blocks.0.before_proj.weight": ((5120, 5120), 12),
        "blocks.0.self_attn.q.weight": ((5120, 5120), 12),
        "blocks.0.norm3.weight": ((5120,), 0),
    }
    file = write_gguf(tmp_path / "wan.gguf", tensors)
    header = read_gguf(file)
    assert header.shapes == {name: shape for name, (shape, _) in tensors.items()}
    assert header.formats == {"Q4_K": 2 * 5120**2, "F32": 5120}
    kind = identify(file)
    assert (kind.name, kind.precision) == ("a GGUF file of Wan VACE 14B", "Q4_K")
    whole = file.read_bytes()
    for length in range(4, len(whole), 7):  # wherever it is cut off, it is no crash
        file.write_bytes(whole[:length])
        assert identify(file).name.startswith("a GGUF file of")


def test_ten_gigabytes_and_two_hundred_shards_take_less_than_a_second(tmp_path: Path) -> None:
    layers = {f"model.diffusion_model.more.{n}.weight": (4096, 4096) for n in range(280)}
    large = write_sparse(tmp_path / "large.safetensors", {**sdxl_checkpoint(), **layers}, dtype="F16")
    assert large.stat().st_size > 9_500_000_000
    folder = component_of(SD1["unet"])(tmp_path / "unet")
    names = [f"diffusion_pytorch_model-{n:05}-of-00200.safetensors" for n in range(200)]
    for n, name in enumerate(names):
        write_sparse(folder / name, prefixed(f"block.{n}.", {f"w{i}": (320, 320) for i in range(20)}))
    index = {"weight_map": {f"block.{n}.w0": name for n, name in enumerate(names)}}
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    start = time.perf_counter()
    assert identify(large).name == "Stable Diffusion XL, a single file"
    assert identify(folder).precision == "fp16"
    assert time.perf_counter() - start < 1
