"""Tiny depth models with random weights: the classes, files and configs of the hub, a thousandth of the size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BeitConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
    ZoeDepthConfig,
    ZoeDepthForDepthEstimation,
)
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

_HALVES = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def save_depth(folder: Path) -> None:
    """Save every depth model as `folder/<name of its weights>/`."""
    bars = is_progress_bar_enabled()
    disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _save(folder / "depth-anything-v2-small", _depth_anything(), "DPTImageProcessor", 518, 14, _IMAGENET)
        _save(folder / "dpt-large", _dpt(), "DPTImageProcessor", 384, 1, _HALVES)
        _save(folder / "zoedepth-nyu-kitti", _zoe(), "ZoeDepthImageProcessor", 384, 32, _HALVES)
    if bars:
        enable_progress_bar()


def _save(folder: Path, model: Any, kind: str, side: int, multiple: int, statistics: dict[str, list[float]]) -> None:
    model.eval().save_pretrained(folder)
    preprocessing = {
        "image_processor_type": kind,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "ensure_multiple_of": multiple,
        "size": {"height": side, "width": side},
        **statistics,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=2), "utf-8")


def _depth_anything() -> DepthAnythingForDepthEstimation:
    backbone = Dinov2Config(
        image_size=56,
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        out_indices=[1, 2, 3, 4],  # pyright: ignore[reportCallIssue] - taken through **kwargs
        reshape_hidden_states=False,
    )
    return DepthAnythingForDepthEstimation(
        DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=24,
            neck_hidden_sizes=[8, 8, 16, 16],
            fusion_hidden_size=8,
            head_hidden_size=8,
        )
    )


def _dpt() -> DPTForDepthEstimation:
    return DPTForDepthEstimation(
        DPTConfig(
            image_size=32,
            patch_size=16,
            hidden_size=24,
            num_hidden_layers=4,
            num_attention_heads=2,
            intermediate_size=48,
            backbone_out_indices=[0, 1, 2, 3],
            neck_hidden_sizes=[8, 8, 16, 16],
            fusion_hidden_size=8,
        )
    )


def _zoe() -> ZoeDepthForDepthEstimation:
    backbone = BeitConfig(
        image_size=32,
        patch_size=16,
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=48,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],  # pyright: ignore[reportCallIssue] - taken through **kwargs
    )
    model = ZoeDepthForDepthEstimation(
        ZoeDepthConfig(
            backbone_config=backbone,
            backbone_hidden_size=24,  # pyright: ignore[reportCallIssue] - taken through **kwargs
            neck_hidden_sizes=[8, 8, 16, 16],
            fusion_hidden_size=8,
            bottleneck_features=8,
            num_relative_features=8,
            bin_embedding_dim=8,
            num_patch_transformer_layers=4,
            patch_transformer_hidden_size=128,  # the class has that number built in
            patch_transformer_intermediate_size=32,
            patch_transformer_num_attention_heads=2,
            bin_configurations=[
                {"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"},
                {"n_bins": 8, "min_depth": 0.001, "max_depth": 80.0, "name": "kitti"},
            ],
        )
    )
    # As it is initialised, it gives the same depth at every pixel to the last bit.
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=1.5 / weight[0].numel() ** 0.5)
    return model
