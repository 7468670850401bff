"""Renders of a part of the picture: what is outside stays to the last bit, what is inside changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import pytest

from tests.support.clips import CUT, FRAMES, HEIGHT, WIDTH, two_shots
from tests.support.recording import frames_written
from tests.support.resolved import made_job
from vedit import api
from vedit.embedded import FOLDER as EMBEDDED
from vedit.media.reading.read import open_video
from vedit.options.masks import KeyedBox, KeyedFile, MaskSpec, RegionSpec
from vedit.types import ControlSpec, FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

LOOK = "pencil sketch"
QUICK: dict[str, Any] = {"quality": "draft", "steps": 2, "window": 4, "overlap": 1}
MOVING = (
    KeyedBox(left=20, top=20, width=60, height=50, at="#0"),
    KeyedBox(left=80, top=60, width=60, height=50, at="#9"),
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture
def written() -> Callable[..., IntFrames]:
    """Renders, and returns the frames that went to the encoder."""

    def run(source: Path, output: Path, **settings: Any) -> IntFrames:
        with frames_written() as seen:
            api.restyle(source, output=output, **{**QUICK, **settings})
        return cast("IntFrames", np.concatenate(seen))

    return run


def frames(source: Path) -> IntFrames:
    with open_video(source) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


def box_at(number: int, *, margin: int) -> tuple[slice, slice]:
    left, top = (round(a + (b - a) * number / (FRAMES - 1)) for a, b in ((20, 80), (20, 60)))
    return slice(top - margin, top + 50 + margin), slice(left - margin, left + 60 + margin)


@pytest.mark.usefixtures("small")
def test_outside_a_moving_box_nothing_changes(clip: Path, tmp_path: Path, written: Callable[..., IntFrames]) -> None:
    got = written(clip, tmp_path / "out.mov", prompt=LOOK, mask=MaskSpec(boxes=MOVING, feather=6))
    change = np.abs(got.astype(int) - frames(clip).astype(int)).max(axis=1)
    for number in range(FRAMES):
        outside = np.ones((HEIGHT, WIDTH), bool)
        outside[box_at(number, margin=5)] = False
        assert change[number][outside].max() == 0
        assert change[number][box_at(number, margin=-5)].mean() > 4


@pytest.mark.usefixtures("small")
def test_a_mask_of_one_frame_edits_that_frame_alone(
    clip: Path, tmp_path: Path, written: Callable[..., IntFrames]
) -> None:
    folder = tmp_path / "mask"
    folder.mkdir()
    for number in range(FRAMES):
        picture = np.zeros((HEIGHT, WIDTH), np.uint8)
        if number == 7:
            picture[40:44, 60:66] = 255
        cv2.imwrite(str(folder / f"m_{number:04d}.png"), picture)
    mask = MaskSpec(files=(KeyedFile(path=folder / "m_%04d.png"),))
    got = written(clip, tmp_path / "out.mov", prompt=LOOK, mask=mask)
    change = np.abs(got.astype(int) - frames(clip).astype(int)).max(axis=(1, 2, 3))
    assert [number for number in range(FRAMES) if change[number]] == [7]


@pytest.mark.usefixtures("small_embedded")
def test_regions_alone_change_only_themselves(clip: Path, tmp_path: Path, written: Callable[..., IntFrames]) -> None:
    left = MaskSpec(boxes=(KeyedBox(left=0, top=0, width=64, height=HEIGHT),))
    right = MaskSpec(boxes=(KeyedBox(left=112, top=0, width=64, height=HEIGHT),))
    regions = (RegionSpec(mask=left, prompt="night"), RegionSpec(mask=right, prompt=LOOK))
    got = written(clip, tmp_path / "out.mov", regions=regions, prompt="").astype(int)
    source = frames(clip).astype(int)
    assert np.abs(got - source)[..., 66:110].max() == 0
    same = written(
        clip, tmp_path / "same.mov", regions=(regions[0], RegionSpec(mask=right, prompt="night")), prompt=""
    ).astype(int)
    # Not without an echo: self-attention lets each part see the others.
    assert np.abs(got - same)[..., 112:].mean() > 1.5 * np.abs(got - same)[..., :64].mean()


@pytest.mark.usefixtures("small")
def test_a_render_goes_on_only_with_the_same_mask(
    clip: Path, tmp_path: Path, written: Callable[..., IntFrames]
) -> None:
    first = api.restyle(
        clip, prompt=LOOK, output=tmp_path / "a.mov", mask=MaskSpec(boxes=MOVING), keep_work=True, **QUICK
    )
    again = api.restyle(
        clip,
        prompt=LOOK,
        output=tmp_path / "a.mov",
        mask=MaskSpec(boxes=MOVING),
        overwrite=True,
        keep_work=True,
        **QUICK,
    )
    other = api.restyle(
        clip, prompt=LOOK, output=tmp_path / "a.mov", mask=MaskSpec(boxes=MOVING, grow=4), overwrite=True, **QUICK
    )
    assert (first.units_kept, other.units_kept) == (0, 0)
    assert again.units_kept > 0


def test_whole_shot_maps_steer_and_stop_at_the_cut(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vedit.render.conditioning import ConditioningSource
    from vedit.render.job import conditioning_of
    from vedit.store.computed import ComputedCache

    request = api.request(clip, prompt=LOOK, output=tmp_path / "out.mov", controls=(ControlSpec(kind="flow"),))
    # Any branch will do, since nothing is sampled with it.
    job = made_job(replace(request, controlnets=(("flow", str(EMBEDDED / "controlnet_1")),)))
    assert [shot.frames.stop for shot in job.shots] == [CUT, FRAMES]
    with ComputedCache(tmp_path / "cache") as cache, ConditioningSource(conditioning_of(job), cache) as steering:
        import torch

        shown = torch.zeros(2, 3, *job.fit.outer)
        guides = steering.guides_of(job.shots[0], job.request.options.controls, ())([CUT - 2, CUT - 1], shown)
        maps = guides.controls[0].map.frames
        assert maps.shape == shown.shape
        assert torch.equal(maps[0], maps[1]), "the last frame of a shot takes the motion of the one before"
        assert float(maps.min()) < 0.9, "the picture moves"


@pytest.mark.usefixtures("small_embedded")
def test_control_videos_and_control_masks_reach_the_model(
    clip: Path, tmp_path: Path, written: Callable[..., IntFrames]
) -> None:
    white = tmp_path / "white.png"
    cv2.imwrite(str(white), np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    black = tmp_path / "black.png"
    cv2.imwrite(str(black), np.zeros((HEIGHT, WIDTH, 3), np.uint8))

    def rendered(name: str, *controls: ControlSpec) -> IntFrames:
        return written(clip, tmp_path / name, prompt=LOOK, controls=controls, start="noise").astype(int)

    free = rendered("free.mov")
    held = rendered("held.mov", ControlSpec(kind="tile"))
    nowhere = rendered("nowhere.mov", ControlSpec(kind="tile", mask=black))
    everywhere = rendered("everywhere.mov", ControlSpec(kind="tile", mask=white))
    elsewhere = rendered("elsewhere.mov", ControlSpec(kind="tile", source=white))
    assert np.array_equal(nowhere, free)
    assert np.array_equal(everywhere, held)
    assert np.abs(elsewhere - held).mean() > 3


def test_each_control_has_its_own_mask(clip: Path, tmp_path: Path) -> None:
    """Also where two are of one kind."""
    import torch

    from vedit.render.conditioning import ConditioningSource
    from vedit.render.job import conditioning_of
    from vedit.store.computed import ComputedCache

    masks = [tmp_path / f"{level}.png" for level in (0, 255)]
    for path in masks:
        cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), int(path.stem), np.uint8))
    controls = (
        ControlSpec(kind="tile", mask=masks[0]),
        ControlSpec(kind="tile", mask=masks[1]),
        ControlSpec(kind="tile"),
    )
    job = made_job(api.request(clip, prompt=LOOK, output=tmp_path / "out.mov", controls=controls))
    with ComputedCache(tmp_path / "cache") as cache, ConditioningSource(conditioning_of(job), cache) as steering:
        made = steering.guides_of(job.shots[0], controls, ())([0], torch.zeros(1, 3, *job.fit.outer))
        levels = [None if control.mask is None else float(control.mask.max()) for control in made.controls]
    assert levels == [0.0, 1.0, None]
