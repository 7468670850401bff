"""Requirements: how they are written, and when they are met."""

from __future__ import annotations

import pytest

from vedit.errors import SettingError
from vedit.evaluation.definition import Definition, Figure
from vedit.evaluation.requirements import judge, parse_requirements
from vedit.media.contract.report import ContractReport, check

KNOWN = ("warp_error", "camera_path")
ABOUT = Definition(
    name="warp_error", title="Warp error", unit="levels", better="lower", ideal=None, variant="made up", places=2
)


def figure(value: float | None, own: float | None = None, why: str = "") -> dict[str, Figure]:
    return {"warp_error": Figure(metric="warp_error", definition=ABOUT, value=value, own=own, why=why)}


@pytest.mark.parametrize(
    ("text", "value", "own", "met"),
    [
        ("warp_error<2", 1.99, None, True),
        ("warp_error<2", 2.0, None, False),
        ("warp_error<=2", 2.0, None, True),
        ("warp_error > .5", 0.51, None, True),
        ("warp_error>=5e-1", 0.5, None, True),
        ("warp_error<1.3x", 2.6, 2.0, False),
        ("warp_error<1.3x", 2.5, 2.0, True),
        ("warp_error>=-1", -1.0, None, True),
    ],
)
def test_bounds(text: str, value: float, own: float | None, met: bool) -> None:
    (outcome,) = judge(parse_requirements([text], KNOWN), figure(value, own), None)
    assert outcome.met is met
    assert outcome.requirement == text.strip()


def test_what_was_not_measured_is_not_met() -> None:
    required = parse_requirements(["warp_error<2", "warp_error<1.3x"], KNOWN)
    first, second = judge(required, figure(None, why="nothing moves"), None)
    assert not first.met and first.found == "not measured: nothing moves"
    assert not second.met
    (outcome,) = judge(required[1:], figure(1.0), None)
    assert not outcome.met and "the source's own value is not known" in outcome.found


def test_multiples_of_nothing_and_of_less() -> None:
    """0 holds to a multiple of 0, and a bound keeps its side where the source's own value is below 0."""
    required = parse_requirements(["warp_error<=1.3x"], KNOWN)
    found = [judge(required, figure(value, own), None)[0].met for value, own in ((0, 0), (0.1, 0), (-2, -1), (-1, -1))]
    assert found == [True, False, True, False]


def test_the_contract_by_name() -> None:
    required = parse_requirements(["contract"], KNOWN)
    good = ContractReport(checks=(check("frame count", 3, 3),))
    bad = ContractReport(checks=(check("frame count", 3, 2), check("duration", 1, 1)))
    assert [judge(required, {}, one)[0].met for one in (good, bad, None)] == [True, False, False]
    assert judge(required, {}, bad)[0].found == "broken: frame count"


@pytest.mark.parametrize("text", ["warp_error", "warp_error=1", "<3", "warp_error<", "warp_error<1.3y", "", "a<b"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SettingError, match="is not a requirement"):
        parse_requirements([text], KNOWN)


def test_an_unknown_figure_is_told_with_the_nearest() -> None:
    with pytest.raises(SettingError, match=r"'warp_eror'; did you mean 'warp_error'\?"):
        parse_requirements(["warp_eror<1"], KNOWN)
