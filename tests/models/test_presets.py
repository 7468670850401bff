"""Working sizes, steps and guidance are those of the family; small models keep the embedded model's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.checkpoints import pipeline_of
from tests.models.layouts import sd1_checkpoint, sd2_checkpoint, sdxl_checkpoint, write_sparse
from vedit.models.families.sd_configs import SD1, SD2, SDXL
from vedit.models.resolve import resolve
from vedit.options.request import QUALITIES, RestyleOptions
from vedit.render.fitting import fit_of
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl


def folder(family: dict, place: Path, **unet: object) -> Path:  # pyright: ignore
    parts = {part: dict(family[part]) for part in family if part != "controlnet"}
    parts["unet"].update(unet)
    return pipeline_of("StableDiffusionPipeline", **parts)(place)


@pytest.mark.parametrize(
    ("family", "unet", "side", "guidance"),
    [
        (SD1, {}, 512, 7.0),
        (SD1, {"sample_size": 32}, 512, 7.0),
        (SD2, {}, 512, 7.0),
        (SD2, {"sample_size": 96}, 768, 7.0),
        (SDXL, {}, 1024, 5.0),
    ],
    ids=["1.5", "1.5 that says 32", "2.1-base", "2.1-v", "XL"],
)
def test_a_folder_is_worked_at_the_size_that_it_was_trained_at(
    tmp_path: Path,
    family: dict,  # pyright: ignore
    unet: dict[str, object],
    side: int,
    guidance: float,
) -> None:
    traits = resolve(str(folder(family, tmp_path, **unet))).traits
    assert {name: quality.short_side for name, quality in traits.qualities.items()} == {
        "draft": side * 3 // 4,
        "standard": side,
        "high": side,
    }
    assert traits.guidance == guidance
    assert all(quality.short_side % 64 == 0 for quality in traits.qualities.values())


@pytest.mark.parametrize(
    ("shapes", "metadata", "side"),
    [
        (sd1_checkpoint(), {}, 512),
        (sd2_checkpoint(), {"modelspec.prediction_type": "epsilon"}, 512),
        (sd2_checkpoint(), {"modelspec.prediction_type": "v"}, 768),
        (sdxl_checkpoint(), {}, 1024),
    ],
    ids=["1.5", "2.1-base", "2.1-v", "XL"],
)
def test_a_single_file_too(tmp_path: Path, shapes: dict, metadata: dict[str, str], side: int) -> None:  # pyright: ignore
    file = write_sparse(tmp_path / "model.safetensors", shapes, metadata=metadata)
    assert resolve(str(file)).traits.qualities["standard"].short_side == side


def test_models_of_other_widths_keep_the_presets_of_the_embedded_one(tmp_path: Path) -> None:
    for model in ("embedded", str(write_tiny_sd(tmp_path / "sd")), str(write_tiny_sdxl(tmp_path / "xl"))):
        assert resolve(model).traits.qualities == QUALITIES


def test_the_size_that_is_asked_for_goes_before(tmp_path: Path) -> None:
    traits = resolve(str(folder(dict(SD1), tmp_path))).traits
    assert fit_of((1920, 1080), RestyleOptions(prompt="x"), traits).inner[0] == 512
    assert fit_of((1920, 1080), RestyleOptions(prompt="x", short_side=640), traits).inner[0] == 640
