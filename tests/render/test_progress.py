"""How far a render says that it is: overall, by a clock that is set, with what earlier runs have left."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from tests.support.clips import CUT, FRAMES, two_shots
from tests.support.loaded import load_once
from vedit.errors import Interrupted
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.progress.callbacks import Progress
from vedit.progress.course import Course
from vedit.render.measured_costs import costs_file
from vedit.render.preview import preview
from vedit.render.run import plan, restyle
from vedit.shots.detect import detect_shots

OPTIONS = RestyleOptions(prompt="woodcut", quality="draft", steps=1, window=4, overlap=1)
STAGES = ["index", "shots", "load", "invert", "sample", "finish", "write", "verify"]
TICK = 0.1
"""Seconds that pass with each step, whatever it does."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "in.mov")


@pytest.fixture(autouse=True)
def by_the_clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a render takes is what the tests say, and nothing is known of it beforehand."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("vedit.render.prepare.load", load_once)
    for place in ("vedit.render.run.Course", "vedit.render.preview.Course"):
        monkeypatch.setattr(place, _ticking)


def _ticking(on_progress: Callable[[Progress], None]) -> Course:
    return Course(on_progress, clock=partial(next, count(0.0, TICK)))


def request(clip: Path, output: Path) -> RenderRequest:
    return RenderRequest(source=clip, output=output, options=OPTIONS, device="cpu")


def rises(told: list[Progress]) -> bool:
    """Whether every step tells a share and a time, and no share is below the one before."""
    shares = [step.share for step in told if step.share is not None and step.seconds_left is not None]
    return len(shares) == len(told) and shares == sorted(shares)


def work_begins(told: list[Progress]) -> Progress:
    """The first step behind the model's load."""
    return next(step for step in told if step.stage not in STAGES[:3])


def test_every_stage_has_its_part_and_the_whole_ends_at_one(clip: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    restyle(request(clip, tmp_path / "out.mov"), on_progress=told.append, side_by_side=tmp_path / "pair.mov")
    assert list(dict.fromkeys(step.stage for step in told)) == STAGES
    assert rises(told)
    assert (told[-1].share, told[-1].seconds_left) == (1.0, 0.0)
    assert all(step.share is not None and step.share < 1 for step in told[:-1])
    last = {step.stage: step for step in told}
    assert [(last[stage].done, last[stage].total) for stage in STAGES] == [
        *((FRAMES, FRAMES), (FRAMES, FRAMES), (1, 1)),
        *[(FRAMES, FRAMES)] * 4,
        (2 * FRAMES, 2 * FRAMES),
    ]


def test_a_render_that_goes_on_begins_where_the_other_ended(clip: Path, tmp_path: Path) -> None:
    fresh: list[Progress] = []
    units: list[int] = []

    def stop() -> bool:
        units.append(sum(step.stage == "sample" and step.done >= 4 for step in fresh))
        return units[-1] > 0

    output = tmp_path / "out.mov"
    with pytest.raises(Interrupted):
        restyle(request(clip, output), on_progress=fresh.append, stop=stop)
    resumed: list[Progress] = []
    assert restyle(request(clip, output), on_progress=resumed.append).units_kept >= 1
    assert rises(resumed)
    before, now = work_begins(fresh), work_begins(resumed)
    assert before.share is not None
    assert now.share is not None
    # One of three windows, and no step of the work was made yet.
    assert now.share > before.share + 0.05
    kept = next(step for step in resumed if step.stage == "invert")
    assert kept.done > 4, "what is kept is not inverted again"


def test_shots_that_pass_through_or_are_kept_have_little_of_it(clip: Path, tmp_path: Path) -> None:
    shots = detect_shots(clip)
    output = tmp_path / "out.mov"
    plain = replace(request(clip, output), shots=shots, keep_frames=True)
    told: list[Progress] = []
    restyle(replace(plain, looks={2: OPTIONS}), on_progress=told.append)
    assert rises(told)
    begun = next(step for step in told if step.stage == "write" and step.done == CUT)
    sampled = next(step for step in reversed(told) if step.stage == "sample")
    assert begun.share is not None
    assert sampled.share is not None
    assert begun.share < 0.5 < sampled.share
    again: list[Progress] = []
    writing = replace(plain.writing, overwrite=True)
    restyle(replace(plain, looks={2: OPTIONS}, writing=writing), on_progress=again.append)
    assert rises(again)
    assert "sample" not in {step.stage for step in again}
    assert (work_begins(again).share or 0) > 0.5
    assert again[-1].share == 1.0


def test_a_plan_and_a_preview_are_whole_commands_too(clip: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    plan(request(clip, tmp_path / "out.mov"), on_progress=told.append)
    assert [step.stage for step in told if step.done == step.total] == ["index", "shots"]
    assert rises(told)
    assert told[-1].share == 1.0
    told.clear()
    preview(request(clip, tmp_path / "out.mov"), on_progress=told.append)
    assert list(dict.fromkeys(step.stage for step in told)) == ["index", "shots", "load", "preview"]
    assert rises(told)
    assert told[-1].share == 1.0


def test_what_a_render_took_is_kept_for_the_next_plan(clip: Path, tmp_path: Path) -> None:
    shipped = plan(request(clip, tmp_path / "out.mov")).seconds
    restyle(request(clip, tmp_path / "out.mov"))
    kept = json.loads(costs_file().read_text("utf-8"))["runs"]
    stages = {key.split(" ")[1] for key in kept}
    assert "load" in stages
    assert stages <= set(STAGES)
    assert all(len(paces) == 1 for paces in kept.values())
    again = plan(request(clip, tmp_path / "again.mov")).seconds
    assert shipped is not None
    assert again is not None
    assert again != pytest.approx(shipped, rel=0.05)
