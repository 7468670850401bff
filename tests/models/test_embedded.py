"""The embedded checkpoint as shipped, and the two controls it was trained on."""

import json
import re
from typing import Any

import pytest
import torch
from torch import Tensor

from vedit.embedded import FOLDER
from vedit.models.source import DRAWN_FOLDER
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile
from vedit.testing.contracts import check_family

LIMIT_BYTES, DRAWN_BYTES = 32_000_000, 5_000_000
"""Of the model, and of the weights for the looks that they alone draw."""


def scene(height: int = 96, width: int = 128) -> Tensor:
    """(1, 3, H, W): a colour ramp with a bright square and a dark disc."""
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    picture = torch.stack([x, y, 1 - x]) * 0.6 + 0.2
    picture[:, height // 4 : height // 2, width // 8 : width // 3] = torch.tensor([0.95, 0.9, 0.3])[:, None, None]
    picture[:, ((x - 0.7) ** 2 + (y - 0.5) ** 2) < 0.03] = 0.1
    return picture[None]


def test_the_checkpoint_is_small_and_holds_no_pickle() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    drawn = sum(path.stat().st_size for path in files if FOLDER / DRAWN_FOLDER in path.parents)
    assert 0 < drawn <= DRAWN_BYTES
    assert sum(path.stat().st_size for path in files) - drawn <= LIMIT_BYTES
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md", ".py"}


def test_the_looks_file_lists_words_that_the_tokenizer_keeps_whole() -> None:
    from transformers import CLIPTokenizer

    document = json.loads((FOLDER / "looks.json").read_text(encoding="utf-8"))
    names = [look["name"] for look in document["looks"]]
    assert len(names) == len(set(names)) >= 70
    kinds = {look["kind"] for look in document["looks"]}
    assert (
        {"plain", "medium", "light", "tone"}
        <= kinds
        <= {"plain", "material", "medium", "light", "tone", "strength", "palette"}
    )
    assert all(look["wordings"] for look in document["looks"])
    words = set(document["words"])
    for look in document["looks"]:
        assert {word for text in look["wordings"] for word in re.findall(r"[a-z]+", text.lower())} <= words
    tokenizer = CLIPTokenizer.from_pretrained(FOLDER / "tokenizer", local_files_only=True)
    assert [word for word in words if len(tokenizer(word).input_ids) != 3] == []


@pytest.mark.filterwarnings("ignore")
def test_diffusers_loads_and_runs_it_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pipeline = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(FOLDER, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    assert {parameter.dtype for parameter in pipeline.text_encoder.parameters()} == {torch.float32}
    picture = scene(64, 96)
    out: Any = pipeline(
        "a watercolor of Qwxyz Łódź, 東京",  # words it has never seen
        image=picture,
        control_image=[tile(picture), soft_edges(picture)],
        num_inference_steps=4,
        strength=0.75,
        generator=torch.Generator().manual_seed(0),
        output_type="pt",
    )
    result: Tensor = out.images
    assert result.shape == picture.shape
    assert torch.isfinite(result).all()


@pytest.mark.filterwarnings("ignore")
def test_its_autoencoder_keeps_a_picture() -> None:
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

    vae = AutoencoderTiny.from_pretrained(FOLDER, subfolder="vae", local_files_only=True)
    picture = scene()
    with torch.no_grad():
        code: Tensor = vae.encoder(picture * 2 - 1)
        decoded: Tensor = vae.decoder(code) / 2 + 0.5
    assert code.shape == (1, 16, 12, 16)
    assert -10 * torch.log10((decoded - picture).square().mean()) > 24


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (37, 61), (96, 128)])
def test_controls_keep_size_range_and_type(size: tuple[int, int]) -> None:
    frames = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    for control in (soft_edges(frames), tile(frames), tile(frames, factor=1), tile(frames, factor=7)):
        assert control.shape == frames.shape
        assert control.dtype == frames.dtype
        assert 0 <= control.min() <= control.max() <= 1 + 1e-6


def test_controls_are_made_frame_by_frame_without_normalising() -> None:
    dark = scene() * 0.3
    flashed = dark.clone()
    flashed[..., :, 100:] = 1.0
    both = torch.cat([dark, flashed])
    for control in (soft_edges, tile):
        torch.testing.assert_close(control(both), torch.cat([control(dark), control(flashed)]))
        # A flash on the right leaves the left as it was: no gain is taken from the frame.
        torch.testing.assert_close(control(dark)[..., :80], control(flashed)[..., :80])


def test_soft_edges_find_edges_and_nothing_else() -> None:
    assert soft_edges(torch.full((1, 3, 20, 20), 0.7)).max() < 1e-6
    step = torch.zeros(1, 3, 32, 32)
    step[..., 16:] = 0.5
    found = soft_edges(step)[0]
    assert (found[:, :, 15:17] > 0.6).all()
    assert (found[:, :, :6] < 0.05).all()
    assert torch.equal(found[0], found[1])
    # Red against green of the same brightness is an edge too.
    colours = torch.zeros(1, 3, 16, 16)
    colours[:, 0, :, :8], colours[:, 1, :, 8:] = 0.587, 0.299
    assert soft_edges(colours)[0, 0, 8, 8] > 0.5


def test_tile_is_the_mean_of_its_cells() -> None:
    frames = torch.zeros(1, 3, 8, 8)
    frames[..., ::2] = 1.0
    torch.testing.assert_close(tile(frames), torch.full_like(frames, 0.5))
    flat = torch.full((1, 3, 13, 9), 0.25)
    torch.testing.assert_close(tile(flat), flat)


def test_controls_say_what_they_take() -> None:
    with pytest.raises(ValueError, match=r"\(T, 3, H, W\)"):
        soft_edges(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match=r"\(T, 3, H, W\)"):
        tile(torch.zeros(3, 8, 8))
    with pytest.raises(ValueError, match="factor is 0"):
        tile(torch.zeros(1, 3, 8, 8), factor=0)


def test_it_keeps_the_contract_of_families() -> None:
    check_family("embedded")
