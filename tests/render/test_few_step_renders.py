"""Renders in few steps by the command line: models and LoRAs that are told by their names, from noise and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.support.clips import two_shots
from tests.support.lora_files import CONV, TO_K, write_kohya
from tests.support.recording import frames_written, restyled_by
from vedit.cli.app import main
from vedit.media.writing.sidecar import read_record, sidecar_path
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl

Frames = np.ndarray[Any, Any]
SMALL = ("--size", "128", "--range", "#0..#2", "--device", "cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip, models, and LoRAs of random numbers that are called as published ones are."""
    made = tmp_path_factory.mktemp("few")
    two_shots(made / "clip.mov")
    sd, _ = write_tiny_sd(made / "sd"), write_tiny_sd(made / "sd-turbo", seed=4)
    xl = write_tiny_sdxl(made / "xl")
    for number, name in enumerate(("lcm-lora-sdv1-5", "Hyper-SD15-8steps-lora", "TCD-SD15-LoRA", "ink")):
        write_kohya(made / f"{name}.safetensors", sd, modules={"unet": (TO_K, CONV)}, seed=number)
    # The finest blocks of XL have no attention.
    inner = {"unet": (TO_K.replace("down_blocks.0", "down_blocks.1"), CONV)}
    write_kohya(made / "sdxl_lightning_4step_lora.safetensors", xl, modules=inner)
    return made


@pytest.fixture
def restyled(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, Frames]]:
    """What a command said, and the frames that it wrote."""
    monkeypatch.chdir(folder)

    def run(*words: str, output: str = "out.mov") -> tuple[str, Frames]:
        return restyled_by("clip.mov", "-p", "night", *SMALL, *words, "-o", tmp_path / output)

    return run


def command(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("model", "lora", "said"),
    [
        ("sd", "lcm-lora-sdv1-5", "a latent consistency model (lcm)"),
        ("sd", "Hyper-SD15-8steps-lora", "Hyper-SD (hyper)"),
        ("sd", "TCD-SD15-LoRA", "a model of trajectory consistency distillation (tcd)"),
        ("xl", "sdxl_lightning_4step_lora", "SDXL-Lightning (lightning)"),
    ],
)
def test_a_lora_makes_a_render_one_of_few_steps(
    restyled: Callable[..., tuple[str, Frames]], tmp_path: Path, model: str, lora: str, said: str
) -> None:
    words = ("--model", f"./{model}", "--lora", f"{lora}.safetensors")
    output, frames = restyled(*words)
    steps = 8 if "8step" in lora else 4
    assert f"./{model} is sampled as {said}, since the name of the LoRA {lora}.safetensors is {lora}: " in output
    assert f"{steps // 2} of {steps} steps from the noised source at strength 0.5, guidance 1" in output
    record = read_record(sidecar_path(tmp_path / "out.mov"))
    assert record is not None
    recipe = record["recipe"]
    assert (recipe["steps"], recipe["start"], recipe["strength"]) == (steps // 2, "noise", 0.5)
    # The numbers of the file act, and the noise is the seed's.
    _, lighter = restyled(*words[:-1], f"{words[-1]}:0.4", output="lighter.mov")
    _, other = restyled(*words, "--seed", "7", output="other.mov")
    assert np.abs(lighter - frames).mean() > 0.1
    assert np.abs(other - frames).mean() > 0.1
    with frames_written() as seen:
        again = command("again", sidecar_path(tmp_path / "out.mov"), "-o", tmp_path / "again.mov")
    assert again.exit_code == 0 and "the same frames" in again.output, again.output
    assert np.array_equal(np.concatenate(seen), frames)


def test_the_solver_of_a_lora_decides_the_frames(restyled: Callable[..., tuple[str, Frames]]) -> None:
    """The same file under other regimes; under that of its name it is as without a word."""
    words = ("--model", "./sd", "--lora", "lcm-lora-sdv1-5.safetensors", "--strength", "0.75")
    found = {
        name: restyled(*words, *(("--regime", name) if name != "own" else ()), output=f"{name}.mov")[1]
        for name in ("own", "lcm", "tcd", "hyper", "none")
    }
    assert np.array_equal(found["own"], found["lcm"])
    others = [found[name] for name in ("lcm", "tcd", "hyper", "none")]
    for number, one in enumerate(others):
        assert all(np.abs(one - other).mean() > 0.05 for other in others[:number])


def test_beside_another_lora_controls_regions_and_a_mask(restyled: Callable[..., tuple[str, Frames]]) -> None:
    words = ("--model", "./sd", "--lora", "lcm-lora-sdv1-5.safetensors")
    _, alone = restyled(*words)
    more = {
        "ink": ("--lora", "ink.safetensors:0.5"),
        "control": ("--control", "tile:0.3"),
        "region": ("--region", "box:0%,0%,50%,100%=bronze"),
        "guidance": ("--guidance", "2", "--negative-prompt", "grey"),
    }
    for name, asked in more.items():
        output, frames = restyled(*words, *asked, output=f"{name}.mov")
        assert "2 of 4 steps" in output
        assert np.abs(frames - alone).mean() > 0.02, name
    _, boxed = restyled(*words, "--mask-box", "50%,0%,50%,100%", output="boxed.mov")
    _, kept = restyled("--model", "./sd", "--strength", "0", output="kept.mov")
    assert np.array_equal(boxed[..., : boxed.shape[-1] // 3], kept[..., : kept.shape[-1] // 3])


def test_with_a_variation_the_source_is_inverted(restyled: Callable[..., tuple[str, Frames]]) -> None:
    for words in (("--model", "./sd-turbo"), ("--model", "./sd", "--lora", "Hyper-SD15-8steps-lora.safetensors")):
        output, _ = restyled(*words, "--variation", "0.4", output=f"{len(words)}.mov")
        assert "steps from the inverted source at strength 1" in output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--lora lcm-lora-sdv1-5.safetensors --variation 0.4", "cannot be inverted, as variation needs"),
        ("--lora lcm-lora-sdv1-5.safetensors --inversion ddpm", "cannot be inverted, as inversion ddpm needs"),
        ("--lora lcm-lora-sdv1-5.safetensors --inject 0.8,0.5", "cannot be inverted, as inject needs"),
        ("--lora lcm-lora-sdv1-5.safetensors --guidance 7", "stands guidance from 1 to 2, not 7"),
        ("--lora lcm-lora-sdv1-5.safetensors --steps 30", "takes 1 to 8 steps, not 30"),
        ("--lora lcm-lora-sdv1-5.safetensors --steps 3 --strength 0.33", "give a --strength of at least 0.34"),
        ("--lora lcm-lora-sdv1-5.safetensors --lora TCD-SD15-LoRA.safetensors", "sampled each in a way of its own"),
        ("--lora lcm-lora-sdv1-5.safetensors,mask=box:0%,0%,50%,50%", "not in a mask alone; leave its mask out"),
        ("--lora sdxl_lightning_4step_lora.safetensors", "does not fit the model"),
        ("--regime lcm-full", "does not take the guidance as an input"),
    ],
)
def test_what_cannot_be_is_refused_before_the_source_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "none.mov").write_bytes(b"no clip")
    for more in ((), ("--dry-run",)):
        found = command("restyle", "none.mov", "-p", "night", "--model", "./sd", *words.split(), *more)
        assert (found.exit_code, said in found.output) == (2, True), found.output
        assert len(found.output.splitlines()) == 1


def test_a_plan_samples_each_shot_in_its_own_way(folder: Path, tmp_path: Path) -> None:
    plan = """
source = "clip.mov"
model = "./sd"
[default]
prompt = "night"
short_side = 128
steps = 4
controls = "none"
[[shot]]
number = 1
frames = "#0..#6"
[[shot]]
number = 2
frames = "#6..#10"
loras = ["lcm-lora-sdv1-5.safetensors"]
"""
    (folder / "plan.toml").write_text(plan, "utf-8")
    found = command("edit", folder / "plan.toml", "-o", tmp_path / "cut.mov")
    assert found.exit_code == 0, found.output
    assert found.output.count("is sampled as") == 1
    record = read_record(sidecar_path(tmp_path / "cut.mov"))
    assert record is not None
    looks = record["recipe"]["looks"]
    assert [(look["start"], look["strength"], len(look["loras"])) for look in looks] == [
        ("inversion", 1.0, 0),
        ("noise", 0.5, 1),
    ]
