"""The XML tree: what is not changed is written as it was, and nothing outside the file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nle.structure import canonical
from vedit.errors import InputError
from vedit.nle.formats.xml_tree import MAX_DEPTH, Element, parse_xml

WRITTEN = (
    b'<?xml version="1.0"?>\r\n<!-- before -->\r\n<!DOCTYPE a>\n<?pi of ours?>\n'
    b"<a x='1'   y = \"&lt;2&#10;&quot;\">\n  <b/>\n  <b></b ><![CDATA[<c>]]>"
    b" &amp; &#x41;<!-- in -->\n</a >\n<!-- after -->\n"
)


@pytest.mark.parametrize(
    "data",
    [
        WRITTEN,
        b"<a/>",
        b"\xef\xbb\xbf<a>\xc3\xa9</a>",
        '<?xml version="1.0" encoding="iso-8859-1"?><a b="é">é</a>'.encode("latin-1"),
        b"\xff\xfe" + '<?xml version="1.0" encoding="UTF-16"?><a>é€</a>'.encode("utf-16-le"),
        b"<!DOCTYPE a [<!ATTLIST a b CDATA 'unsaid'> <!-- > -->]><a/>",
    ],
)
def test_untouched_is_written_as_it_was(data: bytes) -> None:
    assert parse_xml(data, "x").serialise() == data


def test_the_tree_holds_all_that_the_text_says() -> None:
    rebuilt = parse_xml(WRITTEN, "x").serialise(as_written=False)
    assert rebuilt != WRITTEN
    assert canonical(rebuilt) == canonical(WRITTEN)


def test_a_default_from_the_document_type_is_not_written_down() -> None:
    document = parse_xml(b"<!DOCTYPE a [<!ATTLIST a b CDATA 'unsaid'>]><a/>", "x")
    assert document.root.attributes == {}


def test_changes_keep_everything_around_them() -> None:
    document = parse_xml(b"<a x='1'  y = \"2\" >\n\t<b>old</b>\n\t<c  k='v'/>\n</a>", "x")
    root = document.root
    root.set("x", 'say "<1>"')
    root.set("z", "new")
    b, c = root.elements()
    b.set_text("a & b")
    c.insert(0, Element("d", {"n": "1"}))
    root.insert_after(b, Element("e"))
    expected = (
        '<a x="say &quot;&lt;1&gt;&quot;"  y = "2"  z="new">\n\t<b>a &amp; b</b>\n\t<e/>\n'
        "\t<c  k='v'><d n=\"1\"/></c>\n</a>"
    )
    assert document.serialise().decode() == expected


def test_removing_takes_the_line_with_it() -> None:
    document = parse_xml(b"<a>\n  <b/>\n  <c/>\n</a>", "x")
    document.root.remove(next(document.root.elements("c")))
    document.root.unset("nothing")
    assert document.serialise() == b"<a>\n  <b/>\n</a>"


def test_a_copy_is_its_own() -> None:
    document = parse_xml(b"<a>\n  <b i='1'>t<!-- c --></b>\n</a>", "x")
    old = next(document.root.elements("b"))
    new = old.copy()
    new.set("i", "2")
    document.root.insert_after(old, new)
    assert document.serialise() == b"<a>\n  <b i='1'>t<!-- c --></b>\n  <b i=\"2\">t<!-- c --></b>\n</a>"


def test_characters_that_the_encoding_lacks_are_written_as_references() -> None:
    document = parse_xml(b'<?xml version="1.0" encoding="ascii"?><a b="1"/>', "x")
    document.root.set("b", "é")
    assert document.serialise() == b'<?xml version="1.0" encoding="ascii"?><a b="&#233;"/>'


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<a>\n<b></a>", "line 2: not well-formed XML (mismatched tag)"),
        (b"", "not well-formed"),
        (b"<a/><b/>", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "not text in no-such"),
        (b"<a>\xff</a>", "not text in utf-8"),
        (b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} elements"),
    ],
)
def test_faults_say_where(data: bytes, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_xml(data, "cut.xml")
    assert said in str(caught.value) and "cut.xml" in str(caught.value)


def test_entities_are_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    for data in (
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]><a>&x;</a>',
        f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a>&l9;</a>',
        f'<!DOCTYPE a [<!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;]><a/>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a>&unknown;</a>',
    ):
        with pytest.raises(InputError, match="entities of its own"):
            parse_xml(data.encode(), "cut.xml")


def test_a_document_type_is_named_but_never_fetched() -> None:
    data = b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>'
    assert parse_xml(data, "x").serialise() == data
