"""What can be asked for by name: built-in parts and those that other distributions plug in by entry points.

Listing names imports nothing but this module; a part is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Any, cast

from vedit.checks.nearest import suggest
from vedit.errors import InputError
from vedit.registry.weights import WeightsInfo

if TYPE_CHECKING:
    import torch

    from vedit.protocols import Preprocessor


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
            raise InputError(f"no {self.kind} is named {name!r}", remedy=suggest(name, self._entries))
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)


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
            short_side=518,
            weights=("depth-anything-v2-small",),
            memory_per_megapixel=700_000_000,
        ),
    ),
    Entry(
        name="lineart",
        summary="line drawing, thin and graded",
        target="vedit.preprocessors.lineart:lineart",
        needs=Needs(short_side=512),
    ),
    Entry(
        name="scribble",
        summary="a few thick strokes: outlines of what is large",
        target="vedit.preprocessors.scribble:scribble",
        needs=Needs(short_side=512),
    ),
    Entry(
        name="shuffle",
        summary="colours and textures in another order: the look without the layout",
        target="vedit.preprocessors.shuffle:shuffle",
    ),
    Entry(
        name="depth-dpt",
        summary="distance by DPT-Large of MiDaS 3.0",
        target="vedit.preprocessors.depth:depth_dpt",
        needs=Needs(whole_shot=True, short_side=384, weights=("dpt-large",), memory_per_megapixel=2_000_000_000),
        branch="depth",
    ),
    Entry(
        name="depth-zoe",
        summary="distance by ZoeDepth, for rooms and streets",
        target="vedit.preprocessors.depth:depth_zoe",
        needs=Needs(
            whole_shot=True, short_side=384, weights=("zoedepth-nyu-kitti",), memory_per_megapixel=3_000_000_000
        ),
        branch="depth",
    ),
    Entry(
        name="pose",
        summary="people as OpenPose figures, by RT-DETR and ViTPose",
        target="vedit.preprocessors.pose:pose",
        needs=Needs(
            whole_shot=True,
            short_side=640,
            weights=("rtdetr-r18", "vitpose-base"),
            memory_per_megapixel=120_000_000,
        ),
    ),
    Entry(
        name="segment",
        summary="what every pixel is, in ADE20K's 150 colours, by UperNet",
        target="vedit.preprocessors.segment:segment",
        needs=Needs(
            whole_shot=True, short_side=512, weights=("upernet-convnext-tiny",), memory_per_megapixel=1_300_000_000
        ),
    ),
    Entry(
        name="segment-mask2former",
        summary="what every pixel is, by Mask2Former: finer; licence unclear for commercial use",
        target="vedit.preprocessors.segment:segment_mask2former",
        needs=Needs(
            whole_shot=True, short_side=384, weights=("mask2former-swin-small-ade",), memory_per_megapixel=600_000_000
        ),
        branch="segment",
    ),
    Entry(
        name="segment-segformer",
        summary="what every pixel is, by SegFormer B0: fast; not for commercial use",
        target="vedit.preprocessors.segment:segment_segformer",
        needs=Needs(whole_shot=True, short_side=512, weights=("segformer-b0-ade",), memory_per_megapixel=600_000_000),
        branch="segment",
    ),
    Entry(
        name="foreground",
        summary="people, animals and vehicles white, the rest black: a soft matte",
        target="vedit.preprocessors.foreground:foreground",
        needs=Needs(
            whole_shot=True, short_side=512, weights=("upernet-convnext-tiny",), memory_per_megapixel=1_300_000_000
        ),
    ),
    Entry(
        name="softedge-hed",
        summary="soft outlines by HED",
        target="vedit.preprocessors.aux_edges:hed",
        needs=Needs(short_side=512, weights=("hed",), memory_per_megapixel=1_500_000_000, extra="controlnet-aux"),
        branch="softedge",
    ),
    Entry(
        name="softedge-pidi",
        summary="soft outlines by PiDiNet",
        target="vedit.preprocessors.aux_edges:pidi",
        needs=Needs(short_side=512, weights=("pidinet",), memory_per_megapixel=1_500_000_000, extra="controlnet-aux"),
        branch="softedge",
    ),
    Entry(
        name="softedge-teed",
        summary="soft outlines by TEED",
        target="vedit.preprocessors.aux_edges:teed",
        needs=Needs(short_side=512, weights=("teed",), memory_per_megapixel=500_000_000, extra="controlnet-aux"),
        branch="softedge",
    ),
    Entry(
        name="lineart-aux",
        summary="line drawing by Informative Drawings",
        target="vedit.preprocessors.aux_lines:lineart",
        needs=Needs(short_side=512, weights=("lineart",), memory_per_megapixel=1_500_000_000, extra="controlnet-aux"),
        branch="lineart",
    ),
    Entry(
        name="lineart-anime",
        summary="line drawing in the way of anime, by Anime2Sketch",
        target="vedit.preprocessors.aux_lines:lineart_anime",
        needs=Needs(
            short_side=512, weights=("lineart-anime",), memory_per_megapixel=1_000_000_000, extra="controlnet-aux"
        ),
        branch="lineart-anime",
    ),
    Entry(
        name="mlsd",
        summary="straight lines by M-LSD",
        target="vedit.preprocessors.aux_lines:mlsd",
        needs=Needs(short_side=512, weights=("mlsd",), memory_per_megapixel=500_000_000, extra="controlnet-aux"),
    ),
    Entry(
        name="normal",
        summary="which way surfaces face, by NormalBae",
        target="vedit.preprocessors.aux_normal:normal",
        needs=Needs(short_side=512, weights=("normalbae",), memory_per_megapixel=3_000_000_000, extra="controlnet-aux"),
    ),
    Entry(
        name="pose-openpose",
        summary="people as OpenPose figures, by OpenPose itself",
        target="vedit.preprocessors.aux_openpose:openpose",
        needs=Needs(
            short_side=512, weights=("openpose-body",), memory_per_megapixel=1_500_000_000, extra="controlnet-aux"
        ),
        branch="pose",
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


_SAID: Mapping[str, type] = {"needs": Needs, "branch": str, "summary": str, "weights": tuple}


def described(name: str) -> Entry:
    """The entry of a preprocessor, of a plug-in completed by what its function says of itself.

    An entry point holds a name and a place and no more. What else an entry says, the function of a plug-in may have as
    attributes: `needs`, `branch`, `summary` and `weights`, each as `Entry` has it.

    Raises:
        InputError: it is unknown, cannot be loaded, or says something of another kind.
    """
    entry = preprocessors()[name]
    if entry.origin == "vedit":
        return entry
    part = entry.load()
    said: dict[str, Any] = {key: getattr(part, key) for key in _SAID if hasattr(part, key)}
    for key, value in said.items():
        if not isinstance(value, _SAID[key]):
            raise InputError(
                f"{name!r} of {entry.origin} says {key} = {value!r}, which is no {_SAID[key].__name__}",
                remedy=f"mend or uninstall {entry.origin}",
            )
    return replace(entry, **said)


def listed() -> tuple[Entry, ...]:
    """Every preprocessor, plug-ins as `described`; one that cannot be loaded is listed as its entry point has it."""
    return tuple(map(_described_if_it_can, preprocessors()))


def _described_if_it_can(entry: Entry) -> Entry:
    try:
        return described(entry.name)
    except InputError:
        return entry


def needs_of(name: str) -> Needs:
    """What a preprocessor asks of its surroundings. Raises InputError as `described`."""
    return described(name).needs


def load_preprocessor(name: str) -> Preprocessor:
    """Import a preprocessor by name, as a stream. Raises InputError where it is unknown or cannot be loaded."""
    entry = described(name)
    found = entry.load()
    if not callable(found):
        raise InputError(f"the preprocessor {name!r} is not callable but {type(found).__name__}")
    if entry.needs.whole_shot:
        return cast("Preprocessor", found)
    of_frames = cast("Callable[[torch.Tensor], torch.Tensor]", found)
    return lambda chunks: (of_frames(chunk) for chunk in chunks)
