"""The cache of maps: whole entries or none, bounded, and never needed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vedit.errors import VeditError
from vedit.map_cache import PARTIAL, FrameCache, cache_folder, entry_key
from vedit.types import FrameRange

FRAMES = FrameRange(start=5, stop=9)


def maps(count: int = 4, *, chunk: int = 3) -> Iterator[torch.Tensor]:
    frames = torch.rand(count, 3, 10, 14, generator=torch.Generator().manual_seed(1))
    yield from frames.split(chunk)


def never() -> Iterator[torch.Tensor]:
    raise AssertionError("it was kept: nothing is to be made")
    yield


def test_what_is_made_is_what_is_kept(tmp_path: Path) -> None:
    (expected,) = maps(chunk=4)
    with FrameCache(tmp_path) as cache:
        made = cache.frames({"kind": "depth"}, FRAMES, maps)
        first = torch.stack([made[number] for number in range(5, 9)])
    assert (first - expected).abs().max() <= 0.5 / 255 + 1e-6
    with FrameCache(tmp_path) as cache:
        kept = cache.frames({"kind": "depth"}, FRAMES, never)
        assert torch.equal(torch.stack([kept[number] for number in range(5, 9)]), first)
        with pytest.raises(IndexError):
            kept[9]


def test_other_facts_and_other_frames_are_other_entries(tmp_path: Path) -> None:
    with FrameCache(tmp_path) as cache:
        cache.frames({"kind": "depth"}, FRAMES, maps)
        for facts, frames in (({"kind": "pose"}, FRAMES), ({"kind": "depth"}, FrameRange(start=0, stop=4))):
            with pytest.raises(AssertionError, match="kept"):
                cache.frames(facts, frames, never)


def test_a_stream_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[torch.Tensor]:
        yield torch.zeros(2, 3, 4, 4)
        raise RuntimeError("out of memory")

    with FrameCache(tmp_path) as cache:
        with pytest.raises(RuntimeError, match="out of memory"):
            cache.frames({}, FRAMES, broken)
        with pytest.raises(VeditError, match="2 maps were made of 4 frames"):
            cache.frames({}, FRAMES, lambda: maps(2))
        assert list(tmp_path.iterdir()) == []


def test_the_oldest_entries_go_first(tmp_path: Path) -> None:
    with FrameCache(tmp_path) as cache:
        for number in range(3):
            cache.frames({"number": number}, FRAMES, maps)
    entries = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime)
    size = sum(file.stat().st_size for file in entries[0].iterdir())
    for age, number in enumerate((1, 0, 2)):
        entry = tmp_path / entry_key({"number": number, "frames": [5, 9]})
        os.utime(entry, (1_000_000 + age, 1_000_000 + age))
    (tmp_path / "not-ours").mkdir()
    with FrameCache(tmp_path, limit_bytes=2 * size):
        pass
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"not-ours", *(entry_key({"number": number, "frames": [5, 9]}) for number in (0, 2))}


def test_what_lies_deeper_counts_and_strangers_are_left_alone(tmp_path: Path) -> None:
    with FrameCache(tmp_path) as cache:
        mattes, empty = cache.folder({"mattes": 1}), cache.folder({"mattes": 2})
        (mattes / "flow").mkdir()
        (mattes / "flow" / "000000.png").write_bytes(bytes(1000))
    assert mattes.is_dir()
    assert not empty.exists()
    stranger, killed, at_work = tmp_path / ("a" * 32), tmp_path / f"{PARTIAL}old", tmp_path / f"{PARTIAL}new"
    for folder in (stranger, killed, at_work):
        folder.mkdir()
    (stranger / "file").touch()
    os.utime(killed, (1_000_000, 1_000_000))
    with FrameCache(tmp_path, limit_bytes=999):
        pass
    assert sorted(tmp_path.iterdir()) == sorted([stranger, at_work])


def test_a_limit_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    with FrameCache(tmp_path, limit_bytes=0) as cache:
        assert cache.frames({}, FRAMES, maps)[5].shape == (3, 10, 14)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with FrameCache(tmp_path / "file") as cache:
        assert cache.frames({}, FRAMES, maps)[8].shape == (3, 10, 14)


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def inverted(seed: int = 0, *, values: int = 1000) -> dict[str, torch.Tensor]:
    return {"step 1": torch.randn(values, generator=torch.Generator().manual_seed(seed)).bfloat16()}


def test_tensors_come_back_to_the_last_bit(tmp_path: Path) -> None:
    with FrameCache(tmp_path) as cache:
        assert cache.tensors({"n": 1}) is None
        cache.keep_tensors({"n": 1}, inverted())
        cache.keep_tensors({"n": 1}, inverted(1))
    with FrameCache(tmp_path) as cache:
        found = cache.tensors({"n": 1})
        assert found is not None
        assert found["step 1"].dtype == torch.bfloat16
        assert torch.equal(found["step 1"], inverted(1)["step 1"])
        assert cache.tensors({"n": 2}) is None
    assert len(list(tmp_path.iterdir())) == 1


def test_where_nothing_is_kept_tensors_are_not(tmp_path: Path) -> None:
    with FrameCache(tmp_path, limit_bytes=0) as cache:
        cache.keep_tensors({"n": 1}, inverted())
        assert cache.tensors({"n": 1}) is None
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with FrameCache(tmp_path) as cache:
        monkeypatch.setattr(Path, "write_bytes", full)
        cache.keep_tensors({"n": 1}, inverted())
        assert cache.tensors({"n": 1}) is None
        assert list(tmp_path.iterdir()) == []


def test_a_long_render_stays_within_the_limit_and_keeps_what_it_uses(tmp_path: Path) -> None:
    """Inversions are written without end; the maps in use are older than all of them and stay."""
    with FrameCache(tmp_path, limit_bytes=20_000) as cache:
        used = cache.frames({"kind": "depth"}, FRAMES, maps)
        os.utime(tmp_path / entry_key({"kind": "depth", "frames": [5, 9]}), (1_000_000, 1_000_000))
        for number in range(30):
            cache.keep_tensors({"n": number}, inverted(number))
            size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
            assert size < 26_000
        assert used[5].shape == (3, 10, 14)
        assert cache.tensors({"n": 29}) is not None
        assert cache.tensors({"n": 0}) is None


@pytest.mark.parametrize("whole", [True, False])
def test_maps_that_another_process_removed_are_made_again(tmp_path: Path, whole: bool) -> None:
    with FrameCache(tmp_path) as cache:
        used = cache.frames({"kind": "depth"}, FRAMES, maps)
        before = torch.stack([used[number] for number in range(5, 9)])
        entry = tmp_path / entry_key({"kind": "depth", "frames": [5, 9]})
        if whole:
            shutil.rmtree(entry)
        else:
            (entry / "0000002.png").write_bytes(b"")
        assert torch.equal(torch.stack([used[number] for number in range(5, 9)]), before)
