"""Work on many frames at once, on the threads that are there: OpenCV and NumPy let others run while they compute.

What comes of a frame must not depend on whose turn it was before: pixels are the same for any number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2

Given = TypeVar("Given")
Found = TypeVar("Found")


MOST = 4
"""Frames that are worked on together at most: each takes memory of its own."""


def threads() -> int:
    """How many frames are worked on together: one for each thread that OpenCV takes.

    A render on another count of PyTorch's threads, which decides how its sums are rounded, takes no other here.
    """
    return max(1, min(MOST, cv2.getNumThreads()))


def each_on_a_thread(work: Callable[[Given], Found], items: Iterable[Given], *, alone: bool = False) -> Iterator[Found]:
    """What `work` makes of each item, in order; `threads` items are under way, or one where it has to be `alone`.

    The items are asked for one after the other, by the caller's thread. What is raised for one of them is raised in its
    turn, and no further one is begun.
    """
    count = 1 if alone else threads()
    if count == 1:
        yield from map(work, items)
        return
    begun: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(count, thread_name_prefix="frames") as pool:
        try:
            for item in items:
                begun.append(pool.submit(work, item))
                if len(begun) > count:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for one in begun:
                one.cancel()
