"""Digests of a loaded model's weights: of the tensors as they were loaded, and taken once while files are untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vedit.models.families import sd, sd_digests
from vedit.models.families.modules import weights_digest
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.store import kept_digests
from vedit.store.kept_digests import FILE
from vedit.testing.tiny_sd import write_tiny_sd

WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model whose files have settled, and a cache of its own."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VEDIT_CACHE_GB", raising=False)
    monkeypatch.setattr(kept_digests, "_SETTLED", 0)
    return write_tiny_sd(tmp_path / "tiny", controls=("tile",))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[torch.nn.Module]:
    """The parts that were hashed."""
    found: list[torch.nn.Module] = []

    def digest(module: torch.nn.Module) -> str:
        found.append(module)
        return weights_digest(module)

    monkeypatch.setattr(sd_digests, "weights_digest", digest)
    return found


def loaded(folder: Path, *, precision: str = "auto", controls: tuple[str, ...] = ("tile",)) -> SDModel:
    return load_sd(resolve(str(folder)), Loading(precision=precision), controls=controls)


def true_digests(model: SDModel) -> dict[str, str]:
    """Of every part, by the one function that keeps nothing."""
    parts: dict[str, torch.nn.Module] = {
        "unet": model.denoiser.unet,
        "vae": model.codec.vae,
        "text_encoder": model.text.encoder,
        **{f"controlnet:{kind}": net for kind, net in model.denoiser.controlnets.items()},
    }
    return {name: weights_digest(part) for name, part in parts.items()}


def test_they_are_of_the_tensors_and_taken_once(tiny: Path, hashed: list[torch.nn.Module]) -> None:
    first = loaded(tiny)
    assert dict(first.fingerprint) == true_digests(first)
    assert list(first.fingerprint) == ["unet", "vae", "text_encoder", "controlnet:tile"]
    assert len(hashed) == 4
    again = loaded(tiny)
    assert dict(again.fingerprint) == true_digests(first)
    assert len(hashed) == 4, "a second load hashes nothing"


def test_what_makes_other_tensors_of_the_same_files_is_told_apart(tiny: Path, hashed: list[torch.nn.Module]) -> None:
    wide = loaded(tiny).fingerprint
    half, alone = loaded(tiny, precision="float16"), loaded(tiny, controls=())
    assert dict(half.fingerprint) == true_digests(half)
    assert half.fingerprint["unet"] != wide["unet"]
    assert dict(alone.fingerprint) == {name: wide[name] for name in ("unet", "vae", "text_encoder")}


def test_other_weights_under_the_same_names_are_hashed_anew(tiny: Path, hashed: list[torch.nn.Module]) -> None:
    before = loaded(tiny).fingerprint
    tensors = load_file(tiny / WEIGHTS)
    tensors["conv_in.bias"] += 1
    save_file(tensors, tiny / WEIGHTS)
    after = loaded(tiny)
    assert dict(after.fingerprint) == true_digests(after)
    assert after.fingerprint["unet"] != before["unet"]


def test_files_that_change_under_a_loaded_model_are_not_taken_for_it(tiny: Path, hashed: list[torch.nn.Module]) -> None:
    old = loaded(tiny)
    tensors = load_file(tiny / WEIGHTS)
    tensors["conv_in.bias"] += 1
    save_file(tensors, tiny / WEIGHTS)
    new = loaded(tiny)
    told = dict(new.fingerprint)
    assert dict(old.fingerprint) == true_digests(old)
    assert told == true_digests(new) != dict(old.fingerprint)


def test_files_changed_just_now_leave_nothing_behind(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_digests, "_SETTLED", 3600 * 10**9)
    model = loaded(tiny)
    assert dict(model.fingerprint) == true_digests(model)
    assert not (tmp_path / "cache" / FILE).exists()


def test_what_is_damaged_in_the_cache_is_hashed_again(tiny: Path, tmp_path: Path) -> None:
    truth = dict(loaded(tiny).fingerprint)
    file = tmp_path / "cache" / FILE
    told = json.loads(file.read_text("utf-8"))
    for entry in told["digests"].values():
        entry.pop("unet", None)
    file.write_text(json.dumps(told), "utf-8")
    assert dict(loaded(tiny).fingerprint) == truth


def test_weights_that_were_written_to_are_hashed(tiny: Path, hashed: list[torch.nn.Module]) -> None:
    kept = loaded(tiny).fingerprint
    hashed.clear()
    changed = loaded(tiny)
    with torch.no_grad():
        next(changed.denoiser.unet.parameters()).add_(1)
    assert changed.fingerprint == true_digests(changed)
    assert changed.fingerprint["unet"] != kept["unet"]
    exchanged = loaded(tiny)
    weight = exchanged.codec.vae.get_parameter("encoder.conv_in.weight")
    weight.data = weight.data + 1
    assert exchanged.fingerprint == true_digests(exchanged)
    hashed.clear()
    assert loaded(tiny).fingerprint == kept
    assert not hashed


def test_blocks_that_wait_in_host_memory_are_those_that_were_loaded(
    tiny: Path, hashed: list[torch.nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lane:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def waiting(self, tensor: torch.Tensor) -> torch.Tensor:
            return tensor.clone()

    monkeypatch.setattr(sd, "CudaLane", Lane)
    kept = loaded(tiny).fingerprint
    hashed.clear()
    apart = load_sd(resolve(str(tiny)), Loading(offload="group"), controls=("tile",))
    assert apart.fingerprint == kept
    assert not hashed
