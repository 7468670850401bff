"""The files of a gallery: a contact sheet and a page, which get their names together or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vedit.control_maps.export_paths import is_folder, title_of
from vedit.display.contact_sheet import sheet_bytes
from vedit.display.shell_words import path_word, shell_line
from vedit.errors import InputError
from vedit.gallery.page import Shown, gallery_page
from vedit.media.writing.atomic import check_free, put_in_place
from vedit.media.writing.containers import default_output
from vedit.media.writing.target import check_folder, check_name, check_target
from vedit.media.writing.unfinished import hold, let_go, not_written, sweep, unfinished_name
from vedit.models.loading import loading_of
from vedit.models.looks import Chosen
from vedit.models.recipes import by_recipe
from vedit.options.request import PARTS, RenderRequest, RestyleOptions
from vedit.pipelines.seeds import draws

if TYPE_CHECKING:
    from vedit.gallery.page import Image
    from vedit.gallery.pictures import Gallery
    from vedit.models.ref import ModelRef
    from vedit.types import IntFrames

COLUMNS = 6
"""Cells in a row of the contact sheet."""


@dataclass(frozen=True, kw_only=True)
class GalleryFiles:
    """Where a gallery goes."""

    sheet: Path
    page: Path

    @property
    def all(self) -> tuple[Path, Path]:
        return self.sheet, self.page


def gallery_files(source: Path, folder: Path | str | None = None) -> GalleryFiles:
    """NAME.looks.png and NAME.looks.html, beside the source or in a folder, which need not be there yet.

    Raises:
        InputError: what is named is no folder.
    """
    if folder is not None and not is_folder(folder):
        raise InputError(f"{folder} is the name of a file", remedy="name a folder; sheet and page go into it")
    place = default_output(source).parent if folder is None else Path(folder)
    return GalleryFiles(
        sheet=place / f"{title_of(source)}.looks.png",
        page=place / f"{title_of(source)}.looks.html",
    )


def check_files(files: GalleryFiles, source: Path, *, overwrite: bool) -> None:
    """Raises InputError where a file may not or cannot be written; nothing of the source is read for it."""
    folder = files.sheet.absolute().parent
    if not folder.exists() and not folder.is_symlink():
        for path in files.all:
            check_name(path)
        check_folder(folder.parent, folder.name)
        return
    for path in files.all:
        check_target(path, source, overwrite=overwrite)


def shown_pictures(
    gallery: Gallery, request: RenderRequest, model: ModelRef, looks: Sequence[tuple[str, Chosen, RestyleOptions]]
) -> tuple[Shown, ...]:
    """The pictures of a gallery with their names and commands.

    Args:
        gallery: made for just these looks.
        request: that it was made for.
        model: that the request asks for.
        looks: what a picture is called, which look it shows, and how it was made.
    """
    return tuple(
        Shown(
            name=name,
            kind=look.kind,
            prompt=options.prompt,
            command=shell_line(_words(request, options, by_recipe(options, model))),
            quality=_said_quality(options),
            picture=eight_bits(picture, gallery.bit_depth),
            remark=look.reason or "far from what its name promises" if look.weak else "",
        )
        for (name, look, options), picture in zip(looks, gallery.pictures, strict=True)
    )


def write_gallery(gallery: Gallery, pictures: Sequence[Shown], files: GalleryFiles, *, overwrite: bool) -> None:
    """Write sheet and page.

    Raises:
        VeditError: the disk refuses, or a file has appeared meanwhile; nothing is left behind.
    """
    source = eight_bits(gallery.source, gallery.bit_depth)
    what = _what(gallery, pictures)
    data = (_sheet(source, pictures, files.sheet), gallery_page(gallery.plan.source.name, what, source, pictures))
    folder = files.sheet.absolute().parent
    made = not folder.exists()
    parts = [(folder / unfinished_name(path), folder / path.name) for path in files.all]
    held: list[int | None] = []
    try:
        if made:
            folder.mkdir()
        for (part, path), content in zip(parts, data, strict=True):
            sweep(path)
            with part.open("xb") as file:
                held.append(hold(part))
                file.write(content)
        for _, path in parts:
            check_free(path, overwrite=overwrite)
        put_in_place(parts)
    except OSError as error:
        raise not_written(files.page, error) from error
    finally:
        for handle in held:
            let_go(handle)
        with contextlib.suppress(OSError):
            for part, _ in parts:
                part.unlink(missing_ok=True)
            if made and folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def eight_bits(picture: IntFrames, bit_depth: int) -> Image:
    """A picture as a page can show it."""
    return (picture >> (bit_depth - 8)).astype(np.uint8)


def _sheet(source: Image, pictures: Sequence[Shown], path: Path) -> bytes:
    cells = [
        ("source", source),
        *((f"{shown.name} (weak)" if shown.remark else shown.name, shown.picture) for shown in pictures),
    ]
    rows = [cells[at : at + COLUMNS] for at in range(0, len(cells), COLUMNS)]
    return sheet_bytes(
        [[picture.transpose(2, 0, 1) for _, picture in row] for row in rows],
        [[name for name, _ in row] for row in rows],
        path,
    )


def _what(gallery: Gallery, pictures: Sequence[Shown]) -> str:
    plan = gallery.plan
    count = f"{len(pictures)} look{'' if len(pictures) == 1 else 's'}"
    made = f"the model {plan.model} at {plan.quality} quality"
    return f"Frame {plan.frame}, at {float(plan.seconds):.3f} s, under {count} of {made}."


def _words(request: RenderRequest, options: RestyleOptions, settled: RestyleOptions) -> list[str]:
    """The command that renders the whole clip under the look, as it is asked for and as its recipe settles it: what was
    said of clip and model, and the quality last."""
    words = ["vedit", "restyle", path_word(str(request.source)), "--prompt", options.prompt]
    if options.variation is not None:
        words += ["--variation", f"{options.variation:g}"]
    if draws(settled):
        words += ["--seed", str(options.seed)]
    if options.controls != RestyleOptions().controls:
        words += [text for spec in options.controls or ["none"] for text in ("--control", str(spec))]
    usual = RestyleOptions()
    named = {part: getattr(options, part) for part in PARTS if getattr(options, part) != getattr(usual, part)}
    words += [word for part, name in named.items() for word in (f"--{part}", name)]
    if request.model != "embedded":
        words += ["--model", request.model]
    for kind, model in request.controlnets:
        words += ["--controlnet", f"{kind}={model}"]
    for spec in options.references:
        words += ["--reference", str(spec)]
    beside = {"ip-adapter": request.ip_adapter, "image-encoder": request.image_encoder}
    beside |= {"motion-adapter": request.motion_adapter, "unet": request.unet}
    for name, place in beside.items():
        words += [] if place is None else [f"--{name}", place]
    for name, value in loading_of(request, request.device).said().items():
        words += [f"--{name.replace('_', '-')}", value]
    if request.rate is not None:
        words += ["--rate", str(request.rate)]
    if request.track is not None:
        words += ["--track", str(request.track)]
    if request.allow_huge:
        words += ["--allow-huge"]
    return [*words, *_said_quality(options).split()]


def _said_quality(options: RestyleOptions) -> str:
    return "" if options.quality == RestyleOptions().quality else f" --quality {options.quality}"
