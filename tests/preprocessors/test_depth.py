"""Depth with a tiny random model of the real architecture: shapes, the shot's range, what is told without weights."""

from pathlib import Path

import pytest
import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from vedit.errors import ModelError
from vedit.preprocessors.depth import VARIABLE, depth


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    backbone = Dinov2Config(
        image_size=56,
        hidden_size=24,
        num_hidden_layers=4,
        num_attention_heads=2,
        out_indices=[1, 2, 3, 4],  # pyright: ignore[reportCallIssue] - taken through **kwargs
        reshape_hidden_states=False,
    )
    torch.manual_seed(0)
    model = DepthAnythingForDepthEstimation(
        DepthAnythingConfig(
            backbone_config=backbone,
            reassemble_hidden_size=24,
            neck_hidden_sizes=[8, 8, 16, 16],
            fusion_hidden_size=8,
            head_hidden_size=8,
        )
    )
    folder = tmp_path_factory.mktemp("depth")
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("size", [(48, 80), (61, 33)])
def test_contract(weights: Path, size: tuple[int, int]) -> None:
    frames = torch.rand(5, 3, *size, generator=torch.Generator().manual_seed(0))
    made = depth(frames, weights=str(weights), short_side=56)
    assert made.shape == frames.shape and made.dtype == frames.dtype
    assert torch.equal(made[:, 0], made[:, 1]) and torch.equal(made[:, 0], made[:, 2])
    assert float(made.min()) == 0 and float(made.max()) == 1


def test_the_range_is_the_shots(weights: Path) -> None:
    """A frame keeps its order and spacing of greys: only one scale and offset separates it from being alone."""
    frames = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    frames[1] = frames[1] * 0.1 + 0.9
    both = depth(frames, weights=str(weights), short_side=56)
    ranges = both.amax((1, 2, 3)) - both.amin((1, 2, 3))
    assert ranges.min() < 0.999
    alone = depth(frames[:1], weights=str(weights), short_side=56)[0]
    torch.testing.assert_close(alone, (both[0] - both[0].min()) / ranges[0], atol=1e-3, rtol=0)


def test_a_folder_by_environment_variable(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(weights))
    assert depth(torch.rand(1, 3, 32, 32), short_side=28).shape == (1, 3, 32, 32)


def test_absent_weights_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("transformers.utils.hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as told:
        depth(torch.rand(1, 3, 32, 32))
    message = str(told.value)
    assert "\n" not in message
    for part in ("99 MB", "Apache-2.0", "hf download depth-anything/Depth-Anything-V2-Small-hf", VARIABLE):
        assert part in message


def test_pickled_weights_are_refused(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((weights / "config.json").read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        depth(torch.rand(1, 3, 32, 32), weights=str(tmp_path))
