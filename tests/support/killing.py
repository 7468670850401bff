"""Commands that are killed at chosen moments, each in a process of its own that is forked from one with all loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SERVER = Path(__file__).with_name("killing_server.py")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A command to run, and when it dies."""

    words: Sequence[str]
    folder: Path
    kill_at: int | None = None
    """At this change of a name (rename, link, removal), from 1, counted once `armed` is reached; None lets it end."""
    armed: str = "vedit.media.writing.atomic:put_in_place"
    """The function whose first call begins the count."""
    signal: str = "SIGKILL"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How it went."""

    code: int
    """Exit code; minus the signal's number where that ended it."""
    error: str
    names: list[str]
    """In the folder behind it, with those in folders."""


def run_all(runs: Sequence[Run]) -> list[Ended]:
    """The runs one after another, in order."""
    told = [
        {
            "words": list(run.words),
            "folder": str(run.folder),
            "kill_at": run.kill_at,
            "armed": run.armed,
            "signal": run.signal,
        }
        for run in runs
    ]
    done = subprocess.run(
        [sys.executable, str(SERVER)], input=json.dumps(told), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [Ended(**entry) for entry in json.loads(done.stdout)]
