"""MLT's own player, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

STUCK_SECONDS = 60
"""A project of a few seconds plays in one or two, also on a busy machine."""
TRIES = 3


def play(project: Path, out: Path, *codecs: str) -> None:
    """Play the project into `out`; skips the test where there is no player.

    It was seen not to end, once, on a project that it otherwise plays in two seconds: that says nothing of the project,
    so it is started again.
    """
    melt = shutil.which("melt") or shutil.which("melt-7")
    if melt is None:
        pytest.skip("melt is not installed (Debian: apt-get install melt)")
    command = [melt, str(project), "-consumer", f"avformat:{out}", *codecs, "real_time=-1"]
    for _ in range(TRIES):
        out.unlink(missing_ok=True)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=STUCK_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            continue
        assert done.returncode == 0, done.stderr
        return
    pytest.fail(f"melt did not end in {TRIES} tries of {STUCK_SECONDS} s")
