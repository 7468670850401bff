"""Which clip gets which look."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from vedit.errors import InputError
from vedit.nle.looks import parse_looks
from vedit.nle.model import Marker, MediaReference, TimelineClip, TimeSpan

CLIP = TimelineClip(
    number=1,
    name="A001_C002 [wide]",
    kind="clip",
    track="V2",
    sequence="Cut 3",
    record=TimeSpan(start=Fraction(0), duration=Fraction(2)),
    source=TimeSpan(start=Fraction(10), duration=Fraction(2)),
    media=MediaReference(written="", name="", reel="A001"),
    color="Iris",
    markers=(Marker(name="sky", note="", color="RED", start=Fraction(11)), Marker(name="late", start=Fraction(12))),
)
INK = '[[look]]\nname = "ink"\nprompt = "ink drawing"\n'


@pytest.mark.parametrize(
    ("selector", "taken"),
    [
        ('clip = "a001*"', True),
        ('clip = "A001_C002 [wide]"', True),
        ('clip = ["B*", "*wide]"]', True),
        ('clip = "A001"', False),
        ('track = "v2"', True),
        ('track = "V1"', False),
        ('color = "iris"', True),
        ('reel = "A00?"', True),
        ('sequence = "Cut 4"', False),
        ('marker = "sky"', True),
        ('marker = "red"', True),
        ('marker = "late"', False),  # it lies behind what the clip shows
        ('clip = "A*"\ntrack = "V2"', True),
        ('clip = "A*"\ntrack = "V1"', False),
        ("", True),
    ],
)
def test_selectors(selector: str, taken: bool) -> None:
    look = parse_looks(INK + selector).choose(CLIP)
    assert (look is not None) == taken
    assert look is None or (look.name, look.settings["prompt"]) == ("ink", "ink drawing")


def test_the_first_rule_counts_and_defaults_are_beneath() -> None:
    looks = parse_looks(
        '[default]\nstrength = 0.5\nseed = 3\n[[look]]\nname = "a"\nprompt = "p"\nstrength = 0.9\ntrack = "V2"\n' + INK
    )
    look = looks.choose(CLIP)
    assert look is not None
    assert (look.name, dict(look.settings)) == ("a", {"prompt": "p", "strength": 0.9, "seed": 3})
    assert looks.idle((CLIP,)) == ("ink",)
    assert looks.idle((CLIP, replace(CLIP, track="V1"))) == ()


@pytest.mark.parametrize(
    "noted",
    [
        replace(CLIP, notes=("* VEDIT: oil painting",)),
        replace(CLIP, notes=("other\nvedit:   oil painting ",)),
        replace(CLIP, markers=(Marker(name="VEDIT: oil painting", start=Fraction(10)),)),
        replace(CLIP, markers=(Marker(name="", note="VEDIT:oil painting"),)),
    ],
)
def test_a_note_in_the_editing_system_goes_before_the_rules(noted: TimelineClip) -> None:
    look = parse_looks("[default]\nseed = 3\n" + INK).choose(noted)
    assert look is not None
    assert (look.name, dict(look.settings)) == ("oil-painting", {"seed": 3, "prompt": "oil painting"})


def test_a_note_may_name_a_look() -> None:
    look = parse_looks(INK + 'track = "none"').choose(replace(CLIP, notes=("VEDIT: Ink",)))
    assert look is not None and look.settings["prompt"] == "ink drawing"


def test_a_note_outside_the_shown_part_is_none() -> None:
    other = replace(CLIP, markers=(Marker(name="VEDIT: oil", start=Fraction(13)),))
    assert parse_looks("").choose(other) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (INK + "strenght = 1", "'strenght'; the nearest is 'strength'"),
        (INK + 'colour = "x"', "the nearest is 'color'"),
        ("[defaults]", "the nearest is 'default'"),
        ('[default]\nclip = "a"', "there is no key 'clip'"),
        ("[look]\nprompt = 'x'", "[[look]]"),
        ("[[look]]\nclip = 'x'", "it has no prompt"),
        (INK + "clip = 3", "clip is a text or a list of texts"),
        (INK + 'clip = ""', "no pattern"),
        (INK + "strength = 2", "[[look]] 1: strength = 2; strength lies between 0 and 1"),
        (INK + "clip = []", "no pattern"),
        (INK + INK, "two looks are called 'ink'"),
        ('[[look]]\nname = "../x"\nprompt = "p"', "no name for a file"),
        ("[[look]", "no TOML"),
        ("look = " + "[" * 20000 + "]" * 20000, "nested too deep"),
    ],
)
def test_faults_are_told(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_looks(text)
    assert said in str(caught.value)
