"""Damaged bytes: the command line ends with 0 or 2, without a traceback, within its memory and time.

Each mutation goes through `vedit probe` and a read of 10 frames, each in a process of its own. A signal that ends one
is a failure, unless the same bytes end a bare PyAV decode too: that is FFmpeg's, and is listed by its seed.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media_contract.clips import Timed, write_timed
from tests.media_contract.conftest import Results
from tests.media_contract.mutations import mutate
from tests.support.forked import Ended, Forked

pytestmark = pytest.mark.media

MEMORY = 1 << 30
SECONDS = 10
"""Of CPU time that a call may take."""
PATIENCE = 120
"""Seconds after which a call that waits for something is taken to hang."""
FRAMES = 10
LARGEST = 400_000
"""Bytes of a clip that is damaged; more only takes longer to copy."""
SEED = 20_000
STARTED = 5


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Clips to damage: generated ones in several containers, and what there is of the test clips."""
    folder = tmp_path_factory.mktemp("sources")
    return [
        write_timed(
            Timed(
                path=folder / f"made{suffix}",
                pts=[1001 * n for n in range(-3 if suffix == ".mov" else 0, 24)],
                time_base=Fraction(1, 24000),
                rate=Fraction(24000, 1001),
                last=1001,
                timecode="01:00:00:00",
                codec=codec,
            )
        )
        for suffix, codec in ((".mp4", "libx264"), (".mov", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4"))
    ]


@pytest.fixture(scope="module")
def all_sources(sources: list[Path], request: pytest.FixtureRequest) -> list[Path]:
    try:
        clips: Path = request.getfixturevalue("clip_folders")
    except pytest.skip.Exception:
        return sources  # the generated clips alone still show much
    found = [path for name in ("torture", "real") for path in sorted((clips / name).glob("*"))]
    return sources + [path for path in found if path.is_file() and path.stat().st_size <= LARGEST]


def test_damaged_bytes(all_sources: list[Path], tmp_path: Path, forked: Forked, results: Results, full: bool) -> None:
    count = 2000 if full else 100
    ends: Counter[str] = Counter()
    faults: list[str] = []
    deadly: list[str] = []
    for seed in range(SEED, SEED + count):
        data, told = mutate(seed, all_sources)
        file = tmp_path / f"{seed}.{told.split(':')[0].rsplit('.', 1)[-1]}"
        file.write_bytes(data)
        for name, words in (("probe", ["probe"]), ("read", ["probe", "--frames", str(FRAMES)])):
            # At small scale a few files are checked in a Python that is started for it, as users have it, the rest
            # in a fork; in full all are.
            start = full or seed < SEED + STARTED
            ended = forked.run([*words, "--", str(file)], seconds=PATIENCE, memory=MEMORY, start=start)
            ends[f"{name} {'timeout' if ended.timed_out else ended.code}"] += 1
            fault = judge(ended)
            if fault is None:
                continue
            bare = forked.run([str(file), str(FRAMES)], kind="bare", seconds=PATIENCE, memory=MEMORY)
            if ended.code < 0 and not ended.timed_out and bare.code < 0 and not bare.timed_out:
                deadly.append(f"{seed}: signal {-ended.code}")
            else:
                faults.append(f"seed {seed} ({told}) {name}: {fault}")
        file.unlink()
        assert list(tmp_path.iterdir()) == [], f"seed {seed} left files"
    results.add(
        "fuzz",
        mutations=count,
        clips=len(all_sources),
        probe=", ".join(f"{n} x {end.split()[1]}" for end, n in sorted(ends.items()) if end.startswith("probe")),
        read=", ".join(f"{n} x {end.split()[1]}" for end, n in sorted(ends.items()) if end.startswith("read")),
        failures=len(faults),
        **{"seeds that kill a bare PyAV decode": ", ".join(deadly) or "none"},
    )
    assert not faults, f"{len(faults)} of {2 * count}:\n" + "\n".join(faults[:40])


def judge(ended: Ended) -> str | None:
    """What is wrong with how a call ended, or None."""
    last = ended.err.strip().splitlines()[-1:] or [""]
    if ended.timed_out:
        return f"still running after {ended.seconds:.0f} s"
    if ended.cpu_seconds > SECONDS:
        return f"took {ended.cpu_seconds:.0f} s of CPU time"
    if ended.code < 0:
        return f"killed by signal {-ended.code}"
    if ended.traceback:
        return f"traceback: {last[0]}"
    if ended.orphans:
        return "left a process running"
    if ended.code not in (0, 2):
        return f"exit {ended.code}: {last[0]}"
    if ended.code == 2 and len(ended.err.strip().splitlines()) != 1:
        return f"its error is not one line: {ended.err.strip()!r}"
    return None


def test_the_limits_hold(forked: Forked, tmp_path: Path) -> None:
    """A file is not needed to see that a call with too little memory or time is told from one that ends well."""
    missing = forked.run(["probe", str(tmp_path / "none.mp4")], memory=MEMORY)
    assert (missing.code, judge(missing)) == (2, None)
    helped = forked.run(["--help"], memory=MEMORY)
    assert helped.code == 0 and "restyle" in helped.out
    starved = forked.run(["probe", str(Path(__file__))], memory=16 << 20)
    assert starved.code != 0
    late = forked.run(["--help"], seconds=0)
    assert late.timed_out and judge(late) is not None
