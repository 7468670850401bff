"""What `--reference` accepts, and the same in plans and in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedit.edits.confined_paths import NamedFiles
from vedit.edits.edit import Edit, plain_options
from vedit.errors import InputError, SettingError
from vedit.options.look_parser import look_options
from vedit.options.look_schema import LOOK, check_table
from vedit.options.references import ReferenceSpec, parse_reference
from vedit.options.request import RestyleOptions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("still.png", ReferenceSpec(path=Path("still.png"))),
        ("still.png:0.7", ReferenceSpec(path=Path("still.png"), weight=0.7)),
        ("still.png:.5", ReferenceSpec(path=Path("still.png"), weight=0.5)),
        (" a folder/still.png:1 ", ReferenceSpec(path=Path("a folder/still.png"))),
        ("C:\\stills\\one.png", ReferenceSpec(path=Path("C:\\stills\\one.png"))),
    ],
)
def test_parse(text: str, expected: ReferenceSpec) -> None:
    assert parse_reference(text) == expected
    assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize("text", ["", ":0.5", "  "])
def test_a_reference_names_a_picture(text: str) -> None:
    with pytest.raises(InputError, match="names no picture"):
        parse_reference(text)


@pytest.mark.parametrize("weight", ["1.5", "-0.1"])
def test_a_weight_is_a_share(weight: str) -> None:
    with pytest.raises(InputError, match="give a number from 0 to 1"):
        parse_reference(f"still.png:{weight}")
    with pytest.raises(SettingError, match="give a number from 0 to 1"):
        ReferenceSpec(path=Path("still.png"), weight=float(weight))


def test_a_file_that_is_there_wins_over_a_weight(tmp_path: Path) -> None:
    (tmp_path / "still:2").write_bytes(b"")
    assert parse_reference(f"{tmp_path}/still:2") == ReferenceSpec(path=tmp_path / "still:2")


def test_a_plan_has_texts_and_tables_and_python_has_all_forms() -> None:
    look = {"prompt": "oil", "references": ["a.png:0.5", {"file": "b.png", "weight": 1}, {"file": "c.png"}]}
    told = look_options(
        check_table(look, LOOK, "a look"), files=NamedFiles(path=Path("/plans/plan.toml")), where="a look"
    )
    expected = tuple(
        ReferenceSpec(path=Path("/plans") / name, weight=weight)
        for name, weight in (("a.png", 0.5), ("b.png", 1.0), ("c.png", 1.0))
    )
    assert told.references == expected
    edit = Edit("oil", references=["/plans/a.png:0.5", Path("/plans/b.png"), ReferenceSpec(path=Path("/plans/c.png"))])
    assert plain_options(edit) == told
    assert hash(plain_options(edit)) == hash(told)
    assert told.files == tuple(spec.path for spec in expected)
    assert told.brought == ("references",)
    assert RestyleOptions(prompt="oil").brought == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [({"weight": 0.5}, "needs a file"), ({"file": "a.png", "weight": 2}, "references"), ({"fiel": "a.png"}, "'file'")],
)
def test_a_table_that_says_it_wrongly(entry: dict[str, object], message: str) -> None:
    with pytest.raises(InputError) as told:
        look = check_table({"prompt": "oil", "references": [entry]}, LOOK, "a look")
        look_options(look, files=NamedFiles(path=Path("plan.toml")), where="a look")
    assert message in f"{told.value.message} {told.value.remedy}"
