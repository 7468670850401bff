"""Finding the `vedit` command, running it and following what it tells: the part that every host script holds.

It runs in the Python of an editing system: standard library only, 3.8 and up. `vedit nle install` writes its text into
each script that imports it.
"""

from __future__ import annotations

import difflib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

from vedit.nle_hosts.settings import SETTINGS as SETTINGS

EXECUTABLE_VARIABLE = "VEDIT_EXECUTABLE"
RECORD = "vedit-nle.json"
"""Written beside an installed script: where the `vedit` command is, and what was installed."""
DEFAULT_HANDLES = 8
"""Frames rendered before and behind what a clip shows."""
_WRITTEN_AS_THEY_ARE = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mxf")


class HostError(Exception):
    """Something that the user of the editing system should read."""


def find_vedit(folders: Iterable[Path], setting: str = "") -> str:
    """The `vedit` command: as set, as VEDIT_EXECUTABLE says, as `vedit nle install` has recorded, or on PATH.

    Args:
        folders: where the record of the installation may lie.
        setting: a path that the user has set in the editing system; "" for none.

    Raises:
        HostError: there is none, or what was set is no file.
    """
    for name, told in (("the setting", setting), (EXECUTABLE_VARIABLE, os.environ.get(EXECUTABLE_VARIABLE, ""))):
        if told:
            path = Path(told).expanduser()
            if path.is_file():
                return str(path)
            raise HostError(f"{name} names {told} as the vedit command, but there is no such file")
    for folder in folders:
        recorded = read_record(folder).get("vedit")
        if isinstance(recorded, str) and Path(recorded).is_file():
            return recorded
    found = shutil.which("vedit")
    if found is None:
        raise HostError(
            "the vedit command was not found; install vedit, run 'vedit nle install' again, "
            f"or set {EXECUTABLE_VARIABLE} to its path"
        )
    return found


def read_record(folder: Path) -> dict[str, Any]:
    """What `vedit nle install` has recorded in a folder; empty where there is nothing that can be read."""
    try:
        told = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def with_handles(first: int, stop: int, frames: int, handles: int) -> tuple[int, int]:
    """Frames `first..stop` (stop exclusive) with handles on either side, as far as the media reaches."""
    return max(0, first - handles), min(frames, stop + handles) if frames else stop + handles


def result_path(source: Path, folder: Path | None = None) -> Path:
    """A free name for a result, beside the source or in `folder`: NAME.vedit_v001.EXT; nothing is ever replaced."""
    suffix = source.suffix if source.suffix.lower() in _WRITTEN_AS_THEY_ARE else ".mov"
    number = 1
    while True:
        path = (folder or source.parent) / f"{source.stem}.vedit_v{number:03d}{suffix}"
        if not path.exists():
            return path
        number += 1


def restyle_words(vedit: str, source: Path, output: Path, frames: tuple[int, int], look: dict[str, Any]) -> list[str]:
    """The argument list of `vedit restyle` for frames `first..stop` (stop exclusive) of a file.

    Raises:
        HostError: the look has no prompt, or a setting that is not known.
    """
    prompt = str(look.get("prompt") or "").strip()
    if not prompt:
        raise HostError(f"{source.name}: no prompt; say what it should look like")
    words = [vedit, "restyle", str(source), "-o", str(output), f"--range=#{frames[0]}..#{frames[1]}"]
    words += [f"--prompt={prompt}", "--json", "--progress=json"]
    for name, value in look.items():
        if name == "prompt" or value is None or value == "":
            continue
        if name not in SETTINGS:
            near = difflib.get_close_matches(name, list(SETTINGS), n=1, cutoff=0)
            raise HostError(f"there is no setting {name!r}; the nearest is {near[0]!r}")
        several = cast("list[Any]", value) if isinstance(value, list) else [value]
        words += [f"{SETTINGS[name]}={one}" for one in several]
    return words


class Run:
    """A running `vedit`, never through a shell; its events are collected while it runs.

    Args:
        words: the command and its arguments.

    Raises:
        HostError: it could not be started.
    """

    def __init__(self, words: list[str]) -> None:
        # An editing system's own Python must not lend its modules to another one.
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}
        environment["PYTHONUTF8"] = "1"
        hidden: int = getattr(subprocess, "CREATE_NO_WINDOW", 0) if sys.platform == "win32" else 0
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                encoding="utf-8",
                errors="replace",
                creationflags=hidden,
            )
        except OSError as error:
            raise HostError(f"{words[0]} could not be started: {error.strerror or error}") from None
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._error = ""
        self._last = ""
        self._told: list[str] = []
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_told, self._read_events)]
        for reader in self._readers:
            reader.start()

    def events(self) -> list[dict[str, Any]]:
        """What was told since the last call."""
        found: list[dict[str, Any]] = []
        while not self._events.empty():
            found.append(self._events.get())
        return found

    @property
    def running(self) -> bool:
        """Whether it still works."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ask it to stop; the current unit is finished and kept, and the same render goes on from there."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)

    def result(self) -> dict[str, Any]:
        """Wait for its end: the JSON object on its stdout. Raises HostError with its own words where it failed."""
        code = self._process.wait()
        for reader in self._readers:
            reader.join()
        if code != 0:
            raise HostError(self._error or self._last or f"vedit ended with exit code {code}")
        try:
            told = json.loads("".join(self._told))
        except ValueError:
            raise HostError("vedit ended well but its result could not be read") from None
        return cast("dict[str, Any]", told)

    def follow(self, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Wait for its end and hand on every event on the way; see `result`."""
        for reader in self._readers:
            while reader.is_alive():
                reader.join(0.2)
                for event in self.events():
                    tell(event)
        for event in self.events():
            tell(event)
        return self.result()

    def _read_told(self) -> None:
        if self._process.stdout is not None:
            with self._process.stdout as lines:
                self._told.extend(lines)

    def _read_events(self) -> None:
        if self._process.stderr is None:
            return
        with self._process.stderr as lines:
            for line in lines:
                try:
                    event = json.loads(line)
                except ValueError:
                    event = None
                if not isinstance(event, dict):
                    # A library's own words, or an older vedit's: kept for the case that nothing better is told.
                    self._last = line.strip() or self._last
                    continue
                known = cast("dict[str, Any]", event)
                if known.get("event") == "error":
                    self._error = "; ".join(filter(None, (known.get("message"), known.get("remedy"))))
                self._events.put(known)


def overall(event: dict[str, Any]) -> str:
    """How far the whole command is, to put before what a progress event says of its stage; "" where it does not say."""
    share, left = event.get("share"), event.get("seconds_left")
    if not isinstance(share, float | int):
        return ""
    rest = f", {_span(float(left))} left" if isinstance(left, float | int) else ""
    return f"{int(100 * share)} %{rest}, "


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


class Spoken:
    """An event as a line to read; progress is told at each tenth only, of the whole where the event says it."""

    def __init__(self) -> None:
        self._tenth: dict[str, int] = {}

    def line(self, event: dict[str, Any]) -> str:
        """The line, or "" where there is nothing to say."""
        kind = event.get("event")
        if kind == "progress":
            stage, done, total = str(event.get("stage")), int(event.get("done", 0)), int(event.get("total", 0))
            share = event.get("share")
            # An older vedit tells of each stage alone.
            of, tenth = ("", int(10 * share)) if isinstance(share, float) else (stage, 10 * done // max(total, 1))
            if tenth == self._tenth.get(of, 0):
                return ""
            self._tenth[of] = tenth
            return f"{overall(event)}{stage}: {done} of {total} frames"
        if kind == "plan":
            return f"{event.get('frames')} frames with {event.get('model')} on {event.get('device')}"
        return str(event.get("text") or "")
