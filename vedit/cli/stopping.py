"""Ctrl-C in two steps: the first lets the unit in hand finish, the second stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

from vedit.cli.console import say


@contextmanager
def stopping() -> Generator[Callable[[], bool]]:
    """What a render asks between units, for the time of the `with` block; it answers True once the user wants to stop.

    SIGTERM, which schedulers send, counts as the first Ctrl-C.
    """
    asked = False

    def first(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        say("stopping after the unit in hand; press Ctrl-C again to stop at once")

    before = {number: signal.signal(number, first) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
