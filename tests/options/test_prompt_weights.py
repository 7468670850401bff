"""The weights of words in a prompt: the grammar of the web interfaces, and what of it is refused."""

from __future__ import annotations

import pytest

from vedit.errors import InputError
from vedit.options.prompt_weights import says_weights, weighted

PLAIN = [
    "woodcut",
    "a house, at night",
    "ratio 16:9",
    "12:30, noon",
    "smile :)",
    "a)b",
    "x:1.2) y",
    "a | b",
    "BREAKFAST",
    "c:\\photos",
    "",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_text_without_weights_stays_as_it_is(text: str) -> None:
    ((piece,),) = weighted(text)
    assert (piece.text, piece.weight) == (text, 1.0)
    assert not says_weights(text)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("(red)", [("red", 1.1)]),
        ("[red]", [("red", 1 / 1.1)]),
        ("(red:1.4)", [("red", 1.4)]),
        ("(red : 1.4 ) x", [("red ", 1.4), (" x", 1.0)]),
        ("(red:-.5)", [("red", -0.5)]),
        ("(red:1)", [("red", 1.0)]),
        ("((red))", [("red", 1.1 * 1.1)]),
        ("a (b [c] d:2) e", [("a ", 1.0), ("b ", 2.0), ("c", 2 / 1.1), (" d", 2.0), (" e", 1.0)]),
        (r"a \(b\) \[c\] \\", [("a (b) [c] \\", 1.0)]),
        (r"(a \(b\):1.5)", [("a (b)", 1.5)]),
        ("(a b", [("a b", 1.1)]),
        ("(ratio 16:9:1.2)", [("ratio 16:9", 1.2)]),
        ("(a, b:1.2), (c:0.8)", [("a, b", 1.2), (", ", 1.0), ("c", 0.8)]),
    ],
)
def test_brackets_weigh(text: str, pieces: list[tuple[str, float]]) -> None:
    (part,) = weighted(text)
    assert [piece.text for piece in part] == [words for words, _ in pieces]
    assert [piece.weight for piece in part] == pytest.approx([weight for _, weight in pieces])


def test_a_break_parts_whatever_bracket_it_stands_in() -> None:
    told = [[(piece.text, piece.weight) for piece in part] for part in weighted("a BREAK (b BREAK c:2) d")]
    assert told == [[("a", 1.0)], [("b", 2.0)], [("c", 2.0), (" d", 1.0)]]
    assert weighted("BREAK a BREAK BREAK") == weighted("a")


def test_numbers_are_told_from_brackets() -> None:
    assert says_weights("a (red:1.2) house")
    assert not says_weights("a (red) house")
    assert not says_weights(r"a \(red:1.2\) house")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(red:1.2.3)", "'1.2.3' is no weight"),
        ("(red:99)", "'99' is no weight"),
        ("[red:blue:0.5]", "come or go while a picture is sampled"),
        ("[red:8]", "come or go while a picture is sampled"),
        ("[red|blue]", "come or go while a picture is sampled"),
        ("a <lora:ink:0.8> b", "'<lora:ink:0.8>', which is no word"),
    ],
)
def test_what_would_not_be_done_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as told:
        weighted(text)
    assert said in told.value.message
    assert told.value.remedy
    assert "\n" not in str(told.value)
