"""Plots: where their points lie, what is marked, and that no peak is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import vedit
from tests.support.clips import lossless
from tests.support.page import Page
from tests.support.plain_metrics import moving, plain_metrics
from vedit.evaluation.page.plots import HEIGHT, MOST_POINTS, WIDTH, bounds_of, plots_of, thinned
from vedit.evaluation.report import Report
from vedit.evaluation.requirements import Outcome
from vedit.types import FrameRange, Shot


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    folder = tmp_path_factory.mktemp("clips")
    frames = moving(6)
    with plain_metrics():
        source = lossless(folder / "in.mkv", frames)
        yield vedit.evaluate(source, lossless(folder / "out.mkv", [frame + 5 for frame in frames]), quick=True)


def drawn(report: Report, *others: Report) -> Page:
    return Page("\n".join(plots_of([report, *others])).encode())


def of_series(report: Report, series: dict[int, float], own: dict[int, float], **more: object) -> Report:
    """The report with one figure of these values, over 101 frames of two shots."""
    figure = replace(report.figures["difference"], series=series, own_series=own, own=1.0)
    shots = tuple(Shot(number=n, frames=FrameRange(start=s, stop=e)) for n, s, e in ((1, 0, 51), (2, 51, 101)))
    whole = FrameRange(start=0, stop=101)
    return replace(report, figures={"difference": figure}, frames=whole, shots=shots, material=None, **more)


def points(found: dict[str, str]) -> list[tuple[float, float]]:
    pairs = [one.split(",") for one in found["points"].split()]
    return [(float(x), float(y)) for x, y in pairs]


def test_points_lie_where_they_should(measured: Report) -> None:
    page = drawn(of_series(measured, {0: 0.0, 25: 4.0, 50: 10.0, 75: 5.0, 100: 0.0}, {0: 1.0, 50: 1.0}))
    (box,) = page.all("svg")
    low, high = float(box["data-low"]), float(box["data-high"])
    assert (low, high) == (0.0, 10.6)  # from nothing to the highest and 6 % of room
    first, second = (points(found) for found in page.all("polyline", **{"data-of": "0"}))
    assert [x for x, _ in first + second] == [0, 250, 500, 750, 1000]  # parted where the second shot begins
    assert [y for _, y in first] == pytest.approx([160, 160 * (1 - 4 / 10.6), 160 * (1 - 10 / 10.6)], abs=0.01)
    (own,) = page.all("polyline", **{"class": "line own"})
    assert len(points(own)) == 2 and own["data-name"] == "source itself"


def test_cuts_joins_and_bounds_are_marked(measured: Report) -> None:
    required = (
        Outcome(requirement="difference<2x", met=False, found="x"),
        Outcome(requirement="difference<8", met=False, found="x"),
        Outcome(requirement="difference<800", met=True, found="x"),
        Outcome(requirement="contract", met=True, found="x"),
    )
    report = of_series(measured, {0: 0.0, 100: 10.0}, {}, joins=(20, 70), required=required)
    assert bounds_of([report], "difference") == [
        ("difference<2x", 2.0),
        ("difference<8", 8.0),
        ("difference<800", 800.0),
    ]
    page = drawn(report)
    (cut,) = page.all("line", **{"class": "cut"})
    assert cut["x1"] == cut["x2"] == "505.0"  # between the frames 50 and 51
    assert [found["x1"] for found in page.all("line", **{"class": "join"})] == ["200.0", "700.0"]
    heights = [float(found["y1"]) for found in page.all("line", **{"class": "bound"})]
    assert heights == pytest.approx([HEIGHT * (1 - 2 / 10.6), HEIGHT * (1 - 8 / 10.6)], abs=0.06)
    told = [text for text in page.texts["span"] if "asked for" in text]
    assert told[2] == "asked for: difference<800, which is beyond the plot" and "beyond" not in told[0] + told[1]


def test_a_line_for_each_result(measured: Report) -> None:
    a = of_series(measured, {0: 1.0, 50: 2.0}, {}, label="a")
    b = of_series(measured, {50: 3.0}, {}, label="b")
    page = drawn(a, b)
    lines = page.all("polyline")
    assert [(found["class"], found["data-of"], found["data-name"]) for found in lines] == [
        ("line r0", "0", "a"),
        ("line r1", "1", "b"),
    ]
    assert points(lines[1])[0] == points(lines[1])[1]  # one point is drawn as a dot


def test_those_that_matter_come_first(measured: Report) -> None:
    swapped = {name: measured.figures[name] for name in ("brightness", "alike", "difference", "unknown")}
    page = drawn(replace(measured, figures=swapped))
    assert [found["id"] for found in page.all("figure")] == ["plot-alike", "plot-difference", "plot-brightness"]


def test_a_constant_is_drawn(measured: Report) -> None:
    (box,) = drawn(of_series(measured, {0: 0.0, 9: 0.0}, {})).all("svg")
    assert float(box["data-low"]) <= 0 < float(box["data-high"])
    (box,) = drawn(of_series(measured, {0: -3.0, 9: -3.0}, {})).all("svg")
    assert float(box["data-low"]) < -3 < float(box["data-high"])


def test_no_peak_is_lost_in_a_long_clip(measured: Report) -> None:
    series = {frame: (frame * 7919 % 1000) / 1000 for frame in range(100_000)}
    series[54_321], series[12_345] = 99.0, -99.0
    kept = thinned(series, MOST_POINTS)
    assert len(kept) <= MOST_POINTS and kept[54_321] == 99 and kept[12_345] == -99
    assert list(kept) == sorted(kept) and thinned(kept, MOST_POINTS) is kept
    long = replace(of_series(measured, series, series), shots=measured.shots, frames=FrameRange(start=0, stop=100_000))
    long = replace(long, shots=(Shot(number=1, frames=long.frames),))
    assert len("".join(plots_of([long]))) < 40_000
    assert all(0 <= x <= WIDTH for found in drawn(long).all("polyline") for x, _ in points(found))


def test_without_series_there_is_no_plot(measured: Report) -> None:
    assert plots_of([replace(measured, figures={"unknown": measured.figures["unknown"]})]) == ()
    assert plots_of([replace(measured, figures={})]) == ()


def test_no_file_is_read(measured: Report) -> None:
    assert drawn(replace(measured, source=Path("gone"), result=Path("gone"))).all("svg")
