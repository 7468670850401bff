"""What a machine computes in a second: measured, kept, and never needed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from vedit.models.footprint import Work
from vedit.render import machine_rates
from vedit.render.machine_rates import FILE, Rates, rates_of

RATES = Rates(convolutions=4e10, products=2e10, attention=1e10, moved=1e9)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))
    monkeypatch.delenv("VEDIT_CACHE_GB", raising=False)
    rates_of.cache_clear()
    return tmp_path


@pytest.fixture
def probes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How many times as fast as RATES each probe finds the machine; taken from the front."""
    found: list[float] = []

    def measured(*_: object) -> Rates:
        speed = found.pop(0)
        return Rates(**{name: rate * speed for name, rate in asdict(RATES).items()})

    monkeypatch.setattr(machine_rates, "_measured", measured)
    return found


def asked() -> Rates:
    rates_of.cache_clear()
    return rates_of("cpu", "float32")


def test_seconds_are_the_sum_of_what_each_kind_of_work_takes() -> None:
    work = Work(convolutions=8e10, products=2e10, attention=5e9, moved=1e8)
    assert RATES.seconds(work) == pytest.approx(2 + 1 + 0.5 + 0.1)


def test_a_probe_measures_this_machine() -> None:
    found = asked()
    assert all(1e7 < rate < 1e16 for rate in asdict(found).values())


def test_the_fastest_of_the_first_three_counts_and_then_nothing_is_measured(
    own_folder: Path, probes: list[float]
) -> None:
    probes += [1.0, 2.0, 0.5]
    assert [asked().products / RATES.products for _ in range(4)] == [1, 2, 2, 2]
    assert not probes
    assert (own_folder / FILE).is_file()


def test_what_is_damaged_is_measured_anew(own_folder: Path, probes: list[float]) -> None:
    probes += [1.0] * 3
    for text in ("{", "[]", json.dumps({"format": 1, "rates": {"x": 1}})):
        (own_folder / FILE).write_text(text, "utf-8")
        assert asked() == RATES
    told = json.loads((own_folder / FILE).read_text("utf-8"))
    (key,) = [key for key in told["rates"] if key != "x"]
    told["rates"][key][0]["moved"] = -1
    (own_folder / FILE).write_text(json.dumps(told), "utf-8")
    probes.append(3.0)
    assert asked().moved == 3 * RATES.moved


def test_nothing_is_kept_where_nothing_may_be(
    own_folder: Path, probes: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    probes += [1.0, 1.0]
    asked()
    asked()
    assert not (own_folder / FILE).exists()
