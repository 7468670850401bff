"""The nearest of known names to one that was typed."""

from __future__ import annotations

import pytest

from vedit.checks.nearest import did_you_mean, nearest, suggest

NAMES = ("softedge", "tile", "canny", "depth-anything-v2-small", "Night")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_with_one_letter_wrong_finds_itself(name: str) -> None:
    for at in range(len(name)):
        assert nearest(name[:at] + name[at + 1 :], NAMES) == name
        assert nearest(f"{name[:at]}q{name[at:]}", NAMES) == name
    assert nearest(name.swapcase(), NAMES) == name


def test_what_is_like_nothing_has_no_nearest_but_where_one_is_asked_for() -> None:
    assert nearest("zyzzyva", NAMES) is None
    assert nearest("zyzzyva", NAMES, cutoff=0) in NAMES
    assert nearest("night", ()) is None
    assert nearest("", NAMES) is None


def test_of_two_that_are_equally_near_the_first_is_taken() -> None:
    assert nearest("ab", ("abx", "aby")) == "abx"
    assert nearest("ab", ("aby", "abx")) == "aby"
    assert nearest("qq", ("abx", "aby"), cutoff=0) == "abx"


def test_what_a_message_says() -> None:
    assert did_you_mean("cany", NAMES) == "did you mean 'canny'?"
    assert did_you_mean("zyzzyva", NAMES) == ""
    assert suggest("tle", ("tile", "canny")) == "did you mean 'tile'? known: tile, canny"
    assert suggest("zyzzyva", ("tile", "canny"), before="use one of ") == "use one of tile, canny"
    assert suggest("x", ()) == "known: none"
