"""Renders with a look for each shot: what is not listed stays to the last bit, what changes is made anew alone."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.support.clips import CUT, FRAMES, two_shots
from vedit.errors import InputError, Interrupted
from vedit.media.contract.verify import verify
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.media.writing.write import VideoWriter
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines import restyle_pipeline as sampling
from vedit.render import run as render
from vedit.render.preview import preview
from vedit.store.units import work_folder
from vedit.types import ControlSpec, FrameRange, Shot

pytestmark = pytest.mark.usefixtures("small")

WATER = RestyleOptions(prompt="watercolor painting", quality="draft", steps=2, window=4, overlap=1)
SKETCH = replace(WATER, prompt="pencil sketch", controls=(ControlSpec(kind="softedge"),))
THREE = tuple(
    Shot(number=number, frames=FrameRange(start=start, stop=stop))
    for number, (start, stop) in enumerate(((0, 3), (3, CUT), (CUT, FRAMES)), start=1)
)
AGAIN = OutputOptions(overwrite=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def request(clip: Path, output: Path, edits: dict[int, RestyleOptions], **changes: Any) -> RenderRequest:
    base = RenderRequest(source=clip, output=output, options=WATER, looks=edits, shots=THREE)
    return replace(base, **changes)


def frames_of(clip: Path) -> np.ndarray[Any, Any]:
    with open_video(clip) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


class Seen:
    """What the renders of a test send to the encoder, and which windows they sample."""

    def __init__(self) -> None:
        self.sampled: list[int] = []
        self.frames: list[np.ndarray[Any, Any]] = []

    @contextmanager
    def of(self) -> Generator[Seen]:
        self.sampled.clear()
        self.frames.clear()
        yield self

    @property
    def written(self) -> np.ndarray[Any, Any]:
        return np.concatenate(self.frames)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen()
    sample, write = sampling.restyle_window, VideoWriter.write

    def record(restyler: Any, shot: FrameRange, window: FrameRange, *rest: Any) -> Any:
        found.sampled.append(shot.start)
        return sample(restyler, shot, window, *rest)

    def record_frames(self: VideoWriter, frames: Any) -> None:
        found.frames.append(frames.copy())
        write(self, frames)

    monkeypatch.setattr(sampling, "restyle_window", record)
    monkeypatch.setattr(VideoWriter, "write", record_frames)
    return found


def test_a_shot_without_a_look_passes_through_to_the_last_bit(clip: Path, tmp_path: Path, seen: Seen) -> None:
    output = tmp_path / "out.mov"
    told: list[str] = []
    result = render.restyle(request(clip, output, {1: WATER, 3: SKETCH}), on_note=told.append)
    source = frames_of(clip)
    assert np.array_equal(seen.written[3:CUT], source[3:CUT])
    for part in (slice(0, 3), slice(CUT, FRAMES)):
        assert np.abs(seen.written[part].astype(int) - source[part]).mean() > 2
    assert verify(clip, output).ok
    assert "1 of 3 shots have no look and pass through" in result.notes
    recipe = json.loads(sidecar_path(output).read_text("utf-8"))["recipe"]
    assert [(look["shots"], look["prompt"]) for look in recipe["looks"]] == [
        ([1], "watercolor painting"),
        ([3], "pencil sketch"),
    ]
    assert recipe["untouched"] == [2]
    assert "controlnet:tile" in recipe["looks"][0]["model_sha256"]
    assert "controlnet:tile" not in recipe["looks"][1]["model_sha256"]


def test_a_look_of_a_shot_is_that_of_the_whole_clip(clip: Path, tmp_path: Path, seen: Seen) -> None:
    render.restyle(request(clip, tmp_path / "whole.mov", {}, looks=None))
    whole = seen.written
    seen.frames.clear()
    render.restyle(request(clip, tmp_path / "one.mov", {2: SKETCH, 3: WATER}))
    assert np.array_equal(seen.written[CUT:], whole[CUT:])


@pytest.mark.parametrize("keep", ["keep_work", "keep_frames"])
def test_changing_one_shot_renders_that_shot_alone(clip: Path, tmp_path: Path, seen: Seen, keep: str) -> None:
    output = tmp_path / "out.mov"
    settings = {keep: True, "writing": AGAIN}
    looks = {1: WATER, 2: WATER, 3: SKETCH}
    render.restyle(request(clip, output, looks, **settings))
    before = seen.written
    with seen.of():
        assert render.restyle(request(clip, output, looks, **settings)).units_kept == 3
        assert seen.sampled == []
        assert np.array_equal(seen.written, before)
    with seen.of():
        # The model is loaded with another control branch; the other shots do not mind.
        render.restyle(request(clip, output, {**looks, 3: replace(WATER, prompt="comic")}, **settings))
        assert set(seen.sampled) == {CUT}
        assert np.array_equal(seen.written[:CUT], before[:CUT])
        assert not np.array_equal(seen.written[CUT:], before[CUT:])
    kept = work_folder(output) / "frames"
    assert (len(list(kept.glob("*.mkv"))) == 3) if keep == "keep_frames" else not kept.exists()


def test_finished_frames_are_kept_through_a_stop_and_checked(clip: Path, tmp_path: Path, seen: Seen) -> None:
    output = tmp_path / "out.mov"
    looks = {1: WATER, 3: WATER}
    stages: list[int] = []
    with pytest.raises(Interrupted):
        render.restyle(
            request(clip, output, looks, keep_frames=True),
            on_progress=lambda progress: stages.append(progress.shot if progress.stage == "write" else 0),
            stop=lambda: 2 in stages,
        )
    kept = work_folder(output) / "frames"
    (file,) = kept.glob("*.mkv")
    file.write_bytes(file.read_bytes()[:-1])
    render.restyle(request(clip, output, looks, keep_frames=True))
    assert sorted(set(seen.sampled)) == [0, CUT], "a damaged file is made again of its units"
    assert len(seen.sampled) == 2, "no unit is sampled twice"
    render.restyle(request(clip, output, looks, writing=AGAIN))
    assert not work_folder(output).exists()


def test_a_locked_shot_stays_as_it_was(clip: Path, tmp_path: Path, seen: Seen) -> None:
    output = tmp_path / "out.mov"
    settings: dict[str, Any] = {"keep_frames": True, "writing": AGAIN}
    with pytest.raises(InputError, match="shot 3 is locked, but no finished frames"):
        render.restyle(request(clip, output, {3: WATER}, locked=frozenset({3}), **settings))
    render.restyle(request(clip, output, {2: WATER, 3: WATER}, **settings))
    before = seen.written
    for prompt in ("comic", "night"):
        with seen.of():
            changed = replace(WATER, prompt=prompt)
            render.restyle(request(clip, output, {2: changed, 3: changed}, locked=frozenset({3}), **settings))
            assert set(seen.sampled) == {3}
            assert np.array_equal(seen.written[CUT:], before[CUT:])
            assert not np.array_equal(seen.written[3:CUT], before[3:CUT])
    for _ in range(2):
        with seen.of():
            render.restyle(request(clip, output, {2: WATER, 3: WATER}, locked=frozenset({2, 3}), **settings))
            assert seen.sampled == []
            assert np.array_equal(seen.written[CUT:], before[CUT:])


def test_strength_0_is_the_source_itself(clip: Path, tmp_path: Path, seen: Seen) -> None:
    render.restyle(request(clip, tmp_path / "out.mov", {2: replace(WATER, strength=0.0, upscale="lanczos")}))
    assert np.array_equal(seen.written, frames_of(clip))


def test_no_look_at_all_needs_no_model(clip: Path, tmp_path: Path, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vedit.render.prepare.load", None)
    render.restyle(request(clip, tmp_path / "out.mov", {}))
    assert np.array_equal(seen.written, frames_of(clip))
    with pytest.raises(InputError, match="no shot has a look"):
        preview(request(clip, tmp_path / "out2.mov", {}))


def test_a_part_keeps_the_numbers_of_the_shots(clip: Path, tmp_path: Path, seen: Seen) -> None:
    output = tmp_path / "out.mov"
    planned = render.plan(request(clip, output, {3: WATER}, frames="#4..#8"))
    assert planned.shots == ((4, CUT), (CUT, 8))
    render.restyle(request(clip, output, {3: WATER}, frames="#4..#8"))
    assert np.array_equal(seen.written[:2], frames_of(clip)[4:CUT])
    assert set(seen.sampled) == {CUT}


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"looks": {4: WATER}}, "there is no shot 4"),
        ({"looks": {1: replace(WATER, prompt="")}}, "prompt is empty"),
        ({"shots": THREE[:2]}, "do not cover the clip's 10 frames"),
        ({"shots": (THREE[0], THREE[2])}, "without gap or overlap"),
    ],
)
def test_looks_that_cannot_be_end_before_anything_is_written(
    clip: Path, tmp_path: Path, changes: dict[str, object], part: str
) -> None:
    with pytest.raises(InputError, match=part):
        render.restyle(request(clip, tmp_path / "out.mov", {1: WATER}, **changes))
    assert list(tmp_path.iterdir()) == []


def test_a_preview_shows_the_shots_that_change(clip: Path, tmp_path: Path) -> None:
    import cv2

    path = preview(request(clip, tmp_path / "out.mov", {3: SKETCH}))
    sheet = cast("np.ndarray[Any, Any]", cv2.imread(str(path)))
    assert 2 * 144 < sheet.shape[0] < 3 * 144 + 90, "source and result of one shot"
