"""Renders that take after a picture: in their colors, steadily, within a mask, and again from the record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest

from tests.support.clips import CUT, two_shots
from tests.support.recording import frames_written, shots_sampled
from vedit import api
from vedit.edits.edit import Edit
from vedit.errors import InputError, Interrupted
from vedit.options.request import RenderRequest
from vedit.render.recorded_request import as_asked
from vedit.render.run import restyle

if TYPE_CHECKING:
    from vedit.types import IntFrames

QUICK: dict[str, Any] = {"quality": "draft", "steps": 2, "window": 4, "overlap": 1}
"""Several windows in each shot."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Blue, from dark to bright."""
    path = tmp_path_factory.mktemp("still") / "still.png"
    ramp = np.linspace(60, 220, 96, dtype=np.float32)[None, :].repeat(64, 0)
    cv2.imwrite(str(path), np.stack([ramp, ramp / 2, ramp / 4], axis=2).astype(np.uint8))
    return path


def rendered(source: Path, output: Path, **settings: Any) -> IntFrames:
    asked: dict[str, Any] = {**QUICK, "prompt": "night", **settings}
    with frames_written() as seen:
        api.restyle(source, output=output, **asked)
    return cast("IntFrames", np.concatenate(seen))


def blue(frames: IntFrames) -> float:
    """How much more blue than red there is."""
    return float(frames[:, 2].mean() - frames[:, 0].mean())


@pytest.mark.usefixtures("small_embedded")
def test_colors_go_the_way_to_the_picture_by_its_weight(clip: Path, still: Path, tmp_path: Path) -> None:
    plain = rendered(clip, tmp_path / "plain.mov", prompt="oil painting")
    half = rendered(clip, tmp_path / "half.mov", prompt="oil painting", references=[f"{still}:0.5"])
    whole = rendered(clip, tmp_path / "whole.mov", prompt="oil painting", references=[still])
    assert blue(plain) + 30 < blue(half) < blue(whole) - 15
    none = rendered(clip, tmp_path / "none.mov", prompt="oil painting", references=[f"{still}:0"])
    assert np.array_equal(none, plain)
    # One map for all frames of a shot: what is a step between frames in their colors was one before, or is none.
    for frames in (whole[:CUT], whole[CUT:]):
        means = frames.mean(axis=(2, 3))
        assert np.abs(np.diff(means, axis=0)).max() < 8


@pytest.mark.usefixtures("small_embedded")
def test_a_mask_bounds_it_and_each_shot_has_its_own(clip: Path, still: Path, tmp_path: Path) -> None:
    plain = rendered(clip, tmp_path / "plain.mov", mask="box:0,0,64,64")
    masked = rendered(clip, tmp_path / "masked.mov", mask="box:0,0,64,64", references=[still])
    assert np.array_equal(masked[..., 80:, :], plain[..., 80:, :])
    assert blue(masked[..., :64, :64]) > blue(plain[..., :64, :64]) + 15
    looks = {1: Edit("night", **QUICK), 2: Edit("night", references=[still], **QUICK)}
    without = rendered(clip, tmp_path / "without.mov")
    by_shot = rendered(clip, tmp_path / "by shot.mov", looks=looks)
    assert np.array_equal(by_shot[:CUT], without[:CUT])
    assert blue(by_shot[CUT:]) > blue(without[CUT:]) + 15


@pytest.mark.usefixtures("small")
def test_what_is_in_the_picture_decides_and_not_its_name(clip: Path, still: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.png"
    own.write_bytes(still.read_bytes())

    def sampled(reference: Path) -> list[int]:
        with shots_sampled() as numbers:
            rendered(clip, tmp_path / "out.mov", references=[reference], keep_work=True, overwrite=True)
        return list(dict.fromkeys(numbers))

    assert sampled(own)
    assert not sampled(still), "the same picture by another name"
    cv2.imwrite(str(own), np.full((64, 64, 3), 90, np.uint8))
    assert sampled(own), "another picture by the same name"


@pytest.mark.usefixtures("small")
def test_a_render_that_is_stopped_goes_on_to_the_same_frames(clip: Path, still: Path, tmp_path: Path) -> None:
    at_once = rendered(clip, tmp_path / "at once.mov", references=[still])
    request = RenderRequest(
        source=clip,
        output=tmp_path / "stopped.mov",
        options=Edit("night", references=[still], **QUICK),
    )
    asked = iter([False, False, True])
    with pytest.raises(Interrupted):
        restyle(request, stop=lambda: next(asked, True))
    with frames_written() as seen:
        restyle(request)
    assert np.array_equal(np.concatenate(seen), at_once)


@pytest.mark.usefixtures("small")
def test_the_record_has_the_picture_by_its_content(clip: Path, still: Path, tmp_path: Path) -> None:
    rendered(clip, tmp_path / "out.mov", references=[f"{still}:0.7"])
    record = json.loads((tmp_path / "out.mov.vedit.json").read_text())
    told = record["asked"]
    request = as_asked(told["request"], tmp_path)
    assert request.options.references == Edit(references=[f"{still}:0.7"]).references
    assert any(Path(name).name == "still.png" for name in told["files"])


@pytest.mark.usefixtures("small")
def test_what_cannot_be_a_reference_is_refused_before_anything_is_read(clip: Path, tmp_path: Path) -> None:
    def request(**settings: Any) -> RenderRequest:
        return api.request(clip, output=tmp_path / "out.mov", prompt="night", **settings)

    with pytest.raises(InputError, match="is a video of 10 frames"):
        api.plan(request(references=[clip]))
    assert not (tmp_path / "out.mov").exists()
