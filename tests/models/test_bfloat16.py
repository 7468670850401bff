"""Whether a CPU does better in bfloat16: tried once on a machine, by a wide margin, and kept."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from pathlib import Path

import pytest
import torch

from vedit.models import bfloat16
from vedit.models.bfloat16 import FILE, LARGEST_ERROR, computes_faster, tried, verdict


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))
    monkeypatch.delenv("VEDIT_CACHE_GB", raising=False)
    yield tmp_path
    # What a test made up is not for those that come after it in this process.
    _forget()


@pytest.fixture
def trials(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Gain and error of each trial; taken from the front."""
    found: list[tuple[float, float]] = []
    monkeypatch.setattr(bfloat16, "tried", lambda: found.pop(0))
    return found


def _forget() -> None:
    bfloat16._found_on_this_machine.cache_clear()  # pyright: ignore[reportPrivateUsage]


def asked() -> bool:
    _forget()
    return computes_faster("cpu")


@pytest.mark.parametrize(
    ("gain", "error", "faster"),
    [(2.0, 0.003, True), (0.4, 0.003, False), (1.1, 0.003, False), (4.0, 0.02, False), (math.nan, 0.0, False)],
)
def test_it_is_worth_it_where_it_is_much_faster_and_right(gain: float, error: float, faster: bool) -> None:
    assert verdict(gain, error) is faster
    assert not verdict(gain, math.nan)


def test_a_trial_finds_the_rounding_of_eight_bits(own_folder: Path) -> None:
    threads = torch.get_num_threads()
    gain, error = tried()
    assert 0.01 < gain < 100
    assert 0.001 < error < LARGEST_ERROR
    assert torch.get_num_threads() == threads


def test_a_machine_is_tried_once_whatever_its_threads(own_folder: Path, trials: list[tuple[float, float]]) -> None:
    trials += [(3.0, 0.003), (0.5, 0.003)]
    threads = torch.get_num_threads()
    try:
        for count in (threads, 1, 2, 3):
            torch.set_num_threads(count)
            assert asked()
    finally:
        torch.set_num_threads(threads)
    assert len(trials) == 1
    (own_folder / FILE).unlink()
    assert not asked()
    assert not asked()


def test_what_is_damaged_is_tried_anew(own_folder: Path, trials: list[tuple[float, float]]) -> None:
    trials += [(3.0, 0.003)] * 3
    for text in ("{", "[]", json.dumps({"format": 1, "faster": {"x": 1}})):
        (own_folder / FILE).write_text(text, "utf-8")
        assert asked()
    told = json.loads((own_folder / FILE).read_text("utf-8"))
    (key,) = [key for key in told["faster"] if key != "x"]
    told["faster"][key] = "yes"
    (own_folder / FILE).write_text(json.dumps(told), "utf-8")
    trials.append((0.5, 0.003))
    assert not asked()


def test_no_other_device_is_tried(trials: list[tuple[float, float]]) -> None:
    assert not computes_faster("cuda")
    assert not computes_faster("mps")
