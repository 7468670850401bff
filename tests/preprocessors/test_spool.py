"""The spool: order, several readings, and nothing left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
import torch

from vedit.preprocessors.spool import Spool


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.uint8])
def test_comes_back_in_order_as_often_as_wanted(dtype: torch.dtype) -> None:
    frames = (torch.rand(7, 2, 5, 3) * 200).to(dtype)
    with Spool(dtype) as spool:
        for part in frames.split([3, 0, 1, 3]):
            spool.append(part)
        assert len(spool) == 7
        for size in (1, 2, 7, 100):
            assert torch.equal(torch.cat(list(spool.read(size))), frames)
        first, second = spool.read(2), spool.read(3)
        assert torch.equal(next(first), frames[:2]) and torch.equal(next(second), frames[:3])
        assert torch.equal(next(first), frames[2:4])
        spool.append(frames[:1])
        assert torch.equal(torch.cat(list(spool.read(4)))[7], frames[0])


def test_what_is_read_is_the_readers() -> None:
    with Spool() as spool:
        spool.append(torch.ones(2, 3))
        next(spool.read(2)).zero_()
        assert next(spool.read(2)).all()


def test_empty_and_mixed() -> None:
    with Spool() as spool:
        assert list(spool.read(4)) == []
        spool.append(torch.zeros(1, 3, 4))
        with pytest.raises(ValueError, match=r"\(3, 4\), got \(3, 5\)"):
            spool.append(torch.zeros(1, 3, 5))


def test_nothing_is_left_behind(temporary: Path) -> None:
    def stream() -> Generator[torch.Tensor]:
        with Spool() as spool:
            spool.append(torch.zeros(4, 100))
            yield from spool.read(1)

    taken = stream()
    next(taken)
    taken.close()
    dropped = stream()
    next(dropped)
    del dropped  # a reader that stops half-way, or a render that fails
    assert list(temporary.iterdir()) == []
