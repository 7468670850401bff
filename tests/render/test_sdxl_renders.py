"""Stable Diffusion XL by the command line: all that acts on a render, its record, and one that goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.support.clips import two_shots
from tests.support.recording import frames_written, restyled_by, shots_sampled
from vedit import api
from vedit.cli.app import main
from vedit.errors import Interrupted
from vedit.media.writing.sidecar import read_record, sidecar_path
from vedit.render.run import restyle
from vedit.store.units import work_folder
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

Frames = np.ndarray[Any, Any]
SMALL = ("--size", "128", "--steps", "2", "--device", "cpu")
PART = ("--range", "#0..#2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, an XL with two ControlNets, one without, and a Stable Diffusion 1.x whose ControlNet is none for them."""
    made = tmp_path_factory.mktemp("xl")
    two_shots(made / "clip.mov")
    write_tiny_sdxl(made / "xl")
    write_tiny_sdxl(made / "bare", controls=())
    write_tiny_sd(made / "sd", controls=("tile",))
    return made


@pytest.fixture
def restyled(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, Frames]]:
    """What a command said, and the frames that it wrote."""
    monkeypatch.chdir(folder)

    def run(*words: str, model: str = "./xl", output: str = "out.mov") -> tuple[str, Frames]:
        asked = ("-p", "night", "--model", model, *SMALL, *PART, *words)
        return restyled_by("clip.mov", *asked, "-o", tmp_path / output, "--overwrite")

    return run


def command(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    "words",
    [
        ("--negative-prompt", "grey"),
        ("--guidance", "2"),
        ("--control", "tile:0.2"),
        ("--control", "softedge"),
        ("--region", "box:0%,0%,50%,100%=bronze"),
        ("--mask-box", "0,0,80,144"),
        ("--strength", "0.5"),
        ("--variation", "0.5"),
        ("--variation", "0.5", "--inversion", "ddpm"),
        ("--inversion", "ddim"),
        ("--inversion", "ddpm"),
        ("--inject", "0.8,0.5"),
        ("--clip-skip", "1"),
        ("--freeu", "1.5,1.6,0.9,0.2"),
        ("--attention", "none"),
        ("--size", "144"),
    ],
    ids=" ".join,
)
def test_what_is_asked_of_it_acts_and_is_recorded(
    restyled: Callable[..., tuple[str, Frames]], tmp_path: Path, plain: Frames, words: tuple[str, ...]
) -> None:
    _, frames = restyled(*words)
    assert np.abs(frames - plain).mean() > 0.01
    with frames_written() as seen:
        again = command("again", sidecar_path(tmp_path / "out.mov"), "-o", tmp_path / "again.mov")
    assert again.exit_code == 0 and "the same frames" in again.output, again.output
    assert np.array_equal(np.concatenate(seen), frames)


@pytest.fixture(scope="module")
def plain(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Frames of it without a further word."""
    place = tmp_path_factory.mktemp("plain") / "out.mov"
    with frames_written() as seen:
        asked = ("-p", "night", "--model", folder / "xl", *SMALL, *PART)
        assert command("restyle", folder / "clip.mov", *asked, "-o", place).exit_code == 0
    return cast("Frames", np.concatenate(seen)).astype(int)


def test_another_prompt_is_another_picture_and_the_same_the_same(
    restyled: Callable[..., tuple[str, Frames]], plain: Frames
) -> None:
    assert np.array_equal(restyled()[1], plain)
    assert np.abs(restyled("-p", "a garden", output="garden.mov")[1] - plain).mean() > 0.05


def test_a_mask_keeps_what_is_outside(restyled: Callable[..., tuple[str, Frames]]) -> None:
    _, boxed = restyled("--mask-box", "50%,0%,50%,100%")
    _, kept = restyled("--strength", "0", output="kept.mov")
    third = boxed.shape[-1] // 3
    assert np.array_equal(boxed[..., :third], kept[..., :third])
    assert np.abs(boxed[..., -third:] - kept[..., -third:]).mean() > 0.1


def test_a_controlnet_that_is_given_goes_before_its_own(restyled: Callable[..., tuple[str, Frames]]) -> None:
    own, same, other = (
        restyled("--control", "tile:0.8", *given, output=f"{number}.mov")[1]
        for number, given in enumerate(
            ((), ("--controlnet", "tile=./xl/controlnet"), ("--controlnet", "tile=./xl/controlnet_1"))
        )
    )
    assert np.array_equal(same, own)
    assert np.abs(other - own).mean() > 0.05
    bare: dict[str, Any] = {"model": "./bare", "output": "bare.mov"}
    _, without = restyled("--control", "none", **bare)
    _, under = restyled("--controlnet", "tile=./xl/controlnet", "--control", "tile", **bare)
    assert np.abs(under - without).mean() > 0.05


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_controlnet_of_another_network_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]
) -> None:
    monkeypatch.chdir(folder)
    words = ("restyle", "clip.mov", "-p", "night", "--model", "./bare", "--controlnet", "tile=./sd/controlnet", *SMALL)
    words += ("--control", "tile")
    found = command(*words, *more, "-o", folder / "never.mov")
    assert found.exit_code == 2
    assert "the ControlNet for tile has a cross_attention_dim of 32, the UNet of 80; use one that was" in found.output
    assert not (folder / "never.mov").exists()


def test_dry_run_says_the_size_the_steps_and_what_is_not_as_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    def told(*words: str) -> str:
        found = command("restyle", "clip.mov", "-p", "night", "--model", "./xl", "--dry-run", *words)
        assert found.exit_code == 0, found.output
        return found.output

    plain = told("--size", "128", "--steps", "3")
    assert "176x144, worked at 160x128" in plain and "steps     3, 12 network evaluations" in plain
    assert "note" not in plain
    assert "the shorter side is worked at 144 pixels, not 1024: the source has no more" in told("--size", "1024")
    assert "worked at 128 pixels, not 64: ./xl takes no smaller frames" in told("--size", "64")
    assert "strength 0.3 is less than one of the steps" in told("--steps", "3", "--strength", "0.3")
    assert "less than one" not in told("--steps", "3", "--strength", "0.4")


def test_a_stopped_render_goes_on(folder: Path, tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "prompt": "night",
        "model": str(folder / "xl"),
        "short_side": 128,
        "steps": 2,
        "window": 3,
        "overlap": 1,
        "frames": "#0..#5",
        "fixed_point": 1,
        "controls": (),
        "variation": 0.3,
        "device": "cpu",
    }
    other: dict[str, Any] = {**asked, "short_side": 144}
    clip, output = folder / "clip.mov", tmp_path / "out.mov"
    with frames_written() as whole:
        api.restyle(clip, output=tmp_path / "whole.mov", **asked)
    units = work_folder(output) / "units"
    with pytest.raises(Interrupted, match="finished units are kept"):
        restyle(api.request(clip, output=output, **asked), stop=lambda: units.is_dir() and any(units.iterdir()))
    # Another size is other units: nothing of what is kept serves.
    assert restyle(api.request(clip, output=output, **other)).units_kept == 0
    output.unlink()
    sidecar_path(output).unlink()
    with pytest.raises(Interrupted, match="finished units are kept"):
        restyle(api.request(clip, output=output, **asked), stop=lambda: units.is_dir() and any(units.iterdir()))
    with shots_sampled() as seen, frames_written() as frames:
        assert restyle(api.request(clip, output=output, **asked)).units_kept >= 1
    assert seen
    assert np.array_equal(np.concatenate(frames), np.concatenate(whole))
    record = read_record(sidecar_path(output))
    assert record is not None
    assert {"unet", "vae", "text_encoder", "text_encoder_2"} <= set(record["recipe"]["model_sha256"])
