"""The bench of the bars: its arithmetic on made-up figures, its made-up clips, and a run in small."""

# The bench is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.clips import lossless
from tests.support.loaded import small_frames
from tests.support.scripts import load_script
from vedit.evaluation.picture import Picture
from vedit.testing.fakes import moving_frames
from vedit.testing.tiny_sd import write_tiny_sd

EXAMPLE = Path(__file__).parents[2] / "examples" / "bench_temporal"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from temporal import bars, bars_page, clips, grit, measuring, over_time, synthetic  # noqa: E402

BY_NAME = {bar.name: bar for bar in bars.BARS}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("bench_temporal/bars.py", "bench_bars")


def sample(clip: str = "pan", look: str = "night", *, fast: bool = False, **figures: Any) -> bars.Sample:
    """Figures as name=(result, source, raw, full, peer), as many as are needed."""
    places = ("result", "source", "raw", "full", "peer")
    found: dict[str, dict[str, float | None]] = {place: {} for place in places}
    for name, values in figures.items():
        for place, value in zip(places, values, strict=False):
            found[place][name.replace("dis_", "dis ")] = value
    return bars.Sample(clip=clip, look=look, fast=fast, **found)


def test_excess_is_beyond_the_source_of_how_far_the_peer_is() -> None:
    assert bars.excess(3, 1, 5) == 0.5
    assert bars.excess(0.5, 1, 5) == 0
    assert bars.excess(2, 1, 0.5) == math.inf
    assert bars.excess(None, 1, 5) is None


def test_every_bar_is_told_by_its_own_figures() -> None:
    one = sample(
        warp_error=(3, 1, 9, 9, 5),
        flicker_detail=(0.3, 0.2),
        anchoring=(0.6, 0.9),
        dis_anchoring_flat_screen=(0.25, 0.0),
        dis_anchoring_flat=(0.5, 0.6),
        contrast_levels=(19, 5, 20, 20, 9.5),
        grit=(0.0,),
        grit_now=(0.1,),
        look_distance=(2.1, None, 2.0, 2.0),
    )
    values = {name: bar.of(one) for name, bar in BY_NAME.items()}
    assert values == pytest.approx(
        {
            "warp": 0.5,
            "warp-equal": 0.125,
            "flicker": 1.5,
            "scene": 0.6,
            "flat-screen": 0.25,
            "flat-scene": -0.1,
            "contrast": 0.95,
            "grit": 0.0,
            "grit-now": 0.1,
            "look": 1.05,
        }
    )
    met = {name for name, bar in BY_NAME.items() if bar.met(values[name] or 0, fast=False)}
    assert met == {"warp", "warp-equal", "contrast", "grit", "look"}
    assert BY_NAME["scene"].met(0.6, fast=True)
    nothing = sample()
    assert all(bar.of(nothing) is None for bar in bars.BARS)


def test_a_verdict_is_of_the_mean_and_counts_the_looks() -> None:
    found = bars.verdict(BY_NAME["scene"], [sample(anchoring=(value,)) for value in (0.6, 0.9, None)])
    assert found is not None
    assert found.mean == pytest.approx(0.75)
    assert (found.met, found.looks_met, found.looks) == (True, 1, 2)
    assert bars.verdict(BY_NAME["scene"], [sample()]) is None


def test_grit_is_what_neither_source_nor_raw_has() -> None:
    noise = np.random.default_rng(0).random((64, 64), np.float32)
    plain, rough = (Picture(np.repeat(0.5 + level * (noise - 0.5)[..., None], 3, 2)) for level in (0.0, 0.3))
    (quiet,), (loud,) = grit.reasons_now([plain], [plain]), grit.reasons_now([plain], [rough])
    assert grit.gritty(loud, rough) == 0
    assert grit.gritty(quiet, rough) == 1
    assert grit.percent([quiet, loud], [rough, rough]) == 50
    # What was drawn in another frame may stay, whichever way it was carried.
    assert all(grit.gritty(reason, rough) == 0 for reason in grit.reasons([plain] * 3, [plain, rough, plain]))
    assert [grit.gritty(reason, rough) for reason in grit.reasons([plain] * 2, [plain] * 2)] == [1, 1]


def test_the_eye_opens_and_rides_on_the_pan() -> None:
    still = np.random.default_rng(0).integers(90, 150, (3, 120, 160 + synthetic.PAN * synthetic.FRAMES), np.uint8)
    frames = synthetic.opening_eye(still)
    assert len(frames) == synthetic.FRAMES
    assert {frame.shape for frame in frames} == {(3, 120, 160)}
    here, late = (synthetic.eye_place((120, 160), number) for number in (synthetic.OPENS, synthetic.LOOKED_AT))
    assert here.left - late.left == synthetic.PAN * (synthetic.LOOKED_AT - synthetic.OPENS)
    dark = [int(synthetic.eye_place((120, 160), n).of(frames[n].min(axis=0)).min()) for n in (0, synthetic.OPENS)]
    assert dark[0] > 30 > dark[1]
    # What is around the eye moves with the pan.
    assert np.array_equal(
        frames[3][:, :20, : -synthetic.PAN][:, :, synthetic.PAN :], frames[4][:, :20, : -2 * synthetic.PAN]
    )


def test_what_is_there_of_an_eye_is_a_share() -> None:
    still = np.random.default_rng(0).integers(90, 150, (3, 120, 160 + synthetic.PAN * synthetic.FRAMES), np.uint8)
    frames = synthetic.opening_eye(still)
    place = synthetic.eye_place((120, 160), synthetic.LOOKED_AT)
    drawn = frames[synthetic.LOOKED_AT]
    half = np.rint(128 + (drawn.astype(np.float32) - 128) / 2).astype(np.uint8)
    assert synthetic.share_there(drawn, drawn, place) == 1
    assert synthetic.share_there(drawn, half, place) == pytest.approx(0.5, abs=0.01)
    assert synthetic.share_there(drawn, np.full_like(drawn, 128), place) == pytest.approx(0, abs=1e-6)


def test_a_clip_that_comes_back_is_the_same_each_period() -> None:
    forth = [np.full((3, 8, 8), 10 * n, np.uint8) for n in range(synthetic.HALF)]
    film = synthetic.there_and_back(forth)
    assert len(film) == synthetic.PERIODS * synthetic.period() + 1
    assert [int(frame[0, 0, 0]) for frame in film[: synthetic.HALF + 2]] == [*range(0, 120, 10), 100, 90]
    assert synthetic.furthest_return(film) == 0
    film[synthetic.period() + 5] = film[synthetic.period() + 5] + 3
    assert synthetic.furthest_return(film) == 3
    film = synthetic.there_and_back(forth)
    film[0] = film[0] + 100  # the first frames may be others
    assert synthetic.furthest_return(film) == 0
    film[3] = film[3] + 5
    assert synthetic.furthest_return(film) == 5
    assert synthetic.furthest_return(film, settled=synthetic.period()) == 0


def test_a_row_over_time_shows_source_and_results_side_by_side(tmp_path: Path) -> None:
    source = list(moving_frames(6, 48, 64))
    red = [np.stack([np.full((48, 64), level, np.uint8) for level in (220, 20, 20)])] * 6
    path = over_time.write_over_time(tmp_path / "row.png", source, {"red": red})
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape[1] > 2 * over_time.WIDTH
    blue, green, level = picture[20, 3 * over_time.WIDTH // 2].tolist()
    assert level > 180 > 60 > max(blue, green)


def test_the_page_tells_what_is_short() -> None:
    chosen = [one for one in (*clips.CLIPS, *clips.FURTHER_CLIPS) if one.name in ("pan", "car")]
    samples = {
        "full": [
            sample("pan", warp_error=(3, 1, 9, 9, 5), anchoring=(0.6, 0.9)),
            sample("car", fast=True, warp_error=(9, 1, 9, 9, 5), anchoring=(0.6, 0.9)),
        ]
    }
    known = {"full": bars_page.MadeUp(eye=0.9, back=1.5, later=0.2)}
    page = bars_page.page_of(chosen, ["night"], samples, known, run="24 frames of each clip by `m` at `draft`")
    assert (
        "| warp error beyond the source's, of the steadied peer's: at most 0.7 | 0.5 met, 1 of 1 | 2 **short**" in page
    )
    assert "at least 0.7, of fast shots 0.5 | 0.6 **short**, 0 of 1 | 0.6 met, 1 of 1 |" in page
    assert "| vedit | 0.9 met | 1.5 **short** | 0.2 |" in page
    assert "not told" in page
    assert "](pan.crops.jpg)" in page
    assert "](car.crops.jpg)" not in page
    assert "Pictures of car are not shown" in page


def test_a_run_in_small(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random weights at 64 pixels: all columns of one sampling, judged; a second run renders nothing."""
    source = lossless(tmp_path / "clip.mkv", [frame.transpose(1, 2, 0) for frame in moving_frames(10, 64, 64)])
    words = [
        *("--clips", str(source), "--looks", "night", "--frames", "10"),
        *("--model", str(write_tiny_sd(tmp_path / "m")), "--no-made-up"),
        *("--work", str(tmp_path / "work"), "--out", str(tmp_path / "out")),
    ]
    with small_frames():
        assert script.main(words) == 0
    page = (tmp_path / "out" / "steadiness.md").read_text("utf-8")
    assert "10 frames of each clip by `m` at `draft`, under night" in page
    assert "| clip | night | diffusers, steadied |" in page
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"steadiness.md", "clip.crops.jpg", "clip.row.jpg"}
    (work,) = (tmp_path / "work").iterdir()
    folder = work / "night"
    # What was sampled is there for the next column.
    assert (folder / "full.latents").is_dir()
    raw, full = (clips.frames_of(folder / f"{name}.mkv") for name in ("raw", "full"))
    assert not np.array_equal(raw[5], full[5])
    figures = json.loads((folder / "figures.json").read_text("utf-8"))
    assert set(figures) == {"", *(one.name for one in script.COLUMNS)}
    capsys.readouterr()
    monkeypatch.setattr(measuring.vedit, "compare", None)
    monkeypatch.setattr(measuring.grit, "reasons", None)
    assert script.main(words) == 0
    assert "s a frame" not in capsys.readouterr().out
    with small_frames():
        assert script.main([*words, "--anew", "full", "--render-only"]) == 0
    told = capsys.readouterr().out
    assert "night, vedit:" in told
    assert "night, vedit, raw:" not in told
