"""Timeline files: which format one is in, and how it is read and written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.media.writing.target import check_folder, check_name
from vedit.media.writing.unfinished import sweep, unfinished_name
from vedit.nle.media_paths import MediaRules

if TYPE_CHECKING:
    from vedit.nle.formats.xml_tree import XmlDocument
    from vedit.nle.model import TimelineDocument

BUNDLE = ".fcpxmld"
_INFO = "Info.fcpxml"
_XML = (".fcpxml", BUNDLE, ".xml", ".kdenlive", ".mlt")
FORMATS = (*_XML, ".edl", ".otio", ".aaf")


def read_timeline(
    path: Path, *, rate: Fraction | None = None, folders: tuple[Path, ...] = (), anywhere: bool = False
) -> TimelineDocument:
    """Read a timeline file: FCPXML (file or bundle), FCP7 XML, Kdenlive and MLT, EDL, OpenTimelineIO, AAF.

    Args:
        path: the file, or the folder of an `.fcpxmld` or `.fcpxml` bundle.
        rate: frames per second of an EDL, which mostly does not tell it.
        folders: where media may lie besides the timeline's own folder.
        anywhere: media may lie in any folder.

    Raises:
        InputError: the format is not known, or the file is not understood; the message says where.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist")
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"{path.name} is no timeline that is known", remedy=f"known are {', '.join(FORMATS)}")
    if rate is not None and suffix != ".edl":
        raise InputError(f"{path.name} tells its own frame rate", remedy="--rate is for EDL")
    base = path.absolute().parent
    # Final Cut writes a bundle under either ending.
    content = path / _INFO if suffix in (BUNDLE, ".fcpxml") and path.is_dir() else path
    rules = MediaRules(base=base, folders=tuple(folder.absolute() for folder in folders), anywhere=anywhere)
    if suffix == ".aaf":
        from vedit.nle.formats.aaf import AafDocument

        return AafDocument(path, rules)
    try:
        data = content.read_bytes()
    except OSError as error:
        raise InputError(f"{content} cannot be read: {error.strerror}") from None
    if suffix == ".edl":
        from vedit.nle.formats.edl import EdlDocument

        return EdlDocument(data, path.name, rules, rate)
    if suffix == ".otio":
        from vedit.nle.formats.otio import OtioDocument

        return OtioDocument(data, path.name, rules)
    from vedit.nle.formats.xml_tree import parse_xml

    if content is not path:
        # A bundle's own media lies beside its Info.fcpxml.
        rules = MediaRules(base=path.absolute(), folders=(base, *rules.folders), anywhere=anywhere)
    document = parse_xml(data, path.name)
    return _xml_kind(document)(document, rules)


def _xml_kind(document: XmlDocument) -> Callable[[XmlDocument, MediaRules], TimelineDocument]:
    """An XML timeline is known by its root element, whatever the file is called."""
    root = document.root.name
    if root == "fcpxml":
        from vedit.nle.formats.fcpxml import FcpxmlDocument

        return FcpxmlDocument
    if root == "xmeml":
        from vedit.nle.formats.xmeml import XmemlDocument

        return XmemlDocument
    if root == "mlt":
        from vedit.nle.formats.mlt import MltDocument

        return MltDocument
    raise document.fault(document.root, "not a timeline", remedy="it may be fcpxml, xmeml or mlt")


def default_timeline(source: Path) -> Path:
    """NAME.vedit.EXT beside a timeline. Raises InputError for what names no file."""
    if not source.name:
        raise InputError(f"{str(source)!r} names no timeline", remedy=f"known are {', '.join(FORMATS)}")
    return source.with_name(f"{source.stem}.vedit{source.suffix}")


def check_output(source: Path, output: Path, *, overwrite: bool = False) -> None:
    """Refuse a timeline that may not or cannot be written.

    Raises:
        InputError: the output is the source, is there already, is a link, of another format, or its folder is absent.
    """
    if output.suffix.lower() != source.suffix.lower():
        raise InputError(
            f"{output.name} is of another format than {source.name}", remedy=f"give it the ending {source.suffix}"
        )
    check_name(output)
    if output.is_symlink():
        raise InputError(f"{output} is a symbolic link", remedy="name the file itself; links are not written through")
    check_folder(output.absolute().parent, output.name)
    if output.exists() and output.samefile(source):
        raise InputError(f"{output} is the timeline itself", remedy="give the result another name")
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise InputError(f"{output} lies in the timeline itself", remedy="name a bundle beside it")
    if output.exists() and not overwrite:
        raise InputError(f"{output} is there already", remedy="give another name, or --overwrite")
    if output.exists() and output.is_dir() != source.is_dir():
        raise InputError(f"{output} is {'a folder' if output.is_dir() else 'a file'}", remedy="give another name")


def write_timeline(document: TimelineDocument, source: Path, output: Path, *, overwrite: bool = False) -> Path:
    """Write a changed timeline under another name; a half one never has that name.

    Args:
        document: as read from `source`.
        source: the file or bundle that was read.
        output: the file, or the bundle where `source` is one; what else lies in a bundle is copied.
        overwrite: replace what is there; the source itself is never replaced.

    Returns:
        The path that was written.

    Raises:
        InputError: as `check_output`.
        OSError: the disk refuses.
    """
    check_output(source, output, overwrite=overwrite)
    data = document.serialise()
    sweep(output)
    _after_a_kill(output)
    part = output.with_name(unfinished_name(output))
    try:
        if source.is_dir():
            shutil.copytree(source, part, ignore=lambda folder, _: [_INFO] if Path(folder) == source else [])
            _write_whole(part / _INFO, data)
            _put_bundle(part, output)
        else:
            _write_whole(part, data)
            part.replace(output)
    finally:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    return output


def _write_whole(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_bundle(part: Path, output: Path) -> None:
    """Give a finished bundle its name; a folder cannot be renamed over one that is there, so that one goes aside."""
    old = _aside(output)
    if output.exists():
        output.replace(old)
    try:
        part.replace(output)
    except OSError:
        if old.exists():
            old.replace(output)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _aside(output: Path) -> Path:
    return output.with_name(f".{output.name}.old")


def _after_a_kill(output: Path) -> None:
    """Bring back a bundle that a killed run had set aside; where the new one has its name, the old one goes."""
    old = _aside(output)
    if not (old / _INFO).is_file() or old.is_symlink():
        return
    if output.exists():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.replace(output)
