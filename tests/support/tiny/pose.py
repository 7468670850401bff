"""Tiny random RT-DETR and ViTPose, of the classes and in the folder layout that the hub has."""

from __future__ import annotations

import json
from pathlib import Path

import torch


def save_pose(folder: Path) -> None:
    """Save `rtdetr-r18` and `vitpose-base`; random, they find nobody, or anybody."""
    from transformers import (
        RTDetrConfig,
        RTDetrForObjectDetection,
        RTDetrResNetConfig,
        VitPoseBackboneConfig,
        VitPoseConfig,
        VitPoseForPoseEstimation,
    )

    state = torch.get_rng_state()
    torch.manual_seed(0)
    detector = RTDetrForObjectDetection(
        RTDetrConfig(
            backbone_config=RTDetrResNetConfig(
                embedding_size=8,
                hidden_sizes=[8, 8, 12, 16],
                depths=[1, 1, 1, 1],
                layer_type="basic",
                out_features=["stage2", "stage3", "stage4"],  # pyright: ignore[reportCallIssue] - through **kwargs
            ),
            encoder_in_channels=[8, 12, 16],
            encoder_hidden_dim=16,
            encoder_ffn_dim=16,
            encoder_attention_heads=2,
            hidden_expansion=0.5,
            d_model=16,
            num_queries=12,
            decoder_in_channels=[16, 16, 16],
            decoder_ffn_dim=16,
            decoder_layers=1,
            decoder_n_points=2,
            decoder_attention_heads=2,
            num_denoising=0,
            num_labels=80,  # pyright: ignore[reportCallIssue] - through **kwargs
            id2label={0: "person", **{k: f"class {k}" for k in range(1, 80)}},
        )
    )
    estimator = VitPoseForPoseEstimation(
        VitPoseConfig(
            backbone_config=VitPoseBackboneConfig(
                image_size=[64, 48],
                patch_size=[16, 16],
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                mlp_ratio=2,
                out_indices=[2],  # pyright: ignore[reportCallIssue] - through **kwargs
            ),
            num_labels=17,  # pyright: ignore[reportCallIssue] - through **kwargs
        )
    )
    torch.set_rng_state(state)
    detector.save_pretrained(folder / "rtdetr-r18")
    estimator.save_pretrained(folder / "vitpose-base")
    sizes = {
        "rtdetr-r18": {"image_processor_type": "RTDetrImageProcessor", "size": {"height": 640, "width": 640}},
        "vitpose-base": {"image_processor_type": "VitPoseImageProcessor", "size": {"height": 64, "width": 48}},
    }
    for name, config in sizes.items():
        (folder / name / "preprocessor_config.json").write_text(json.dumps(config, indent=2) + "\n", "utf-8")
