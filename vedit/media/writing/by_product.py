"""What is written of a clip beside renders, as maps and mattes are: planned as data, and kept where it is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vedit.media.output import OutputOptions
from vedit.media.reading.sequence import split_counter
from vedit.media.reading.source import checked_path
from vedit.media.writing.encode import choose_encoding
from vedit.media.writing.made import carriers, key_of_making, recipe_of, tags_of
from vedit.media.writing.numbered import numbered
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.sidecar import source_hash
from vedit.types import ColorTags, FrameIndex, FrameRange, VideoMetadata

BY_PRODUCT = OutputOptions(label=False, sidecar=False, drop_unsupported=True)
"""No work of a model that needs a label or a record; sound that the container cannot hold is left out."""


@dataclass(frozen=True, kw_only=True)
class ByProduct:
    """One output, and what it is known again by."""

    path: Path
    """Of the file, or the pattern of numbered ones."""
    kind: str
    """What it is, as its recipe names it: "controls" or "mask"."""
    key: str
    """Of all that decides its content; every file of it carries the key."""
    options: OutputOptions
    """`replaces` are the files that carry the key already."""

    @property
    def recipe(self) -> dict[str, object]:
        """What is written into the files."""
        return recipe_of(self.kind, self.key)

    @property
    def tags(self) -> dict[str, str]:
        """The same as plain tags."""
        return tags_of(self.kind, self.key)


def hash_of_clip(source: Path) -> str:
    """SHA-256 of a clip, which is read as a whole: once, however much is made of it. Raises MediaError where it is not
    there."""
    return source_hash(checked_path(source))[0]


def by_product(
    kind: str, path: Path, *, source_sha256: str, facts: Mapping[str, object], options: OutputOptions
) -> ByProduct:
    """What is about to be written; its files that were made of the same clip and facts may be replaced unasked.

    Args:
        kind: what it is, as its recipe names it.
        path: of the file, or the pattern of numbered ones.
        source_sha256: of the clip, as `hash_of_clip` has it.
        facts: what else decides the content, see `key_of_making`.
        options: of the written file.

    Raises:
        MediaError: the folder cannot be read.
    """
    key = key_of_making(source_sha256, facts)
    replaces = () if options.overwrite else carriers(_there(path), key)
    return ByProduct(path=path, kind=kind, key=key, options=replace(options, replaces=replaces))


def plan_data(
    product: ByProduct,
    metadata: VideoMetadata,
    index: FrameIndex,
    part: FrameRange,
    *,
    pixel_format: str,
    color: ColorTags,
) -> OutputSpec:
    """The file of pictures that are data: the clip's timing and sound, but 8 bits of a format and colour of their own.

    A clip's subsampled colour, range, HDR curve or transparency would only bend them. Numbered pictures get no sound
    beside them.

    Args:
        product: what is written.
        metadata: of the clip.
        index: of the clip.
        part: the frames that are written.
        pixel_format: of the file, where its codec has it.
        color: what the file says of its colours.

    Raises:
        MediaError: see `plan_output`.
    """
    bare = replace(metadata, pixel_format=pixel_format, bit_depth=8, has_alpha=False, color=color)
    options = product.options
    plan = plan_output(product.path, bare, index, frames=part, options=options, recipe=product.recipe, data=True)
    # Planned once more without the mastering display of an HDR source, which says nothing of data.
    plan = replace(plan, encoding=choose_encoding(bare, plan.container, options))
    if plan.container.sequence:
        plan = replace(plan, copied=(), covers=(), audio_rates=(), beside=None, notes=(), lost=())
    return plan


def is_kept(plan: OutputSpec) -> bool:
    """Whether all files of a by-product are there, no other of its pattern is, and each was made alike."""
    if plan.pictures is None:
        present, names = ([plan.path] if plan.path.exists() else []), {plan.path.name}
    else:
        present, names = plan.pictures.present(), set(plan.pictures.names)
    return {file.name for file in present} == names and len(plan.options.replaces) == len(present)


def _there(path: Path) -> list[Path]:
    """The files of an output that are there already."""
    if split_counter(path.name) is None:
        return [path]
    return numbered(path.absolute(), first=0, count=0).present() if path.parent.is_dir() else []
