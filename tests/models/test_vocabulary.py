"""Words: what the embedded model hears of a prompt, what it does not know, and what was perhaps meant."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from vedit.embedded import FOLDER
from vedit.errors import ModelError
from vedit.models.resolve import resolve
from vedit.models.source import LOOKS
from vedit.models.spellings import meanings
from vedit.models.words import FILLERS, Look, Vocabulary, heard, read_vocabulary, unknown_words

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "train_embedded"))

KNOWN = read_vocabulary(FOLDER / LOOKS)
WORDINGS = [way for look in KNOWN.looks for way in look.spoken]


def test_what_it_was_trained_on_is_heard_as_it_is() -> None:
    import numpy as np
    from trainer.prompts import draw_outfit, word

    assert resolve("embedded").vocabulary == KNOWN
    assert resolve("embedded").words == KNOWN.words
    rng = np.random.default_rng(0)
    prompts = [*WORDINGS, *(word(draw_outfit(rng), rng) for _ in range(300))]
    known = [text for text in prompts if not KNOWN.unknown(text)]
    assert len(known) > len(WORDINGS) + 200
    for text in known:
        assert heard(text, KNOWN.words) == text
    for text in WORDINGS:
        assert KNOWN.named(text)
        assert KNOWN.knows(text)


@pytest.mark.parametrize(
    "text",
    [
        "woodcut zyzzyva",
        "zyzzyva woodcut",
        "woodcut, zyzzyva",
        "zyzzyva, woodcut",
        "woodcut of a zyzzyva",
        "woodcut of the zyzzyva in zyzzyva's zyzzyva",
        "a zyzzyva, woodcut",
        "woodcut by Zyzzyva",
        "woodcut (zyzzyva:1.3), 4k",
        "woodcut zyz-zyva",
        "woodcut 東京",
        "Łódź woodcut",
        "woodcut!",
        "woodcut 🎨",
    ],
)
def test_an_unknown_word_leaves_what_was_there_without_it(text: str) -> None:
    assert heard(text, KNOWN.words) == "woodcut"


@pytest.mark.parametrize(
    ("text", "left", "unknown"),
    [
        ("woodcut of a zebra at night", "woodcut at night", ("zebra",)),
        ("Zebra, 1970s film; NIGHT", "1970s film, night", ("zebra",)),
        ("sumi-e, sci-fi", "sumi-e", ("sci-fi",)),
        ("an oil-zebra night", "an oil night", ("zebra",)),
        ("pencil_sketch", "pencil sketch", ()),
        ("van Gogh's painting", "van gogh painting", ()),
        ("in teal and zebra", "in teal", ("zebra",)),
        ("8-bit game, 80s", "8-bit game", ("80s",)),
        ("a zebra", "", ("zebra",)),
        ("!?", "", ()),
        ("", "", ()),
    ],
)
def test_what_is_heard_and_what_is_not(text: str, left: str, unknown: tuple[str, ...]) -> None:
    assert heard(text, KNOWN.words) == left
    assert heard(left, KNOWN.words) == left
    assert KNOWN.unknown(text) == unknown
    assert heard(text, None) == text
    assert unknown_words(text, None) == ()


@pytest.mark.parametrize("text", ["zyzzyva", "the", "in the style of Rembrandt", "x", "東京", "!", "paintng", "🎨", ""])
def test_a_prompt_that_says_nothing(text: str) -> None:
    assert not KNOWN.knows(text)
    assert not KNOWN.says_a_look(text)


def test_a_subject_is_known_and_names_no_look() -> None:
    assert KNOWN.knows("a beautiful dog")
    assert not KNOWN.says_a_look("a beautiful dog")
    assert KNOWN.says_a_look("painting of a dog")
    assert not KNOWN.says_a_look("a woman with a horse")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("woodcut of a street at night", ["woodcut", "night"]),
        ("pencil sketch in pastel colors", ["pencil sketch", "pastel colors"]),
        ("black and white relief print", ["woodcut"]),
        ("black and white", ["black and white"]),
        ("Oil-Painting", ["oil painting"]),
        ("a subtle engraving in the snow", ["subtle", "engraving", "winter"]),
        ("painting", []),
    ],
)
def test_the_looks_that_a_prompt_names(text: str, names: list[str]) -> None:
    assert [look.name for look in KNOWN.named(text)] == names


def test_every_other_spelling_leads_to_words_that_the_model_knows() -> None:
    assert len(meanings()) > 200
    for spelling, english in meanings().items():
        assert not KNOWN.unknown(english), english
        assert KNOWN.knows(english)
        # A spelling that the model knows as it stands needs no suggestion, and gets none.
        if KNOWN.unknown(spelling):
            assert KNOWN.meant(spelling) == english, spelling
            assert KNOWN.meant(spelling.upper()) == english


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("paintng", "painting"),
        ("Ölgemälde", "oil painting"),
        ("oelgemaelde", "oil painting"),
        ("Bande Dessinée", "comic book"),
        ("peinture à l’huile", "oil painting"),  # noqa: RUF001 - as word processors write it
        ("puesta de sol", "sunset"),
        ("schwarz-weiß", "black and white"),
        ("greyscale", "grayscale"),
        ("water colour", "watercolor"),
        ("oilpainting", "oil painting"),
        ("pensil sketsh", "pencil sketch"),
        ("nuit d'hiver", "night winter"),
        ("un tableau impressionniste", "impressionist painting"),
        ("aquarelll", "watercolor"),
        ("zyzzyva", None),
        ("robot", None),
        ("de la", None),
        ("x", None),
    ],
)
def test_what_was_perhaps_meant(text: str, meant: str | None) -> None:
    assert KNOWN.meant(text) == meant
    assert meant is None or KNOWN.knows(meant)


def test_a_look_with_a_letter_left_out_finds_itself() -> None:
    words = sorted({part for look in KNOWN.looks for part in look.name.split() if len(part) >= 6 and part.isalpha()})
    assert len(words) > 30
    for word in words:
        for at in range(1, len(word)):
            typed = word[:at] + word[at + 1 :]
            if typed not in KNOWN.words and typed not in meanings():
                assert word in (KNOWN.near(typed) or "").split(), typed


def test_the_looks_nearest_to_a_word() -> None:
    assert [look.name for look in KNOWN.nearest_looks("painting")] == ["oil painting", "watercolor", "gouache"]
    assert [look.name for look in KNOWN.nearest_looks("watercolor")] == ["watercolor"]
    assert KNOWN.nearest_looks("dog") == ()


def test_examples_are_of_each_kind_and_none_is_weak() -> None:
    looks = (
        Look(name="blur", kind="medium", weak=True),
        Look(name="lines", kind="medium"),
        Look(name="dots", kind="medium"),
        Look(name="dusk", kind="light"),
        Look(name="very", kind="strength"),
    )
    assert [look.name for look in Vocabulary(words=frozenset(), looks=looks).examples()] == ["lines", "dusk"]


def test_a_list_of_words_alone_is_a_vocabulary(tmp_path: Path) -> None:
    (tmp_path / LOOKS).write_text(json.dumps({"words": ["Ink", "paper"]}), "utf-8")
    found = read_vocabulary(tmp_path / LOOKS)
    assert (found.words, found.looks) == ({"ink", "paper"}, ())
    assert found.meant("inkk") == "ink"
    assert found.meant("Tusche") is None  # of a look that this model does not have
    assert found.nearest_looks("ink") == found.examples() == ()


@pytest.mark.parametrize(
    "looks",
    [
        3,
        ["ink"],
        [{"kind": "medium"}],
        [{"name": 3}],
        [{"name": "ink", "wordings": "ink"}],
        [{"name": "ink", "wordings": [1]}],
        [{"name": "ink", "weak": 1}],
        [{"name": "ink", "weak": True, "reason": None}],
    ],
)
def test_damaged_looks_are_told(looks: object, tmp_path: Path) -> None:
    (tmp_path / LOOKS).write_text(json.dumps({"words": [], "looks": looks}), "utf-8")
    with pytest.raises(ModelError, match="looks"):
        read_vocabulary(tmp_path / LOOKS)


def test_fillers_are_never_named_as_unknown() -> None:
    assert KNOWN.unknown(" ".join(sorted(FILLERS))) == ()
