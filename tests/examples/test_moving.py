"""The moving picture of a result: every frame of both halves, as long as the clip, read back by vedit itself."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

import vedit
from tests.support.scripts import load_script
from vedit.media.contract.identity import identity


@pytest.fixture(scope="module")
def moving() -> ModuleType:
    return load_script("moving.py", "moving")


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


def test_what_was_rendered_already_is_not_rendered_again(
    moving: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("source", 4), ("result", 4), ("longer", 5)):
        folder = tmp_path / name
        folder.mkdir()
        for number in range(count):
            cv2.imwrite(str(folder / f"{number}.png"), np.full((32, 48, 3), 40 * number, np.uint8))
        identity(folder, tmp_path / f"{name}.mkv")
    monkeypatch.setattr(moving.vedit, "restyle", None)
    path = tmp_path / "moving.webp"
    words = ["moving", str(tmp_path / "source.mkv"), "--every", "1", "-o", str(path)]
    monkeypatch.setattr(sys, "argv", [*words, "--result", str(tmp_path / "result.mkv")])
    assert moving.main() == 0
    with vedit.open_video(path) as video:
        assert len(video) == 4
    monkeypatch.setattr(sys, "argv", [*words, "--result", str(tmp_path / "longer.mkv")])
    with pytest.raises(SystemExit):
        moving.main()
