"""`vedit.evaluation.metrics.dino` and `.clip`: by tiny networks in the true format, against what they say by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tests.support.made_pictures import Frames, blurred_noise, panned, still
from tests.support.tiny.judges import MEAN, STD, save_judges
from vedit.evaluation.metrics import clip, dino
from vedit.evaluation.picture import Picture
from vedit.evaluation.tally import spread
from vedit.registry.metrics import metrics
from vedit.testing.metrics import scores_of
from vedit.types import FrameRange, Shot
from vedit.weights.store import FOLDER_VARIABLE

H, W, COUNT = 40, 64, 12
SOURCE = panned(blurred_noise(H, W + 5 * COUNT), H, W, COUNT, (0, 5))
OTHER = panned(blurred_noise(H, W + 5 * COUNT, seed=5), H, W, COUNT, (0, 5))
PROMPT = "a woodcut print"


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judges")
    save_judges(folder)
    return folder


@pytest.fixture
def there(judges: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(judges))
    return judges


@pytest.mark.parametrize("name", ["dino", "clip", "pickscore"])
def test_absent_weights_are_no_figure_and_a_remedy(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    entry = metrics()[name]
    for score in scores_of(entry.load(), SOURCE, prompts=(PROMPT,)).values():
        assert score.value is None
        assert f"the metric '{name}' needs the weights {entry.needs.weights[0]}" in score.why
        assert f"vedit models pull {entry.needs.weights[0]}" in score.why


def test_damaged_weights_are_one_line(judges: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "dino-vitb8"
    folder.mkdir()
    for file in (judges / "dino-vitb8").iterdir():
        (folder / file.name).write_bytes(file.read_bytes()[:500])
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    score = scores_of(dino.METRIC, SOURCE)["structure_distance"]
    assert score.value is None
    assert "cannot be loaded" in score.why and "\n" not in score.why


@pytest.mark.usefixtures("there")
def test_the_source_itself_has_its_structure_and_another_scene_has_not() -> None:
    assert scores_of(dino.METRIC, SOURCE)["structure_distance"].value == 0
    darker, other = (scores_of(dino.METRIC, SOURCE, made)["structure_distance"] for made in (SOURCE * 0.9, OTHER))
    assert darker.value is not None and other.value is not None
    assert 0 < darker.value < other.value
    assert len(other.series) == dino.FRAMES


def test_structure_distance_is_that_of_the_paper(there: Path) -> None:
    """Keys of the last layer by its own weights, from what goes into it; cosines of all pairs; 1000 times the MSE."""
    from transformers import ViTModel

    model: Any = ViTModel.from_pretrained(there / "dino-vitb8", add_pooling_layer=False).eval()
    weights = dict(model.named_parameters())
    last = next(name.removesuffix(".weight") for name in reversed(weights) if name.endswith("k_proj.weight"))
    before = last.removesuffix("attention.k_proj") + "layernorm_before"

    def similarity(frame: Frames) -> torch.Tensor:
        at = torch.from_numpy(frame).permute(2, 0, 1)[None]
        at = F.interpolate(at, (32, 32), mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        with torch.no_grad():
            states = model((at - mean) / std, output_hidden_states=True).hidden_states[-2]
            entering = F.layer_norm(states, (24,), weights[f"{before}.weight"], weights[f"{before}.bias"], 1e-12)
            keys = F.linear(entering, weights[f"{last}.weight"], weights[f"{last}.bias"])[0]
        assert keys.shape == (17, 24)  # 16 patches and the class token
        return F.cosine_similarity(keys[:, None], keys[None], dim=2)

    expected = 1000 * float((similarity(SOURCE[0]) - similarity(OTHER[0])).square().mean())
    found = scores_of(dino.METRIC, SOURCE[:1], OTHER[:1])["structure_distance"].value
    assert found == pytest.approx(expected, rel=1e-3)


def _directions(folder: Path) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Of the frames and the prompt by the library itself, and the network's scale."""
    from transformers import AutoTokenizer, CLIPModel

    model: Any = CLIPModel.from_pretrained(folder).eval()
    frames = torch.from_numpy(SOURCE).permute(0, 3, 1, 2)
    frames = F.interpolate(frames, (32, 51), mode="bicubic", antialias=True).clamp(0, 1)[..., 9:41]
    frames = (frames - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)
    read = AutoTokenizer.from_pretrained(folder)([PROMPT], padding="max_length", max_length=16, return_tensors="pt")
    with torch.no_grad():
        told = model(**read, pixel_values=frames)
    return told.image_embeds, told.text_embeds[0], float(model.logit_scale.detach().exp())


def test_clip_is_what_the_library_says(there: Path) -> None:
    """12 frames give 8 places: 0, 2, 3, 5, 6, 8, 9 and 11; a pair is a place and the frame after it."""
    frames, text, _ = _directions(there / "clip-vit-large-patch14")
    found = scores_of(clip.METRIC, SOURCE, prompts=(PROMPT,))
    places = [0, 2, 3, 5, 6, 8, 9, 11]
    assert list(found["clip_text"].series) == places
    assert found["clip_text"].value == pytest.approx(100 * float((frames[places] @ text).mean()), abs=1e-3)
    pairs = [float(frames[at] @ frames[at + 1]) for at in places[:-1]]
    assert found["clip_consecutive"].value == pytest.approx(np.mean(pairs), abs=1e-5)
    every = [float(frames[a] @ frames[b]) for a in places for b in places if a < b]
    assert found["clip_all_pairs"].value == pytest.approx(np.mean(every), abs=1e-5)


def test_pickscore_is_scaled_by_the_network(there: Path) -> None:
    frames, text, scale = _directions(there / "pickscore-v1")
    found = scores_of(clip.PICKSCORE, SOURCE, prompts=(PROMPT,))
    assert list(found) == ["pick_score"]
    expected = scale * float((frames[[0, 2, 3, 5, 6, 8, 9, 11]] @ text).mean())
    assert found["pick_score"].value == pytest.approx(expected, abs=1e-3)


@pytest.mark.usefixtures("there")
def test_a_frozen_clip_has_the_best_consistency_and_cuts_are_not_paired() -> None:
    frozen = scores_of(clip.METRIC, SOURCE, still(SOURCE[0], COUNT))
    assert frozen["clip_consecutive"].value == pytest.approx(1, abs=1e-5)
    assert frozen["clip_all_pairs"].value == pytest.approx(1, abs=1e-5)
    two = np.concatenate([still(SOURCE[0], 6), still(OTHER[0], 6)])
    assert scores_of(clip.METRIC, two, cuts=(6,))["clip_all_pairs"].value == pytest.approx(1, abs=1e-5)
    assert scores_of(clip.METRIC, two, cuts=(6,))["clip_consecutive"].value == pytest.approx(1, abs=1e-5)


@pytest.mark.usefixtures("there")
def test_without_a_prompt_pairs_are_measured_and_without_pairs_the_text() -> None:
    found = scores_of(clip.METRIC, SOURCE)
    assert found["clip_text"].value is None and "no prompt" in found["clip_text"].why
    assert found["clip_all_pairs"].value is not None
    one = scores_of(clip.METRIC, SOURCE[:1], prompts=(PROMPT,))
    assert one["clip_text"].value is not None
    assert one["clip_consecutive"].value is None and "two frames" in one["clip_consecutive"].why


def test_places_are_spread_evenly_over_all_shots() -> None:
    shots = (
        Shot(number=1, frames=FrameRange(start=10, stop=50)),
        Shot(number=2, frames=FrameRange(start=90, stop=130)),
    )
    assert sorted(spread(shots, 4)) == [20, 40, 100, 120]
    assert sorted(spread(shots[:1], 100)) == list(range(10, 50))


@pytest.mark.usefixtures("there")
def test_a_picture_that_stands_beside_several_results_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from vedit.evaluation.networks import Network

    seen: list[int] = []

    def look(_model: Any, _folder: Path, picture: Picture) -> torch.Tensor:
        seen.append(id(picture))
        return torch.zeros(1)

    judge, picture = Network(None, Path(), look), Picture(SOURCE[0])
    judge.of(picture)
    judge.of(picture)
    assert len(seen) == 1
