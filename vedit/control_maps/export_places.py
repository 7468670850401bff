"""Where control maps may be written: every file is looked at before the clip is decoded, and folders are made."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path

from vedit.control_maps.export_paths import MapOutput
from vedit.display.contact_sheet import check_sheet, is_sheet
from vedit.errors import InputError
from vedit.media.writing.atomic import stamp
from vedit.media.writing.by_product import ByProduct
from vedit.media.writing.numbered import numbered
from vedit.media.writing.output_plan import check_output
from vedit.media.writing.target import check_folder, check_name, check_target


def check_places(
    products: Mapping[MapOutput, ByProduct], sheet: Path | None, source: Path, *, overwrite: bool, makes_folders: bool
) -> None:
    """See that every file can be written.

    Args:
        products: what is written, one for each kind.
        sheet: the contact sheet; None is none. One that was drawn here may be replaced.
        source: the clip.
        overwrite: files that are there may be replaced.
        makes_folders: folders that are absent will be made.

    Raises:
        InputError: a file cannot be written.
    """
    if sheet is not None:
        check_sheet(sheet)
    for out, product in products.items():
        options = product.options
        if _in_new_folder(out.path, makes_folders=makes_folders):
            continue
        if out.data:
            files = numbered(out.path.absolute(), first=0, count=0)
            check_target(out.path, source, files, overwrite=overwrite, replaces=options.replaces)
        else:
            check_output(out.path, source, options)
    if sheet is not None and not _in_new_folder(sheet, makes_folders=makes_folders):
        drawn = filter(None, (stamp(sheet),)) if is_sheet(sheet) else ()
        check_target(sheet, source, overwrite=overwrite, replaces=tuple(drawn))


def _in_new_folder(path: Path, *, makes_folders: bool) -> bool:
    """Whether the folder of a file will be made, which was tried then. Raises InputError where it cannot be."""
    check_name(path)
    absent = [folder for folder in path.absolute().parents if not folder.exists()] if makes_folders else []
    if absent:
        check_folder(absent[-1].parent, absent[-1].name)
    return bool(absent)


@contextlib.contextmanager
def made_folders(folders: Iterable[Path]) -> Generator[None]:
    """Make folders that are absent; after an error those that were made are removed again."""
    made: list[Path] = []
    try:
        for folder in dict.fromkeys(folders):
            absent = [parent for parent in (folder, *folder.parents) if not parent.exists()]
            for parent in reversed(absent):
                parent.mkdir(exist_ok=True)
                made.append(parent)
    except OSError as error:
        _remove(made)
        raise InputError(f"{error.filename} cannot be made: {error.strerror}", remedy="name another folder") from error
    try:
        yield
    except BaseException:
        _remove(made)
        raise


def _remove(folders: Sequence[Path]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):  # it holds something, then it is not ours alone
            folder.rmdir()
