"""Wrong arguments: whatever is given in whichever place of the API, the error is vedit's, and one line."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pytest

import vedit
from tests.support.clips import two_shots
from vedit.checks import arguments
from vedit.checks.arguments import checked, fitted
from vedit.errors import ArgumentError, SettingError, VeditError
from vedit.options.masks import KeyedBox, KeyedFile, KeyedPoint, MaskSpec, RegionSpec
from vedit.options.request import RenderRequest
from vedit.render import preview as stills
from vedit.render import run as render
from vedit.render.outcome import RenderPlan
from vedit.types import FrameRange, Shot


class Strange:
    """What no argument takes, and what cannot even show itself."""

    def __repr__(self) -> str:
        raise RuntimeError


NOTHING = Strange()
WRONG: tuple[Any, ...] = (
    *(None, NOTHING, True, -1, 0, 2.5, 10**30, math.nan, math.inf, Fraction(-1), 1 + 2j),
    *("", " ", "no such", "\0", "\ud800", "x" * 5000, "/", b"x", Path("\0"), Path("x" * 300)),
    *([], [1], [None], ["no such"], (1, 2), {}, {1: 2}, {1: None}, {"x": "y"}, {-1}, frozenset({9})),
    *([("a", "b")], np.zeros((2, 2)), np.bool_(True), range(3), slice(0)),
    *([Shot(number=1, frames=FrameRange(start=0, stop=2))], {9: vedit.Edit("night")}, {1: vedit.Edit("")}),
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "clip.mov")


@pytest.fixture
def planned_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked is checked as far as a plan goes, and nothing is rendered."""

    def plan(request: RenderRequest, *, reader: Any = None, side_by_side: Path | None = None, **_: Any) -> RenderPlan:
        return render.plan(request, reader=reader, side_by_side=side_by_side)

    monkeypatch.setattr(render, "restyle", plan)
    monkeypatch.setattr(stills, "stills_of", lambda job, **_: iter(()))  # pyright: ignore[reportUnknownLambdaType]


def tried(call: Callable[..., object], good: Mapping[str, Any], names: Sequence[str] | None = None) -> None:
    """The call with everything that is wrong in the place of each argument."""
    for name in names or inspect.signature(call).parameters:
        for value in WRONG:
            try:
                found = call(**{**good, name: value})
                if isinstance(found, Iterator):
                    list(found)  # pyright: ignore[reportUnknownArgumentType]
            except VeditError as error:
                assert "\n" not in str(error)
                assert len(str(error)) < 600, f"{name}: {len(str(error))} characters"
            except Exception as error:
                raise AssertionError(f"{name} = {arguments.shown(value)} is a bare {type(error).__name__}") from error
            else:
                assert value is not NOTHING, f"{name} takes anything"
    with pytest.raises(ArgumentError, match="has no argument 'nonsense'"):
        call(**good, nonsense=1)


def test_files_and_shots(clip: Path) -> None:
    tried(vedit.probe, {"path": clip})
    tried(vedit.open_video, {"path": clip})
    tried(vedit.detect_shots, {"source": clip})


@pytest.mark.usefixtures("planned_only")
def test_renders_by_settings(clip: Path) -> None:
    good = {"source": clip, "prompt": "woodcut", "shots": (Shot(number=1, frames=FrameRange(start=0, stop=10)),)}
    told: list[object] = []
    tried(vedit.plan, good | {"on_progress": told.append})
    assert told


@pytest.mark.usefixtures("planned_only")
def test_videos(clip: Path, tmp_path: Path) -> None:
    video = vedit.open_video(clip)
    edits = {1: vedit.Edit("woodcut")}
    tried(video.plan, {"edits": edits})
    tried(video.render, {"output": tmp_path / "out.mov", "edits": edits})
    tried(video.read, {"frames": FrameRange(start=0, stop=2)})
    tried(video.chunks, {"frames": FrameRange(start=0, stop=2), "size": 1})
    tried(video.stills, {"edits": edits, "numbers_of": stills.middle_of}, ["edits", "model", "device"])
    tried(video.shots[1].as_html, {})
    for value in (*WRONG, slice(0, 1)):
        for part in (video, video[2:5], video.shots):
            try:
                part[cast("Any", value)]
            except VeditError:
                continue
            assert value in (0, 1, -1) or isinstance(value, slice), f"{value!r} was taken"


def values(clip: Path) -> list[Any]:
    """One of each value that a user may make."""
    with vedit.open_video(clip) as video:
        frames = video.read(FrameRange(start=0, stop=2))
        metadata = video.metadata
    edit = vedit.Edit("night", controls=["tile"])
    mask = MaskSpec(subject="the dog")
    return [
        *(frames, metadata, edit, edit.controls[0], mask, RegionSpec(mask=mask, prompt="a fox"), frames.color),
        *(KeyedFile(path=clip), KeyedBox(left=0, top=0, width=1, height=1), KeyedPoint(x=1, y=1)),
        *(vedit.OutputOptions(), RenderRequest(source=clip, options=edit), FrameRange(start=0, stop=2)),
        *(vedit.RestyleOptions(), Shot(number=1, frames=FrameRange(start=0, stop=2))),
    ]


def test_values(clip: Path) -> None:
    for value in values(clip):
        assert is_dataclass(value)
        kind = type(value)
        names = [field.name for field in fields(value)]
        tried(kind, {name: getattr(value, name) for name in names}, names)
        with pytest.raises(ArgumentError, match="has no argument 'nonsense'"):
            replace(value, nonsense=1)  # pyright: ignore[reportArgumentType]


def test_every_value_of_the_api_is_tried(clip: Path) -> None:
    made = {type(value) for value in values(clip)}
    public = {getattr(vedit, name) for name in vedit.__all__}
    left = {kind for kind in public if inspect.isclass(kind) and is_dataclass(kind)} - made
    assert left == {vedit.Preview, vedit.Report}, "they are made by vedit alone"


@checked
def sample(number: int, /, text: str = "", *, paths: Sequence[Path] = (), rate: Fraction | int = 1) -> object:
    """What the call was given."""
    return number, text, paths, rate


def test_values_that_are_as_good_become_what_is_declared() -> None:
    assert cast("Any", sample)(np.int64(3), "a", paths=["b"], rate=2) == (3, "a", (Path("b"),), 2)
    assert type(fitted("n", np.int32(3), int)) is int
    assert fitted("pair", [1, "a"], tuple[int, str]) == (1, "a")
    assert fitted("many", ["a"], tuple[Path, ...]) == (Path("a"),)
    assert fitted("table", {"a": "b"}, Mapping[str, Path]) == {"a": Path("b")}
    kept = [1, 2]
    assert fitted("kept", kept, Sequence[int]) is kept
    table = {1: "a"}
    assert fitted("kept", table, Mapping[int, str]) is table
    assert fitted("choice", "a", Literal["a", 1]) == "a"
    with pytest.raises(SettingError, match="choice is True; use one of a, 1"):
        fitted("choice", True, Literal["a", 1])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: sample("3"), "number is '3'; give a whole number"),  # pyright: ignore[reportArgumentType]
        (lambda: sample(3, None), "text is None; give a text"),  # pyright: ignore[reportArgumentType]
        (lambda: sample(3, paths="ab"), "paths is 'ab'; give a list of a path"),  # pyright: ignore[reportArgumentType]
        (lambda: sample(3, rate=2.5), "rate is 2.5; give a Fraction"),  # pyright: ignore[reportArgumentType]
        (lambda: sample(), "sample: missing a required argument: 'number'; it takes number"),  # pyright: ignore
        (lambda: sample(1, "", 3), "sample: too many positional arguments; write NAME=VALUE, for paths, rate"),  # pyright: ignore
        (lambda: sample(1, pths=[]), "sample has no argument 'pths'; did you mean 'paths'?"),  # pyright: ignore
        (lambda: sample(1, zebra=1), "sample has no argument 'zebra'; it takes number, text, paths, rate"),  # pyright: ignore
        (lambda: vedit.Edit("night", quality="best"), "quality is 'best'; use one of draft, standard, high"),  # pyright: ignore
        (lambda: vedit.Edit("a\udcff"), "prompt is no text"),
    ],
)
def test_messages(call: Callable[[], object], said: str) -> None:
    with pytest.raises(VeditError) as caught:
        call()
    assert str(caught.value).startswith(said)


def test_a_checked_function_looks_as_it_was() -> None:
    assert str(inspect.signature(sample)).startswith("(number: 'int', /, text: 'str' = ''")
    assert sample.__name__ == "sample"
    assert sample.__doc__ == "What the call was given."

    @checked
    @dataclass(frozen=True)
    class Point:
        x: float
        y: float = 0.0

    assert str(inspect.signature(Point)) == "(x: 'float', y: 'float' = 0.0) -> None"
    assert Point(1, 2) == Point(x=1.0, y=2.0)
    with pytest.raises(SettingError, match="x is nan; give a finite number"):
        Point(math.nan)
