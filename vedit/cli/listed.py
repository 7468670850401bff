"""Options that take a name out of a registry, plug-ins included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from vedit.checks.nearest import suggest
from vedit.registry.entry import Registry


class Listed(click.ParamType):
    """A name in a registry, whose plug-ins are looked for when a name is typed, and not before.

    Args:
        registry: gives it.
    """

    name = "text"

    def __init__(self, registry: Callable[[], Registry]) -> None:
        self._registry = registry

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        known = self._registry()
        if value not in known:
            self.fail(f"no {known.kind} is named {str(value)!r}; {suggest(str(value), [e.name for e in known])}", param)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        known = [entry for entry in self._registry() if entry.name.startswith(incomplete)]
        return [CompletionItem(entry.name, help=entry.summary) for entry in known]
