"""Digests of untouched files, kept on disk: what tells a file from itself a moment later, what is never believed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from vedit.models import digests
from vedit.models.digests import file_digest
from vedit.store import kept_digests
from vedit.store.kept_digests import FILE, digests_under, keep_digests, stamp_of

DIGEST = "0" * 63 + "a"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, in which files settle at once."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VEDIT_CACHE_GB", raising=False)
    monkeypatch.setattr(kept_digests, "_SETTLED", 0)
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"one")
    return path


def stamp(*files: Path, **facts: object) -> str:
    found = stamp_of(files, **facts)
    assert found is not None
    return found


def test_what_is_kept_is_found_under_the_same_stamp_alone(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"one")
    keep_digests(stamp(file), {"unet": DIGEST})
    assert digests_under(stamp(file)) == {"unet": DIGEST}
    assert not digests_under(stamp(other))
    assert not digests_under(stamp(file, other))
    assert not digests_under(stamp(file, precision="float16"))


def test_another_file_of_the_same_size_and_time_is_another(file: Path, tmp_path: Path) -> None:
    before, status = stamp(file), file.stat()
    successor = tmp_path / "successor"
    successor.write_bytes(b"two")
    os.utime(successor, ns=(status.st_atime_ns, status.st_mtime_ns))
    successor.replace(file)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert stamp(file) != before


def test_what_was_changed_just_now_has_no_stamp(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_digests, "_SETTLED", 2 * 10**9)
    assert stamp_of([file]) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "digests": []}'])
def test_what_is_damaged_is_not_used_and_written_anew(text: str, file: Path, cache: Path) -> None:
    cache.mkdir()
    (cache / FILE).write_text(text, "utf-8")
    assert not digests_under(stamp(file))
    keep_digests(stamp(file), {"unet": DIGEST})
    assert digests_under(stamp(file)) == {"unet": DIGEST}


@pytest.mark.parametrize("said", ["short", 3, None, DIGEST.upper() + " "])
def test_what_is_no_digest_is_not_used(said: object, file: Path, cache: Path) -> None:
    cache.mkdir()
    told = {"format": 1, "digests": {stamp(file): {"unet": DIGEST, "vae": said}}}
    (cache / FILE).write_text(json.dumps(told), "utf-8")
    assert not digests_under(stamp(file))


def test_nothing_is_kept_where_nothing_may_be(file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    keep_digests(stamp(file), {"unet": DIGEST})
    assert not (cache / FILE).exists()


def test_a_large_file_is_hashed_once_for_all_processes(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "_LARGE", 1)
    hashed: list[Path] = []

    def digest(path: Path) -> str:
        hashed.append(path)
        return DIGEST

    monkeypatch.setattr(digests, "digest", digest)
    again = digests._digest_as_is.cache_clear  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        again()  # as in another process
        assert file_digest(file) == DIGEST
    assert len(hashed) == 1
    file.write_bytes(b"two")
    again()
    file_digest(file)
    assert len(hashed) == 2
