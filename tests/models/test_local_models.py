"""Models found on this machine: the hub's cache, and the folders of ComfyUI and AUTOMATIC1111's web UI."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.models.checkpoints import REFUSED, gguf
from tests.models.layouts import controlnet, prefixed, sd1_checkpoint, sdxl_checkpoint, write_sparse
from tests.support.clips import two_shots
from vedit.cli import main
from vedit.models.local_models import local_models
from vedit.models.model_folders import in_model_folders, model_folders_first
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.weights.store import FOLDER_VARIABLE

LORA = {"lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k.lora_down.weight": (8, 768)}


@pytest.fixture(autouse=True)
def nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.delenv("VEDIT_MODELS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def comfy(tmp_path: Path) -> Path:
    """A folder of ComfyUI that names one of AUTOMATIC1111's web UI."""
    root, webui = tmp_path / "ComfyUI", tmp_path / "webui"
    models = root / "models"
    write_sparse(models / "checkpoints" / "dreamshaper_8.safetensors", sd1_checkpoint())
    write_sparse(models / "checkpoints" / "xl" / "base.safetensors", sdxl_checkpoint())
    write_sparse(models / "loras" / "style" / "ink.safetensors", LORA)
    write_sparse(models / "controlnet" / "tile.safetensors", prefixed("control_model.", controlnet()))
    REFUSED["textual inversion"][0](models / "embeddings" / "bad").parent.mkdir(exist_ok=True)
    (models / "unet").mkdir()
    gguf("wan")(models / "unet")
    (models / "checkpoints" / "old.ckpt").write_bytes(b"PK")
    (models / "loras" / "half.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{")
    write_sparse(webui / "models" / "Stable-diffusion" / "theirs.safetensors", sd1_checkpoint())
    write_sparse(webui / "models" / "Lora" / "theirs_ink.safetensors", LORA)
    (root / "extra_model_paths.yaml").write_text(
        f"# where others are\na111:\n    base_path: {webui}/\n    is_default: true\n"
        "    checkpoints: models/Stable-diffusion\n"
        "    loras: |\n        models/Lora  # theirs\n        models/LyCORIS\n",
        "utf-8",
    )
    return root


def test_everything_is_found_and_told(comfy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "search-local", str(comfy), "--json"], standalone_mode=False) == 0
    told = json.loads(capsys.readouterr().out)
    named = {Path(model["path"]).name: model for model in told["models"]}
    assert {name: model["name"] for name, model in named.items() if name != "half.safetensors"} == {
        "dreamshaper_8.safetensors": "Stable Diffusion 1.x, a single file",
        "base.safetensors": "Stable Diffusion XL, a single file",
        "ink.safetensors": "a LoRA for Stable Diffusion 1.x, kohya layout",
        "tile.safetensors": "a ControlNet for Stable Diffusion 1.x",
        "model.safetensors": "a textual inversion embedding for Stable Diffusion 1.x",
        "model-Q4_K_M.gguf": "a GGUF file of Wan",
        "theirs.safetensors": "Stable Diffusion 1.x, a single file",
        "theirs_ink.safetensors": "a LoRA for Stable Diffusion 1.x, kohya layout",
    }
    assert named["half.safetensors"]["name"].startswith("not readable")
    assert named["dreamshaper_8.safetensors"]["precision"] == "fp16"
    assert named["tile.safetensors"]["given_as"] == f"--controlnet KIND={named['tile.safetensors']['path']}"
    assert (told["pickles"], told["complete"]) == (1, True)
    assert main(["models", "search-local", str(comfy), "--runs"], standalone_mode=False) == 0
    text = capsys.readouterr()
    assert "dreamshaper_8" in text.out and "GGUF" not in text.out and "1 pickle left alone" in text.err


def test_a_search_reads_headers_alone(comfy: Path) -> None:
    for n in range(60):
        write_sparse(comfy / "models" / "loras" / f"{n}.safetensors", LORA)
    start = time.perf_counter()
    assert len(local_models([comfy]).models) == 69
    assert time.perf_counter() - start < 2


def test_a_link_in_a_circle_ends(comfy: Path) -> None:
    (comfy / "models" / "loras" / "again").symlink_to(comfy)
    assert len(local_models([comfy]).models) == 9


def test_a_name_is_of_a_file_in_the_folders_layout(comfy: Path) -> None:
    with model_folders_first([comfy]):
        found = in_model_folders("dreamshaper_8", "model")
        assert found is not None and resolve("dreamshaper_8").base == found
        assert in_model_folders("xl/base", "model") == in_model_folders("xl/base.safetensors", "model") is not None
        assert in_model_folders("style/ink", "lora") == comfy / "models" / "loras" / "style" / "ink.safetensors"
        theirs = in_model_folders("theirs_ink.safetensors", "lora")
        assert theirs is not None and theirs.parent.name == "Lora"
        assert resolve("theirs", {"tile": "tile"}).source.controlnets["tile"].endswith("controlnet/tile.safetensors")
        for name in ("../ink", "/etc", "", "none", "style", "style/", "a\0b", "x" * 5000):
            assert in_model_folders(name, "lora") is None
    assert in_model_folders("dreamshaper_8", "model") is None


def test_a_command_looks_into_the_folders_that_it_is_given(
    comfy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, "/elsewhere")
    words = ["models", "info", "dreamshaper_8", "--json"]
    assert main([*words, "--model-dir", str(comfy)], standalone_mode=False) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["family"], told["precision"], told["tensors"]) == (
        "Stable Diffusion 1.x",
        "fp16",
        len(sd1_checkpoint()),
    )
    assert main(words, standalone_mode=False) == 2
    assert "nor such a file" in capsys.readouterr().err


def test_a_render_by_such_a_name_can_be_rendered_again(
    comfy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny_sd(comfy / "models" / "diffusers" / "tiny", controls=())
    clip, output = two_shots(tmp_path / "in.mov"), tmp_path / "out.mov"
    words = ["restyle", str(clip), "-p", "night", "--control", "none", "--quality", "draft", "--steps", "2"]
    words += ["--model", "tiny", "-o", str(output)]
    assert main([*words, "--dry-run"], standalone_mode=False) == 2
    assert "there is no model 'tiny'" in capsys.readouterr().err
    assert main([*words, "--model-dir", str(comfy)], standalone_mode=False) == 0
    record = output.with_name(f"{output.name}.vedit.json")
    assert f'"./{folder.relative_to(tmp_path).as_posix()}"' in record.read_text("utf-8"), "where it lies, not its name"
    assert main(["again", str(record), "-o", str(tmp_path / "new.mov"), "--dry-run"], standalone_mode=False) == 0


def test_doctor_says_what_each_is(comfy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vedit import doctor

    write_tiny_sd(tmp_path / "hub" / "models--owner--tiny" / "snapshots" / "abc", controls=())
    monkeypatch.setenv(FOLDER_VARIABLE, str(comfy))
    found = {finding.name: finding for finding in doctor._models()}  # pyright: ignore[reportPrivateUsage]
    assert "Stable Diffusion layout, a diffusers folder, fp32" in found["models--owner--tiny"].found
    assert found["dreamshaper_8.safetensors"].found.startswith("Stable Diffusion 1.x, a single file, fp16")
    assert found["half.safetensors"].state == "note" and found["half.safetensors"].remedy
    assert found["models"].found.startswith("10 in ")
