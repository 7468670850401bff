"""The bench of inversions in small: every method has a row, and the figures are those of the frames."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch

from tests.support.scripts import load_script


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("bench_inversion/bench.py", "bench_inversion")


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
