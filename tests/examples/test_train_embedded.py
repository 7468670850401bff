"""The training example: looks, tokenizer, resumed runs, export. The package itself must not need any of it."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false, reportUnknownLambdaType=false

import ast
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("skimage", reason="training needs the extra: pip install 'vedit[train]'")
pytest.importorskip("scipy", reason="training needs the extra: pip install 'vedit[train]'")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "train_embedded"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from trainer import crops, pairs, styled  # noqa: E402
from trainer.autoencoder import autoencoder_loss, patch_statistics, start_from_pca  # noqa: E402
from trainer.diffusion import diffusion_loss  # noqa: E402
from trainer.export import Networks, export, looks_document  # noqa: E402
from trainer.finishing import finishing_loss  # noqa: E402
from trainer.form import new_autoencoder, new_tokenizer  # noqa: E402
from trainer.looks import LOOKS, PALETTES, STRENGTHS  # noqa: E402
from trainer.loop import LoopOptions, run_loop  # noqa: E402
from trainer.photos import find_photos, read_photo  # noqa: E402
from trainer.prompts import known_words  # noqa: E402
from trainer.shards import open_shard, write_shard  # noqa: E402
from trainer.waking import wake_controlnets  # noqa: E402

from vedit.preprocessors.softedge import soft_edges  # noqa: E402

WIDTHS = (16, 16, 32)


def picture(seed: int = 0, height: int = 64, width: int = 96) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A smooth colour field with shapes on it, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / 32
    field = np.stack([np.sin(x + p) * np.cos(y * q) for p, q in rng.uniform(0, 3, (3, 2))], 2) * 0.4 + 0.5
    for _ in range(4):
        top, left = rng.integers(0, height - 16), rng.integers(0, width - 16)
        field[top : top + 16, left : left + 16] = rng.random(3)
    return np.round(field * 255).clip(0, 255).astype(np.uint8)


def test_the_tokenizer_is_the_same_every_time_and_keeps_known_words_whole() -> None:
    first, second = new_tokenizer(), new_tokenizer()
    assert first.get_vocab() == second.get_vocab()
    assert all(len(first(known).input_ids) == 3 for known in known_words())


@pytest.fixture
def packs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packs made of three synthetic photographs, and crops small enough for a test."""
    import cv2

    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in range(3):
        cv2.imwrite(str(photos / f"{seed}.png"), picture(seed))
    folder = tmp_path / "packs"
    found = find_photos(photos)
    write_shard(folder / "photos.bin", ((read_photo(p.path), {"file": p.path.name, "weight": p.weight}) for p in found))
    monkeypatch.setattr(styled, "PER_SHARD", 6)
    styled._make_shard(0, packs=folder, seed=0)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(crops, "SIZES", ((32, 2),))
    monkeypatch.setattr(pairs, "SIZES", ((32, 32, 2),))
    return folder


def train(folder: Path, make: Callable[[], tuple[torch.nn.Module, Any]], *, stop_after: int | None) -> torch.nn.Module:
    """Run to step 4, or until `stop_after` rows were logged as if the process had been killed there."""
    modules, start = make()
    options = LoopOptions(minutes=60, steps=4, log_every=1, save_every_s=0, warmup=2)
    rows: Iterator[dict[str, float]] = run_loop(modules, start, folder=folder, options=options)
    losses = [row["loss"] for row in itertools.islice(rows, stop_after)]
    assert all(np.isfinite(losses))
    return modules


@pytest.mark.parametrize("stage", ["autoencoder", "diffusion", "finishing"])
def test_a_resumed_run_ends_like_an_uninterrupted_one(stage: str, packs: Path, tmp_path: Path) -> None:
    def make() -> tuple[torch.nn.Module, Any]:
        torch.manual_seed(0)
        vae = new_autoencoder(channels=48)
        if stage == "autoencoder":
            start_from_pca(vae, *patch_statistics(open_shard(packs / "photos.bin"), seed=0, count=600))
            return vae, autoencoder_loss(vae, packs=packs, seed=0, workers=0)
        networks = Networks.new(widths=WIDTHS, norm_groups=8)
        wake_controlnets(networks)
        stage_loss = finishing_loss if stage == "finishing" else diffusion_loss
        return networks, stage_loss(networks, vae, packs=packs, seed=0, workers=0)

    whole = train(tmp_path / "whole", make, stop_after=None)
    train(tmp_path / "parts", make, stop_after=3)
    assert not list((tmp_path / "parts").glob("*.pt")), "the state is safetensors and JSON"
    resumed = train(tmp_path / "parts", make, stop_after=None)
    for (name, a), b in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6, msg=f"{name} differs after resuming")


def test_squares_weigh_in_finishing_as_much_as_asked(packs: Path) -> None:
    torch.manual_seed(0)
    networks, vae = Networks.new(widths=WIDTHS, norm_groups=8), new_autoencoder(channels=48)
    wake_controlnets(networks)
    with torch.no_grad():
        (less, _), (more, parts) = (
            finishing_loss(networks, vae, packs=packs, seed=0, workers=0, squares=weight)(1)(1)
            for weight in (0.25, 2.0)
        )
    assert parts["squares"] > 0
    assert float(more - less) == pytest.approx(1.75 * parts["squares"], rel=1e-3)


def test_the_autoencoder_starts_close_to_the_picture(packs: Path) -> None:
    torch.manual_seed(0)
    vae = new_autoencoder(channels=48)
    start_from_pca(vae, *patch_statistics(open_shard(packs / "photos.bin"), seed=0, count=3000))
    x = torch.from_numpy(picture()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        error = (vae.decoder(vae.encoder(x)) - x).square().mean()
    assert 10 * torch.log10(4 / error) > 15


def test_the_controlnets_see_their_pictures_before_training() -> None:
    torch.manual_seed(0)
    networks = Networks.new(widths=(32, 32, 32), norm_groups=8)
    wake_controlnets(networks)
    source = torch.from_numpy(picture(height=128, width=128)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        seen = networks.tile.controlnet_cond_embedding(source)[0].flatten(1).T
        colours = torch.nn.functional.pixel_unshuffle(torch.nn.functional.avg_pool2d(source, 4), 2)[0].flatten(1).T
        inputs = torch.cat([seen, torch.ones(len(seen), 1)], 1)
        left = colours - inputs @ torch.linalg.lstsq(inputs, colours).solution
        edges = networks.soft_edge.controlnet_cond_embedding(soft_edges(source))
    assert left.std() < 0.1 * colours.std(), "the 2x2 colours of each cell can be read off the embedding"
    assert 0.1 < seen.std() < 3
    assert 0.05 < edges.std() < 3


@pytest.mark.filterwarnings("ignore")
def test_an_export_loads_in_diffusers(tmp_path: Path) -> None:
    from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline

    torch.manual_seed(0)
    networks = Networks.new(widths=WIDTHS, norm_groups=8)
    size = export(new_autoencoder(channels=16), networks, tmp_path / "checkpoint")
    assert size < 3_000_000
    files = [path for path in (tmp_path / "checkpoint").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    assert list(tmp_path.iterdir()) == [tmp_path / "checkpoint"]
    pipeline = StableDiffusionControlNetImg2ImgPipeline.from_pretrained(tmp_path / "checkpoint")
    pipeline.set_progress_bar_config(disable=True)
    image = torch.rand(1, 3, 32, 32)
    out: Any = pipeline(
        "pencil sketch", image=image, control_image=[image, image], num_inference_steps=2, output_type="pt"
    )
    assert out.images.shape == image.shape
    listed = tmp_path / "checkpoint" / "looks.json"
    told: dict[str, Any] = json.loads(listed.read_text("utf-8"))
    told["looks"][2]["recipe"] = {"standard": {"variation": 0.5}}
    listed.write_text(json.dumps(told), "utf-8")
    export(new_autoencoder(channels=16), networks, tmp_path / "checkpoint")
    assert json.loads(listed.read_text("utf-8")) == told, "what was found for the looks stays"
    document: dict[str, Any] = looks_document()
    assert [look["name"] for look in document["looks"]] == [look.name for look in (*LOOKS, *STRENGTHS, *PALETTES)]
    words = set(document["words"])
    for look in document["looks"]:
        assert {word for text in look["wordings"] for word in re.findall(r"[a-z]+", text.lower())} <= words


def test_the_package_imports_nothing_of_the_training_code() -> None:
    for folder in ("vedit", "pipelines", "preprocessors"):
        for file in (ROOT / folder).rglob("*.py"):
            names: set[str] = set()
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.split(".")[0])
            assert not names & {"trainer", "examples", "train_embedded", "skimage"}, file
