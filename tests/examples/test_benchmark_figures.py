"""Figures of published benchmarks that are measured here, and vedit's own, which are called so."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.benchmarks import rows, run_script, tgve
from tests.support.loaded import small_renders
from vedit.testing.fakes import moving_frames

from published import clip_scores, measuring, words  # isort: skip
from published import five as five_layout  # isort: skip


def test_ssim_is_the_papers() -> None:
    """Beside scikit-image's under the same settings; 1 for a picture and itself."""
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image comes with the extra 'train'")
    generator = np.random.default_rng(0)
    a = generator.random((40, 50, 3), dtype=np.float32)
    b = np.clip(a + generator.normal(0, 0.2, a.shape), 0, 1).astype(np.float32)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    expected = metrics.structural_similarity(a, b, channel_axis=2, **options)
    assert measuring.ssim(a, b) == pytest.approx(expected, abs=2e-4)
    assert measuring.ssim(a, a) == pytest.approx(1, abs=1e-6)


def test_clip_scores_of_weights_that_are_here(tmp_path: Path) -> None:
    """A tiny random CLIP under the name that the scorer's weights have: all pairs of frames, and 100 cosines."""
    import torch

    folder = tmp_path / "weights" / "clip-vit-large-patch14"
    write_tiny_clip(folder)
    assert clip_scores.on_this_machine("openai/clip-vit-large-patch14", tmp_path / "weights") == folder
    scores = clip_scores.ClipScores(folder)
    shown = [np.ascontiguousarray(f.transpose(1, 2, 0), np.float32) / 255 for f in moving_frames(3, 64, 64)]
    with torch.inference_mode():
        vectors = scores._pictures(shown).double()  # pyright: ignore[reportPrivateUsage]
    pairs = [float(vectors[a] @ vectors[b]) for a in range(3) for b in range(3) if a != b]
    assert scores.frames(shown) == pytest.approx(sum(pairs) / 6, abs=1e-6)
    assert scores.frames(shown[:1]) is None
    assert scores.frames([shown[0]] * 3) == pytest.approx(1, abs=1e-6)
    assert all(abs(value) <= 100.01 for value in scores.text(shown, "a man"))
    assert torch.is_grad_enabled()
    out = tmp_path / "out"
    with small_renders():
        weights = ("--limit", "2", "--weights", str(tmp_path / "weights"))
        assert run_script("tgve", tgve(tmp_path / "tgve"), out, *weights) == 0
    table = {row["prompts"]: row for row in rows(out / "vedit/tables/scores.csv")}
    assert table["all"]["count"] == "2"
    assert -100 <= float(table["all"]["clip_score_frame"]) <= 100
    assert table["all"]["pick_score"] == ""


def test_what_is_vedits_own_is_called_so(tmp_path: Path) -> None:
    layout = five_layout.Five()
    lines = words.told_of_needs(layout, {"psnr_unedit_part"}, {"motion_error", "edge_correlation"})
    assert lines[0] == "measured here, in FiVE-Bench's form: psnr_unedit_part"
    (line,) = [line for line in lines if "CoTracker3" in line]
    assert line.endswith("(0.1 GB), by which the scorer alone measures; instead there is vedit:motion_error")
    figure = {"value": 2.0, "source": 1.0, "unit": "px", "why": ""}
    nothing = {"value": None, "source": None, "unit": "px", "why": "nothing moves"}
    told = words.own_table([("a", {"motion_error": figure}), ("b", {"motion_error": nothing})], tmp_path / "own.csv")
    assert "  vedit:motion_error 2 (1)" in told
    assert [row["vedit:motion_error"] for row in rows(tmp_path / "own.csv")] == ["2", ""]


def write_tiny_clip(folder: Path) -> None:
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    from vedit.testing.tiny_sd import _tokenizer  # pyright: ignore[reportPrivateUsage]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        tokenizer = _tokenizer()
        marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        words = {**small, **marks, "vocab_size": len(tokenizer), "max_position_embeddings": 77}
        pictures = {**small, "image_size": 32, "patch_size": 16}
        CLIPModel(CLIPConfig(text_config=words, vision_config=pictures, projection_dim=8)).save_pretrained(folder)
    size = {"shortest_edge": 32}
    processor = CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32})
    CLIPProcessor(image_processor=processor, tokenizer=tokenizer).save_pretrained(folder)
