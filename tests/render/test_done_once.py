"""What a render need not do twice: the source goes through the autoencoder once, and what that gave is kept."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.clips import FRAMES, two_shots
from tests.support.loaded import load_once
from tests.support.resolved import made_job
from vedit.errors import Interrupted
from vedit.latent_shape import ScaleFactors
from vedit.media.reading.read import open_video
from vedit.models.families.sd_codec import SDCodec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines.restyle_windows import shot_windows
from vedit.render import finish_shot as finishing
from vedit.render.preview import preview
from vedit.render.run import restyle
from vedit.shots.detect import detect_shots
from vedit.store.computed_on import computed_on
from vedit.store.unit_files import unit_files
from vedit.store.units import UnitStore, work_folder
from vedit.types import FrameRange

pytestmark = pytest.mark.usefixtures("small")

OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft", steps=1, window=4, overlap=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Frames that went through the autoencoder, by direction."""
    counted: Counter[str] = Counter()
    for name in ("encode", "decode"):
        before = getattr(SDCodec, name)

        def count(codec: SDCodec, data: torch.Tensor, *, name: str = name, before: Any = before) -> torch.Tensor:
            counted[name] += len(data)
            return before(codec, data)

        monkeypatch.setattr(SDCodec, name, count)
    yield counted


def request(clip: Path, output: Path, **changes: Any) -> RenderRequest:
    return replace(RenderRequest(source=clip, output=output, options=OPTIONS), **changes)


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


def sampled_frames(asked: RenderRequest) -> int:
    """Frames that are sampled: those of every window, and the shot's first beside each window but the first."""
    shots = [shot.frames for shot in made_job(asked).shots]
    windows = [(shot, part.frames) for shot in shots for part in shot_windows(OPTIONS, shot, ScaleFactors())]
    return sum(len(part) + (part.start != shot.start) for shot, part in windows)


def without_source(folder: Path) -> int:
    """Make the units in a folder those of a version that kept no latents of the source, and a list of them all; how
    many there are."""
    manifest, units = folder / "manifest.json", {}
    for unit in unit_files(folder / "units"):
        tensors = load_file(unit.path)
        assert set(tensors) == {"latents", "source"}
        save_file({"latents": tensors["latents"]}, unit.path)
        digest = hashlib.sha256(unit.path.read_bytes()).hexdigest()
        units[unit.key] = {"file": unit.path.name, "sha256": digest, "frames": unit.frames}
    told = json.loads(manifest.read_text("utf-8"))
    manifest.write_text(json.dumps({**told, "computed on": computed_on(torch.device("cpu")), "units": units}), "utf-8")
    return len(units)


def test_the_source_is_encoded_where_it_is_sampled_and_nowhere_else(
    clip: Path, tmp_path: Path, passes: Counter[str]
) -> None:
    asked = request(clip, tmp_path / "out.mov")
    sampled = sampled_frames(asked)
    restyle(asked)
    assert passes == {"encode": sampled, "decode": 2 * FRAMES}


def test_units_that_are_kept_are_finished_again_without_encoding(
    clip: Path, tmp_path: Path, passes: Counter[str]
) -> None:
    restyle(request(clip, tmp_path / "out.mov", keep_work=True))
    passes.clear()
    output = tmp_path / "out.mov"
    output.unlink()
    restyle(request(clip, output, keep_work=True))
    assert passes == {"decode": 2 * FRAMES}


def test_the_frames_are_those_of_a_source_that_is_encoded_anew(
    clip: Path, tmp_path: Path, passes: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU the embedded encoder gives a frame the same latents whatever it is encoded with."""
    monkeypatch.setattr("vedit.render.prepare.load", load_once)
    restyle(request(clip, tmp_path / "kept.mov"))
    before = finishing.decoded

    def anew(job: Any, restyler: Any, part: finishing.DecodedTogether, source: torch.Tensor) -> Any:
        assert part.latents.source is not None
        return before(job, restyler, replace(part, latents=replace(part.latents, source=None)), source)

    monkeypatch.setattr(finishing, "decoded", anew)
    once = passes["encode"]
    restyle(request(clip, tmp_path / "anew.mov"))
    assert passes["encode"] == once + once + FRAMES
    assert np.array_equal(pixels(tmp_path / "kept.mov"), pixels(tmp_path / "anew.mov"))


def test_units_of_a_version_that_kept_no_source_are_gone_on_from(
    clip: Path, tmp_path: Path, passes: Counter[str]
) -> None:
    whole, output = tmp_path / "whole.mov", tmp_path / "out.mov"
    restyle(request(clip, whole))

    def stop() -> bool:
        return len(list((work_folder(output) / "units").glob("*.safetensors"))) >= 2

    with pytest.raises(Interrupted):
        restyle(request(clip, output), stop=stop)
    units = without_source(work_folder(output))
    passes.clear()
    assert restyle(request(clip, output)).units_kept == units == 2
    assert passes["decode"] == 2 * FRAMES
    assert np.array_equal(pixels(output), pixels(whole))


def test_one_decode_serves_index_and_shots(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = detect_shots(clip)
    part = detect_shots(clip, frames=FrameRange(start=2, stop=FRAMES))
    looked: list[object] = []

    def look(*_: object, frames: object, **__: object) -> object:
        looked.append(frames)
        return part

    monkeypatch.setattr("vedit.render.settle.detect_shots", look)
    assert made_job(request(clip, tmp_path / "out.mov")).shots == found
    assert looked == []
    assert len(found) == 2
    # Where a part begins is not known before the index is there.
    ranged = replace(request(clip, tmp_path / "out.mov"), frames=f"#2..#{FRAMES}")
    assert made_job(ranged).shots == part
    assert looked == [FrameRange(start=2, stop=FRAMES)]


def test_a_still_is_encoded_once(clip: Path, tmp_path: Path, passes: Counter[str]) -> None:
    preview(request(clip, tmp_path / "out.mov"))
    assert passes == {"encode": 6, "decode": 12}, "three frames of each shot, before and after"


@pytest.mark.parametrize("alike", [False, True])
def test_a_unit_holds_the_source_it_was_made_of(tmp_path: Path, *, alike: bool) -> None:
    """To the last bit; outside a mask the latents are the source's own."""
    source = torch.randn(3, 4, 2, 2, generator=torch.Generator().manual_seed(0)).contiguous(
        memory_format=torch.channels_last
    )
    latents = source if alike else source + 1
    with UnitStore(tmp_path / "out.mov") as work:
        work.put("a" * 64, latents, frames=(0, 3), computed_on={}, source=source)
        work.put("b" * 64, latents, frames=(3, 6), computed_on={})
        unit, alone = work.unit("a" * 64), work.unit("b" * 64)
        assert unit is not None
        assert unit.source is not None
        assert torch.equal(unit.data, latents)
        assert torch.equal(unit.source, source)
        assert alone is not None
        assert alone.source is None
