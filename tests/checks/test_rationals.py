"""Numbers and structured text from outside: read exactly, or refused at once, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.nle.cuts import Cut, edl, fcpxml, kdenlive, otio, xmeml
from vedit.checks.rationals import LARGEST, LONGEST, frame_rate, is_whole, rational, shown, whole
from vedit.checks.structured import DEEPEST, parse_json, parse_toml
from vedit.cli import main
from vedit.edits.plan_file import read_plan
from vedit.errors import InputError
from vedit.nle.read import read_timeline

MANY = "9" * 10**6
HOSTILE = (
    "1e999999999",
    "-1e999999999",
    "1/0",
    "0/0",
    "inf",
    "-Infinity",
    "nan",
    "9" * 10**6,
    "1e",
    "0x10",
    "1_0",
    "٣",
)


def short(text: str) -> str:
    """A test's name for a value that may be long."""
    return f"{text[:12]!r} of {len(text)}"


@pytest.mark.parametrize(
    "text", [*HOSTILE, "", "1/2/3", "1.5/0", "1e400", str(10 * LARGEST), "1" * (LONGEST + 1)], ids=short
)
@pytest.mark.parametrize("read", [rational, whole, frame_rate])
def test_what_is_no_number_is_refused(read: Callable[[object], object], text: str) -> None:
    with pytest.raises(ValueError, match=r"no |larger|divided") as caught:
        read(text)
    assert len(str(caught.value)) < 200
    assert not is_whole(text)


@pytest.mark.parametrize(
    "value", [None, True, [], {}, float("nan"), float("inf"), 1e300, pytest.param(10**5000, id="huge")]
)
def test_what_json_holds_instead_of_a_number_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"no |larger"):
        rational(value)


@given(st.fractions(min_value=-(10**15), max_value=10**15, max_denominator=10**15))
def test_fractions_are_exact(number: Fraction) -> None:
    assert rational(str(number)) == rational(number) == number
    assert rational(f" +{number} ".replace("+-", "-")) == number


@given(st.floats(min_value=-1e15, max_value=1e15))
def test_decimals_are_exact(number: float) -> None:
    text = repr(number)
    assert rational(text) == (Fraction(text) if abs(Fraction(text)) >= Fraction(1, 10**30) else 0)
    assert float(rational(text)) == pytest.approx(number, abs=1e-29)


@given(st.integers(min_value=-LARGEST, max_value=LARGEST))
def test_whole_numbers_are_exact(number: int) -> None:
    assert whole(str(number)) == whole(number) == number
    assert is_whole(str(number)) == (number >= 0)


@pytest.mark.parametrize(("text", "rate"), [("30000/1001", Fraction(30000, 1001)), ("23.976", Fraction(2997, 125))])
def test_rates(text: str, rate: Fraction) -> None:
    assert frame_rate(text) == rate
    for other in ("0", "-25", "1001"):
        with pytest.raises(ValueError, match="not between 0 and 1000"):
            frame_rate(other)


def test_values_in_messages_are_short() -> None:
    assert shown("x" * 10**6) == "'" + "x" * (LONGEST - 1) + "..."
    assert (shown("25"), shown(25), shown(10**5000)) == ("'25'", "25", "the number")


DEEP = 50000
NESTED = {
    "lists": "a = " + "[" * DEEP + "]" * DEEP,
    "tables": "a = " + "{a=" * DEEP,
    "a dotted key": ".".join("a" * DEEP) + " = 1",
    "a dotted key with spaces": " . ".join("a" * DEEP) + " = 1",
    "a quoted key": '."a b"' * DEEP + " = 1",
    "a header": "[" + ".".join("a" * DEEP) + "]",
    "a list of headers": "[[" + ".".join("a" * DEEP) + "]]",
    "brackets behind a string": "b = '''[[\n'''\na = " + "[" * DEEP,
}


@pytest.mark.parametrize("text", NESTED.values(), ids=NESTED)
def test_toml_that_is_nested_too_deep(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.toml is nested too deep; at most"):
        parse_toml(text, "x.toml")


@pytest.mark.parametrize(
    "text", ["[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP, '["\\"[", ' + "[" * DEEP], ids=short
)
def test_json_that_is_nested_too_deep(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.json is nested too deep"):
        parse_json(text, "x.json")


@pytest.mark.parametrize(
    "text", ['a = "' + '\\"' * DEEP, "'" * DEEP, '"' * 10**6, "a" * 10**6, "'''" + "'" * DEEP], ids=short
)
def test_text_that_never_ends_is_read_once(text: str) -> None:
    with pytest.raises(InputError, match=r"x\.toml is no TOML"):
        parse_toml(text, "x.toml")
    with pytest.raises(InputError, match="not JSON"):
        parse_json(text, "x.json")


def test_brackets_in_strings_and_comments_are_no_nesting() -> None:
    brackets = "[" * DEEP
    assert parse_json(f'["{brackets}"]', "x") == [brackets]
    told = f"a = \"{brackets}\" # {brackets}\nb = '{brackets}'\nc = '''\n{brackets}'''\nd = [1.5, 2.5]\n"
    assert parse_toml(told, "x") == {"a": brackets, "b": brackets, "c": brackets, "d": [1.5, 2.5]}
    assert parse_json("[" * DEEPEST + "]" * DEEPEST, "x")


# Quotes within, escaped and at the end of a string, where up to two more of them belong to it.
QUOTED = ['"""x""y\\"""z"""', "'''it''s\\'''", '""""x"""""', "''''x'''''", '""', "''", '""""""', '"\\\\"', "'\\'"]


@pytest.mark.parametrize("string", QUOTED)
def test_a_string_ends_where_toml_ends_it(string: str) -> None:
    kept = parse_toml(f"a = [{string}, 1]", "x")
    assert kept["a"][1] == 1
    with pytest.raises(InputError, match="nested too deep"):
        parse_toml(f"a = [{string}, {'[' * DEEP}", "x")


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = 0x" + "f" * 5000])
def test_numbers_too_long_for_a_reader(text: str) -> None:
    try:
        parse_toml(text, "x.toml")
    except InputError as error:
        assert "x.toml" in error.message
    with pytest.raises(InputError, match="number in it is too long"):
        parse_json("9" * 5000, "x.json")


@pytest.mark.parametrize("number", HOSTILE, ids=short)
@pytest.mark.parametrize("option", ["--rate", "--range", "--anchor", "--control", "--mask-box", "--strength"])
def test_options_refuse_them(tmp_path: Path, option: str, number: str, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "clip.mp4"
    write_clip(clip)
    value = {"--control": f"softedge:{number}", "--mask-box": f"{number},1,5,5", "--range": f"{number}..5"}
    command = ["restyle", str(clip), "--prompt", "night", "--dry-run", f"{option}={value.get(option, number)}"]
    assert main(command, standalone_mode=False) == 2
    assert "vedit: error:" in capsys.readouterr().err


def write_clip(path: Path) -> None:
    from tests.nle.footage import write_footage

    write_footage(path, range(4), Fraction(25), None, sound=False)


@pytest.mark.parametrize("number", [*HOSTILE, "1e400"], ids=short)
@pytest.mark.parametrize("written", ['"{}"', "{}"])
def test_plan_files_refuse_them(tmp_path: Path, number: str, written: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(f'source = "a.mov"\nrate = {written.format(number)}\n[[shot]]\nnumber = 1\nframes = "#0..#4"\n')
    with pytest.raises(InputError, match=r"plan\.toml"):
        _ = read_plan(plan).rate


TIMELINES: dict[str, tuple[Callable[[Cut], str], tuple[str, ...]]] = {
    "cut.xml": (xmeml, ("<timebase>25<", "<start>0<", "<in>5<", "<frame>900000<", "<duration>40<")),
    "cut.fcpxml": (fcpxml, ('start="900005/25s"', 'frameDuration="1/25s"', 'duration="8/25s"')),
    "cut.kdenlive": (kdenlive, ('frame_rate_num="25"', 'in="5"', '"length">40<')),
    "cut.otio": (otio, ('"rate": 25.0', '"value": 900005.0')),
    "cut.edl": (edl, ("001  A",)),
}


@pytest.mark.parametrize("number", HOSTILE, ids=short)
@pytest.mark.parametrize(
    ("name", "place"), [(name, place) for name, (_, places) in TIMELINES.items() for place in places]
)
def test_timelines_refuse_them(tmp_path: Path, name: str, place: str, number: str) -> None:
    text = TIMELINES[name][0](Cut(folder=tmp_path, rate=Fraction(25), drop=False, timecode="10:00:00:00"))
    assert place in text
    digits = next(
        word
        for word in ("900005.0", "900005", "900000", "25.0", "1/25", "8/25", "001", "25", "40", "5", "0")
        if word in place
    )
    path = tmp_path / name
    path.write_text(text.replace(place, place.replace(digits, number, 1)), "utf-8")
    try:
        timeline = read_timeline(path, rate=Fraction(25) if name.endswith("edl") else None).timeline
    except InputError as error:
        assert name in str(error) and len(str(error)) < 500
    else:
        assert len(timeline.clips) >= 2  # what is not needed may be anything


@pytest.mark.parametrize("name", ["cut.xml", "cut.fcpxml", "cut.mlt", "cut.otio"])
def test_timelines_that_are_nested_too_deep(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    path.write_text('{"a":' * DEEP if name.endswith("otio") else "<a>" * DEEP)
    assert main(["timeline", str(path), "--list"], standalone_mode=False) == 2
    assert name in capsys.readouterr().err
    looks = tmp_path / "looks.toml"
    looks.write_text(NESTED["a dotted key"])
    path.with_name("ok.otio").write_text(
        otio(Cut(folder=tmp_path, rate=Fraction(25), drop=False, timecode="10:00:00:00"))
    )
    command = ["timeline", str(path.with_name("ok.otio")), "--edits", str(looks), "--dry-run"]
    assert main(command, standalone_mode=False) == 2
    assert "looks.toml is nested too deep" in capsys.readouterr().err
