"""The command line in a process of its own per call, without a start of Python per call.

A server imports `vedit.cli`, and torch with all that renders need where it is told to, once and forks for each call;
the child has limits on address space and time, and a group of its own, so that whatever it starts ends with it. Run as
a program, this module is the server.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NoReturn, Self

ROOT = Path(__file__).resolve().parents[2]
Kind = Literal["vedit", "bare", "code"]
RENDERING = ("torch", "vedit.render.run", "vedit.models.families.sd")
"""What takes seconds to import for a render."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a call ended."""

    code: int
    """Exit status; minus the signal where one ended it."""
    timed_out: bool
    orphans: bool
    """Something that it started was still running."""
    seconds: float
    cpu_seconds: float
    """Of the process and of what it started and waited for; other programs on the machine do not add to it."""
    peak: int
    """Bytes of memory at most, of the process and of what it started and waited for."""
    out: str
    err: str

    @property
    def traceback(self) -> bool:
        return "Traceback (most recent call last)" in self.err or "fault of vedit" in self.err


class Forked:
    """The server, to be used as a context manager.

    Args:
        load: modules that it imports, once for all calls, beside those that read and write media.
        python: the interpreter.
        environment: set on top of the own one; vedit is found by its PYTHONPATH.
        cwd: where it runs.
    """

    def __init__(
        self,
        *,
        load: Sequence[str] = (),
        python: Path | str = sys.executable,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self._load, self._python, self._cwd = load, str(python), cwd
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._environment = {**os.environ, **one_thread, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        self._environment |= environment or {}

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [self._python, str(Path(__file__).resolve()), *self._load],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
            cwd=self._cwd,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None and self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(timeout=300)
        self._server.stdout.close()

    def run(
        self,
        words: Sequence[str],
        *,
        kind: Kind = "vedit",
        seconds: float = 60,
        memory: int | None = None,
        start: bool = True,
    ) -> Ended:
        """Run one command in a process of its own.

        Args:
            words: behind `vedit`; for a bare PyAV decode, the file and the number of frames; else a program's text.
            kind: which of the three.
            seconds: after which it is killed.
            memory: bytes of address space that it may have; None is no limit.
            start: where the command checks a file in a Python of its own, start that; False forks it too, which is
                the same work in the same number of processes, without a start of Python each time.
        """
        assert self._server.stdin is not None and self._server.stdout is not None
        call: dict[str, object] = {
            "kind": kind,
            "words": [str(word) for word in words],
            "seconds": seconds,
            "memory": memory,
        }
        call["start"] = start
        self._server.stdin.write(json.dumps(call) + "\n")
        self._server.stdin.flush()
        return Ended(**json.loads(self._server.stdout.readline()))


def bare_decode(path: str, frames: int) -> int:
    """What a bare PyAV program does with a file: open it, decode frames; 0, or 2 where FFmpeg refuses it."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(f"file:{path}") as container:
            for number, _ in enumerate(container.decode(video=0), 1):
                if number >= frames:
                    break
    except (FFmpegError, OSError, ValueError, IndexError, MemoryError):
        return 2
    return 0


_CALLED = tuple(
    f"vedit.media.{name}"
    for name in (
        "color.convert",
        "reading.facts",
        "reading.isolate",
        "reading.read",
        "contract.identity",
        "contract.verify",
    )
)


class _ForkedPython:
    """Stands in for `subprocess` where a command runs `python -m vedit.media.reading.isolate`."""

    DEVNULL = subprocess.DEVNULL
    TimeoutExpired = subprocess.TimeoutExpired

    @staticmethod
    def run(words: list[str], *, timeout: float, **ignored: Any) -> subprocess.CompletedProcess[bytes]:
        """As `subprocess.run` with captured output; a child that is killed has minus its signal as its code."""
        from vedit.media.reading import isolate

        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    os.dup2(out.fileno(), 1)
                    os.dup2(err.fileno(), 2)
                    entry = isolate._child  # pyright: ignore[reportPrivateUsage]
                    code = entry(words[words.index("vedit.media.reading.isolate") + 1 :])
                    sys.stdout.flush()
                finally:
                    os._exit(code)
            handle = os.pidfd_open(child)
            ended = select.select([handle], [], [], timeout)[0]
            os.close(handle)
            if not ended:
                os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if not ended:
                raise subprocess.TimeoutExpired(words, timeout)
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, os.waitstatus_to_exitcode(status), out.read(), err.read())


def _serve() -> None:
    # What the commands import only when they come to it is here once, and not in every child.
    for name in ("av", "numpy", "vedit.cli", *_CALLED, *sys.argv[1:]):
        import_module(name)
    assert ("torch" in sys.modules) == ("torch" in sys.argv)
    gc.freeze()  # a collection in a child would copy the memory of all of this
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_call(json.loads(line))) + "\n")
        sys.stdout.flush()


def _call(call: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            _child(call, out.fileno(), err.fileno())
        with contextlib.suppress(OSError):
            os.setpgid(child, child)
        handle = os.pidfd_open(child)
        timed_out = not select.select([handle], [], [], call["seconds"])[0]
        os.close(handle)
        orphans = False
        if timed_out:
            _kill_group(child)
        _, status, usage = os.wait4(child, 0)
        if not timed_out:
            orphans = _kill_group(child)
        texts: list[str] = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read(200_000).decode(errors="replace"))
    return {
        "code": os.waitstatus_to_exitcode(status),
        "timed_out": timed_out,
        "orphans": orphans,
        "seconds": time.monotonic() - began,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
        "out": texts[0],
        "err": texts[1],
    }


def _kill_group(child: int) -> bool:
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _child(call: dict[str, Any], out: int, err: int) -> NoReturn:
    code = 99
    try:
        os.setpgid(0, 0)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        if call["memory"] is not None:
            resource.setrlimit(resource.RLIMIT_AS, (call["memory"], call["memory"]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if call["kind"] == "bare":
            code = bare_decode(call["words"][0], int(call["words"][1]))
        elif call["kind"] == "code":
            exec(call["words"][0], {"__name__": "__main__"})
            code = 0
        else:
            from vedit.cli import main

            if not call["start"]:
                from vedit.media.reading import isolate

                isolate.subprocess = _ForkedPython  # pyright: ignore[reportAttributeAccessIssue]
            code = main(call["words"], standalone_mode=False)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
