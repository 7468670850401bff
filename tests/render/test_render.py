"""The shell: what a render writes, that it can be repeated, and that nothing is left when it is stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest

from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from vedit.control_maps.export import write_controls
from vedit.errors import InputError
from vedit.finishing.upsample import composite
from vedit.media.contract.verify import verify
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.progress.callbacks import Progress
from vedit.render.preview import preview
from vedit.render.run import plan, restyle
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec, FrameRange

OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft", steps=2, window=4, overlap=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def request(clip: Path, output: Path, **changes: object) -> RenderRequest:
    return replace(RenderRequest(source=clip, output=output, options=OPTIONS), **changes)  # pyright: ignore[reportArgumentType]


def pixels(path: Path) -> npt.NDArray[np.integer]:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


def test_a_render_keeps_timing_and_sound_and_tells(
    clip: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An inversion that another test has kept would be a stage that has nothing to tell.
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path_factory.mktemp("cache")))
    told: list[Progress] = []
    output, pair = tmp_path / "out.mov", tmp_path / "pair.mp4"
    result = restyle(request(clip, output), on_progress=told.append, side_by_side=pair)
    assert result.frames == FRAMES
    assert result.contract["ok"] is True
    assert verify(clip, output).ok
    assert probe(output).timecode == "01:00:00:00"
    assert list(dict.fromkeys(progress.stage for progress in told)) == [
        *("index", "shots", "load", "invert", "sample", "finish", "write", "verify")
    ]
    shares = [progress.share for progress in told if progress.share is not None]
    assert len(shares) == len(told)
    assert shares == sorted(shares)
    assert (shares[-1], told[-1].seconds_left) == (1.0, 0.0)
    assert len(set(shares)) > len(shares) / 2
    assert {progress.shots for progress in told if progress.stage == "write"} == {2}
    both = probe(pair)
    assert (both.width, both.height) == (2 * WIDTH + 2, HEIGHT)
    assert len(both.audio) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mov", "out.mov.vedit.json", "pair.mp4"]
    difference = np.abs(pixels(output).astype(int) - pixels(clip).astype(int)).mean()
    assert difference > 2, "the look must have changed"


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[npt.NDArray[np.integer]]:
    """The finished frames of the renders of a test, before they are encoded."""
    frames: list[npt.NDArray[np.integer]] = []

    def record(*arguments: object) -> object:
        frames.append(composite(*arguments))  # pyright: ignore[reportArgumentType]
        return frames[-1]

    monkeypatch.setattr("vedit.render.finish_shot.composite", record)
    return frames


@pytest.mark.usefixtures("small_embedded")
@pytest.mark.parametrize(
    "look",
    [
        pytest.param({"steps": None}, id="as it comes"),
        pytest.param({}, id="steps of one's own"),
        pytest.param({"start": "noise", "strength": 0.5}, id="noise"),
    ],
)
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_the_same_settings_give_the_same_pixels_and_another_batch_is_a_level_off_at_most(
    clip: Path, tmp_path: Path, rendered: list[npt.NDArray[np.integer]], look: dict[str, Any], precision: str
) -> None:
    """In float32. In bfloat16, where a processor takes it, a rounding that tips over shows in a frame now and then."""
    finished: list[npt.NDArray[np.integer]] = []
    for name, batch in (("a", 8), ("b", 8), ("c", 1)):
        options = replace(OPTIONS, batch=batch, **look)
        restyle(request(clip, tmp_path / f"{name}.mov", options=options, precision=precision))
        finished.append(np.concatenate(rendered).astype(int))
        rendered.clear()
    assert np.array_equal(finished[0], finished[1])
    assert np.array_equal(pixels(tmp_path / "a.mov"), pixels(tmp_path / "b.mov"))
    apart = np.abs(finished[0] - finished[2])
    assert apart.mean() < 0.1
    if precision == "float32":
        # The rounding of a difference that is far below a level.
        assert apart.max() <= 1
        assert np.mean(apart > 0) < 0.01


def test_a_range_renders_that_range_alone(clip: Path, tmp_path: Path) -> None:
    output = tmp_path / "part.mov"
    result = restyle(request(clip, output, frames="#3..#8", options=replace(OPTIONS, strength=0.0)))
    assert result.frames == 5
    assert verify(clip, output, frames=FrameRange(start=3, stop=8)).ok
    assert probe(output).timecode == "01:00:00:03"
    difference = np.abs(pixels(output).astype(int) - pixels(clip)[3:8].astype(int))
    assert difference.mean() < 1.5, "strength 0 is the source, encoded once more"


@pytest.mark.usefixtures("small")
def test_nothing_crosses_a_cut(clip: Path, tmp_path: Path, rendered: list[npt.NDArray[np.integer]]) -> None:
    """The second shot's frames are the same, to the last bit, whether or not the first is rendered before it."""
    assert plan(request(clip, tmp_path / "whole.mov")).shots == ((0, CUT), (CUT, FRAMES))
    restyle(request(clip, tmp_path / "whole.mov"))
    whole = np.concatenate(rendered)
    rendered.clear()
    restyle(request(clip, tmp_path / "part.mov", frames=f"#{CUT}.."))
    assert np.array_equal(np.concatenate(rendered), whole[CUT:])


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("stage", "left"), [("shots", []), ("invert", []), ("write", ["out.mov.vedit"])])
def test_an_interrupted_render_leaves_its_units_alone(
    clip: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    left: list[str],
) -> None:
    # An inversion that another test has kept would not be made again.
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path_factory.mktemp("empty")))

    def stop(progress: Progress) -> None:
        if progress.stage == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restyle(request(clip, tmp_path / "out.mov"), on_progress=stop, side_by_side=tmp_path / "pair.mp4")
    assert [path.name for path in tmp_path.iterdir()] == left
    assert not list(tmp_path.rglob("*.part*"))


def test_a_plan_writes_nothing_and_estimates(clip: Path, tmp_path: Path) -> None:
    found = plan(request(clip, tmp_path / "out.mov"))
    assert list(tmp_path.iterdir()) == []
    assert (found.frames, found.rate, found.source_size) == (FRAMES, "24000/1001", (WIDTH, HEIGHT))
    assert found.working_size[0] % 32 == found.working_size[1] % 32 == 0
    assert found.steps == 2
    assert found.network_evaluations_per_frame == 2 * (1 + 2)
    assert found.seconds is not None
    assert found.seconds > 0
    assert found.peak_memory_bytes is not None
    assert found.peak_memory_bytes > 2**29


def test_a_disk_that_is_nearly_full_is_said_first(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any("free" in note for note in plan(request(clip, tmp_path / "out.mov")).notes)
    monkeypatch.setattr("vedit.render.notes.shutil.disk_usage", lambda path: SimpleNamespace(free=100_000))  # pyright: ignore[reportUnknownLambdaType]
    (note,) = (note for note in plan(request(clip, tmp_path / "out.mov")).notes if "free" in note)
    assert note.startswith(f"{tmp_path} has 0.0 GB free, the render may need ")


@pytest.mark.usefixtures("small")
def test_preview_is_one_picture_of_each_shot(clip: Path, tmp_path: Path) -> None:
    import cv2

    (tmp_path / "out.mov").write_bytes(b"a result that is there is no hindrance")
    path = preview(request(clip, tmp_path / "out.mov"))
    assert {p.name for p in tmp_path.iterdir()} == {"out.mov", "out.watercolor-painting.preview.png"}
    sheet = cv2.imread(str(path))
    assert sheet is not None
    assert sheet.shape[0] > 4 * HEIGHT
    assert sheet.shape[1] > 3 * WIDTH
    with pytest.raises(InputError, match="exists"):
        preview(request(clip, tmp_path / "out.mov"))


@pytest.mark.parametrize("kind", ["softedge", "flow"])
def test_controls_are_videos_on_the_source_s_timing(clip: Path, tmp_path: Path, kind: str) -> None:
    (path,) = write_controls(clip, [kind], tmp_path / "map.mov").outputs
    assert {check.name for check in verify(clip, path).breaches} <= {"colour tags"}, "maps are BT.709 of full range"
    assert pixels(path).std() > 3


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"options": replace(OPTIONS, prompt="  ")}, "prompt is empty"),
        ({"model": "no such model"}, "there is no model"),
        ({"device": "tpu"}, "there is no device"),
        ({"frames": "#8..#8"}, "8"),
    ],
)
def test_bad_requests_end_before_anything_is_written(
    clip: Path, tmp_path: Path, changes: dict[str, object], part: str
) -> None:
    for call in cast("list[Callable[[RenderRequest], object]]", [plan, restyle, preview]):
        with pytest.raises(InputError, match=part):
            call(request(clip, tmp_path / "out.mov", **changes))
    assert list(tmp_path.iterdir()) == []


def test_unknown_words_are_told(clip: Path, tmp_path: Path) -> None:
    notes = plan(request(clip, tmp_path / "out.mov", options=replace(OPTIONS, prompt="zyzzyva at night"))).notes
    assert any("does not know: zyzzyva;" in note for note in notes)


def test_a_control_that_the_model_lacks_ends_it_first(clip: Path, tmp_path: Path) -> None:
    canny = replace(OPTIONS, controls=(*OPTIONS.controls, ControlSpec(kind="canny")))
    motion = replace(OPTIONS, keep="motion", controls=(ControlSpec(kind="pose", source=clip),))
    for options in (canny, motion):
        for changes in ({"options": options}, {"looks": {1: OPTIONS, 2: options}}):
            for call in cast("list[Callable[[RenderRequest], object]]", [plan, restyle, preview]):
                with pytest.raises(
                    InputError, match=r"embedded has no control branch for (canny|pose); it has tile, soft"
                ):
                    call(request(clip, tmp_path / "out.mov", **cast("Any", changes)))
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_controls_is_rendered_when_that_is_said(clip: Path, tmp_path: Path) -> None:
    bare = write_tiny_sd(tmp_path / "bare", controls=("tile",))
    shutil.rmtree(bare / "controlnet")
    (bare / "controls.json").unlink()
    made = partial(request, clip, tmp_path / "out.mov", model=str(bare))
    with pytest.raises(InputError, match=r"has no control branch for tile, softedge .* it has none at all; .*none"):
        plan(made(options=OPTIONS))
    said = replace(OPTIONS, controls=(), window=6, steps=1, fixed_point=1, short_side=64)
    assert restyle(made(options=said)).contract["ok"]


def test_what_is_kept_is_told_in_the_plan(clip: Path, tmp_path: Path) -> None:
    kept = replace(OPTIONS, keep="structure", steps=None)
    planned = plan(request(clip, tmp_path / "out.mov", options=kept))
    assert "keeping structure: softedge:1, tile:0.5; the model has no branch for depth" in planned.notes
    assert any("no control tile over all of picture and sampling" in note for note in planned.notes)
