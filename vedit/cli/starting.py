"""How long the program took until it could begin with what was asked: for the most part the libraries' import."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_BEGAN: ContextVar[float | None] = ContextVar("began", default=None)
_LARGEST_IMPORT = "torch"


@contextmanager
def starting() -> Generator[None]:
    """A command, from its words on."""
    # Where a library was there before, its import is in nobody's time.
    token = _BEGAN.set(None if _LARGEST_IMPORT in sys.modules else time.monotonic())
    try:
        yield
    finally:
        _BEGAN.reset(token)


def started() -> float | None:
    """Seconds since the command began, once everything is imported; None where that was not now."""
    began = _BEGAN.get()
    return None if began is None or _LARGEST_IMPORT not in sys.modules else time.monotonic() - began
