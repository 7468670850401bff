"""The settings of a look as options of a render."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from vedit.edits.confined_paths import NamedFiles
from vedit.errors import InputError
from vedit.nle.looks import SETTINGS, parse_looks, read_looks
from vedit.nle.settings import LookOptions, look_options
from vedit.options.masks import KeyedBox, KeyedFile, KeyedPoint, MaskSpec, RegionSpec
from vedit.options.request import RestyleOptions
from vedit.types import ControlSpec

FOLDER = Path("/looks")
FILES = NamedFiles(path=FOLDER / "looks.toml")


def read(text: str) -> LookOptions:
    (rule,) = parse_looks(f'[[look]]\nname = "ink"\nprompt = "ink drawing"\n{text}\n').rules
    return look_options(rule.look, files=FILES)


def test_what_is_not_said_is_the_default() -> None:
    assert read("") == LookOptions(options=RestyleOptions(prompt="ink drawing"), model="embedded")


def test_every_setting_is_an_option() -> None:
    known = {entry.name for entry in fields(RestyleOptions)}
    assert set(SETTINGS) - known == {"model", "from", "invert_mask", "grow", "feather"}
    assert known <= set(SETTINGS)


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
        ('mask = "sub/../m.png@#3"', "mask", MaskSpec(files=(KeyedFile(path=FOLDER / "m.png", at="#3"),))),
        (
            'mask = "m.mp4"\ngrow = 2\nfeather = 3\ninvert_mask = true',
            "mask",
            MaskSpec(files=(KeyedFile(path=FOLDER / "m.mp4"),), grow=2, feather=3, invert=True),
        ),
        (
            'from = "depth=maps/d.mp4"\ncontrols = ["depth:0.5", "tile"]',
            "controls",
            (ControlSpec(kind="depth", scale=0.5, source=FOLDER / "maps" / "d.mp4"), ControlSpec(kind="tile")),
        ),
        (
            'from = ["softedge=e.mp4"]',
            "controls",
            (ControlSpec(kind="tile"), ControlSpec(kind="softedge", source=FOLDER / "e.mp4")),
        ),
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
        ("strength = 2", "strength = 2; strength lies between 0 and 1"),
        ('strength = "0.5"', "strength is a number"),
        ("strength = nan", "strength lies between 0 and 1"),
        ("strength = true", "strength is a number"),
        ("seed = 1.5", "seed = 1.5; seed is a whole number"),
        ("seed = -1", "seed lies between 0 and 9223372036854775807"),
        ("steps = 0", "steps lies between 1 and 1000"),
        ('quality = "best"', "quality is one of draft, standard, high"),
        ("cross_frame = 1", "cross_frame is true or false"),
        ("negative_prompt = 1", "negative_prompt is a text"),
        ('model = " "', "it is empty"),
        ('model = "../elsewhere.safetensors"', "names ../elsewhere.safetensors, which is outside its folder"),
        ('controls = ["tile", "tile"]', "controls: the control 'tile' is given twice"),
        ('controls = ["none", "tile"]', "'none' stands alone"),
        ('controls = "tile:x"', "has the scale 'x'"),
        ("controls = [3]", "controls is a text or a list of texts"),
        ('controls = "tile"\nkeep = "faces"', "keep and controls exclude each other"),
        ('from = "depth"', "from: 'depth' is not KIND=FILE"),
        ('from = ["depth=a.mp4", "depth=b.mp4"]', "'depth' is given twice"),
        ('from = "depth=../d.mp4"', "names ../d.mp4, which is outside its folder; move looks.toml, or allow it"),
        ('mask = "/m.png"', "names /m.png, which is outside its folder"),
        ('regions = ["../m.png=gold"]', "which is outside its folder"),
        ('controls = "tile,mask=../m.png"', "which is outside its folder"),
        ('mask = "box:1,2,3"', "is not X,Y,W,H"),
        ("mask = []", "it says no place"),
        ("mask = { grow = 3 }", "it says no place"),
        ('mask = { subjects = "x" }', "mask has no key 'subjects'; the nearest is 'subject'"),
        ('mask = { subject = "x", feather = -1 }', "mask has feather = -1; feather lies between 0 and 10000"),
        ('mask = [{ subject = "x" }, "m.png"]', "a mask that is a table stands alone"),
        ('mask = ["subject:a", "subject:b"]', "two subjects"),
        ('mask = { subject = " " }', "subject is empty"),
        ('regions = ["fox"]', "is not MASK=PROMPT"),
        ('regions = [{ mask = "m.png" }]', "a region needs mask and prompt"),
    ],
)
def test_faults_name_look_and_key(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read(text)
    assert said in str(caught.value)
    assert str(caught.value).startswith(("look 'ink'", "looks.toml, [[look]] 1: ", "looks.toml names "))


def test_a_looks_own_way_of_keeping_goes_before_the_defaults() -> None:
    looks = parse_looks('[default]\nkeep = "faces"\n[[look]]\nname = "a"\nprompt = "p"\ncontrols = ["tile"]\n')
    options = look_options(looks.rules[0].look, files=FILES).options
    assert (options.keep, options.controls) == (None, (ControlSpec(kind="tile"),))


def test_regions_alone_are_enough() -> None:
    (rule,) = parse_looks('[[look]]\nname = "a"\nregions = ["subject:the dog=a fox"]\n').rules
    assert look_options(rule.look, files=FILES).options.prompt == ""


def test_the_example_is_understood() -> None:
    path = Path(__file__).parents[2] / "examples" / "nle" / "looks.toml"
    options = [look_options(rule.look, files=NamedFiles(path=path)).options for rule in read_looks(path).rules]
    assert [found.prompt for found in options] == ["city at night, neon", "ink drawing", "bronze statue"]
    assert [found.strength for found in options] == [0.9, 0.7, 0.9]
