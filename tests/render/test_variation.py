"""Variation in renders: the seed acts, whatever the windows, parts and interruptions; where it cannot, it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from click.testing import CliRunner

from tests.support.clips import CUT, FRAMES, HEIGHT, two_shots
from tests.support.recording import frames_written
from tests.support.resolved import made_job
from vedit import api
from vedit.cli import main
from vedit.errors import Interrupted, SettingError
from vedit.media.reading.read import open_video
from vedit.options.masks import KeyedBox, MaskSpec
from vedit.options.request import RestyleOptions
from vedit.render.preview import stills_of
from vedit.render.run import restyle
from vedit.store.units import work_folder
from vedit.types import ControlSpec, FrameRange, Shot

if TYPE_CHECKING:
    from vedit.types import IntFrames

pytestmark = pytest.mark.usefixtures("small")

SHOTS = (
    Shot(number=1, frames=FrameRange(start=0, stop=CUT)),
    Shot(number=2, frames=FrameRange(start=CUT, stop=FRAMES)),
)
PART = f"#{CUT}..#{FRAMES}"
"""The second shot: two windows."""
QUICK: dict[str, Any] = {
    "prompt": "oil painting",
    "variation": 0.8,
    "seed": 3,
    "shots": SHOTS,
    "steps": 2,
    "fixed_point": 1,
    "guidance": 1.0,
    "short_side": 64,
    "window": 3,
    "overlap": 1,
    "frames": PART,
    "controls": (ControlSpec(kind="softedge"),),
    "overwrite": True,
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture
def written(clip: Path, tmp_path: Path) -> Callable[..., IntFrames]:
    """Renders, and returns the frames that went to the encoder."""

    def run(**settings: Any) -> IntFrames:
        with frames_written() as seen:
            api.restyle(clip, output=tmp_path / "out.mov", **{**QUICK, **settings})
        return cast("IntFrames", np.concatenate(seen))

    return run


def apart(one: IntFrames, other: IntFrames) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def test_two_seeds_two_pictures_one_seed_the_same(written: Callable[..., IntFrames]) -> None:
    first, again, other, plain = written(), written(), written(seed=4), written(variation=0.0)
    assert np.array_equal(first, again)
    assert apart(first, other) > 0.5
    assert apart(first, plain) > 0.5


def test_a_shot_alone_and_a_batch_of_other_size_give_the_same(written: Callable[..., IntFrames]) -> None:
    part, whole = written(), written(frames=None)
    assert np.array_equal(part, whole[CUT:])
    assert np.abs(written(batch=1).astype(int) - part).max() <= 1


def test_a_stopped_render_goes_on_with_the_same_noise(
    clip: Path, tmp_path: Path, written: Callable[..., IntFrames]
) -> None:
    whole = written()
    output = tmp_path / "stopped.mov"
    units = work_folder(output) / "units"
    asked = api.request(clip, output=output, **QUICK)
    with pytest.raises(Interrupted):
        restyle(asked, stop=lambda: units.is_dir() and any(units.iterdir()))
    with frames_written() as seen:
        result = restyle(asked)
    assert result.units_kept == 1
    assert np.array_equal(np.concatenate(seen), whole)


def test_another_seed_or_variation_is_another_unit_and_without_variation_the_seed_is_none(
    clip: Path, tmp_path: Path
) -> None:
    def kept(**settings: Any) -> int:
        asked: dict[str, Any] = {**QUICK, "keep_work": True, **settings}
        return api.restyle(clip, output=tmp_path / "kept.mov", **asked).units_kept

    assert [kept(), kept(), kept(seed=4), kept(variation=0.5)] == [0, 2, 0, 0]
    assert [kept(variation=0.0), kept(variation=None, seed=9)] == [0, 2]


def test_outside_a_mask_nothing_changes(clip: Path, written: Callable[..., IntFrames]) -> None:
    left = MaskSpec(boxes=(KeyedBox(left=0, top=0, width=64, height=HEIGHT),), feather=4)
    found = [written(mask=left, seed=seed).astype(int) for seed in (1, 2)]
    with open_video(clip) as reader:
        source = reader.read(FrameRange(start=CUT, stop=FRAMES)).frames
    for frames in found:
        assert np.abs(frames - source)[..., 72:].max() == 0
    assert np.abs(found[0] - found[1])[..., :56].mean() > 0.5


@pytest.mark.usefixtures("unsteadied")
def test_a_still_has_the_noise_of_the_render(clip: Path, tmp_path: Path, written: Callable[..., IntFrames]) -> None:
    rendered = written(cross_frame=False)
    settings: dict[str, Any] = QUICK | {"cross_frame": False}
    job = made_job(api.request(clip, output=tmp_path / "a.mov", **settings))
    for made in stills_of(job, numbers_of=lambda shot: (shot.frames.start,)):
        still, shown = made.pairs[0][1], rendered[made.shot.frames.start - CUT]
        assert np.abs(still.astype(int) - shown).max() <= 1


def test_noise_alone_has_no_variation() -> None:
    with pytest.raises(SettingError, match="start noise"):
        RestyleOptions(prompt="night", start="noise", variation=0.5)
    assert RestyleOptions(prompt="night", start="noise", variation=0).draws


def run(*words: str) -> Any:
    return CliRunner().invoke(main, list(words))


def test_a_seed_that_decides_nothing_is_refused_where_it_is_typed(clip: Path, tmp_path: Path) -> None:
    words = ["restyle", str(clip), "-p", "woodcut", "-o", str(tmp_path / "a.mov"), "--dry-run"]
    for more in (["--seed", "3"], ["--seed", "0"], ["--seed", "3", "--variation", "0"]):
        found = run(*words, *more)
        assert found.exit_code == 2
        assert "--variation" in found.output
        assert len(found.output.strip().splitlines()) <= 2
    for more in ([], ["--variation", "0.6"], ["--variation", "0.6", "--seed", "3"]):
        assert run(*words, *more).exit_code == 0, more
    told = json.loads(run(*words, "--variation", "0.6", "--seed", "3", "--json").stdout)
    assert (told["settings"]["variation"], told["settings"]["seed"]) == (0.6, 3)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("changes", "idle"), [({}, True), ({"variation": 0.6}, False), ({"start": "noise"}, False)])
def test_from_python_a_seed_that_decides_nothing_is_said(
    clip: Path, tmp_path: Path, changes: dict[str, Any], *, idle: bool
) -> None:
    plan = api.plan(clip, prompt="woodcut", seed=3, output=tmp_path / "a.mov", **changes)
    assert any("seed 3 decides nothing" in note for note in plan.notes) == idle
