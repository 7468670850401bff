"""Tiny random networks for segmentation and tracking, of the classes and in the folder layout that the hub has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

CLASSES = {number: f"class {number}" for number in range(150)}
SAM_SIDE = 64
WORKING_SIDE = 64
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_SQUARE = {"height": WORKING_SIDE, "width": WORKING_SIDE}


def save_segment(folder: Path) -> None:
    """Save `upernet-convnext-tiny`, `mask2former-swin-small-ade`, `segformer-b0-ade`, `sam2.1-hiera-tiny` and
    `owlv2-base-patch16`; random, what they say means nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = {
            "upernet-convnext-tiny": _upernet(),
            "mask2former-swin-small-ade": _mask2former(),
            "segformer-b0-ade": _segformer(),
            "sam2.1-hiera-tiny": _sam2(),
            "owlv2-base-patch16": _owlv2(),
        }
        for name, model in made.items():
            # Random heads say nearly the same everywhere; larger ones make maps and masks with more than one value.
            for part, weight in model.named_parameters():
                if weight.ndim > 1 and not part.endswith("positional_embedding"):
                    torch.nn.init.normal_(weight, std=0.25)
            model.save_pretrained(folder / name)
    formats: dict[str, dict[str, Any]] = {
        "upernet-convnext-tiny": {"image_processor_type": "SegformerImageProcessor", "size": _SQUARE, **_IMAGENET},
        "mask2former-swin-small-ade": {
            "image_processor_type": "Mask2FormerImageProcessor",
            "size": _SQUARE,
            "size_divisor": 32,
            **_IMAGENET,
        },
        "segformer-b0-ade": {"image_processor_type": "SegformerImageProcessor", "size": WORKING_SIDE, **_IMAGENET},
        "sam2.1-hiera-tiny": {
            "image_processor_type": "Sam2ImageProcessorFast",
            "size": {"height": SAM_SIDE, "width": SAM_SIDE},
            **_IMAGENET,
        },
        "owlv2-base-patch16": {"image_processor_type": "Owlv2ImageProcessor", "size": {"height": 32, "width": 32}},
    }
    for name, said in formats.items():
        (folder / name / "preprocessor_config.json").write_text(json.dumps(said), "utf-8")
    _save_tokenizer(folder / "owlv2-base-patch16")


def _upernet() -> Any:
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    backbone = ConvNextConfig(
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],  # pyright: ignore[reportCallIssue] - through **kwargs
    )
    config = UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        auxiliary_in_channels=8,
        auxiliary_channels=8,
        id2label=CLASSES,  # pyright: ignore[reportCallIssue] - through **kwargs
    )
    return UperNetForSemanticSegmentation(config)


def _segformer() -> Any:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
        decoder_hidden_size=16,
        id2label=CLASSES,  # pyright: ignore[reportCallIssue] - through **kwargs
    )
    return SegformerForSemanticSegmentation(config)


def _mask2former() -> Any:
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    backbone = SwinConfig(
        image_size=WORKING_SIDE,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],  # pyright: ignore[reportCallIssue] - through **kwargs
    )
    config = Mask2FormerConfig(
        backbone_config=backbone,
        feature_size=32,
        mask_feature_size=32,
        hidden_dim=32,
        encoder_feedforward_dim=16,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=16,
        num_queries=12,
        id2label=CLASSES,  # pyright: ignore[reportCallIssue] - through **kwargs
    )
    return Mask2FormerForUniversalSegmentation(config)


def _sam2() -> Any:
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

    grid = SAM_SIDE // 16
    hiera = Sam2HieraDetConfig(
        hidden_size=8,
        num_attention_heads=1,
        image_size=[SAM_SIDE, SAM_SIDE],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 1, 1],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=hiera,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[grid * 4, grid * 4], [grid * 2, grid * 2], [grid, grid]],
        fpn_hidden_size=128,
    )
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": 128, "image_size": SAM_SIDE, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": 128,
            "mlp_dim": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 16,
        },
        image_size=SAM_SIDE,
        num_maskmem=3,
        max_object_pointers_in_encoder=4,
        memory_attention_hidden_size=128,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[grid, grid],
        memory_encoder_hidden_size=128,
        memory_encoder_output_channels=64,  # fixed in the memory attention
        mask_downsampler_embed_dim=128,
        memory_fuser_embed_dim=128,
        memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1,
    )
    return Sam2VideoModel(config)


def _owlv2() -> Any:
    from transformers import Owlv2Config, Owlv2ForObjectDetection

    config = Owlv2Config(
        text_config={
            "vocab_size": len(_vocabulary()),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "bos_token_id": len(_vocabulary()) - 2,
            "eos_token_id": len(_vocabulary()) - 1,
        },
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
        projection_dim=16,
    )
    return Owlv2ForObjectDetection(config)


def _vocabulary() -> dict[str, int]:
    """Letters, alone and at a word's end; the end of a text is the last token, where CLIP looks for its meaning."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = ["!", *letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(tokens)}


def _save_tokenizer(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps(_vocabulary()), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    said = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 16,
        "pad_token": "!",
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(said), "utf-8")
