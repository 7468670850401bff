"""What users write of masks and regions."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.options.masks import (
    KeyedBox,
    KeyedFile,
    KeyedPoint,
    MaskSpec,
    parse_box,
    parse_mask,
    parse_mask_spec,
    parse_point,
    parse_region,
)


@pytest.mark.parametrize(
    ("text", "path", "at"),
    [
        ("mask.png", "mask.png", None),
        ("mask.png@1.5", "mask.png", "1.5"),
        ("mask.png@#36", "mask.png", "#36"),
        ("mask.png@01:00:02:00", "mask.png", "01:00:02:00"),
        ("matte_%04d.png", "matte_%04d.png", None),
        ("matte_####.png", "matte_####.png", None),
        (r"C:\roto\mask.png@1.5", r"C:\roto\mask.png", "1.5"),
        ("me@home.png", "me@home.png", None),
        ("me@home.png@2", "me@home.png", "2"),
    ],
)
def test_mask_files(text: str, path: str, at: str | None) -> None:
    assert parse_mask(text) == KeyedFile(path=Path(path), at=at)


def test_the_longest_file_that_is_there_wins(tmp_path: Path) -> None:
    (tmp_path / "take.png@2").touch()
    assert parse_mask(f"{tmp_path}/take.png@2") == KeyedFile(path=tmp_path / "take.png@2")
    assert parse_mask(f"{tmp_path}/take.png@2@3") == KeyedFile(path=tmp_path / "take.png@2", at="3")
    (tmp_path / "a=b.png").touch()
    region = parse_region(f"{tmp_path}/a=b.png=starry=night")
    assert region.mask.files == (KeyedFile(path=tmp_path / "a=b.png"),)
    assert region.prompt == "starry=night"


def test_a_file_that_is_there_with_no_moment_behind_it(tmp_path: Path) -> None:
    (tmp_path / "mask.png").touch()
    with pytest.raises(InputError, match=r"'later' in .* is no moment; write seconds"):
        parse_mask(f"{tmp_path}/mask.png@later")


def test_boxes() -> None:
    assert parse_box("1,2.5,30,40") == KeyedBox(left=1, top=2.5, width=30, height=40)
    box = parse_box("25%, 10, 50%, 80 % @#12".replace(" % ", "%"))
    assert box.at == "#12"
    assert box.pixels(200, 100) == (50, 10, 100, 80)


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,nan,4", "1,2,inf,4"])
def test_no_box(text: str) -> None:
    with pytest.raises(InputError, match="is not X,Y,W,H; for instance"):
        parse_box(text)


@pytest.mark.parametrize("text", ["1,2,0,4", "1,2,3,-4"])
def test_a_box_without_area(text: str) -> None:
    with pytest.raises(InputError, match="has no area"):
        parse_box(text)


def test_points() -> None:
    assert parse_point("10,20") == KeyedPoint(x=10, y=20)
    assert parse_point("!10,20@1") == KeyedPoint(x=10, y=20, at="1", inside=False)
    assert parse_point("10,20", inside=False).inside is False
    assert parse_point("50%,25%").pixels(200, 100) == (100, 25)
    with pytest.raises(InputError, match="is not X,Y"):
        parse_point("10")


def test_one_word_masks() -> None:
    assert parse_mask_spec("box:1,2,3,4@0").boxes == (KeyedBox(left=1, top=2, width=3, height=4, at="0"),)
    assert parse_mask_spec("point:1,2").points == (KeyedPoint(x=1, y=2),)
    assert parse_mask_spec("subject:the dog").subject == "the dog"
    assert parse_mask_spec("background:the dog").background == "the dog"
    assert parse_mask_spec(r"C:\mask.png").files == (KeyedFile(path=Path(r"C:\mask.png")),)
    with pytest.raises(InputError, match="says no subject; write subject:the dog"):
        parse_mask_spec("subject:")


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("person.mp4=bronze statue", "bronze statue"),
        ("subject:the dog=a fox", "a fox"),
        ("box:25%,10%,50%,80%=gold = silver", "gold = silver"),
    ],
)
def test_regions(text: str, prompt: str) -> None:
    assert parse_region(text).prompt == prompt


@pytest.mark.parametrize("text", ["", "person.mp4", "person.mp4=", "=gold", " = "])
def test_no_region(text: str) -> None:
    with pytest.raises(InputError, match="is not MASK=PROMPT; for instance"):
        parse_region(text)


def test_a_specification_is_checked() -> None:
    assert not MaskSpec()
    assert MaskSpec(subject="the dog")
    with pytest.raises(ValueError, match="feather"):
        MaskSpec(feather=-1)
    with pytest.raises(ValueError, match="grow"):
        MaskSpec(grow=float("nan"))
