"""Renders in which the model draws keyframes, and the frames between them are carried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clips import FRAMES, two_shots
from tests.support.loaded import small_renders
from vedit.errors import InputError, Interrupted, SettingError
from vedit.keyframes import unknown
from vedit.media.contract.verify import verify
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.models.resolve import resolve
from vedit.options.masks import parse_mask_spec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines import restyle_pipeline as sampling
from vedit.progress.callbacks import Progress
from vedit.render.run import plan, restyle
from vedit.store.units import work_folder
from vedit.types import FrameRange

pytestmark = pytest.mark.usefixtures("small")

OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft", steps=1, keyframes="4")
CUT = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def request(clip: Path, output: Path, **changes: Any) -> RenderRequest:
    writing = OutputOptions(codec="ffv1")
    return replace(RenderRequest(source=clip, output=output, options=OPTIONS, writing=writing), **changes)


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


@pytest.fixture(scope="module")
def undisturbed(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray[Any, Any]:
    output = tmp_path_factory.mktemp("undisturbed") / "out.mkv"
    with small_renders():
        restyle(request(clip, output))
    return pixels(output)


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The frames that are sampled together in a test."""
    seen: list[tuple[int, ...]] = []
    before = sampling.restyle_stills

    def record(restyler: Any, frames: Any, numbers: Any, *rest: Any, **named: Any) -> Any:
        seen.append(tuple(numbers))
        return before(restyler, frames, numbers, *rest, **named)

    monkeypatch.setattr(sampling, "restyle_stills", record)
    return seen


def test_only_keys_are_sampled_and_every_frame_changes(
    clip: Path, tmp_path: Path, sampled: list[tuple[int, ...]]
) -> None:
    stages: list[Progress] = []
    result = restyle(request(clip, tmp_path / "out.mkv"), on_progress=stages.append)
    assert sampled == [(0, 4, 5), (6, 9)]
    assert result.frames == FRAMES
    assert verify(clip, tmp_path / "out.mkv").ok
    source, made = pixels(clip).astype(int), pixels(tmp_path / "out.mkv").astype(int)
    assert all(np.abs(made[number] - source[number]).mean() > 2 for number in range(FRAMES))
    assert stages[-1].share == 1
    shares = [step.share for step in stages if step.share is not None]
    assert shares == sorted(shares)
    assert "keys" in {step.stage for step in stages}


def test_what_no_key_shows_is_sampled_too(
    clip: Path, tmp_path: Path, sampled: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unknown, "MOST_UNKNOWN", -1.0)
    told: list[Progress] = []
    restyle(request(clip, tmp_path / "out.mkv"), on_progress=told.append)
    assert sampled == [(0, 1, 2, 3, 4, 5), (6, 7, 8, 9)]
    assert verify(clip, tmp_path / "out.mkv").ok
    assert told[-1].share == 1


def test_a_stopped_render_goes_on_to_the_same_pixels(
    clip: Path, tmp_path: Path, sampled: list[tuple[int, ...]], undisturbed: np.ndarray[Any, Any]
) -> None:
    output = tmp_path / "out.mkv"
    units = work_folder(output) / "units"
    with pytest.raises(Interrupted, match="1 finished units are kept"):
        restyle(request(clip, output), stop=lambda: units.is_dir() and bool(list(units.iterdir())))
    told: list[str] = []
    assert restyle(request(clip, output), on_note=told.append).units_kept == 1
    assert told[0].startswith("going on: 1 of 2")
    assert len(sampled) == len(set(sampled))
    assert np.array_equal(pixels(output), undisturbed)


def test_it_is_stopped_while_its_keys_are_looked_for(clip: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    with pytest.raises(Interrupted, match="stopped"):
        restyle(
            request(clip, tmp_path / "out.mkv"),
            on_progress=told.append,
            stop=lambda: bool(told) and told[-1].stage == "keys",
        )
    assert [step.done for step in told if step.stage == "keys"] == [1]


def test_a_shot_alone_is_what_it_is_in_the_clip(clip: Path, tmp_path: Path, undisturbed: np.ndarray[Any, Any]) -> None:
    alone = request(clip, tmp_path / "second.mkv", frames=f"#{CUT}..#{FRAMES}")
    restyle(alone)
    assert np.array_equal(pixels(tmp_path / "second.mkv"), undisturbed[CUT:])


def test_full_size_chunks_decide_nothing(
    clip: Path, tmp_path: Path, undisturbed: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vedit.render.job._READ_BYTES", 1)
    restyle(request(clip, tmp_path / "out.mkv"))
    assert np.array_equal(pixels(tmp_path / "out.mkv"), undisturbed)


def test_outside_a_mask_the_source_stays(clip: Path, tmp_path: Path) -> None:
    mask = parse_mask_spec("box:0,0,60,144")
    restyle(request(clip, tmp_path / "out.mkv", options=replace(OPTIONS, mask=mask)))
    source, made = pixels(clip), pixels(tmp_path / "out.mkv")
    assert np.array_equal(made[:, :, :, 80:], source[:, :, :, 80:])
    assert not np.array_equal(made[:, :, :, :40], source[:, :, :, :40])


def test_an_anchor_of_another_shot_is_sampled_beside_the_keys(
    clip: Path, tmp_path: Path, sampled: list[tuple[int, ...]]
) -> None:
    restyle(request(clip, tmp_path / "out.mkv", options=replace(OPTIONS, anchor="#2")))
    assert sampled == [(2, 0, 4, 5), (2, 6, 9)]


def test_keys_that_are_kept_with_the_frames_are_found_again(clip: Path, tmp_path: Path) -> None:
    looks = {1: OPTIONS, 2: OPTIONS}
    kept = request(clip, tmp_path / "out.mkv", looks=looks, keep_frames=True)
    restyle(kept)
    first = pixels(tmp_path / "out.mkv")
    again = replace(kept, looks={1: OPTIONS, 2: replace(OPTIONS, keyframes="auto")})
    restyle(replace(again, writing=replace(again.writing, overwrite=True)))
    assert np.array_equal(pixels(tmp_path / "out.mkv")[:CUT], first[:CUT])


def test_a_plan_with_keyframes_takes_less(clip: Path, tmp_path: Path) -> None:
    every = plan(request(clip, tmp_path / "out.mkv", options=replace(OPTIONS, keyframes=None, steps=20)))
    some = plan(request(clip, tmp_path / "out.mkv", options=replace(OPTIONS, steps=20)))
    assert every.seconds is not None and some.seconds is not None
    assert some.seconds < every.seconds


@pytest.mark.parametrize("given", ["1", "65", "often", "", "4.5", "-3"])
def test_what_is_no_spacing_is_refused(given: str) -> None:
    with pytest.raises(SettingError, match="keyframes is"):
        RestyleOptions(prompt="watercolor", keyframes=given)


def test_input_error_names_models_that_draw_frames_together() -> None:
    traits = replace(resolve("embedded").traits, singly=False)
    with pytest.raises(InputError, match="draws the frames of a shot together"):
        traits.check(OPTIONS, model="a motion model")
