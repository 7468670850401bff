"""The cache of maps: whole entries or none, bounded, and never needed."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch

from vedit.errors import VeditError
from vedit.store.cache_folder import cache_folder, held
from vedit.store.computed import PARTIAL, ComputedCache, entry_key
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
    with ComputedCache(tmp_path) as cache:
        made = cache.frames({"kind": "depth"}, FRAMES, maps)
        first = torch.stack([made[number] for number in range(5, 9)])
    assert (first - expected).abs().max() <= 0.5 / 255 + 1e-6
    with ComputedCache(tmp_path) as cache:
        kept = cache.frames({"kind": "depth"}, FRAMES, never)
        assert torch.equal(torch.stack([kept[number] for number in range(5, 9)]), first)
        with pytest.raises(IndexError):
            kept[9]


def test_other_facts_and_other_frames_are_other_entries(tmp_path: Path) -> None:
    with ComputedCache(tmp_path) as cache:
        cache.frames({"kind": "depth"}, FRAMES, maps)
        for facts, frames in (({"kind": "pose"}, FRAMES), ({"kind": "depth"}, FrameRange(start=0, stop=4))):
            with pytest.raises(AssertionError, match="kept"):
                cache.frames(facts, frames, never)


def test_a_stream_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[torch.Tensor]:
        yield torch.zeros(2, 3, 4, 4)
        raise RuntimeError("out of memory")

    with ComputedCache(tmp_path) as cache:
        with pytest.raises(RuntimeError, match="out of memory"):
            cache.frames({}, FRAMES, broken)
        with pytest.raises(VeditError, match="2 maps were made of 4 frames"):
            cache.frames({}, FRAMES, lambda: maps(2))
        assert list(tmp_path.iterdir()) == []


def test_the_oldest_entries_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_CACHE_DAYS", "0")
    with ComputedCache(tmp_path) as cache:
        for number in range(3):
            cache.frames({"number": number}, FRAMES, maps)
    entries = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime)
    size = sum(file.stat().st_size for file in entries[0].iterdir())
    for age, number in enumerate((1, 0, 2)):
        entry = tmp_path / entry_key({"number": number, "frames": [5, 9]})
        os.utime(entry, (1_000_000 + age, 1_000_000 + age))
    (tmp_path / "not-ours").mkdir()
    with ComputedCache(tmp_path, limit_bytes=2 * size):
        pass
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"not-ours", *(entry_key({"number": number, "frames": [5, 9]}) for number in (0, 2))}


def test_what_nobody_used_for_long_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ComputedCache(tmp_path) as cache:
        for number in range(3):
            cache.frames({"number": number}, FRAMES, maps)
        cache.keep_tensors({"inversion": 1}, inverted())
    names = [entry_key({"number": number, "frames": [5, 9]}) for number in range(3)]
    names.append(entry_key({"inversion": 1}))
    now = time.time()
    for days, name in zip((29, 31, 31, 31), names, strict=True):
        os.utime(tmp_path / name, (now - days * 86400, now - days * 86400))
    told = held(tmp_path)
    assert (told.maps, told.inversions) == (3, 1) and told.size_bytes == bytes_in(tmp_path)
    monkeypatch.setenv("VEDIT_CACHE_DAYS", "0")
    with ComputedCache(tmp_path):
        pass
    assert len(list(tmp_path.iterdir())) == 4, "0 is for ever"
    monkeypatch.setenv("VEDIT_CACHE_DAYS", "a month")
    with ComputedCache(tmp_path) as cache:
        cache.frames({"number": 1}, FRAMES, maps)
    assert {path.name for path in tmp_path.iterdir()} == {names[0], names[1]}, "what is used again is young"
    monkeypatch.setenv("VEDIT_CACHE_DAYS", "7")
    with ComputedCache(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [names[1]]


def test_what_lies_deeper_counts_and_strangers_are_left_alone(tmp_path: Path) -> None:
    with ComputedCache(tmp_path) as cache:
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
    with ComputedCache(tmp_path, limit_bytes=999):
        pass
    assert sorted(tmp_path.iterdir()) == sorted([stranger, at_work])


def test_a_limit_of_nothing_keeps_nothing(tmp_path: Path) -> None:
    with ComputedCache(tmp_path, limit_bytes=0) as cache:
        assert cache.frames({}, FRAMES, maps)[5].shape == (3, 10, 14)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with ComputedCache(tmp_path / "file") as cache:
        assert cache.frames({}, FRAMES, maps)[8].shape == (3, 10, 14)


def test_the_folder_can_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def inverted(seed: int = 0, *, values: int = 1000) -> dict[str, torch.Tensor]:
    return {"step 1": torch.randn(values, generator=torch.Generator().manual_seed(seed)).bfloat16()}


def test_tensors_come_back_to_the_last_bit(tmp_path: Path) -> None:
    with ComputedCache(tmp_path) as cache:
        assert cache.tensors({"n": 1}) is None
        cache.keep_tensors({"n": 1}, inverted())
        cache.keep_tensors({"n": 1}, inverted(1))
    with ComputedCache(tmp_path) as cache:
        found = cache.tensors({"n": 1})
        assert found is not None
        assert found["step 1"].dtype == torch.bfloat16
        assert torch.equal(found["step 1"], inverted(1)["step 1"])
        assert cache.tensors({"n": 2}) is None
    assert len(list(tmp_path.iterdir())) == 1


def test_where_nothing_is_kept_tensors_are_not(tmp_path: Path) -> None:
    with ComputedCache(tmp_path, limit_bytes=0) as cache:
        cache.keep_tensors({"n": 1}, inverted())
        assert cache.tensors({"n": 1}) is None
    assert list(tmp_path.iterdir()) == []


def test_what_a_render_needs_again_is_kept_for_as_long_as_it_lasts(tmp_path: Path) -> None:
    with ComputedCache(tmp_path, limit_bytes=0) as cache:
        for number in range(3):
            cache.keep_tensors({"n": number}, inverted(number), needed_again=True)
        found = [cache.tensors({"n": number}) for number in range(3)]
        for number, one in enumerate(found):
            assert one is not None
            assert torch.equal(one["step 1"], inverted(number)["step 1"])
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with ComputedCache(tmp_path) as cache:
        monkeypatch.setattr(Path, "write_bytes", full)
        cache.keep_tensors({"n": 1}, inverted())
        assert cache.tensors({"n": 1}) is None
        assert list(tmp_path.iterdir()) == []


def test_a_long_render_stays_within_the_limit_and_keeps_what_it_uses(tmp_path: Path) -> None:
    """Inversions are written without end; the maps in use are older than all of them and stay."""
    with ComputedCache(tmp_path, limit_bytes=20_000) as cache:
        used = cache.frames({"kind": "depth"}, FRAMES, maps)
        os.utime(tmp_path / entry_key({"kind": "depth", "frames": [5, 9]}), (1_000_000, 1_000_000))
        for number in range(30):
            cache.keep_tensors({"n": number}, inverted(number))
            size = sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
            assert size < 26_000
        assert used[5].shape == (3, 10, 14)
        assert cache.tensors({"n": 29}) is not None
        assert cache.tensors({"n": 0}) is None


def bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")]
)
def test_no_memory_to_keep_or_to_read_is_not_told_to_the_sampling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The sampling would take it for a window that is too large, and change the frames."""

    def none_left(*_: object) -> bytes:
        raise error

    with ComputedCache(tmp_path) as cache:
        with monkeypatch.context() as patch:
            patch.setattr("safetensors.torch.save", none_left)
            cache.keep_tensors({"n": 1}, inverted())
        assert list(tmp_path.iterdir()) == []
        cache.keep_tensors({"n": 1}, inverted())
        if isinstance(error, MemoryError):
            with monkeypatch.context() as patch:
                patch.setattr("safetensors.torch.load", none_left)
                assert cache.tensors({"n": 1}) is None
        assert cache.tensors({"n": 1}) is not None, "it is whole, and there for whoever has the memory"


def test_another_error_while_keeping_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> bytes:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("safetensors.torch.save", wrong)
    with ComputedCache(tmp_path) as cache, pytest.raises(RuntimeError, match="shapes"):
        cache.keep_tensors({"n": 1}, inverted())


def test_one_large_entry_does_not_put_out_all_others(tmp_path: Path) -> None:
    with ComputedCache(tmp_path, limit_bytes=20_000) as cache:
        for number in range(4):
            cache.keep_tensors({"n": number}, inverted(number))
        cache.keep_tensors({"n": "large"}, inverted(values=2_501))
        assert cache.tensors({"n": "large"}) is None
        cache.keep_tensors({"n": "quarter"}, inverted(values=2_500))
        assert cache.tensors({"n": "quarter"}) is not None
    with ComputedCache(tmp_path, limit_bytes=20_000) as cache:
        assert all(cache.tensors({"n": number}) is not None for number in range(4))


def test_the_disk_is_left_to_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ComputedCache(tmp_path) as cache:
        for free, kept in ((2 * 10**9 + 1_999, False), (2 * 10**9 + 2_000, True)):
            usage = Mock(return_value=SimpleNamespace(free=free))
            monkeypatch.setattr("vedit.store.computed.shutil.disk_usage", usage)
            cache.keep_tensors({"n": 1}, inverted())
            assert (cache.tensors({"n": 1}) is not None) == kept


def test_a_folder_that_is_about_to_be_filled_is_left_to_its_user(tmp_path: Path) -> None:
    """Another render ends between the handing out and the first matte; and a day later it was a killed one's."""
    with ComputedCache(tmp_path) as cache:
        mattes = cache.folder({"mattes": 1})
        with ComputedCache(tmp_path):
            pass
        assert mattes.is_dir()
        (mattes / "000000.png").write_bytes(bytes(1000))
    assert mattes.is_dir()
    left = tmp_path / entry_key({"mattes": 2})
    with ComputedCache(tmp_path / "other") as cache:
        shutil.copytree(cache.folder({"mattes": 2}), left)
    os.utime(left, (1_000_000, 1_000_000))
    with ComputedCache(tmp_path):
        pass
    assert mattes.is_dir() and not left.exists()


def test_what_was_filled_after_another_process_removed_it_is_found_again(tmp_path: Path) -> None:
    """Without its mark it would stay in the folder for ever, whatever the limit."""
    with ComputedCache(tmp_path) as cache:
        mattes = cache.folder({"mattes": 1})
        shutil.rmtree(mattes)
        (mattes / "flow").mkdir(parents=True)
        (mattes / "flow" / "000000.png").write_bytes(bytes(1000))
    assert bytes_in(tmp_path) > 1000
    with ComputedCache(tmp_path, limit_bytes=500):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_deeper_down_counts_as_used(tmp_path: Path) -> None:
    with ComputedCache(tmp_path) as cache:
        folders = [cache.folder({"mattes": number}) for number in range(2)]
        for folder in folders:
            (folder / "flow").mkdir()
            (folder / "flow" / "000000.png").write_bytes(bytes(1000))
    for age, folder in enumerate(folders):
        os.utime(folder / "flow", (1_000_000 + age, 1_000_000 + age))
        os.utime(folder, (1_000_000 + age, 1_000_000 + age))
    os.utime(folders[0] / "flow")
    with ComputedCache(tmp_path, limit_bytes=1500):
        pass
    assert folders[0].is_dir() and not folders[1].exists()


@pytest.mark.parametrize("whole", [True, False])
def test_maps_that_another_process_removed_are_made_again(tmp_path: Path, whole: bool) -> None:
    with ComputedCache(tmp_path) as cache:
        used = cache.frames({"kind": "depth"}, FRAMES, maps)
        before = torch.stack([used[number] for number in range(5, 9)])
        entry = tmp_path / entry_key({"kind": "depth", "frames": [5, 9]})
        if whole:
            shutil.rmtree(entry)
        else:
            (entry / "0000002.png").write_bytes(b"")
        assert torch.equal(torch.stack([used[number] for number in range(5, 9)]), before)
