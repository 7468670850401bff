"""The bench of speed in small: every row is there, beside the peer of its size and quality."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.support.loaded import small_renders
from tests.support.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("bench_temporal/speed.py", "bench_speed")


def test_a_ratio_is_to_the_peer_of_the_same_size_and_quality(script: ModuleType) -> None:
    def row(seconds: float) -> object:
        return script.Row(seconds=[9.0, seconds, 0.0], cores=[2 * seconds])

    rows = {
        ("square", "diffusers, draft"): row(1.0),
        ("square", "draft"): row(0.5),
        ("square", "draft, keyframes 8"): row(0.1),
        ("16:9", "diffusers, draft"): row(4.0),
        ("16:9", "draft"): row(1.0),
    }
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in script.table(rows).splitlines()[2:]]
    assert [(one[2], one[3], one[5]) for one in cells] == [
        ("1.000", "1.00", "1.00"),
        ("0.500", "0.50", "0.50"),
        ("0.100", "0.10", "0.10"),
        ("4.000", "1.00", "1.00"),
        ("1.000", "0.25", "0.25"),
    ]


def test_it_runs(script: ModuleType, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    with small_renders():
        script.main(["--frames", "2", "--rounds", "1", "--side", "64", "--only", "draft", "--size", "square"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| square")]
    assert [line.split("|")[2].strip() for line in lines] == ["diffusers, draft", "draft"]
