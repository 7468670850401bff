"""Every test clip through `probe`, an identity render and `verify`, each command in a process of its own.

Real and torture clips: no breach. Malformed ones: a clear error, or a result of which it is said what is missing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.media_contract.clips import Presented, present
from tests.media_contract.conftest import FULL, Results
from tests.support.forked import ROOT, Ended, Forked
from vedit.media.reading.read import open_video
from vedit.media.writing.containers import default_output
from vedit.media.writing.sidecar import sidecar_path

pytestmark = pytest.mark.media

CLIPS = Path(os.environ.get("VEDIT_TEST_DATA", ROOT.parent / "shared")) / "clips"
ABSENT = f"no clips in {CLIPS}; set VEDIT_TEST_DATA"
WHOLE = 400
"""Clips of fewer frames are rendered whole."""
PART = 120
HUGE = 4_000_000
"""Pixels of a frame from which on a part is shorter still."""
HUGE_PART = 24
SMALL_BYTES = {"real": 0, "torture": 60_000, "malformed": 140_000}
"""Of the files that are driven at small scale."""
SECONDS = 600
WRITTEN = (".mp4", ".mov", ".mkv", ".webm")


def files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((CLIPS / folder).glob("*")) if path.is_file()]
    return found if FULL else [path for path in found if path.stat().st_size <= SMALL_BYTES[path.parent.name]]


GOOD, BAD = files("real", "torture"), files("malformed")


def test_there_are_clips() -> None:
    if not CLIPS.is_dir():
        pytest.skip(ABSENT)
    assert len(GOOD) > 5 and len(BAD) > 3


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of one file."""

    result: str
    """kept, breach or refused."""
    rendered: str = ""
    container: str = ""
    notes: tuple[str, ...] = ()
    """Notes of the render, or the error of the command that refused."""
    checks: int = 0
    breaches: tuple[str, ...] = ()


@pytest.mark.skipif(not GOOD, reason=ABSENT)
@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_passes_unharmed(path: Path, tmp_path: Path, forked: Forked, results: Results) -> None:
    presented = present(path)
    with open_video(path) as reader:
        index = reader.index()
    assert len(index) == len(presented.times)
    if index.time_base == presented.time_base and None not in presented.times:
        assert index.pts == presented.times
    part = part_of(presented)
    done = render(path, tmp_path / f"out{default_output(path).suffix}", part, forked)
    add(results, path, done, str(len(index)))
    assert (done.result, done.breaches) == ("kept", ())
    assert done.checks >= 12


@pytest.mark.skipif(not BAD, reason=ABSENT)
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_malformed_ends_clearly(path: Path, tmp_path: Path, forked: Forked, results: Results) -> None:
    suffix = path.suffix if path.suffix in WRITTEN else ".mkv"
    done = render(path, tmp_path / f"out{suffix}", None, forked)
    add(results, path, done, "")
    assert done.breaches == ()
    # What comes out of a damaged file is either whole, which `verify` has shown, or said to be a part.
    assert done.notes or done.result == "kept", done


def part_of(presented: Presented) -> str | None:
    """START..END that begins between two key frames; None is the whole clip."""
    count = len(presented.times)
    length = HUGE_PART if presented.pixels > HUGE else PART
    if count < WHOLE and not (presented.pixels > HUGE and count > HUGE_PART):
        return None
    start = count // 3
    while start in presented.keys:
        start += 1
    return f"#{start}..#{min(count, start + length)}"


def render(path: Path, output: Path, part: str | None, forked: Forked) -> Done:
    """probe, identity, verify; each ends in time, without a traceback, and leaves nothing but the result."""
    probed = call(forked, "probe", "--json", "--", str(path))
    if probed.code == 2:
        return refused(probed)
    assert json.loads(probed.out)["width"] > 0
    words = ["--range", part] if part else []
    made = call(forked, "identity", "--json", *words, "-o", str(output), "--", str(path))
    left = {entry.name for entry in output.parent.iterdir()}
    if made.code == 2:
        assert not left, f"a refused render left {left}"
        return refused(made)
    assert made.code == 0, made.err
    assert left == {output.name, sidecar_path(output).name}
    checked = call(forked, "verify", "--json", "--", str(path), str(output))
    assert checked.code in (0, 1), checked.err
    report = json.loads(checked.out)
    assert report["ok"] is (checked.code == 0)
    final = json.loads(made.out)
    breaches = tuple(f"{c['name']}: {c['expected']} != {c['found']}" for c in report["checks"] if not c["ok"])
    return Done(
        result="breach" if breaches else "kept",
        rendered=f"{final['frames']}, {part}" if part else "all",
        container=output.suffix,
        notes=tuple(final["notes"]),
        checks=len(report["checks"]),
        breaches=breaches,
    )


def call(forked: Forked, *words: str) -> Ended:
    # In full every file is checked in a Python that is started for it, as users have it; at small scale in a fork, and
    # `test_verify.py` and `test_fuzz.py` start some.
    ended = forked.run(words, seconds=SECONDS, start=FULL)
    shown = f"vedit {' '.join(words)}"
    assert not ended.timed_out, f"{shown} ran longer than {SECONDS} s"
    assert ended.code in (0, 1, 2), f"{shown} ended with {ended.code}: {ended.err}"
    assert not ended.traceback, ended.err
    assert not ended.orphans, f"{shown} left a process"
    if ended.code == 2:
        assert len(errors(ended)) == 1 and ";" in errors(ended)[0], f"not one line with a remedy: {ended.err}"
    return ended


def errors(ended: Ended) -> list[str]:
    return [line for line in ended.err.splitlines() if line.startswith("vedit: error: ")]


def refused(ended: Ended) -> Done:
    return Done(result="refused", notes=(errors(ended)[0].removeprefix("vedit: error: "),))


def add(results: Results, path: Path, done: Done, frames: str) -> None:
    notes = "; ".join(done.notes).replace(f"{path.parent}/", "")
    results.add(
        "files",
        file=f"{path.parent.name}/{path.name}",
        frames=frames,
        rendered=done.rendered,
        to=done.container,
        result=f"{done.checks} checks hold" if done.result == "kept" else done.result,
        notes="; ".join([*done.breaches, notes]) if done.breaches else notes,
    )
