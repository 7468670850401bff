"""Commands that are killed at chosen moments, each in a process of its own that is forked from one with all loaded."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

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


class Killing:
    """The process that runs are forked from, one after another; each begins as the first did."""

    def __init__(self, server: subprocess.Popen[str], errors: IO[str]) -> None:
        self._server, self._errors = server, errors

    def run_all(self, runs: Sequence[Run]) -> list[Ended]:
        """The runs one after another, in order."""
        assert self._server.stdin is not None and self._server.stdout is not None
        told = [asdict(run) | {"folder": str(run.folder)} for run in runs]
        self._server.stdin.write(json.dumps(told) + "\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        if not answer:
            self._errors.seek(0)
            raise AssertionError(f"the server ended: {self._errors.read()}")
        return [Ended(**entry) for entry in json.loads(answer)]


@contextmanager
def killing() -> Generator[Killing]:
    """A server for as long as the context lasts: what all runs need is loaded once."""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as server,
    ):
        yield Killing(server, errors)  # leaving closes its input, and it ends
    assert server.returncode == 0
