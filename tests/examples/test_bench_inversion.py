"""The bench of inversions in small: every method has a row, and the figures are those of the frames."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

EXAMPLE = Path(__file__).parents[2] / "examples" / "bench_inversion" / "bench.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_inversion", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_inversion"] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_psnr_is_of_pictures_in_0_to_1(script: ModuleType) -> None:
    picture = torch.full((1, 3, 4, 4), 0.5)
    assert script.psnr(picture, picture + 0.1) == pytest.approx(20.0, abs=1e-4)


def test_frames_are_at_a_size_that_the_model_works_at(script: ModuleType) -> None:
    assert script.frames_of(None, 2, 64).shape == (2, 3, 64, 96)


def test_every_method_has_a_row(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    script.main(["--frames", "2", "--steps", "2", "--side", "64"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(script.METHODS)
    rows = {cells[2].strip(): cells for cells in (line.split("|") for line in lines[2:])}
    assert list(rows) == list(script.METHODS)

    def given_back(method: str) -> float:
        return float(rows[method][5].split()[0])

    assert given_back("edit-friendly DDPM") > given_back("fixed point, 2 evaluations") > given_back("DDIM")
