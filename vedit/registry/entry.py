"""What can be asked for by name: built-in parts and those that other distributions plug in by entry points.

Listing names imports nothing but this module; a part is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import Any, TypeVar

from vedit.checks.nearest import suggest
from vedit.checks.rationals import shown
from vedit.errors import InputError
from vedit.registry.weights import WeightsInfo

Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a part asks of its surroundings."""

    multiple_of: int = 1
    """Both sides of its frames are multiples of it."""
    minimum: int = 1
    """Pixels; both sides are at least this."""
    whole_shot: bool = False
    """Its result for a frame depends on the others of the shot: it is written as a stream (`vedit.protocols`), the
    others as a function of frames."""
    short_side: int | None = None
    """Pixels at which it looks best at a frame; None: whatever the model works at."""
    weights: tuple[str, ...] = ()
    """Names of the weights it loads, as `vedit.weights.store` lists them, those of plug-ins included."""
    memory_per_megapixel: int = 50_000_000
    """Bytes of a frame in work, for each million pixels of it."""
    extra: str | None = None
    """The extra of vedit that brings its packages."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A part by name, not yet imported."""

    name: str
    summary: str
    target: str
    """`module:function`."""
    needs: Needs = Needs()
    origin: str = "vedit"
    """The distribution that brings it."""
    branch: str = ""
    """Of a preprocessor: the control branch of a model that its maps are for; empty: the one of its own name."""
    weights: tuple[WeightsInfo, ...] = ()
    """Weights that it brings beside those of vedit's own catalogue, so that `needs` can name them."""

    @property
    def version(self) -> str | None:
        """Of the distribution that brings it; None where it is not installed as one."""
        try:
            return version(self.origin)
        except PackageNotFoundError:
            return None

    def load(self) -> Any:
        """Import the target.

        Raises:
            InputError: the target cannot be imported, with the distribution that brings it.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found: Any = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as error:
            remedy = f"pip install 'vedit[{self.needs.extra}]'" if self.needs.extra else f"reinstall {self.origin}"
            raise InputError(f"{self.name!r} of {self.origin} cannot be loaded: {error}", remedy=remedy) from error
        return found

    def load_as(self, protocol: type[Part], kind: str) -> Part:
        """Import the target and hold it to what it has to be.

        Args:
            protocol: one that can be checked at run time, of an object: a class is what makes one, and none itself.
            kind: what the protocol is called in errors.

        Raises:
            InputError: it cannot be imported, or lacks a part of the protocol.
        """
        found = self.load()
        if isinstance(found, type) or not isinstance(found, protocol):
            what = f"the class {found.__name__}" if isinstance(found, type) else type(found).__name__
            raise InputError(
                f"{self.name!r} of {self.origin} is no {kind} but {what}",
                remedy=f"mend or uninstall {self.origin}",
            )
        return found

    @property
    def facts(self) -> dict[str, object] | None:
        """What tells a plug-in's part from others of its name; None of vedit's own, of which the name says all."""
        return None if self.origin == "vedit" else {"name": self.name, "of": self.origin, "version": self.version}


class Registry:
    """Entries of one kind by name; what is listed keeps the order of addition.

    Args:
        kind: what an entry is called in errors, for instance "preprocessor".
        protocol: what a target is held to, `module:class`; empty where that cannot be checked of the target alone.
    """

    def __init__(self, kind: str, *, protocol: str = "") -> None:
        self.kind, self.protocol = kind, protocol
        self._entries: dict[str, Entry] = {}

    @classmethod
    def of(cls, kind: str, own: Iterable[Entry], *, group: str, protocol: str = "") -> Registry:
        """Vedit's own of a kind, and those of an entry point group."""
        registry = cls(kind, protocol=protocol)
        for entry in own:
            registry.add(entry)
        registry.add_plugins(group)
        return registry

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(self._entries)

    def add(self, entry: Entry) -> None:
        """Add one. Raises InputError where the name is taken, whoever took it."""
        taken = self._entries.get(entry.name)
        if taken is not None:
            raise InputError(
                f"two {self.kind}s are named {entry.name!r}: one of {taken.origin} and one of {entry.origin}",
                remedy=f"uninstall or rename the one of {entry.origin}",
            )
        self._entries[entry.name] = entry

    def add_plugins(self, group: str) -> None:
        """Add what installed distributions offer under an entry point group, without importing it."""
        for point in entry_points(group=group):
            origin = point.dist.name if point.dist else "an unknown distribution"
            self.add(Entry(name=point.name, summary=f"from {origin}", target=point.value, origin=origin))

    def __getitem__(self, name: str) -> Entry:
        """The entry of that name. Raises InputError, naming the nearest known one."""
        if name not in self._entries:
            raise InputError(f"no {self.kind} is named {shown(name)}", remedy=suggest(name, self._entries))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)
