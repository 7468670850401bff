"""Preprocessors by name: vedit's own, and those of the entry point group `vedit.preprocessors`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

from vedit.errors import InputError
from vedit.registry.entry import Entry, Needs, Registry

if TYPE_CHECKING:
    import torch

    from vedit.protocols import Preprocessor

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
