"""Bounds: Python, the command line, plan files and their schema allow the same numbers, and nothing that is none."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

import vedit
from vedit.api import request
from vedit.cli import main
from vedit.cli.restyle import restyle_command
from vedit.edits.confined_paths import NamedFiles
from vedit.edits.plan_schema import plan_schema
from vedit.errors import InputError, SettingError
from vedit.options.controls import parse_control
from vedit.options.look_parser import look_options
from vedit.options.look_schema import LOOK, MASK
from vedit.options.masks import KeyedBox, KeyedPoint, MaskSpec
from vedit.options.request import RestyleOptions
from vedit.options.table import BOUNDS
from vedit.types import ControlSpec

EDGE = ("grow", "feather")
CONTROL = ("control scale", "control start", "control end")
OF_OPTIONS = tuple(name for name in BOUNDS if name not in (*EDGE, *CONTROL))
WINDOW = 1_000_000
"""In which any overlap has room."""
STEPS = 1000
"""Of which any number can be steps of the inversion."""


def made(name: str, value: Any) -> Any:
    """The setting as Python takes it, read back."""
    field = name.removeprefix("control ")
    given: dict[str, Any] = {field: value}
    if name in EDGE:
        return getattr(MaskSpec(**given), field)
    if name in CONTROL:
        return getattr(ControlSpec(kind="tile", **given), field)
    given = {"window": WINDOW, "steps": STEPS} | given
    return getattr(RestyleOptions(**given), field)


def tried(name: str) -> list[Any]:
    """Values in and around the bounds, and such as are no numbers of the kind."""
    bound = BOUNDS[name]
    ends = [bound.low, bound.high, bound.low - 1, bound.high + 1, (bound.low + bound.high) // 2]
    odd = [math.nan, math.inf, -math.inf, 1e300, 2**63, 2**64, -1, 10**5000, True, False, "1", None, [1], 0.5, 1 + 2j]
    return [*ends, *odd]


@pytest.mark.parametrize("name", BOUNDS)
def test_python_allows_what_the_table_allows(name: str) -> None:
    bound = BOUNDS[name]
    for value in tried(name):
        optional = value is None and name in OF_OPTIONS and getattr(RestyleOptions, name) is None
        kind = (int,) if bound.kind == "integer" else (int, float)
        number = isinstance(value, kind) and not isinstance(value, bool) and bound.low <= value <= bound.high
        allowed = optional or number
        # An empty part of the sampling is no part.
        if (name, value) in (("control start", 1), ("control end", 0)):
            allowed = False
        try:
            given = made(name, value)
        except SettingError as error:
            assert not allowed, f"{name} = {value!r} was refused: {error}"
            assert error.exit_code == 2
            assert isinstance(error, ValueError), "as Python callers expect"
            assert "\n" not in str(error)
            assert len(str(error)) < 250
        else:
            assert allowed, f"{name} = {value!r} was taken"
            assert given == value


@pytest.mark.parametrize("name", BOUNDS)
def test_numbers_of_numpy_are_numbers(name: str) -> None:
    bound = BOUNDS[name]
    value = int(min(bound.high, 1000)) if bound.high > 1 else 1
    if name == "control start":
        value = 0
    for given in (
        np.int64(value),
        np.uint16(value),
        *([np.float32(value), Fraction(value)] if bound.kind == "number" else []),
    ):
        found = made(name, given)
        assert found == value
        assert type(found) is (int if bound.kind == "integer" else float), "JSON and hashes know no other"
    for given in (np.bool_(True), np.float64("nan"), np.array([1, 2])):
        with pytest.raises(SettingError, match=name.split()[-1]):
            made(name, given)


@pytest.mark.parametrize("name", [*OF_OPTIONS, *EDGE])
def test_plan_files_and_their_schema_have_the_bounds(name: str) -> None:
    bound, key = BOUNDS[name], LOOK[name]
    assert (key.kind, key.minimum, key.maximum) == (bound.kind, bound.low, bound.high)
    schema: Any = plan_schema()
    for told in (schema["properties"]["default"], schema["properties"]["shot"]["items"]):
        said = told["properties"][name]
        assert (said["type"], said["minimum"], said["maximum"]) == (bound.kind, bound.low, bound.high)
    for value in tried(name):
        if value is None or isinstance(value, complex):
            continue  # TOML has neither
        fault = key.fault(value)
        try:
            made(name, value)
        except SettingError:
            assert fault is not None, f"a plan takes {name} = {value!r}"
        else:
            assert fault is None, f"a plan refuses {name} = {value!r}: {fault}"


@pytest.mark.parametrize("name", EDGE)
def test_masks_in_plans_have_the_bounds(name: str) -> None:
    assert (MASK[name].minimum, MASK[name].maximum) == (BOUNDS[name].low, BOUNDS[name].high)


def test_options_of_the_command_line_have_the_bounds() -> None:
    found = {param.name: param for param in restyle_command.params if param.name in BOUNDS}
    numbers = {"strength", "guidance", "clip_skip", "variation", "seed", "steps", "short_side", "window", "batch"}
    assert set(found) == {*numbers, *EDGE}
    shown = " ".join(CliRunner().invoke(main, ["restyle", "--help"]).stdout.split())
    for name, param in found.items():
        bound, option = BOUNDS[str(name)], param.opts[0]
        assert isinstance(param.type, click.IntRange | click.FloatRange)
        assert (param.type.min, param.type.max) == (bound.low, bound.high)
        assert f"{param.type.min}<=x<={param.type.max}" in shown
        for value in ("nan", "inf", str(bound.low - 1), str(bound.high + 1), "1e999999", "x"):
            result = CliRunner().invoke(main, ["restyle", "in.mp4", "--prompt", "x", f"{option}={value}"])
            assert result.exit_code == 2, f"{option} {value}"
            assert option in result.stderr


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"guidance": math.nan}, "guidance is nan"),
        ({"batch": 0}, "batch is 0; give a whole number from 1 to 1000000"),
        ({"window": 0}, "window is 0"),
        ({"seed": -1}, "seed is -1; give a whole number from 0 to 9223372036854775807"),
        ({"short_side": 1}, "short_side is 1"),
        ({"strength": 5}, "strength is 5; give a number from 0 to 1"),
        ({"variation": 1.5}, "variation is 1.5; give a number from 0 to 1"),
        ({"variation": 0.5, "start": "noise"}, "variation is 0.5 with start noise"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": True}, "steps is True"),
        ({"seed": 1.5}, "seed is 1.5; give a whole number"),
        ({"window": 12, "overlap": 5}, "overlap is 5 of a window of 12; give at most a third of the window, 4"),
        ({"overlap": 24}, "overlap is 24"),
        ({"quality": "best"}, "quality is 'best'; use one of draft, standard, high"),
        ({"start": "zero"}, "start is 'zero'; use one of inversion, noise"),
        ({"quality": "drft"}, "quality is 'drft'; did you mean 'draft'? use one of draft, standard, high"),
        ({"upscale": "x"}, "upscale is 'x'"),
        ({"keep": "shape"}, "keep is 'shape'"),
    ],
)
def test_a_request_is_refused_as_it_is_made(settings: dict[str, Any], said: str) -> None:
    for make in (
        lambda: request("in.mp4", prompt="night", **settings),
        lambda: vedit.plan("in.mp4", prompt="night", **settings),
        lambda: vedit.Edit("night", **settings),
    ):
        with pytest.raises(SettingError) as caught:
            make()
        assert str(caught.value).startswith(said)


def test_a_window_of_few_frames_shares_what_it_can() -> None:
    from vedit.latent_shape import ScaleFactors
    from vedit.pipelines.restyle_windows import shot_windows
    from vedit.types import FrameRange

    for window in (1, 2, 3, 4, 24):
        parts = shot_windows(RestyleOptions(window=window), FrameRange(start=0, stop=60), ScaleFactors())
        shared = {a.frames.stop - b.frames.start for a, b in pairwise(parts)}
        assert shared == {min(4, window // 3)}
    # What memory has left of a window has room for less than was asked for, and that is no error of the user's.
    parts = shot_windows(RestyleOptions(window=12, overlap=4), FrameRange(start=0, stop=60), ScaleFactors(), size=4)
    assert {a.frames.stop - b.frames.start for a, b in pairwise(parts)} == {1}


def test_two_keys_that_do_not_go_together_are_named_with_their_place() -> None:
    with pytest.raises(InputError, match=r"^shot 2: overlap is 9 of a window of 12; give at most a third"):
        look_options(
            {"prompt": "x", "window": 12, "overlap": 9}, files=NamedFiles(path=Path("plan.toml")), where="shot 2"
        )


@pytest.mark.parametrize("text", ["tile:11", "tile:1@0-1.5", "tile:1@0.6-0.2", "tile:1@0.5-0.5", "tile:" + "9" * 400])
def test_a_control_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="the control"):
        parse_control(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_mask_lies_somewhere(value: float) -> None:
    with pytest.raises(SettingError, match="finite"):
        KeyedPoint(x=1, y=value)
    with pytest.raises(SettingError, match="finite"):
        KeyedBox(left=value, top=0, width=1, height=1)
    with pytest.raises(SettingError, match=r"finite|above 0"):
        KeyedBox(left=0, top=0, width=value, height=1)
    with pytest.raises(SettingError, match="above 0"):
        KeyedBox(left=0, top=0, width=0, height=1)
