"""What differs between two XML documents, found with ElementTree and not with the code that is tested."""

from __future__ import annotations

import difflib
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference: an attribute or text of an element that is in both, or an element in one of them."""

    kind: Literal["attribute", "text", "added", "removed"]
    path: str
    """Element names below the root, each with its place among all children: resources[0]/asset[3]."""
    name: str = ""
    """The attribute, or the name of the element that was added or removed."""
    old: str = ""
    new: str = ""


def canonical(data: bytes) -> str:
    """Canonical XML 2.0, comments kept."""
    return ET.canonicalize(data.decode(), with_comments=True)


def changes(before: bytes, after: bytes) -> list[Change]:
    """All differences but white space between elements."""
    found: list[Change] = []
    _compare(_parse(before), _parse(after), "", found)
    return found


def _parse(data: bytes) -> ET.Element:
    return ET.fromstring(data, ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True)))


def _name(element: ET.Element) -> str:
    # A comment's tag is the function that makes it.
    return "#comment" if callable(element.tag) else element.tag


def _flat(element: ET.Element) -> str:
    for below in element.iter():
        below.tail = None
        if below.text is not None and not below.text.strip():
            below.text = None
    return ET.tostring(element, "unicode")


def _compare(old: ET.Element, new: ET.Element, here: str, found: list[Change]) -> None:
    for name in sorted({*old.attrib, *new.attrib}):
        if old.get(name) != new.get(name):
            was, now = old.get(name, ""), new.get(name, "")
            found.append(Change(kind="attribute", path=here, name=name, old=was, new=now))
    was, now = (old.text or "").strip(), (new.text or "").strip()
    if was != now:
        found.append(Change(kind="text", path=here, old=was, new=now))
    left, right = list(old), list(new)
    pairs = difflib.SequenceMatcher(None, [_flat(e) for e in left], [_flat(e) for e in right], autojunk=False)
    for kind, a, b, c, d in pairs.get_opcodes():
        if kind != "equal":
            _block(left[a:b], right[c:d], a, here, found)


def _block(left: list[ET.Element], right: list[ET.Element], first: int, here: str, found: list[Change]) -> None:
    """Elements of one name and place are the same one, changed; what is left over was added or removed."""
    names = difflib.SequenceMatcher(None, [_name(e) for e in left], [_name(e) for e in right], autojunk=False)
    for kind, a, b, c, d in names.get_opcodes():
        if kind == "equal":
            for place, (old, new) in enumerate(zip(left[a:b], right[c:d], strict=True), start=first + a):
                _compare(old, new, f"{here}/{_name(old)}[{place}]".lstrip("/"), found)
            continue
        found.extend(Change(kind="removed", path=here, name=_name(e), old=_flat(e)) for e in left[a:b])
        found.extend(Change(kind="added", path=here, name=_name(e), new=_flat(e)) for e in right[c:d])


def resolved_files(data: bytes) -> dict[str, str]:
    """Clip items of FCP7 XML by id, each with its file's description in it in place of the bare id."""
    root = _parse(data)
    described = {file.get("id"): file for file in root.iter("file") if len(file)}
    items: dict[str, str] = {}
    for item in list(root.iter("clipitem")):
        for place, child in enumerate(list(item)):
            if child.tag == "file":
                item[place] = described[child.get("id")]
            elif child.tag == "sequence":
                item.remove(child)
        items[str(item.get("id"))] = _flat(item)
    return items


def without_items(data: bytes) -> str:
    """FCP7 XML without its clip items."""
    root = _parse(data)
    for track in list(root.iter("track")):
        for item in list(track.iter("clipitem")):
            for child in list(item):
                if child.tag != "sequence":
                    item.remove(child)
    return _flat(root)


def leaf(change: Change) -> str:
    """The child of a clip item that a change lies in."""
    return change.path.split("[")[0] or change.name
