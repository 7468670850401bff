"""Parts that an installed distribution would bring, found as it would bring them: by their entry points."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from vedit.registry import entry as module

ORIGIN = "vedit-other"


@dataclass(frozen=True)
class Point:
    """As `importlib.metadata.EntryPoint`."""

    name: str
    value: str
    dist: Any


@contextmanager
def plugged_in(listing: Callable[[], Any], group: str, targets: dict[str, str]) -> Generator[None]:
    """Names of a group -> `module:part`, listed for as long as the context lasts.

    Args:
        listing: the cached function that lists the group.
        group: of the entry points.
        targets: by name.
    """
    own_group, distribution = group, type("Dist", (), {"name": ORIGIN})()
    points = [Point(name, target, distribution) for name, target in targets.items()]

    before: Callable[..., Any] = module.entry_points

    def offered(*, group: str) -> Any:
        return points if group == own_group else before(group=group)

    cached: Any = listing
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "entry_points", offered)
        cached.cache_clear()
        yield
    cached.cache_clear()
