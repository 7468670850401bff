"""What stages have taken on this machine, kept for the estimates of later renders."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.plugged import plugged_in
from vedit.models.loading import Loading
from vedit.models.sizes import Sizes
from vedit.options.masks import MaskSpec
from vedit.options.request import RestyleOptions
from vedit.progress.callbacks import Progress
from vedit.progress.course import Course, Taken
from vedit.registry.attention import attention_methods
from vedit.render.costs import START_SECONDS, FrameSeconds, LookOutline, Outline, expected_of, seconds_of
from vedit.render.measured_costs import ENTRIES, FARTHEST, RUNS, costs_file, keep, keep_start, paces_of
from vedit.types import Fit, FrameRange

FRAMES = FrameRange(start=0, stop=240)
STAGES = ("index", "shots", "load", "invert", "sample", "finish", "write", "verify")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VEDIT_CACHE_GB", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def outline() -> Outline:
    small = (256, 448)
    look = LookOutline(
        options=RestyleOptions(prompt="woodcut"),
        fit=Fit(source=(1080, 1920), inner=small, outer=small, top=0, left=0),
        sizes=Sizes(unet=10_000_000, vae=1_600_000, text_encoder=1_000_000, controlnets=3_500_000),
        inverting=4,
        sampling=8,
        shots=(FRAMES,),
    )
    return Outline(
        pixels=1920 * 1080,
        source_codec="h264",
        model="embedded",
        loading=Loading(),
        frames=FRAMES,
        looks=(look,),
        scanned=240,
        searched=240,
        codec="h264",
    )


def rendered(outline: Outline, slower: Mapping[str, float], paces: Mapping[str, float] | None = None) -> float:
    """A render by a clock that is set: each stage takes so many times as long as shipped. Returns what it took."""
    now = [0.0]
    course = Course(clock=lambda: now[0])
    paces = paces_of(outline) if paces is None else paces
    course.expect(expected_of(outline, paces=paces))
    for stage, legs in expected_of(outline).items():
        steps = round(sum(leg.steps for leg in legs))
        for done in range(1, steps + 1):
            now[0] += slower.get(stage, 1.0) * sum(leg.seconds for leg in legs) / steps
            course(Progress(stage=stage, done=done, total=steps))
    keep(outline, course.taken, paces)
    return now[0]


def test_the_second_estimate_is_what_the_first_render_took(outline: Outline) -> None:
    shipped = seconds_of(outline, paces=paces_of(outline))
    assert paces_of(outline) == {}
    took = rendered(outline, {"sample": 3.0, "write": 0.25, "load": 2.0})
    found = paces_of(outline)
    assert found["sample"] == pytest.approx(3, rel=1e-3)
    assert found["write"] == pytest.approx(0.25, rel=1e-3)
    assert found["finish"] == pytest.approx(1, rel=1e-3)
    told = seconds_of(outline, paces=found)
    assert told is not None
    assert shipped is not None
    assert told == pytest.approx(took + START_SECONDS, rel=1e-3)
    assert told > 1.3 * shipped
    # Once what is expected rests on it, the same is not counted twice.
    assert rendered(outline, {"sample": 3.0, "write": 0.25, "load": 2.0}) == pytest.approx(took)
    assert paces_of(outline) == pytest.approx(found, rel=1e-3)


def test_it_holds_for_renders_of_other_sizes(outline: Outline) -> None:
    rendered(outline, dict.fromkeys(STAGES, 2.0))
    other = replace(outline, pixels=640 * 480, frames=FrameRange(start=0, stop=100), scanned=100, searched=100)
    one, two = seconds_of(other), seconds_of(other, paces=paces_of(other))
    assert one is not None
    assert two is not None
    assert two - START_SECONDS == pytest.approx(2 * (one - START_SECONDS), rel=1e-3)


def test_the_middle_one_of_the_last_runs_counts(outline: Outline) -> None:
    for slower in (1.0, 9.0, 1.2, 1.1, 8.0):
        rendered(outline, {"sample": slower})
    assert paces_of(outline)["sample"] == pytest.approx(1.2, rel=1e-3)
    for _ in range(RUNS):
        rendered(outline, {"sample": 0.5})
    assert paces_of(outline)["sample"] == pytest.approx(0.5, rel=1e-3)


def test_models_and_codecs_are_kept_apart_and_stand_in_for_one_another(outline: Outline) -> None:
    rendered(outline, {"sample": 2.0, "write": 4.0, "index": 3.0})
    rendered(replace(outline, model="sd15", codec="prores", source_codec="av1"), {"sample": 6.0})
    found = paces_of(outline)
    assert (found["sample"], found["write"], found["index"]) == pytest.approx((2, 4, 3), rel=1e-3)
    third = paces_of(replace(outline, model="other", codec="vp9", source_codec="hevc"))
    assert (third["sample"], third["write"], third["index"]) == pytest.approx((4, 2.5, 2), rel=1e-3)


def test_other_machines_and_threads_are_kept_apart(outline: Outline, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered(outline, {"sample": 2.0})
    with monkeypatch.context() as patch:
        patch.setattr("vedit.store.computed_on.platform.node", lambda: "another")
        assert paces_of(outline) == {}
        rendered(outline, {"sample": 5.0})
    with monkeypatch.context() as patch:
        patch.setattr("vedit.store.computed_on.torch.get_num_threads", lambda: 99)
        assert paces_of(outline) == {}
    assert paces_of(outline)["sample"] == pytest.approx(2, rel=1e-3)


def test_short_stages_and_odd_figures_say_nothing(outline: Outline) -> None:
    keep(outline, {"write": Taken(seconds=0.4, expected=0.1), "other": Taken(seconds=9, expected=3)}, {})
    keep(outline, {"sample": Taken(seconds=5, expected=0.0), "finish": Taken(seconds=math.inf, expected=1)}, {})
    keep(outline, {"sample": Taken(seconds=1, expected=2 * FARTHEST)}, {})
    assert paces_of(outline) == {}
    assert not costs_file().exists()
    # What takes no time where seconds were expected does.
    keep(outline, {"write": Taken(seconds=0.4, expected=4)}, {})
    assert paces_of(outline)["write"] == pytest.approx(0.1)


def test_masks_say_nothing_of_the_networks(outline: Outline) -> None:
    (look,) = outline.looks
    mask = MaskSpec(subject="person")
    masked = replace(outline, looks=(replace(look, options=replace(look.options, mask=mask)),))
    rendered(masked, dict.fromkeys(STAGES, 3.0))
    assert set(paces_of(outline)) == {"index", "shots", "load", "write", "verify"}


def test_parts_of_plug_ins_say_nothing_of_the_networks(outline: Outline) -> None:
    (look,) = outline.looks
    with plugged_in(attention_methods, "vedit.attention", {"other": "vedit.models.attention:ALONE"}):
        other = replace(outline, looks=(replace(look, options=replace(look.options, attention="other")),))
        rendered(other, dict.fromkeys(STAGES, 3.0))
    assert set(paces_of(outline)) == {"index", "shots", "load", "write", "verify"}


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"format": 0, "runs": {}}',
        b'{"format": 1}',
        b'{"format": 1, "runs": [1]}',
        b'{"format": 1, "runs": {"a b c": ["x"]}}',
        b'{"format": 1, "runs": {"a b c": 3}}',
        b"[" * 100_000,
        b" " * (2**20 + 1),
    ],
)
def test_a_damaged_file_is_not_used_and_written_anew(outline: Outline, damaged: bytes) -> None:
    costs_file().parent.mkdir()
    costs_file().write_bytes(damaged)
    assert paces_of(outline) == {}
    rendered(outline, {"sample": 2.0})
    assert paces_of(outline)["sample"] == pytest.approx(2, rel=1e-3)
    assert json.loads(costs_file().read_text())["format"] == 1


@pytest.mark.parametrize("pace", ["NaN", "Infinity", "-1", "0", "1e9"])
def test_an_impossible_figure_is_not_used(outline: Outline, pace: str) -> None:
    rendered(outline, {"sample": 2.0})
    text = costs_file().read_text().replace("2.0", pace)
    assert pace in text
    costs_file().write_text(text)
    assert "sample" not in paces_of(outline)
    assert "finish" in paces_of(outline)


def test_what_is_kept_is_bounded(outline: Outline) -> None:
    for n in range(ENTRIES // 4):
        rendered(replace(outline, model=f"m{n}"), {})
    told = json.loads(costs_file().read_text())["runs"]
    assert len(told) == ENTRIES
    assert "sample" in paces_of(replace(outline, model=f"m{ENTRIES // 4 - 1}"))
    for _ in range(3 * RUNS):
        rendered(outline, {})
    assert max(len(paces) for paces in json.loads(costs_file().read_text())["runs"].values()) == RUNS
    assert [path.name for path in costs_file().parent.iterdir()] == ["costs.json"]


def test_nothing_is_kept_where_nothing_may_be(outline: Outline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    rendered(outline, {"sample": 2.0})
    keep_start(9.0)
    assert not costs_file().exists()


def test_a_folder_that_cannot_be_written_is_no_error(
    outline: Outline, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_folder.write_text("a file is in the way")
    rendered(outline, {"sample": 2.0})
    keep_start(9.0)
    assert paces_of(outline) == {}
    monkeypatch.setenv("VEDIT_CACHE", str(own_folder / "deeper"))
    assert paces_of(outline) == {}


def test_the_start_is_kept_apart(outline: Outline) -> None:
    before = seconds_of(outline, paces=paces_of(outline))
    keep_start(2 * START_SECONDS)
    after = seconds_of(outline, paces=paces_of(outline))
    assert before is not None
    assert after == pytest.approx(before + START_SECONDS)


@pytest.mark.parametrize("taken", [None, FrameSeconds(encode=0.1, evaluate=0.1, decode=0.1)], ids=["pixels", "rates"])
@pytest.mark.parametrize(
    "said",
    [{"offload": "group"}, {"quantize": "int8"}, {"attention_backend": "math"}, {"precision": "bfloat16"}],
    ids=str,
)
def test_what_is_loaded_otherwise_says_nothing_of_what_is_usual(
    outline: Outline, said: dict[str, str], taken: FrameSeconds | None
) -> None:
    usual = replace(outline, looks=(replace(outline.looks[0], taken=taken),))
    other = replace(usual, loading=Loading(**said))
    rendered(other, dict.fromkeys(STAGES, 5.0))
    assert paces_of(other) == pytest.approx(dict.fromkeys(STAGES, 5), rel=1e-3)
    for model in ("embedded", "another"):
        assert set(paces_of(replace(usual, model=model))) == {"index", "shots", "write", "verify"}
    rendered(usual, dict.fromkeys(STAGES, 2.0))
    assert paces_of(other)["sample"] == pytest.approx(5, rel=1e-3)
    assert paces_of(usual)["sample"] == paces_of(usual)["load"] == pytest.approx(2, rel=1e-3)
