"""What `--ip-adapter` takes, and what it refuses by its true name before anything is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.support.clips import two_shots
from tests.support.tiny.ip_adapter import write_encoder, write_ip_adapter
from vedit import api
from vedit.errors import InputError, ModelError
from vedit.models.check import checked
from vedit.models.ip_adapters import layout_of
from vedit.models.resolve import resolve
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.testing.tiny_sd import write_tiny_sd


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    write_tiny_sd(place / "model", controls=())
    write_encoder(place / "near" / "image_encoder")
    write_ip_adapter(place / "near" / "base.safetensors", place / "model")
    cv2.imwrite(str(place / "still.png"), np.full((40, 60, 3), 90, np.uint8))
    two_shots(place / "clip.mov")
    return place


def encoder_of(folder: Path, adapter: Path, encoder: Path | None = None) -> str | None:
    named = None if encoder is None else str(encoder)
    return checked(resolve(str(folder / "model"), ip_adapter=str(adapter), image_encoder=named)).image_encoder


def test_the_encoder_is_found_near_the_file(folder: Path, tmp_path: Path) -> None:
    own = folder / "near" / "image_encoder"
    assert encoder_of(folder, folder / "near" / "base.safetensors") == str(own)
    for part in ("models/image_encoder", "image_encoder"):
        place = tmp_path / part.replace("/", "-")
        file = place / "sdxl_models" / "base.safetensors"
        file.parent.mkdir(parents=True)
        shutil.copy(folder / "near" / "base.safetensors", file)
        shutil.copytree(own, place / part)
        assert encoder_of(folder, file) == str(place / part)


def test_one_that_does_not_fit_gives_way_to_one_that_does(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "adapters" / "base.safetensors"
    file.parent.mkdir()
    shutil.copy(folder / "near" / "base.safetensors", file)
    wrong = write_encoder(tmp_path / "adapters" / "image_encoder", projected=24)
    with pytest.raises(ModelError, match=r"reads 40 numbers of a picture, and the image encoder .* gives 24"):
        encoder_of(folder, file)
    right = write_encoder(tmp_path / "image_encoder")
    assert encoder_of(folder, file) == str(right)
    with pytest.raises(ModelError, match="gives 24"):
        encoder_of(folder, file, wrong)


@pytest.mark.parametrize("sort", ["base", "plus", "full"])
def test_what_an_adapter_reads(folder: Path, tmp_path: Path, sort: Any) -> None:
    layout = layout_of(write_ip_adapter(tmp_path / "one.safetensors", folder / "model", sort))
    assert (layout.reads, layout.encoder_width) == (("embedding", 40) if sort == "base" else ("patches", 48))


def test_what_is_refused_by_its_true_name(folder: Path, tmp_path: Path) -> None:
    def refused(path: Path, message: str) -> None:
        with pytest.raises(ModelError) as told:
            encoder_of(folder, path)
        assert message in told.value.message
        assert told.value.remedy

    refused(write_ip_adapter(tmp_path / "face.safetensors", folder / "model", "face-id"), "FaceID")
    refused(folder / "model" / "unet" / "diffusion_pytorch_model.safetensors", "a UNet alone")
    refused(tmp_path / "absent.safetensors", "no IP-Adapter")
    refused(Path("sd15"), "sd15 is a model, not an IP-Adapter")
    refused(Path("h94/IP-Adapter"), "no IP-Adapter")
    refused(folder / "near", "no IP-Adapter")
    (tmp_path / "one.bin").write_bytes(b"x")
    refused(tmp_path / "one.bin", "pickle")
    (tmp_path / "cut.safetensors").write_bytes((folder / "near" / "base.safetensors").read_bytes()[:-10])
    refused(tmp_path / "cut.safetensors", "cut off")
    strange = {"image_proj.other.weight": torch.zeros(2, 2), "ip_adapter.1.to_k_ip.weight": torch.zeros(2, 2)}
    save_file(strange, tmp_path / "strange.safetensors")
    refused(tmp_path / "strange.safetensors", "layout that vedit does not know")
    shutil.copy(folder / "near" / "base.safetensors", tmp_path / "alone.safetensors")
    refused(tmp_path / "alone.safetensors", "needs an image encoder")


def test_one_of_another_network_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="made for another network"):
        checked(resolve("embedded", ip_adapter=str(folder / "near" / "base.safetensors")))


def test_a_damaged_encoder_is_told(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "near" / "image_encoder", tmp_path / "encoder")
    adapter = folder / "near" / "base.safetensors"
    config = tmp_path / "encoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "t5"}))
    with pytest.raises(ModelError, match="not of a CLIP image encoder"):
        encoder_of(folder, adapter, tmp_path / "encoder")
    (tmp_path / "encoder" / "model.safetensors").unlink()
    shutil.copy(folder / "near" / "image_encoder" / "config.json", config)
    with pytest.raises(ModelError, match="no weights"):
        encoder_of(folder, adapter, tmp_path / "encoder")
    with pytest.raises(ModelError, match="there is no image encoder"):
        encoder_of(folder, adapter, tmp_path / "nowhere")


def test_a_plan_refuses_and_says_the_same(folder: Path, tmp_path: Path) -> None:
    adapter = str(folder / "near" / "base.safetensors")
    asked: dict[str, Any] = {"output": tmp_path / "out.mov", "prompt": "ink", "model": str(folder / "model")}
    asked |= {"controls": (), "quality": "draft"}
    with pytest.raises(InputError, match="has no picture to read"):
        api.plan(folder / "clip.mov", **asked, ip_adapter=adapter)
    with pytest.raises(ModelError, match="image encoder alone"):
        api.plan(folder / "clip.mov", **asked, image_encoder=str(folder / "near" / "image_encoder"))
    found = api.plan(folder / "clip.mov", **asked, ip_adapter=adapter, references=[folder / "still.png"])
    assert not any("palette" in note for note in found.notes)
    palette = api.plan(folder / "clip.mov", **asked, references=[folder / "still.png"])
    assert any("palette and tone of still.png" in note for note in palette.notes)


def test_a_render_by_it_is_recorded_and_asked_for_again(folder: Path, tmp_path: Path) -> None:
    adapter = folder / "near" / "base.safetensors"
    asked = api.request(
        folder / "clip.mov",
        output=tmp_path / "out.mov",
        prompt="ink",
        model=str(folder / "model"),
        controls=(),
        quality="draft",
        steps=2,
        short_side=64,
        references=[folder / "still.png"],
        ip_adapter=str(adapter),
        image_encoder=str(folder / "near" / "image_encoder"),
    )
    api.restyle(asked)
    record = json.loads((tmp_path / "out.mov.vedit.json").read_text())
    assert {"ip_adapter", "image_encoder"} <= record["recipe"]["weights"].keys()
    again = as_asked(json.loads(json.dumps(as_recorded(asked, tmp_path))), tmp_path)
    assert (again.ip_adapter, again.image_encoder) == (asked.ip_adapter, asked.image_encoder)
