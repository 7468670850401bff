"""What `--control` accepts, and what a preprocessor may return."""

from typing import Any

import pytest
import torch

from vedit import controls
from vedit.controls import control_maps, parse_control
from vedit.errors import InputError
from vedit.types import ControlSpec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("canny", ControlSpec(kind="canny")),
        ("Canny:0.8", ControlSpec(kind="canny", scale=0.8)),
        ("canny:0", ControlSpec(kind="canny", scale=0.0)),
        ("softedge:.5@0-0.6", ControlSpec(kind="softedge", scale=0.5, end=0.6)),
        ("tile@0.25-1", ControlSpec(kind="tile", start=0.25)),
    ],
)
def test_parse(text: str, expected: ControlSpec) -> None:
    assert parse_control(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read"),
        ("canny:1@0.5", "scale|cannot be read"),
        ("canny@", "cannot be read"),
        ("canny:-1", "scale '-1'"),
        ("canny:strong", "scale 'strong'"),
        ("canny:nan", "scale 'nan'"),
        ("canny:1@0.6-0.2", "start < end"),
        ("canny:1@0-1.5", "end <= 1"),
        ("cany:1", "did you mean 'canny'"),
    ],
)
def test_what_cannot_be_parsed(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_control(text)


def test_one_map_for_each_spec_and_each_kind_computed_once() -> None:
    specs = [ControlSpec(kind="luma"), ControlSpec(kind="canny"), ControlSpec(kind="luma", scale=0.5, start=0.5)]
    made = control_maps(specs, torch.rand(2, 3, 32, 48))
    assert [control.kind for control in made] == ["luma", "canny", "luma"]
    assert made[0] is made[2]
    assert all(control.frames.shape == (2, 3, 32, 48) for control in made)
    assert control_maps([], torch.rand(1, 3, 8, 8)) == ()


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (torch.zeros(2, 1, 8, 8), r"made \(2, 1, 8, 8\) of frames \(2, 3, 8, 8\)"),
        (torch.full((2, 3, 8, 8), 1.5), r"values in \[1.500, 1.500\]"),
        (torch.full((2, 3, 8, 8), torch.nan), r"values in \[nan, nan\]"),
    ],
)
def test_a_preprocessor_that_breaks_the_contract_is_named(
    monkeypatch: pytest.MonkeyPatch, made: torch.Tensor, message: str
) -> None:
    def load(name: str) -> Any:
        return lambda _: made  # pyright: ignore[reportUnknownLambdaType]

    monkeypatch.setattr(controls, "load_preprocessor", load)
    with pytest.raises(InputError, match=message):
        control_maps([ControlSpec(kind="sepia")], torch.zeros(2, 3, 8, 8))
