"""Renders with LoRAs: of the embedded model, by every door, each known again by its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.support.clips import two_shots
from tests.support.lora_files import write_kohya
from tests.support.recording import frames_written
from vedit import api
from vedit.cli.app import main
from vedit.embedded import FOLDER
from vedit.media.writing.sidecar import read_record, sidecar_path

pytestmark = pytest.mark.usefixtures("small_embedded")
QUICK: dict[str, Any] = {"quality": "draft", "steps": 2, "window": 4, "overlap": 1, "controls": ()}
FRAME = "#0..#1"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "clip.mov")


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    write_kohya(tmp_path / "ink.safetensors", FOLDER, modules={"unet": ("conv_in", "conv_out")})
    return tmp_path / "ink.safetensors"


@pytest.fixture
def written(clip: Path, tmp_path: Path) -> Callable[..., np.ndarray[Any, Any]]:
    def run(**settings: Any) -> np.ndarray[Any, Any]:
        with frames_written() as seen:
            api.restyle(
                clip, prompt="pencil sketch", output=tmp_path / "out.mov", overwrite=True, **{**QUICK, **settings}
            )
        return cast("np.ndarray[Any, Any]", np.concatenate(seen)).astype(int)

    return run


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_a_lora_changes_the_frames_by_its_weight(lora: Path, written: Callable[..., Any]) -> None:
    plain, whole = written(frames=FRAME), written(frames=FRAME, loras=[str(lora)])
    assert np.abs(whole - plain).mean() > 2
    none = written(frames=FRAME, loras=[f"{lora}:0"])
    assert np.array_equal(none, plain)


def test_a_mask_holds_it_to_a_part(lora: Path, written: Callable[..., Any]) -> None:
    plain = written(frames=FRAME)
    left = np.abs(written(frames=FRAME, loras=[f"{lora},mask=box:0%,0%,40%,100%"]) - plain).mean(axis=(0, 1, 2))
    width = len(left)
    assert left[: width // 3].mean() > 3 * left[width // 2 :].mean()


def test_other_numbers_under_the_same_name_are_another_render(
    clip: Path, lora: Path, tmp_path: Path, written: Callable[..., Any]
) -> None:
    first = written(frames=FRAME, loras=[str(lora)])
    record = read_record(sidecar_path(tmp_path / "out.mov"))
    assert record is not None
    assert "LoRA ink.safetensors" in record["recipe"]["weights"]
    again = command("again", sidecar_path(tmp_path / "out.mov"), "-o", tmp_path / "again.mov")
    assert again.exit_code == 0, again.output
    write_kohya(lora, FOLDER, modules={"unet": ("conv_in", "conv_out")}, seed=77)
    other = command("again", sidecar_path(tmp_path / "out.mov"), "-o", tmp_path / "third.mov")
    assert other.exit_code == 2
    assert "the weights of LoRA ink.safetensors are others now" in other.output
    assert not np.array_equal(written(frames=FRAME, loras=[str(lora)]), first)


def test_each_shot_of_a_plan_has_its_own(clip: Path, lora: Path, written: Callable[..., Any]) -> None:
    from vedit.edits.edit import Edit

    plain, changed = (Edit("pencil sketch", **QUICK, loras=loras) for loras in ((), [str(lora)]))
    frames = written(looks={1: changed, 2: plain})
    both = written(looks={1: plain, 2: plain})
    cut = next(number for number in range(len(both)) if np.array_equal(frames[number], both[number]))
    assert cut > 0
    assert np.array_equal(frames[cut:], both[cut:])


@pytest.mark.parametrize("dry", [["--dry-run"], []])
def test_what_does_not_fit_is_refused_before_frames_are_read(
    clip: Path, lora: Path, tmp_path: Path, dry: list[str]
) -> None:
    write_kohya(lora, FOLDER, modules={"unet": ("conv_in",)}, name_of=lambda part, name: f"lora_unet_{name}x")
    found = command("restyle", clip, "-p", "pencil sketch", "--lora", lora, "-o", tmp_path / "o.mov", *dry)
    assert found.exit_code == 2
    assert "'lora_unet_conv_inx.lora_down.weight' has no place in its UNet" in found.output
    absent = command("restyle", clip, "-p", "pencil sketch", "--lora", "no/such", "-o", tmp_path / "o.mov", *dry)
    assert absent.exit_code == 2
    assert "vedit models pull no/such" in absent.output


def test_a_plan_says_what_masks_cost(clip: Path, lora: Path) -> None:
    plain = api.plan(clip, prompt="pencil sketch", **QUICK, loras=[str(lora)])
    masked = api.plan(
        clip, prompt="pencil sketch", **QUICK, loras=[f"{lora},mask=box:0,0,9,9", f"{lora},mask=box:9,9,9,9"]
    )
    sampling = plain.steps * 2  # guided
    assert masked.network_evaluations_per_frame - plain.network_evaluations_per_frame == 2 * sampling
    assert "LoRAs act in 2 masks: each step is sampled 3 times" in masked.notes
