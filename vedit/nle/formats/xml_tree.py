"""XML that can be changed in one place and stays as it was in all others.

The tree keeps, beside what each start tag, text and end tag means, how it was written. What was not changed is written
as it was; what was changed or added is written from the tree. Comments, processing instructions, the document type,
the order of attributes and the way of quoting all stay.

Nothing outside the file is ever read, and entities of a document's own are refused (CWE-611, CWE-776).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal
from xml.parsers import expat

from vedit.errors import InputError

MAX_BYTES = 256 << 20
MAX_DEPTH = 200

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARED = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


@dataclass(eq=False)
class Text:
    """Character data: what it means, and how it was written (None: not yet)."""

    data: str
    written: str | None = None


@dataclass(eq=False)
class Markup:
    """What is neither element nor text: a comment, processing instruction, document type, the space around the root."""

    written: str


@dataclass(eq=False)
class Element:
    """An element; change it through its methods, which keep the written form in step."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    children: list[Element | Text | Markup] = field(default_factory=list["Element | Text | Markup"])
    line: int = 0
    """Where it begins in the file, from 1; 0 where it was added."""
    start_tag: str | None = None
    end_tag: str | None = None
    parent: Element | None = None

    def get(self, name: str, default: str = "") -> str:
        """An attribute's value."""
        return self.attributes.get(name, default)

    def elements(self, *names: str) -> Iterator[Element]:
        """The child elements, all or those of these names."""
        return (child for child in self.children if isinstance(child, Element) and (not names or child.name in names))

    def find(self, *path: str) -> Element | None:
        """The first child of that name, then of that the next, and so on."""
        found: Element | None = self
        for name in path:
            found = next(found.elements(name), None) if found is not None else None
        return found

    def walk(self) -> Iterator[Element]:
        """This element and all below it, in the order of the document."""
        waiting: list[Element] = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting.extend(reversed(list(element.elements())))

    @property
    def text(self) -> str:
        """The character data directly in it."""
        return "".join(child.data for child in self.children if isinstance(child, Text))

    def text_of(self, *path: str, default: str = "") -> str:
        """The stripped text of a descendant, or the default where there is none."""
        found = self.find(*path)
        return found.text.strip() if found is not None else default

    def set(self, name: str, value: str) -> None:
        """Give an attribute a value; a new one goes behind the others."""
        known = name in self.attributes
        self.attributes[name] = value
        if self.start_tag is None:
            return
        if known:
            pattern = re.compile(rf"(\s{re.escape(name)}\s*=\s*)(\"[^\"]*\"|'[^']*')")
            self.start_tag = pattern.sub(lambda match: f'{match[1]}"{_attribute(value)}"', self.start_tag, count=1)
            return
        close = 2 if self.start_tag.endswith("/>") else 1
        self.start_tag = f'{self.start_tag[:-close]} {name}="{_attribute(value)}"{self.start_tag[-close:]}'

    def unset(self, name: str) -> None:
        """Take an attribute away, if it is there."""
        if self.attributes.pop(name, None) is not None and self.start_tag is not None:
            self.start_tag = re.sub(rf"\s{re.escape(name)}\s*=\s*(\"[^\"]*\"|'[^']*')", "", self.start_tag, count=1)

    def set_text(self, text: str) -> None:
        """Make `text` all that is in it."""
        self._open()
        self.children = [Text(text)]

    def insert(self, index: int, child: Element | Text | Markup) -> None:
        """Put a child before the `index`-th child node."""
        self._open()
        if isinstance(child, Element):
            child.parent = self
        self.children.insert(index, child)

    def insert_after(self, sibling: Element, child: Element) -> None:
        """Put a child element behind another, on a line of its own where that one has one."""
        index = self.children.index(sibling)
        self.insert(index + 1, child)
        indent = self._indent_before(index)
        if indent is not None:
            self.insert(index + 1, Text(indent.data, indent.written))

    def insert_before(self, sibling: Element, child: Element) -> None:
        """Put a child element in front of another, on a line of its own where that one has one."""
        index = self.children.index(sibling)
        indent = self._indent_before(index)
        self.insert(index, child)
        if indent is not None:
            self.insert(index + 1, Text(indent.data, indent.written))

    def append(self, child: Element) -> None:
        """Put a child element behind the last one, on a line of its own where that one has one."""
        last = next(reversed(list(self.elements())), None)
        if last is None:
            self.insert(len(self.children), child)
        else:
            self.insert_after(last, child)

    def remove(self, child: Element) -> None:
        """Take a child element away, with the space before it."""
        index = self.children.index(child)
        child.parent = None
        first = index - 1 if self._indent_before(index) is not None else index
        del self.children[first : index + 1]

    def replace(self, old: Element, new: Element) -> None:
        """Put an element in another's place."""
        self.children[self.children.index(old)] = new
        old.parent, new.parent = None, self

    def copy(self) -> Element:
        """The same element again, to be put elsewhere."""
        twin = Element(self.name, dict(self.attributes), [], self.line, self.start_tag, self.end_tag)
        for child in self.children:
            if isinstance(child, Element):
                below = child.copy()
                below.parent = twin
                twin.children.append(below)
            elif isinstance(child, Text):
                twin.children.append(Text(child.data, child.written))
            else:
                twin.children.append(Markup(child.written))
        return twin

    def _indent_before(self, index: int) -> Text | None:
        before = self.children[index - 1] if index else None
        return before if isinstance(before, Text) and not before.data.strip() else None

    def _open(self) -> None:
        """`<a/>` becomes `<a></a>`, so that something can stand in it."""
        if self.start_tag is not None and self.start_tag.endswith("/>"):
            self.start_tag = self.start_tag[:-2].rstrip() + ">"
            self.end_tag = f"</{self.name}>"


@dataclass(eq=False)
class XmlDocument:
    """A document: the root element and what stands around it."""

    root: Element
    before: list[Markup]
    after: list[Markup]
    encoding: str
    bom: bytes
    name: str
    """The file, as errors call it."""

    def fault(self, element: Element, message: str, *, remedy: str = "") -> InputError:
        """An error that says where in the file it is."""
        return InputError(f"{self.name}, line {element.line}, <{element.name}>: {message}", remedy=remedy)

    def serialise(self, *, as_written: bool = True) -> bytes:
        """The document as bytes in its own encoding.

        Args:
            as_written: keep the written form of what was not changed; False writes all of it from the tree.
        """
        parts = [markup.written for markup in self.before]
        _write(self.root, parts, as_written)
        parts.extend(markup.written for markup in self.after)
        return self.bom + "".join(parts).encode(self.encoding, "xmlcharrefreplace")


_Kind = Literal["start", "end", "text", "markup"]


@dataclass
class _Event:
    offset: int
    kind: _Kind
    line: int
    name: str = ""
    data: str = ""
    attributes: dict[str, str] = field(default_factory=dict[str, str])


def parse_xml(data: bytes, name: str) -> XmlDocument:
    """Bytes -> document.

    Args:
        data: the file's content, in UTF-8, UTF-16 or the encoding that it declares.
        name: the file, as errors call it.

    Raises:
        InputError: it is not well-formed XML, is too large or too deep, or declares entities.
    """
    if len(data) > MAX_BYTES:
        raise InputError(f"{name} is larger than {MAX_BYTES >> 20} MiB", remedy="export the timeline without media")
    text, encoding, bom = _decode(data, name)
    source = text.encode("utf-8", "surrogatepass")
    events = _events(source, name)
    document = _build(events, source, XmlDocument(Element(""), [], [], encoding, bom, name))
    if document.serialise() != data:
        raise InputError(f"{name} cannot be kept as it is written", remedy="save it as UTF-8 and try again")
    return document


def _decode(data: bytes, name: str) -> tuple[str, str, bytes]:
    declared = _DECLARED.match(data[:300])
    bom, encoding = b"", declared[1].decode("ascii").lower() if declared else "utf-8"
    for mark, marked in _BOMS:
        if data.startswith(mark):
            bom, encoding = mark, marked
    try:
        return data[len(bom) :].decode(encoding), encoding, bom
    except (UnicodeError, LookupError) as error:
        raise InputError(f"{name} is not text in {encoding}: {error}", remedy="save it as UTF-8") from None


def _events(source: bytes, name: str) -> list[_Event]:
    """What the parser meets, each with the byte at which it begins."""
    # The declared encoding no longer holds: the text was decoded already.
    parser = expat.ParserCreate("utf-8")
    parser.specified_attributes = True
    events: list[_Event] = []
    depth, in_doctype = 0, False

    def note(kind: _Kind, tag: str = "", data: str = "", attributes: dict[str, str] | None = None) -> None:
        if not in_doctype:
            line, offset = parser.CurrentLineNumber, parser.CurrentByteIndex
            events.append(_Event(offset, kind, line, tag, data, attributes or {}))

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise InputError(f"{name}, line {parser.CurrentLineNumber}: more than {MAX_DEPTH} elements in each other")
        note("start", tag, attributes=dict(attributes))

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        note("end", tag)

    def markup(*_: object) -> None:
        note("markup")

    def doctype(*_: object) -> None:
        nonlocal in_doctype
        note("markup")
        in_doctype = True

    def doctype_end() -> None:
        nonlocal in_doctype
        in_doctype = False

    def entity(*_: object) -> None:
        raise InputError(
            f"{name}, line {parser.CurrentLineNumber}: it uses entities of its own, which is not safe to read",
            remedy="export the timeline again",
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = lambda data: note("text", data=data)
    parser.StartCdataSectionHandler = lambda: note("text")
    parser.EndCdataSectionHandler = lambda: note("text")
    parser.CommentHandler = parser.ProcessingInstructionHandler = parser.XmlDeclHandler = markup
    parser.StartDoctypeDeclHandler, parser.EndDoctypeDeclHandler = doctype, doctype_end
    parser.EntityDeclHandler = parser.SkippedEntityHandler = entity
    try:
        parser.Parse(source, True)
    except expat.ExpatError as error:
        raise InputError(
            f"{name}, line {error.lineno}: not well-formed XML ({expat.errors.messages[error.code]})"
        ) from None
    return events


def _build(events: list[_Event], source: bytes, document: XmlDocument) -> XmlDocument:
    """The tree, each part with the bytes up to the next event as its written form."""
    if events[0].offset:
        document.before.append(Markup(source[: events[0].offset].decode()))
    stack: list[Element] = []
    closed = False
    for event, after in pairwise([*events, _Event(len(source), "markup", 0)]):
        written = source[event.offset : after.offset].decode()
        inside = stack[-1] if stack else None
        if event.kind == "start":
            element = Element(event.name, event.attributes, [], event.line, written, "", inside)
            if inside is None:
                document.root = element
            else:
                inside.children.append(element)
            stack.append(element)
        elif event.kind == "end":
            element = stack.pop()
            closed = not stack
            # Behind the root's end tag comes the space up to the next comment, or to the end of the file.
            cut = written.find(">") + 1
            element.end_tag = written[:cut]
            if written[cut:]:
                document.after.append(Markup(written[cut:]))
        elif inside is None:
            (document.after if closed else document.before).append(Markup(written))
        elif event.kind == "markup":
            inside.children.append(Markup(written))
        else:
            last = inside.children[-1] if inside.children else None
            if isinstance(last, Text) and last.written is not None:
                last.data, last.written = last.data + event.data, last.written + written
            else:
                inside.children.append(Text(event.data, written))
    return document


def _write(element: Element, parts: list[str], as_written: bool) -> None:
    if as_written and element.start_tag is not None:
        opening, closing = element.start_tag, element.end_tag or ""
    else:
        told = "".join(f' {name}="{_attribute(value)}"' for name, value in element.attributes.items())
        opening, closing = f"<{element.name}{told}>", f"</{element.name}>"
        if not element.children:
            opening, closing = f"<{element.name}{told}/>", ""
    parts.append(opening)
    for child in element.children:
        if isinstance(child, Element):
            _write(child, parts, as_written)
        elif isinstance(child, Markup):
            parts.append(child.written)
        else:
            parts.append(child.written if as_written and child.written is not None else _characters(child.data))
    parts.append(closing)


def _characters(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def _attribute(value: str) -> str:
    text = _characters(value).replace('"', "&quot;")
    return text.replace("\t", "&#9;").replace("\n", "&#10;")
