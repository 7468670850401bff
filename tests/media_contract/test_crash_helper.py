"""The helper that kills runs kills them, and tells what it did."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.media_contract.crash import Killed, killed_runs, started

pytestmark = pytest.mark.media

# Counts up in a file, a step every 20 ms, and goes on where it left off; its child would outlive a kill of it alone.
COUNTER = """
import subprocess, sys, time
from pathlib import Path
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
Path(sys.argv[1], f"child{child.pid}").touch()
steps = Path(sys.argv[1], "steps")
for step in range(int(steps.read_text() or 0) if steps.exists() else 0, 80):
    time.sleep(0.02)
    fresh = steps.with_suffix(".new")
    fresh.write_text(str(step + 1))
    fresh.replace(steps)
child.kill()
"""


def test_kills_until_the_number_is_reached(tmp_path: Path) -> None:
    seen: list[Killed] = []
    resets: list[int] = []

    def again(run: Killed) -> None:
        resets.append(run.number)
        (tmp_path / "steps").unlink()

    runs = killed_runs(
        started(sys.executable, "-c", COUNTER, str(tmp_path)),
        4,
        7,
        longest=1.2,
        after_each=seen.append,
        on_finished=again,
    )
    assert runs == seen
    killed = [run for run in runs if not run.finished]
    assert len(killed) == 4 and all(run.code == -9 for run in killed)
    assert [run.number for run in runs if run.finished] == resets
    assert len({round(run.seconds, 2) for run in killed}) > 1
    left = [int(path.name[5:]) for path in tmp_path.glob("child*")]
    assert left and not [pid for pid in left if alive(pid)]


def test_a_run_that_fails_is_not_taken_for_a_finished_one() -> None:
    broken = started(sys.executable, "-c", "import sys; sys.stderr.write('broken'); sys.exit(3)")
    with pytest.raises(AssertionError, match="run 0 ended with 3: broken"):
        killed_runs(broken, 1, 0, longest=60)


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    try:
        return state.read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False
