"""A CPU that is faster in bfloat16 samples and decodes the embedded model so, unasked; nothing else changes by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.support.asked import request_of
from vedit.errors import NotFiniteError
from vedit.media.writing.sidecar import sidecar_path
from vedit.models import bfloat16
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.render.replay import read_replay
from vedit.render.run import restyle
from vedit.types import Latents

HALF = Loading(sampled_in="bfloat16", decoded_in="bfloat16")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Says of this machine whether it is faster in bfloat16."""

    def faster(told: bool) -> None:
        monkeypatch.setattr(bfloat16, "_found_on_this_machine", lambda: told)

    return faster


def test_it_is_taken_where_the_precision_is_open_and_the_model_bears_it(machine: Callable[[bool], None]) -> None:
    plain = Loading()
    machine(True)
    found = plain.on_this_machine(bears_bfloat16=True)
    assert found == HALF
    assert found.is_usual
    assert str(found) == "on cpu"
    assert found.samples_in == "bfloat16"
    assert found.computing_in("float32") == Loading(precision="float32")
    for said in (Loading(precision="float32"), Loading(quantize="int8"), Loading(device="cuda")):
        assert said.on_this_machine(bears_bfloat16=True) == said
    assert plain.on_this_machine(bears_bfloat16=False) == plain
    machine(False)
    assert plain.on_this_machine(bears_bfloat16=True) == plain


def test_the_embedded_model_bears_it_and_others_are_not_known_to(folder: Path) -> None:
    assert resolve("embedded").traits.bears_bfloat16
    assert not resolve(str(folder)).traits.bears_bfloat16


def test_what_is_seen_is_the_same_and_the_encoder_is_untouched() -> None:
    wide = load_sd(resolve("embedded"), controls=("tile",))
    half = load_sd(resolve("embedded"), HALF, controls=("tile",))
    assert (wide.precision, half.precision) == ("float32", "bfloat16")
    assert half.denoiser.controlnets["tile"].dtype == torch.bfloat16
    assert half.text.encoder.dtype == half.codec.vae.dtype == torch.float32
    assert wide.fingerprint["vae"] != half.fingerprint["vae"]
    frames = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(frames, (128, 128), mode="bicubic").clamp(0, 1)
    latents = wide.codec.encode(smooth)
    assert torch.equal(half.codec.encode(smooth), latents)
    one, other = (model.codec.decode(latents).clamp(0, 1) for model in (wide, half))
    assert -10 * float((one - other).square().mean().log10()) > 45
    assert other.dtype == torch.float32
    half.set_memory(batch=1, tiled=True, offloaded=False)
    assert torch.allclose(half.codec.decode(latents).clamp(0, 1), other, atol=0.02)


def test_work_in_one_format_is_none_in_the_other(clip: Path, tmp_path: Path, machine: Callable[[bool], None]) -> None:
    machine(True)
    request = replace(request_of(clip, Path("embedded"), tmp_path / "out.mkv"), model="embedded")
    restyle(request)
    told = json.loads(sidecar_path(tmp_path / "out.mkv").read_text("utf-8"))
    assert told["used"]["computed on"][0]["precision"] == "bfloat16"
    again = replace(request, writing=replace(request.writing, overwrite=True))
    assert restyle(again).units_kept == 1
    assert restyle(replace(again, precision="float32")).units_kept == 0


def test_a_record_is_rendered_again_in_what_it_was_computed_in(
    clip: Path, tmp_path: Path, machine: Callable[[bool], None]
) -> None:
    request = replace(request_of(clip, Path("embedded"), tmp_path / "out.mkv"), model="embedded")
    machine(False)
    restyle(request)
    record = sidecar_path(tmp_path / "out.mkv")
    assert read_replay(record).request.precision == "auto"
    machine(True)
    replay = read_replay(record)
    assert replay.request.precision == "float32"
    assert replay.elsewhere() == ()
    told = json.loads(record.read_text("utf-8"))
    told["used"]["computed on"][0]["precision"] = "bfloat16"
    record.write_text(json.dumps(told), "utf-8")
    assert read_replay(record).elsewhere() == ()
    machine(False)
    (line,) = read_replay(record).elsewhere()
    assert "precision bfloat16" in line
    assert "precision float32" in line


def test_what_overflows_in_it_is_computed_in_float32(
    clip: Path, tmp_path: Path, machine: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(True)
    seen: list[torch.dtype] = []

    def sampled(*args: object, **more: object) -> Latents:
        from vedit.pipelines.restyle import restyle_frames

        dtype = args[0].model.denoiser.unet.dtype  # pyright: ignore
        seen.append(dtype)
        if dtype == torch.bfloat16:
            raise NotFiniteError("latents", precision="bfloat16")
        return restyle_frames(*args, **more)  # pyright: ignore

    monkeypatch.setattr("vedit.pipelines.restyle_windows.restyle_frames", sampled)
    request = replace(request_of(clip, Path("embedded"), tmp_path / "out.mkv"), model="embedded")
    result = restyle(request)
    assert seen[0] == torch.bfloat16
    assert set(seen[1:]) == {torch.float32}
    assert any("again in float32" in note for note in result.notes)
