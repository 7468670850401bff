"""LoRA files that are none, or none for the model: refused by their headers, with what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.models.layouts import sd1_checkpoint, write_sparse
from tests.support.lora_files import CONV, TO_K, diffusers_name, drawn, kohya_name, renamed, write, write_kohya
from vedit.errors import ModelError
from vedit.models.families.sd_loras import check_loras
from vedit.models.lora_file import lora_path, with_lora_files
from vedit.models.source import ModelSource
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.testing.tiny_sd import write_tiny_sd

STEM = kohya_name("unet", TO_K)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("refused") / "model", controls=("tile",))


@pytest.fixture
def good(folder: Path, tmp_path: Path) -> Path:
    write_kohya(tmp_path / "good.safetensors", folder)
    return tmp_path / "good.safetensors"


def refusal(folder: Path, path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        check_loras(ModelSource(base=str(folder)), (LoraSpec(path=path),))
    return f"{caught.value.message}; {caught.value.remedy}"


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({f"{STEM}.lora_down.weight": (3, 32)}, f"'{STEM}.lora_down.weight' has no counterpart"),
        ({f"{STEM}.alpha": ()}, "has no counterpart"),
        ({f"{STEM}.lokr_w1": (4, 4)}, "has no counterpart"),
        ({f"{STEM}.hada_w1_a": (32, 3), f"{STEM}.hada_w1_b": (3, 32)}, "has no counterpart"),
        ({f"{STEM}.lora_dwn.weight": (3, 32)}, f"is no LoRA that is understood: it has '{STEM}.lora_dwn.weight'"),
        ({f"{STEM}.on_input": (), f"{STEM}.weight": (32,)}, "is IA3, which is not supported"),
        ({f"{STEM}.oft_blocks": (4, 8, 8)}, "is OFT, which is not supported"),
        ({f"{STEM}.a1.weight": (4, 8)}, "is GLoRA, which is not supported"),
        (
            {f"{STEM}x.lora_down.weight": (3, 32), f"{STEM}x.lora_up.weight": (32, 3)},
            f"does not fit the model: '{STEM}x.lora_down.weight' has no place in its UNet",
        ),
        (
            {"lora_te_x.lora_down.weight": (3, 32), "lora_te_x.lora_up.weight": (32, 3)},
            "has no place in its text encoder",
        ),
        (
            {"lora_te2_x.lora_down.weight": (3, 32), "lora_te2_x.lora_up.weight": (32, 3)},
            "for a second text encoder, and it has none|Stable Diffusion XL",
        ),
        (
            {f"{STEM}.lora_down.weight": (3, 48), f"{STEM}.lora_up.weight": (32, 3)},
            f"does not fit the model: {STEM}.lora_down.weight has tensors of (3, 48) and (32, 3) for (32, 32)",
        ),
        ({f"{STEM}.lora_down.weight": (3, 32), f"{STEM}.lora_up.weight": (32, 4)}, "does not fit the model"),
        ({f"{STEM}.lokr_w1": (4, 4), f"{STEM}.lokr_w2": (4, 16)}, "does not fit the model"),
        ({f"{STEM}.diff_b": (32,)}, "has no place in its UNet"),
        ({}, "changes nothing"),
    ],
)
def test_what_does_not_fit(folder: Path, tmp_path: Path, tensors: dict[str, tuple[int, ...]], message: str) -> None:
    file = write(tmp_path / "a.safetensors", {key: drawn(*shape, seed=1) for key, shape in tensors.items()})
    said = refusal(folder, file)
    assert any(part in said for part in message.split("|")), said


def test_files_that_are_something_else(folder: Path, tmp_path: Path) -> None:
    assert "is a ControlNet" in refusal(folder, folder / "controlnet" / "diffusion_pytorch_model.safetensors")
    assert "not a LoRA" in refusal(folder, folder / "controlnet" / "diffusion_pytorch_model.safetensors")
    pickle = tmp_path / "a.pt"
    pickle.touch()
    assert "is a pickle file" in refusal(folder, pickle)
    text = tmp_path / "b.safetensors"
    text.write_text("<html>", "utf-8")
    assert "is a web page, not weights" in refusal(folder, text)


def test_a_lora_for_another_family_is_named(tmp_path: Path) -> None:
    """By headers alone: the model and the LoRA are of true widths, and neither is read."""
    model = write_sparse(tmp_path / "sd15.safetensors", sd1_checkpoint())
    stem = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
    lora = write_sparse(
        tmp_path / "xl.safetensors", {f"{stem}.lora_down.weight": (8, 2048), f"{stem}.lora_up.weight": (640, 8)}
    )
    said = refusal(model, lora)
    assert "is a LoRA for Stable Diffusion XL" in said
    assert "the model is Stable Diffusion 1.x" in said


def test_a_true_size_lora_is_held_against_a_true_size_model(tmp_path: Path) -> None:
    """Without a weight of either: what fits SD 1.5 passes, and one width that does not is found."""
    model = write_sparse(tmp_path / "sd15.safetensors", sd1_checkpoint())
    shapes: dict[str, tuple[int, ...]] = {}
    for name, inputs, outputs in (
        ("lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k", 768, 640),
        ("lora_unet_mid_block_attentions_0_transformer_blocks_0_ff_net_0_proj", 1280, 10240),
        ("lora_te_text_model_encoder_layers_11_mlp_fc1", 768, 3072),
    ):
        shapes |= {f"{name}.lora_down.weight": (8, inputs), f"{name}.lora_up.weight": (outputs, 8), f"{name}.alpha": ()}
    good = write_sparse(tmp_path / "good.safetensors", shapes)
    check_loras(ModelSource(base=str(model)), (LoraSpec(path=good),))
    wrong = {key: (3071, 8) if shape == (3072, 8) else shape for key, shape in shapes.items()}
    bad = write_sparse(tmp_path / "bad.safetensors", wrong)
    assert "(3071, 8) for (3072, 768)" in refusal(model, bad)


def test_two_loras_in_one_file_are_refused(folder: Path, good: Path, tmp_path: Path) -> None:
    twice = load_file(good) | {
        f"{diffusers_name('unet', CONV)}.lora_down.weight": torch.zeros(1),
        f"{kohya_name('unet', CONV)}.lora_A.weight": torch.zeros(1),
    }
    assert "changes a module twice" in refusal(folder, write(tmp_path / "twice.safetensors", twice))


def test_where_a_lora_lies(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lora_path(good) == good
    inside = tmp_path / "folder" / "pytorch_lora_weights.safetensors"
    inside.parent.mkdir()
    with pytest.raises(ModelError, match=r"holds no \.safetensors file"):
        lora_path(inside.parent)
    inside.write_bytes(good.read_bytes())
    assert lora_path(inside.parent) == inside
    (inside.parent / "other.safetensors").write_bytes(good.read_bytes())
    assert lora_path(inside.parent) == inside
    inside.rename(inside.with_name("more.safetensors"))
    with pytest.raises(ModelError, match=r"holds 2 \.safetensors files, where one LoRA should be"):
        lora_path(inside.parent)
    with pytest.raises(ModelError, match="is not on this machine") as caught:
        lora_path(Path("owner/name"))
    assert "vedit models pull owner/name" in caught.value.remedy
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    snapshot = tmp_path / "hub" / "models--owner--name" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "pytorch_lora_weights.safetensors").write_bytes(good.read_bytes())
    look = with_lora_files(RestyleOptions(prompt="x", loras=(LoraSpec(path=Path("owner/name"), weight=0.5),)))
    assert look.loras == (LoraSpec(path=snapshot / "pytorch_lora_weights.safetensors", weight=0.5),)
    assert with_lora_files(look) == look


def test_a_name_in_front_of_all_is_not_guessed_away(folder: Path, good: Path, tmp_path: Path) -> None:
    other = renamed(good, tmp_path / "b.safetensors", lambda key: f"zip.{key}")
    assert "'zip.lora_" in refusal(folder, other)
    assert "has no place in its UNet" in refusal(folder, other)
