"""What a user may say of where the picture changes: masks from files, shapes and subjects, and regions of their own.

Importing this module does not import torch; `vedit.masks` makes the mattes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vedit.checks.arguments import checked
from vedit.checks.rationals import rational
from vedit.checks.setting import About, setting
from vedit.errors import InputError, SettingError

Propagation = Literal["auto", "none", "flow", "sam2"]

_MOMENT = re.compile(r"#\d+|\d+(\.\d*)?|\.\d+|\d{1,2}:\d{2}:\d{2}[:;.,]\d{2,3}")
_NUMBERED = re.compile(r"(%0?\d*d|#+)[^#%/\\@]*\.\w+$")
"""The name of an image sequence: `matte_%04d.png`, `matte_####.png`."""
_KINDS = ("box", "point", "subject", "background")


@checked
@dataclass(frozen=True, kw_only=True)
class KeyedFile:
    """A mask file: a video or image sequence on the source's timing, or a picture that is true at `at`."""

    path: Path
    at: str | None = None
    """The moment of a picture, in seconds, timecode or #frame; None: a video as a whole, or every frame."""


@checked
@dataclass(frozen=True, kw_only=True)
class KeyedBox:
    """A box in pixels of the source's display size; several with moments are keyframes of one moving box."""

    left: float
    top: float
    width: float
    height: float
    at: str | None = None
    percent: tuple[bool, bool, bool, bool] = (False, False, False, False)
    """Which of the four are a hundredth of the picture's width or height rather than pixels."""

    def __post_init__(self) -> None:
        _check_finite(left=self.left, top=self.top, width=self.width, height=self.height)
        if self.width <= 0 or self.height <= 0:
            raise SettingError(f"the box is {self.width:g}x{self.height:g}", remedy="give a width and height above 0")

    def pixels(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, width and height in pixels of a picture of that size."""
        left, top, across, down = (
            value * side / 100 if relative else value
            for value, side, relative in zip(
                (self.left, self.top, self.width, self.height), (width, height) * 2, self.percent, strict=True
            )
        )
        return left, top, across, down


@checked
@dataclass(frozen=True, kw_only=True)
class KeyedPoint:
    """A point on the subject in pixels of the source's display size."""

    x: float
    y: float
    at: str | None = None
    inside: bool = True
    """False: the subject does not reach here."""
    percent: tuple[bool, bool] = (False, False)
    """Whether x and y are hundredths of the picture's width and height rather than pixels."""

    def __post_init__(self) -> None:
        _check_finite(x=self.x, y=self.y)

    def pixels(self, width: int, height: int) -> tuple[float, float]:
        """x and y in pixels of a picture of that size."""
        return (
            self.x * width / 100 if self.percent[0] else self.x,
            self.y * height / 100 if self.percent[1] else self.y,
        )


@checked
@dataclass(frozen=True, kw_only=True)
class MaskSpec:
    """Where the picture changes: the union of what is given, then inverted, grown and feathered in this order."""

    files: tuple[KeyedFile, ...] = setting(
        (),
        About(
            "White where the picture changes: a video or image sequence on the source's timing, or a picture; one "
            "drawn on the frame at TIME (seconds, timecode, #frame) is tracked through its shot.",
            stage="mask",
            metavar="FILE[@TIME]",
            option="mask",
            key="file",
            several=True,
            common=True,
        ),
    )
    boxes: tuple[KeyedBox, ...] = setting(
        (),
        About(
            "A box in pixels or per cent (25%,10%,50%,80%); several with TIME are one box that moves.",
            stage="mask",
            metavar="X,Y,W,H[@TIME]",
            option="mask-box",
            key="box",
            several=True,
        ),
    )
    points: tuple[KeyedPoint, ...] = setting(
        (),
        About(
            "A point on the subject, with ! one outside it; needs SAM 2.",
            stage="mask",
            metavar="[!]X,Y[@TIME]",
            option="mask-point",
            key="point",
            several=True,
        ),
    )
    subject: str | None = setting(
        None, About("Change what the words name, for instance 'the dog'.", stage="mask", metavar="WORDS")
    )
    background: str | None = setting(None, About("Change all but what the words name.", stage="mask", metavar="WORDS"))
    invert: bool = setting(False, About("Change what is outside the mask.", stage="mask", option="invert-mask"))
    grow: float = setting(
        0.0,
        About(
            "Move the mask's edge outwards by that many pixels of the source; below 0 inwards.",
            stage="mask",
            bounds=(-10_000, 10_000),
            metavar="PIXELS",
        ),
    )
    feather: float = setting(
        0.0,
        About(
            "Pixels of the source over which the mask's edge fades, inwards and outwards together.",
            stage="mask",
            bounds=(0, 10_000),
            metavar="PIXELS",
        ),
    )
    propagate: Propagation = setting(
        "auto",
        About(
            "How a mask drawn on one frame is tracked: flow (auto), sam2, or none: it stays where it is.",
            stage="mask",
            once=True,
        ),
    )
    """`none` holds it to the next one of the same mask, or to the cut."""

    def __bool__(self) -> bool:
        return bool(self.files or self.boxes or self.points or self.subject or self.background)


@checked
@dataclass(frozen=True, kw_only=True)
class RegionSpec:
    """A part of the picture with a prompt of its own: `--region MASK=PROMPT`."""

    mask: MaskSpec
    prompt: str


def _check_finite(**places: float) -> None:
    for name, value in places.items():
        if not math.isfinite(value):
            raise SettingError(f"{name} of a mask is {value}", remedy="give a finite number of pixels or per cent")


def parse_mask(text: str) -> KeyedFile:
    """FILE[@TIME] -> a mask file. A file that exists wins over a moment: the longest name that is there is taken.

    Raises:
        InputError: nothing is named, or what follows the @ is no moment.
    """
    if not text.strip():
        raise InputError("the mask names no file", remedy="write --mask FILE, or FILE@TIME for a picture of one moment")
    for left, right in ((text, None), *_splits(text, "@")):
        if left and _is_there(Path(left)):
            return KeyedFile(path=Path(left), at=None if right is None else _moment(right, text))
    left, at, right = text.rpartition("@")
    if at and left and _MOMENT.fullmatch(right.strip()):
        return KeyedFile(path=Path(left), at=right.strip())
    return KeyedFile(path=Path(text))


def parse_box(text: str) -> KeyedBox:
    """X,Y,W,H[@TIME] -> a box; each number is pixels, or per cent of the picture with a % behind it.

    Raises:
        InputError: it is not four numbers, or the box has no area.
    """
    shape, at = _shape_and_moment(text)
    numbers = _numbers(shape, 4, f"the box {text!r} is not X,Y,W,H", "for instance 100,50,320,240 or 25%,10%,50%,80%")
    (left, top, width, height), percent = zip(*numbers, strict=True)
    if width <= 0 or height <= 0:
        raise InputError(f"the box {text!r} has no area", remedy="its width and height are above 0: X,Y,W,H")
    return KeyedBox(left=left, top=top, width=width, height=height, at=at, percent=percent)


def parse_point(text: str, *, inside: bool = True) -> KeyedPoint:
    """X,Y[@TIME] -> a point on the subject; !X,Y[@TIME] -> one that it does not reach.

    Raises:
        InputError: it is not two numbers.
    """
    told = text.strip()
    if told.startswith("!"):
        told, inside = told[1:], False
    shape, at = _shape_and_moment(told)
    ((x, x_percent), (y, y_percent)) = _numbers(
        shape, 2, f"the point {text!r} is not X,Y", "for instance 640,360, 50%,40%@1.5 or !30,20"
    )
    return KeyedPoint(x=x, y=y, at=at, inside=inside, percent=(x_percent, y_percent))


def parse_mask_spec(text: str) -> MaskSpec:
    """One mask in one word, as regions and controls have it.

    FILE[@TIME], box:X,Y,W,H[@TIME], point:X,Y[@TIME], subject:WORDS or background:WORDS.

    Raises:
        InputError: it is none of these.
    """
    kind, colon, rest = text.strip().partition(":")
    # A drive letter is one character and a file that is there is meant, whatever it begins with.
    if not colon or kind not in _KINDS or _is_there(Path(text.strip())):
        return MaskSpec(files=(parse_mask(text.strip()),))
    if not rest.strip():
        raise InputError(f"{text!r} says no {kind}", remedy=f"write {kind}:{_EXAMPLES[kind]}")
    return _BY_KIND[kind](rest.strip())


def parse_region(text: str) -> RegionSpec:
    """MASK=PROMPT -> a region; MASK as `parse_mask_spec` takes it. The longest file that is there is the mask's.

    Raises:
        InputError: there is no mask or no prompt.
    """
    found = [(left.strip(), right.strip()) for left, right in _splits(text, "=")]
    usable = [(left, right) for left, right in found if left and right]
    if not usable:
        raise InputError(
            f"the region {text!r} is not MASK=PROMPT",
            remedy="for instance person.mp4='bronze statue', box:25%,10%,50%,80%=gold or subject:the dog=bronze",
        )
    # From the longest mask to the shortest; a file name may hold '=', a prompt may too.
    for left, prompt in usable:
        if _is_there(parse_mask(left).path):
            return RegionSpec(mask=parse_mask_spec(left), prompt=prompt)
    left, prompt = usable[-1]
    return RegionSpec(mask=parse_mask_spec(left), prompt=prompt)


_EXAMPLES = {"box": "100,50,320,240", "point": "640,360", "subject": "the dog", "background": "the dog"}
_BY_KIND: dict[str, Callable[[str], MaskSpec]] = {
    "box": lambda rest: MaskSpec(boxes=(parse_box(rest),)),
    "point": lambda rest: MaskSpec(points=(parse_point(rest),)),
    "subject": lambda rest: MaskSpec(subject=rest),
    "background": lambda rest: MaskSpec(background=rest),
}


def _splits(text: str, mark: str) -> Iterator[tuple[str, str]]:
    """Both sides of each `mark`, the longest left side first."""
    for place in range(len(text) - 1, -1, -1):
        if text[place] == mark:
            yield text[:place], text[place + 1 :]


def _is_there(path: Path) -> bool:
    """A file or folder of this name, or the folder of an image sequence named by a pattern."""
    try:
        return path.exists() or (_NUMBERED.search(path.name) is not None and path.parent.is_dir())
    except (OSError, ValueError):  # too long for a name, or a null character
        return False


def _shape_and_moment(text: str) -> tuple[str, str | None]:
    shape, at, moment = text.partition("@")
    return shape, _moment(moment, text) if at else None


def _moment(text: str, whole: str) -> str:
    told = text.strip()
    if not _MOMENT.fullmatch(told):
        raise InputError(
            f"{told!r} in {whole!r} is no moment",
            remedy="write seconds (1.5), a timecode (01:00:02:00) or #frame (#36)",
        )
    return told


def _numbers(text: str, count: int, fault: str, example: str) -> list[tuple[float, bool]]:
    """Comma-separated numbers, each with whether it is per cent."""
    found: list[tuple[float, bool]] = []
    for part in text.split(","):
        told = part.strip()
        try:
            value = float(rational(told.removesuffix("%")))
        except ValueError:
            raise InputError(fault, remedy=example) from None
        found.append((value, told.endswith("%")))
    if len(found) != count:
        raise InputError(fault, remedy=example)
    return found
