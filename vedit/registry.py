"""What can be asked for by name: built-in parts and those that other distributions plug in by entry points.

Listing names imports nothing but this module; a part is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

from vedit.errors import InputError

if TYPE_CHECKING:
    from vedit.protocols import Preprocessor


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a part asks of its surroundings."""

    multiple_of: int = 1
    """Both sides of its frames are multiples of it."""
    minimum: int = 1
    """Pixels; both sides are at least this."""
    whole_shot: bool = False
    """It must see a shot's frames in one call: its result for a frame depends on the others."""
    weights: str | None = None
    """Hub id of the weights it loads, None where it has none."""
    weight_bytes: int = 0
    licence: str = ""
    """Of the weights."""
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


class Registry:
    """Entries of one kind by name; what is listed keeps the order of addition.

    Args:
        kind: what an entry is called in errors, for instance "preprocessor".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

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
            raise InputError(f"no {self.kind} is named {name!r}", remedy=suggest(name, list(self._entries)))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)


def suggest(name: str, known: list[str]) -> str:
    """The remedy for an unknown name: the nearest known one, or all of them."""
    near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    listed = ", ".join(known) or "none"
    return f"did you mean {near[0]!r}? known: {listed}" if near else f"known: {listed}"


_PREPROCESSORS = (
    Entry(
        name="softedge",
        summary="soft outlines: structure without texture",
        target="vedit.preprocessors.softedge:soft_edges",
    ),
    Entry(
        name="tile",
        summary="the picture itself, blurred: keeps place and colour, frees the detail",
        target="vedit.preprocessors.tile:tile",
    ),
    Entry(name="canny", summary="thin hard edges", target="vedit.preprocessors.canny:canny"),
    Entry(name="luma", summary="brightness alone", target="vedit.preprocessors.luma:luma"),
    Entry(
        name="flow",
        summary="optical flow to the next frame: hue is direction, saturation is speed",
        target="vedit.preprocessors.flow:flow",
        needs=Needs(minimum=16, whole_shot=True),
    ),
    Entry(
        name="depth",
        summary="distance by Depth Anything V2 Small: near is white",
        target="vedit.preprocessors.depth:depth",
        needs=Needs(
            whole_shot=True,
            weights="depth-anything/Depth-Anything-V2-Small-hf",
            weight_bytes=99_173_660,
            licence="Apache-2.0",
        ),
    ),
)


@cache
def preprocessors() -> Registry:
    """All preprocessors: vedit's own and those of the entry point group `vedit.preprocessors`."""
    registry = Registry("preprocessor")
    for entry in _PREPROCESSORS:
        registry.add(entry)
    registry.add_plugins("vedit.preprocessors")
    return registry


@cache
def pipelines() -> Registry:
    """All pipelines: vedit's own and those of the entry point group `vedit.pipelines`."""
    registry = Registry("pipeline")
    registry.add(
        Entry(
            name="restyle",
            summary="invert the clip, then regenerate it under a new prompt",
            target="vedit.pipelines.restyle:restyle",
        )
    )
    registry.add_plugins("vedit.pipelines")
    return registry


def load_preprocessor(name: str) -> Preprocessor:
    """Import a preprocessor by name. Raises InputError where it is unknown or cannot be loaded."""
    found = preprocessors()[name].load()
    if not callable(found):
        raise InputError(f"the preprocessor {name!r} is not callable but {type(found).__name__}")
    return cast("Callable[..., Any]", found)
