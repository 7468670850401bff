"""The settings of a look as options of a render."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.masking import KeyedBox, KeyedFile, KeyedPoint, MaskSpec, RegionSpec
from vedit.nle.looks import SETTINGS, parse_looks, read_looks
from vedit.nle.settings import LookOptions, look_options
from vedit.options import RestyleOptions
from vedit.types import ControlSpec

FOLDER = Path("/looks")


def read(text: str) -> LookOptions:
    (rule,) = parse_looks(f'[[look]]\nname = "ink"\nprompt = "ink drawing"\n{text}\n').rules
    return look_options(rule.look, folder=FOLDER)


def test_what_is_not_said_is_the_default() -> None:
    assert read("") == LookOptions(options=RestyleOptions(prompt="ink drawing"), model="embedded")


def test_every_setting_is_an_option() -> None:
    known = {entry.name for entry in fields(RestyleOptions)}
    assert set(SETTINGS) - known == {"model"}


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("strength = 1", "strength", 1.0),
        ("guidance = 2.5", "guidance", 2.5),
        ("seed = 7", "seed", 7),
        ('quality = "draft"', "quality", "draft"),
        ("steps = 3", "steps", 3),
        ('start = "noise"', "start", "noise"),
        ("cross_frame = false", "cross_frame", False),
        ('keep = "faces"', "keep", "faces"),
        ('controls = "none"', "controls", ()),
        ('controls = "tile"', "controls", (ControlSpec(kind="tile"),)),
        (
            'controls = ["softedge:0.8@0-0.6", "tile,mask=m.png"]',
            "controls",
            (ControlSpec(kind="softedge", scale=0.8, end=0.6), ControlSpec(kind="tile", mask=FOLDER / "m.png")),
        ),
        ('mask = "m.mp4"', "mask", MaskSpec(files=(KeyedFile(path=FOLDER / "m.mp4"),))),
        ('mask = "/m.png@#3"', "mask", MaskSpec(files=(KeyedFile(path=Path("/m.png"), at="#3"),))),
        (
            'mask = ["box:0,0,9,9", "subject:the dog"]',
            "mask",
            MaskSpec(boxes=(KeyedBox(left=0, top=0, width=9, height=9),), subject="the dog"),
        ),
        (
            'mask = { point = ["5,6", "!1,2"], grow = -2, feather = 3, invert = true, propagate = "none" }',
            "mask",
            MaskSpec(
                points=(KeyedPoint(x=5, y=6), KeyedPoint(x=1, y=2, inside=False)),
                grow=-2,
                feather=3,
                invert=True,
                propagate="none",
            ),
        ),
        (
            'regions = ["subject:the dog=a fox", { mask = "sky.png", prompt = "starry night" }]',
            "regions",
            (
                RegionSpec(mask=MaskSpec(subject="the dog"), prompt="a fox"),
                RegionSpec(mask=MaskSpec(files=(KeyedFile(path=FOLDER / "sky.png"),)), prompt="starry night"),
            ),
        ),
    ],
)
def test_values(text: str, name: str, value: object) -> None:
    assert getattr(read(text).options, name) == value


def test_the_model_is_no_option_of_the_look() -> None:
    assert read('model = "sd15"').model == "sd15"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strength = 2", "look 'ink', strength: 2 is out of range; give a number from 0 to 1"),
        ('strength = "0.5"', "'0.5' is no number"),
        ("strength = nan", "nan is no number"),
        ("strength = true", "True is no number"),
        ("seed = 1.5", "seed: 1.5 is no whole number from 0"),
        ("seed = -1", "-1 is no whole number"),
        ("steps = 0", "steps: 0 is no whole number from 1 to 1000"),
        ('quality = "best"', "quality: 'best' is not known; it may be draft, standard, high"),
        ("cross_frame = 1", "1 is neither true nor false"),
        ("negative_prompt = 1", "1 is no text"),
        ('model = " "', "it is empty"),
        ('controls = ["tile", "tile"]', "controls: 'tile' is given twice"),
        ('controls = ["none", "tile"]', "'none' stands alone"),
        ('controls = "tile:x"', "has the scale 'x'"),
        ("controls = [3]", "3 is no text"),
        ('controls = "tile"\nkeep = "faces"', "keep and controls exclude each other"),
        ('mask = "box:1,2,3"', "is not X,Y,W,H"),
        ("mask = []", "it says no place"),
        ("mask = { grow = 3 }", "it says no place"),
        ('mask = { subjects = "x" }', "there is no key 'subjects'; nearest is 'subject'"),
        ('mask = { subject = "x", feather = -1 }', "-1 is out of range"),
        ('mask = ["subject:a", "subject:b"]', "two subjects"),
        ('regions = ["fox"]', "is not MASK=PROMPT"),
        ('regions = [{ mask = "m.png" }]', "a region needs mask and prompt"),
    ],
)
def test_faults_name_look_and_key(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith("look 'ink'")


def test_a_looks_own_way_of_keeping_goes_before_the_defaults() -> None:
    looks = parse_looks('[default]\nkeep = "faces"\n[[look]]\nname = "a"\nprompt = "p"\ncontrols = ["tile"]\n')
    options = look_options(looks.rules[0].look, folder=FOLDER).options
    assert (options.keep, options.controls) == (None, (ControlSpec(kind="tile"),))


def test_regions_alone_are_enough() -> None:
    (rule,) = parse_looks('[[look]]\nname = "a"\nregions = ["subject:the dog=a fox"]\n').rules
    assert look_options(rule.look, folder=FOLDER).options.prompt == ""


def test_the_example_is_understood() -> None:
    path = Path(__file__).parents[2] / "examples" / "nle" / "looks.toml"
    options = [look_options(rule.look, folder=path.parent).options for rule in read_looks(path).rules]
    assert [found.prompt for found in options] == ["city at night, neon", "ink drawing", "bronze statue"]
    assert [found.strength for found in options] == [0.9, 0.7, 0.9]
