"""Semantic maps by tiny random networks of the real classes: the contract, the colours, and what keeps them steady."""

from __future__ import annotations

import json
import sys
import weakref
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from vedit.errors import ModelError
from vedit.preprocessors import segment as steadied
from vedit.preprocessors.foreground import foreground
from vedit.preprocessors.segment import MEMORY, segment, segment_mask2former, segment_segformer, steady_classes
from vedit.preprocessors.segment_models import Classify, load_classifier, picture_format, working_size
from vedit.preprocessors.segment_palette import MOVERS, paint, palette
from vedit.registry.preprocessors import load_preprocessor, preprocessors
from vedit.weights.store import info, load_pretrained

NAMES = ("segment", "segment-mask2former", "segment-segformer", "foreground")
FAMILIES = ("upernet-convnext-tiny", "mask2former-swin-small-ade", "segformer-b0-ade")


@pytest.fixture
def weights(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tiny_models))
    return tiny_models


def pictures(frames: int = 5, height: int = 45, width: int = 63) -> torch.Tensor:
    """Smooth random frames that drift."""
    coarse = torch.rand(1, 3, 6, 8 + frames, generator=torch.Generator().manual_seed(3))
    wide = F.interpolate(coarse, (height, 4 * frames + width), mode="bicubic").clamp(0, 1)
    return torch.cat([wide[..., 3 * t : 3 * t + width] for t in range(frames)])


@pytest.mark.parametrize("name", NAMES)
def test_contract(weights: Path, name: str) -> None:
    made = load_preprocessor(name)
    frames = pictures()
    given, state = frames.clone(), torch.get_rng_state()
    whole = torch.cat(list(made([frames])))
    assert whole.shape == frames.shape and whole.dtype == frames.dtype
    assert float(whole.min()) >= 0 and float(whole.max()) <= 1
    assert len(whole.unique()) > 1
    assert torch.equal(frames, given) and torch.equal(torch.get_rng_state(), state)
    parts = torch.cat(list(made([frames[:1], frames[1:1], frames[1:4], frames[4:]])))
    assert torch.equal(parts, whole)
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(33, 17), (8, 130), (64, 64)])
def test_one_frame_of_any_size(weights: Path, name: str, size: tuple[int, int]) -> None:
    frames = pictures(1, *size)
    assert torch.cat(list(load_preprocessor(name)([frames]))).shape == frames.shape
    assert list(load_preprocessor(name)([])) == []


@pytest.mark.parametrize("made", [segment, segment_mask2former, segment_segformer])
def test_every_pixel_has_a_colour_of_the_palette(weights: Path, made: Callable[..., Any]) -> None:
    colours = torch.cat(list(made([pictures(2)]))).permute(0, 2, 3, 1).reshape(-1, 3).unique(dim=0)
    # Not cdist: for many colours it takes the root of a difference of products, which is not exact.
    nearest = (colours[:, None] - palette()[None]).abs().amax(2).amin(1)
    assert len(colours) > 3 and float(nearest.max()) < 1e-6


def test_published_colours() -> None:
    """Entries as the segmentation toolboxes list them; road and skyscraper share one."""
    levels = (palette() * 255).round().int().tolist()
    published = {
        0: [120, 120, 120],  # wall
        2: [6, 230, 230],  # sky
        4: [4, 200, 3],  # tree
        6: [140, 140, 140],  # road
        12: [150, 5, 61],  # person
        20: [0, 102, 200],  # car
        48: [140, 140, 140],  # skyscraper
        66: [255, 0, 0],  # flower
        126: [255, 0, 122],  # animal
        149: [92, 0, 255],  # flag
    }
    assert len(levels) == 150 and len({tuple(colour) for colour in levels}) == 149
    assert {number: levels[number] for number in published} == published
    assert paint(torch.tensor([[[2, 12]]])).mul(255).round().int().tolist() == [[[[6, 150]], [[230, 5]], [[230, 61]]]]


def test_branches_and_licences() -> None:
    for name in NAMES:
        entry = preprocessors()[name]
        assert (entry.branch or name) == ("foreground" if name == "foreground" else "segment")
        assert all(info(needed).repo for needed in entry.needs.weights)
    assert all(info(needed).commercial for needed in preprocessors()["segment"].needs.weights)
    assert not info("segformer-b0-ade").commercial


@pytest.mark.parametrize("name", FAMILIES)
def test_probabilities(weights: Path, name: str) -> None:
    found = load_classifier(name, "cpu")(pictures(3))
    assert found.shape[:2] == (3, 150)
    assert float(found.min()) >= 0
    torch.testing.assert_close(found.sum(1), torch.ones_like(found[:, 0]), atol=1e-4, rtol=0)


def test_upernet_is_the_models_own_forward(weights: Path) -> None:
    from transformers import UperNetForSemanticSegmentation

    frames, name = pictures(2, 64, 64), "upernet-convnext-tiny"
    model = load_pretrained(name, UperNetForSemanticSegmentation)
    with torch.no_grad():
        logits = model(pixel_values=picture_format(weights / name, default=1).normalise(frames)).logits
        mine = load_classifier(name, "cpu")(frames).log()
    grown = F.interpolate(mine, logits.shape[-2:], mode="bilinear")
    # Logarithms of probabilities are logits less one number for each pixel, which the growing keeps.
    rest = grown - logits
    assert float((rest - rest.mean(1, keepdim=True)).abs().max()) < 1e-3


def test_mask2former_is_the_librarys_semantic_inference(weights: Path) -> None:
    from transformers import Mask2FormerForUniversalSegmentation
    from transformers.models.mask2former.image_processing_pil_mask2former import Mask2FormerImageProcessorPil

    frames, name = pictures(2, 64, 64), "mask2former-swin-small-ade"
    model = load_pretrained(name, Mask2FormerForUniversalSegmentation)
    with torch.no_grad():
        found = model(pixel_values=picture_format(weights / name, default=1).normalise(frames))
    read: Any = Mask2FormerImageProcessorPil()
    theirs = torch.stack(read.post_process_semantic_segmentation(found))
    mine = F.interpolate(load_classifier(name, "cpu")(frames), theirs.shape[-2:], mode="bilinear").argmax(1)
    assert float((mine == theirs).float().mean()) > 0.97  # they grow the masks before, not after, they add them up


def stand_in(monkeypatch: pytest.MonkeyPatch, network: Classify) -> None:
    def load(name: str, device: str) -> Classify:
        return network

    monkeypatch.setattr(steadied, "load_classifier", load)


def noisy(frames: torch.Tensor) -> torch.Tensor:
    """A network that sees class 4 left of a bright bar and 2 right of it, and is wrong every third frame."""
    bar = frames.mean(1).amax(1).argmax(-1)
    right = (torch.arange(frames.shape[-1]) >= bar[:, None]).float()[:, None, None].expand(-1, 1, frames.shape[-2], -1)
    sure = torch.where(frames[:, :1, :1, :1] > 0.5, 0.4, 0.7)
    found = torch.zeros(len(frames), 150, *frames.shape[-2:])
    found[:, 2:3] = sure * right + (1 - sure) * (1 - right)
    found[:, 4:5] = 1 - found[:, 2:3]
    return found


def bars(frames: int, step: int) -> torch.Tensor:
    """Texture with a bright bar, both moving right; the first pixel says that the network is to be wrong."""
    noise = torch.rand(1, 3, 16, 64 + step * frames, generator=torch.Generator().manual_seed(5)) * 0.4
    texture = F.interpolate(noise, (64, noise.shape[-1]), mode="bilinear")
    made = torch.cat([texture[..., step * (frames - t) :][..., :64] for t in range(frames)])
    for t in range(frames):
        made[t, :, :, 20 + step * t : 22 + step * t] = 1
        made[t, :, 0, 0] = 0.9 if t % 3 == 2 else 0.0
    return made


@pytest.mark.parametrize("step", [0, 2])
def test_labels_do_not_flicker(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    stand_in(monkeypatch, noisy)
    frames = bars(9, step)
    raw = torch.cat([noisy(frame[None]).argmax(1) for frame in frames])
    kept = torch.cat([classes.argmax(1) for _, classes in steady_classes([frames], "any")])
    place = torch.arange(64)
    inner = [((place - 20 - step * t).abs() > 6) & (place > 4 + step * t) & (place < 60) for t in range(9)]
    truth = [torch.where(place >= 20 + step * t, 2, 4) for t in range(9)]
    wrong = [
        [float((maps[t][2:][:, inner[t]] != truth[t][inner[t]]).float().mean()) for t in range(9)]
        for maps in (raw, kept)
    ]
    assert max(wrong[0][2::3]) == 1 and sum(wrong[1]) / 9 < 0.02


def test_a_real_change_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def changing(frames: torch.Tensor) -> torch.Tensor:
        found = torch.zeros(len(frames), 150, 64, 64)
        found[:, 7] = (frames[:, 0, :1, :1] > 0.5).float() * 0.8 + 0.1
        found[:, 9] = 1 - found[:, 7]
        return found

    stand_in(monkeypatch, changing)
    frames = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)).repeat(8, 1, 1, 1)
    frames[:, :, 0, 0] = torch.tensor([0.0] * 4 + [1.0] * 4)[:, None]
    kept = [int(classes.argmax(1).mode().values.mode().values) for _, classes in steady_classes([frames], "any")]
    assert kept == [9, 9, 9, 9, 9, 7, 7, 7]
    assert 0 < MEMORY < 1


def test_only_a_batch_of_frames_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[torch.Tensor]] = []

    def frames() -> Iterator[torch.Tensor]:
        for _ in range(24):
            frame = torch.rand(1, 3, 32, 32)
            made.append(weakref.ref(frame))
            yield frame
            del frame

    def any_class(frames: torch.Tensor) -> torch.Tensor:
        return torch.full((len(frames), 150, 8, 8), 1 / 150)

    stand_in(monkeypatch, any_class)
    held = [sum(frame() is not None for frame in made) for _ in steady_classes(frames(), "any")]
    assert len(held) == 24 and max(held) <= 5


@pytest.mark.parametrize(
    ("size", "expected"),
    [((720, 1280), (512, 896)), ((1280, 720), (896, 512)), ((8, 4000), (512, 2048)), ((1, 1), (512, 512))],
)
def test_working_size(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert working_size(*size, 512) == expected


def test_foreground_is_the_movers(monkeypatch: pytest.MonkeyPatch) -> None:
    def people(frames: torch.Tensor) -> torch.Tensor:
        found = torch.zeros(len(frames), 150, 8, 8)
        found[:, 12, :4], found[:, 20, :4] = 0.5, 0.25
        found[:, 0] = 1 - found.sum(1)
        return found

    stand_in(monkeypatch, people)
    matte = next(iter(foreground([torch.zeros(1, 3, 16, 16)])))
    assert {12, 20, 126} <= set(MOVERS) and 0 not in MOVERS
    torch.testing.assert_close(matte[0, :, [0, -1], 5], torch.tensor([[0.75, 0.0]] * 3))


def test_another_set_of_classes_is_refused(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        depths=[1, 1, 1, 1],
        hidden_sizes=[8, 8, 16, 16],
        num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
        id2label=dict.fromkeys(range(19), "street"),  # pyright: ignore[reportCallIssue] - through **kwargs
    )
    SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / "segformer-b0-ade")
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path))
    with pytest.raises(ModelError, match="19 classes apart"):
        next(iter(segment_segformer([pictures(1)])))


def test_absent_weights_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as told:
        next(iter(segment([pictures(1)])))
    message = str(told.value)
    assert "\n" not in message
    for part in ("MIT", "241", "vedit models pull upernet-convnext-tiny"):
        assert part in message


def test_a_broken_picture_format_is_told(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text("{", "utf-8")
    with pytest.raises(ModelError, match="cannot be read"):
        picture_format(tmp_path, default=512)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"shortest_edge": 320}}), "utf-8")
    assert picture_format(tmp_path, default=512).short_side == 320


def test_nothing_of_torchvision(weights: Path) -> None:
    if find_spec("torchvision"):
        pytest.skip("torchvision is installed, and transformers imports it by itself")
    for name in NAMES:
        list(load_preprocessor(name)([pictures(1)]))
    assert "torchvision" not in sys.modules and "timm" not in sys.modules
