"""Which frames are worst, and which a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vedit.evaluation.definition import Better, Definition, Figure
from vedit.evaluation.page.worst import frames_to_show, hottest, overlaid, worst_of


def figure(
    series: Mapping[int, float], own: Mapping[int, float] | None = None, better: Better = "lower", name: str = "a"
) -> Figure:
    about = Definition(name=name, title="A", unit="px", better=better, ideal=0.0, variant="x")
    value = sum(series.values()) / len(series) if series else 0.0
    return Figure(metric="m", definition=about, value=value, series=series, own_series=own or {})


def frames(one: Figure, **more: Any) -> list[int]:
    return [worst.frame for worst in worst_of(one, **more)]


def test_the_highest_where_lower_is_better() -> None:
    one = figure({0: 1.0, 4: 3.0, 8: 2.0, 12: 0.5, 16: 2.5})
    assert frames(one) == [4, 16, 8] and frames(one, count=1) == [4]
    assert worst_of(one)[0].value == 3.0 and worst_of(one)[0].own is None


def test_what_the_source_explains_is_not_the_worst() -> None:
    one = figure({0: 9.0, 4: 3.0, 8: 2.0}, {0: 9.0, 4: 1.0, 8: 2.5})
    assert frames(one) == [4]  # at 0 the source is as bad, at 8 worse
    assert worst_of(one)[0].own == 1.0


def test_the_lowest_where_higher_is_better() -> None:
    assert frames(figure({0: 0.9, 5: 0.2, 10: 1.0}, {0: 1.0, 5: 1.0, 10: 1.0}, "higher")) == [5, 0]
    assert frames(figure({0: 0.9, 5: 0.2, 10: 0.8}, None, "higher")) == [5]  # the mean is 0.633


@pytest.mark.parametrize("one", [figure({0: 1.0}, better="neither"), figure({}), figure({0: 0.0}), figure({3: -1.0})])
def test_none(one: Figure) -> None:
    assert frames(one) == []


def test_values_over_time_that_are_another_thing_than_the_figure_say_nothing() -> None:
    one = figure({0: 24.0, 50: 26.0})  # of a drift by 2 levels
    assert frames(one) == [50, 0] and frames(replace(one, value=2.0)) == [] == frames(replace(one, value=None))


def test_neighbours_are_one() -> None:
    series = {frame: 1.0 + (frame in (50, 51, 52)) * (frame / 10) for frame in range(100)}
    found = frames(figure(series))
    assert found[0] == 52 and all(abs(a - b) >= 5 for a in found for b in found if a != b)


def test_every_figure_has_its_worst_before_one_has_its_second() -> None:
    a, b = figure({0: 3.0, 10: 2.0, 20: 1.0}), figure({0: 1.0, 30: 9.0, 60: 2.0}, name="b")
    assert frames_to_show([a, b], 9) == (0, 30, 10, 60, 20)
    assert frames_to_show([a, b], 2) == (0, 30)


def test_heat_is_colour_over_grey() -> None:
    picture = np.full((8, 8, 3), 100, np.uint8)
    heat = np.zeros((16, 16), np.float32)
    heat[:8, :8] = 4.0
    drawn = overlaid(picture, heat, 4.0).astype(int)
    assert (drawn[5:, 5:] == 60).all()  # grey, dimmed to 0.6
    assert (drawn[:3, :3] == [252, 255, 164]).all()  # the last colour of Inferno
    assert hottest([heat, 0 * heat]) == pytest.approx(4.0) and hottest([0 * heat]) == 0.0
