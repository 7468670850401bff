"""The moving picture of a result: every frame of both halves, as long as the clip, read back by vedit itself."""

from __future__ import annotations

import importlib.util
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import vedit

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "moving.py"


@pytest.fixture(scope="module")
def moving() -> ModuleType:
    spec = importlib.util.spec_from_file_location("moving", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_plays_source_and_result_beside_each_other(moving: ModuleType, tmp_path: Path) -> None:
    source = [np.full((40, 60, 3), 2000 + 100 * n, np.uint16) for n in range(5)]  # 12 bits
    result = [np.full((40, 60, 4), 250 - 10 * n, np.uint8) for n in range(5)]
    pictures = [moving.beside(pair, (12, 8), width=30) for pair in zip(source, result, strict=True)]
    seconds = 2 * Fraction(1001, 24000)
    path = tmp_path / "moving.webp"
    moving.save(pictures, path, seconds=seconds, compression=90)
    with vedit.open_video(path) as video:
        assert (video.metadata.width, video.metadata.height) == (64, 20)
        assert len(video) == 5
        assert abs(video.index().span(vedit.FrameRange(start=0, stop=5))[1] - 5 * seconds) < Fraction(1, 1000)
        for n, frame in enumerate(video):
            assert abs(int(frame[10, 10, 0]) - ((2000 + 100 * n) >> 4)) < 6
            assert abs(int(frame[10, 50, 0]) - (250 - 10 * n)) < 6
