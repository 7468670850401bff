"""Files checked in a process of their own: the same answer as in this one, and one line for whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vedit.errors import MediaError
from vedit.media.reading import isolate
from vedit.media.reading.isolate import check_file, metadata_from_json, metadata_to_json
from vedit.media.reading.probe import probe

Make = Callable[..., Path]


def test_the_answer_is_that_of_probe(make: Make, sound: Callable[..., object]) -> None:
    path = make(name="ä :100%d.mov", timecode="01:00:00:00", title="A 'film'", sounds=(sound(),), frames=8)
    report = check_file(path, frames=5)
    assert report.metadata == probe(path)
    assert (report.frames, report.damaged) == (5, 0)
    assert check_file(path, frames=99).frames == 8


def test_metadata_survives_json(make: Make) -> None:
    found = probe(make(frames=2, rate=Fraction(30000, 1001)))
    assert metadata_from_json(json.loads(json.dumps(metadata_to_json(found)))) == found


def test_errors_are_those_of_probe(tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"not a video\n" * 99)
    with pytest.raises(MediaError, match="not a video") as here:
        probe(bad)
    with pytest.raises(MediaError) as there:
        check_file(bad)
    assert str(there.value) == str(here.value)
    with pytest.raises(MediaError, match="no such file"):
        check_file(tmp_path / "-none.mp4")


def child(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let `check_file` start this code for its child."""
    run = subprocess.run

    def started(_: list[str], **options: object) -> object:
        return run([sys.executable, "-c", code], **options)  # type: ignore[call-overload]  # pyright: ignore

    monkeypatch.setattr(isolate.subprocess, "run", started)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals")
def test_a_crash_is_one_line(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=1)
    child(monkeypatch, f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    with pytest.raises(MediaError, match="crashes the decoder \\(SIGSEGV\\)") as raised:
        check_file(path)
    assert "\n" not in str(raised.value) and raised.value.exit_code == 2


def test_a_hang_is_one_line(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=1)
    child(monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(MediaError, match=r"takes more than 0\.5 s"):
        check_file(path, seconds=0.5)


def test_a_child_that_dies_otherwise_is_one_line(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=1)
    child(monkeypatch, "raise MemoryError('no room\\nat all')")
    with pytest.raises(MediaError, match="could not be checked") as raised:
        check_file(path)
    assert "\n" not in str(raised.value)


def test_a_folder_with_modules_is_not_searched(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=1)
    for name in ("json.py", "av.py", "vedit.py"):
        (tmp_path / name).write_text("raise SystemExit('taken from the current folder')\n")
    monkeypatch.chdir(tmp_path)
    assert check_file(path).metadata.codec == "h264"


def test_torch_is_not_imported(make: Make) -> None:
    code = (
        "import sys; from vedit.media.reading.isolate import _child; "
        f"_child(['--frames=1', {str(make(frames=1))!r}]); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts", "a.mov"])
def test_damaged_bytes_end_in_an_answer_or_one_line(make: Make, tmp_path: Path, name: str) -> None:
    data = bytearray(make(name=name, frames=12).read_bytes())
    path = tmp_path / f"bad{os.path.splitext(name)[1]}"  # noqa: PTH122
    for seed in range(3):
        random = np.random.default_rng(seed)
        broken = bytearray(data)
        for position in random.integers(0, len(data), 40):
            broken[position] = int(random.integers(256))
        path.write_bytes(broken)
        try:
            assert check_file(path, frames=10, seconds=30).frames >= 0
        except MediaError as error:
            assert "\n" not in str(error)
