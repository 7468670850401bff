"""The looks that a model lists, and what a user may call them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vedit.embedded import FOLDER
from vedit.errors import InputError
from vedit.models.looks import ADDITIONS, Chosen, choose_looks
from vedit.models.resolve import resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The embedded model as a folder of one's own, which lists what a test writes."""
    shutil.copytree(FOLDER, tmp_path / "model")
    return tmp_path / "model"


def chosen(*asked: str, model: str = "embedded") -> list[tuple[str, str]]:
    return [(look.name, look.prompt) for look in choose_looks(resolve(model), asked)]


def test_nothing_asked_is_every_look_and_no_addition() -> None:
    looks, known = choose_looks(resolve("embedded")), resolve("embedded").vocabulary
    assert known is not None and len(looks) == 59 < len(known.looks)
    assert not {look.kind for look in looks} & set(ADDITIONS)
    assert len({look.prompt for look in looks}) == len(looks)


def test_looks_are_chosen_by_name_wording_and_known_words() -> None:
    assert chosen("woodcut, Night") == [("woodcut", "woodcut"), ("night", "night")]
    assert chosen("oil painting") == [("oil painting", "an oil painting")]
    assert chosen("oil on canvas", "linocut") == [("oil on canvas", "oil on canvas"), ("linocut", "linocut")]
    assert chosen("subtle neon,heavy neon") == [("subtle neon", "subtle neon"), ("heavy neon", "heavy neon")]
    assert chosen("night,night", "NIGHT") == [("night", "night")]
    (look,) = choose_looks(resolve("embedded"), ["a marble statue"])
    assert look.kind == "material"


def test_what_is_weak_is_marked_however_it_is_asked_for() -> None:
    weak = [look for look in choose_looks(resolve("embedded")) if look.weak]
    assert weak and all(look.reason for look in weak)
    for text in (weak[0].name, weak[0].prompt, f"heavy {weak[0].name}"):
        (look,) = choose_looks(resolve("embedded"), [text])
        assert (look.weak, look.reason) == (True, weak[0].reason)


@pytest.mark.parametrize(
    ("asked", "near"),
    [("woodcutt", "woodcut"), ("night,bronce", "bronze"), ("watercolr painting", "watercolor painting")],
)
def test_an_unknown_look_is_refused_with_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(InputError, match=f"did you mean '{near}'"):
        choose_looks(resolve("embedded"), [asked])


def test_what_is_like_nothing_is_refused_too() -> None:
    with pytest.raises(InputError, match=r"knows no look 'zzyzx'; `vedit looks` lists"):
        choose_looks(resolve("embedded"), ["zzyzx"])
    with pytest.raises(InputError, match="no look is named"):
        choose_looks(resolve("embedded"), [" "])


def test_a_model_without_a_list_takes_prompts(folder: Path) -> None:
    (folder / "looks.json").unlink()
    assert chosen("claymation, soft light", "noir", "noir", model=str(folder)) == [
        ("claymation, soft light", "claymation, soft light"),
        ("noir", "noir"),
    ]
    with pytest.raises(InputError, match="lists no looks of its own; name prompts"):
        choose_looks(resolve(str(folder)))


def test_a_model_may_list_its_own(folder: Path) -> None:
    listed = [{"name": "gloom", "kind": "light", "wordings": ["in gloom, deep", "gloomy"]}]
    (folder / "looks.json").write_text(json.dumps({"looks": listed, "words": ["gloomy", "in", "gloom", "deep"]}))
    assert choose_looks(resolve(str(folder))) == (Chosen(name="gloom", kind="light", prompt="in gloom, deep"),)
    assert chosen("in gloom, deep", model=str(folder)) == [("in gloom, deep", "in gloom, deep")], "a comma of a wording"
