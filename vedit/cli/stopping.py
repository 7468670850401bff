"""How a command is stopped: Ctrl-C in two steps, and SIGTERM, after which nothing is left behind either."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from vedit.cli.console import say
from vedit.errors import Interrupted

TERMINATED = 128 + 15
"""The exit code of a process that SIGTERM has ended."""


class Terminated(BaseException):
    """SIGTERM has come: like KeyboardInterrupt it passes whatever catches errors, so that everything is cleaned up."""


@contextmanager
def terminable() -> Generator[None]:
    """Raise Terminated on SIGTERM, which schedulers send, for the time of the `with` block."""

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one may not disturb the cleaning
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield  # only there can a signal be received
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stopping() -> Generator[Callable[[], bool]]:
    """What a render asks between units, for the time of the `with` block; it answers True once the user wants to stop.

    SIGTERM counts as a Ctrl-C, but for the exit code.
    """
    by: list[int] = []

    def first(number: int, frame: FrameType | None) -> None:
        if by:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        by.append(number)
        say("finishing the current unit, then stopping; press Ctrl-C again to stop at once")

    before = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(by)
    except Interrupted as error:
        if by == [signal.SIGTERM]:
            error.exit_code = TERMINATED
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
