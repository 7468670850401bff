"""Tiny networks that judge pictures, with random weights: the classes, files and configs of the hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel
from transformers.utils.logging import disable_progress_bar, enable_progress_bar, is_progress_bar_enabled

from vedit.models.resolve import resolve
from vedit.models.source import DEFAULT

MEAN, STD = [0.4, 0.45, 0.5], [0.25, 0.3, 0.2]


def save_judges(folder: Path) -> None:
    """Save DINO, CLIP and PickScore as `folder/<name of its weights>/`; DINO without a pooling layer, as its own."""
    bars = is_progress_bar_enabled()
    disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _dino().eval().save_pretrained(folder / "dino-vitb8")
        for name in ("clip-vit-large-patch14", "pickscore-v1"):
            _clip().eval().save_pretrained(folder / name)
            for file in Path(resolve(DEFAULT).source.base, "tokenizer").iterdir():
                shutil.copy(file, folder / name / file.name)
            told = json.dumps({"image_mean": MEAN, "image_std": STD})
            (folder / name / "preprocessor_config.json").write_text(told, "utf-8")
    if bars:
        enable_progress_bar()


def _dino() -> Any:
    config = ViTConfig(
        image_size=32, patch_size=8, hidden_size=24, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    return ViTModel(config, add_pooling_layer=False)


def _clip() -> Any:
    each = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {"vocab_size": 1020, "max_position_embeddings": 16, "bos_token_id": 1018, "eos_token_id": 1019, **each}
    return CLIPModel(
        CLIPConfig(
            text_config=text,
            vision_config={"image_size": 32, "patch_size": 8, **each},
            projection_dim=12,
        )
    )
