"""What a command's stages take: seconds and memory of each, while someone asks for it.

Stages are marked where their work is done, `@spent_on("steady")` or `with spending("sample")`, and nest: what an inner
one takes is not the outer one's. Unless a `profiled()` block is open around them, a mark costs a microsecond.

    with profiled() as profile:
        vedit.restyle(...)
    print(profile)

Importing this does not import torch.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")
REST = "rest"
"""The time that no stage claims."""
_POLL_SECONDS = 0.02
_STATM = Path("/proc/self/statm")
_HEADS = ("stage", "seconds", "share", "memory", "device memory")


@dataclass(frozen=True, kw_only=True)
class StageSpent:
    """What one stage took in all."""

    stage: str
    seconds: float
    """Of wall time, without stages within it."""
    share: float
    """Of all seconds, in [0, 1]."""
    memory_bytes: int | None
    """The most that the process held in host memory during it; None where the system does not tell."""
    device_bytes: int | None
    """The most that tensors took of a CUDA device during it; None without one."""


class Profile:
    """Seconds and memory by stage, in the order in which the stages began.

    Args:
        clock: seconds.
        resident: bytes that the process holds now.
        device: the most bytes that tensors took of a device since it was asked last.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.perf_counter,
        resident: Callable[[], int | None] | None = None,
        device: Callable[[], int | None] | None = None,
    ) -> None:
        self._clock, self._resident, self._device = clock, resident or resident_bytes, device or _device_peak
        self._lock = threading.Lock()
        self._within: list[str] = [REST]
        self._seconds: dict[str, float] = {}
        self._memory: dict[str, int] = {}
        self._on_device: dict[str, int] = {}
        self._last = clock()
        self._device()

    def enter(self, stage: str) -> None:
        """What follows is the stage's."""
        self._book()
        self._within.append(stage)
        self._seconds.setdefault(stage, 0.0)

    def leave(self) -> None:
        """What follows is that of the stage around."""
        self._book()
        self._within.pop()

    def look(self) -> None:
        """See how much memory there is in use, for the stage that runs."""
        held = self._resident()
        if held is not None:
            with self._lock:
                stage = self._within[-1]
                self._memory[stage] = max(held, self._memory.get(stage, 0))

    @property
    def stages(self) -> tuple[StageSpent, ...]:
        """What each took until now; what no stage claims is the last."""
        self._book()
        whole = sum(self._seconds.values())
        names = [*(name for name in self._seconds if name != REST), *([REST] if REST in self._seconds else [])]
        return tuple(
            StageSpent(
                stage=name,
                seconds=self._seconds[name],
                share=self._seconds[name] / whole if whole > 0 else 0.0,
                memory_bytes=self._memory.get(name),
                device_bytes=self._on_device.get(name),
            )
            for name in names
        )

    def __str__(self) -> str:
        """A table of the stages, and all of them together."""
        found = self.stages
        whole = StageSpent(
            stage="all",
            seconds=sum(one.seconds for one in found),
            share=1.0 if found else 0.0,
            memory_bytes=max((one.memory_bytes for one in found if one.memory_bytes is not None), default=None),
            device_bytes=max((one.device_bytes for one in found if one.device_bytes is not None), default=None),
        )
        rows = [_HEADS, *(_row(one) for one in (*found, whole))]
        columns = range(len(_HEADS) if whole.device_bytes is not None else len(_HEADS) - 1)
        widths = [max(len(row[column]) for row in rows) for column in columns]
        return "\n".join(
            "  ".join(row[c].ljust(widths[c]) if c == 0 else row[c].rjust(widths[c]) for c in columns) for row in rows
        )

    def _book(self) -> None:
        peak, now = self._device(), self._clock()
        with self._lock:
            stage = self._within[-1]
            self._seconds[stage] = self._seconds.get(stage, 0.0) + now - self._last
            self._last = now
            if peak is not None:
                self._on_device[stage] = max(peak, self._on_device.get(stage, 0))
        self.look()


_open: ContextVar[Profile | None] = ContextVar("profile", default=None)


@contextmanager
def profiled(profile: Profile | None = None) -> Generator[Profile]:
    """Note what the stages of this thread take for as long as the block lasts."""
    found = Profile() if profile is None else profile
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL_SECONDS):
            found.look()

    watching = threading.Thread(target=watch, name="memory of stages", daemon=True)
    token = _open.set(found)
    watching.start()
    try:
        yield found
    finally:
        _open.reset(token)
        ended.set()
        watching.join()


@contextmanager
def spending(stage: str) -> Generator[None]:
    """What happens in the block is the stage's."""
    profile = _open.get()
    if profile is None:
        yield
        return
    profile.enter(stage)
    try:
        yield
    finally:
        profile.leave()


def spent_on(stage: str) -> Callable[[Callable[Given, Found]], Callable[Given, Found]]:
    """What a function does is the stage's."""

    def marked(function: Callable[Given, Found]) -> Callable[Given, Found]:
        @wraps(function)
        def run(*args: Given.args, **settings: Given.kwargs) -> Found:
            with spending(stage):
                return function(*args, **settings)

        return run

    return marked


def each_spent_on(stage: str, items: Iterable[Found]) -> Iterator[Found]:
    """The items; what it takes to come by them is the stage's."""
    left = iter(items)
    while True:
        with spending(stage):
            try:
                item = next(left)
            except StopIteration:
                return
        yield item


def resident_bytes() -> int | None:
    """What the process holds in host memory: now where Linux tells, the most until now on other Unixes."""
    try:
        pages = int(_STATM.read_text("ascii").split()[1])
        import resource

        return pages * resource.getpagesize()
    except (OSError, ValueError, IndexError, ImportError):
        return _most_resident()


def _most_resident() -> int | None:
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _device_peak() -> int | None:
    """The most bytes of tensors on the current CUDA device since the last call; its queue is empty by then."""
    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    torch.cuda.synchronize()
    peak = int(torch.cuda.max_memory_allocated())
    torch.cuda.reset_peak_memory_stats()
    return peak


def _row(one: StageSpent) -> tuple[str, ...]:
    held = (f"{size / 2**20:.0f} MB" if size is not None else "-" for size in (one.memory_bytes, one.device_bytes))
    return (one.stage, f"{one.seconds:.2f}", f"{100 * one.share:.1f} %", *held)
