"""What `--control` accepts, and what a preprocessor may return."""

from pathlib import Path
from typing import Any

import pytest
import torch

from vedit.control_maps import maps
from vedit.control_maps.maps import control_maps
from vedit.errors import InputError
from vedit.options.controls import KEEPS, controls_for_intent, keeping, parse_control, settled, with_sources
from vedit.options.request import DEFAULT_CONTROLS, RestyleOptions
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
        ("canny:1@0-1.5", "give a number from 0 to 1"),
        ("cany:1", "did you mean 'canny'"),
    ],
)
def test_what_cannot_be_parsed(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_control(text)


def test_a_control_acts_within_a_mask() -> None:
    spec = parse_control("softedge:0.4,mask=a, b=c.mp4")
    assert (spec.scale, spec.mask) == (0.4, Path("a, b=c.mp4"))
    with pytest.raises(InputError, match="cannot be read at 'msk=x'"):
        parse_control("tile,msk=x")


def test_what_is_kept_takes_the_controls_that_the_model_has() -> None:
    assert [spec.kind for spec in controls_for_intent("structure", ["tile", "softedge"])] == ["softedge", "tile"]
    assert [spec.kind for spec in controls_for_intent("motion", ["pose"])] == ["pose"]
    for intent in KEEPS:
        assert controls_for_intent(intent, ["tile", "softedge", "depth", "pose", "lineart"])
    with pytest.raises(InputError, match="branches for softedge, depth, tile"):
        controls_for_intent("structure", ["openpose"])


def test_control_videos_replace_preprocessors_or_join_them() -> None:
    specs = with_sources([ControlSpec(kind="tile", scale=0.5)], [("tile", Path("t.mp4")), ("depth", Path("d.mp4"))])
    assert [(spec.kind, spec.scale, spec.source) for spec in specs] == [
        ("tile", 0.5, Path("t.mp4")),
        ("depth", 1.0, Path("d.mp4")),
    ]
    assert str(specs[1]) == "depth:1@0-1,from=d.mp4"


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
        (torch.zeros(2, 1, 8, 8), r"made \(1, 8, 8\) of frames \(3, 8, 8\)"),
        (torch.zeros(3, 3, 8, 8), "made 3 maps of 2 frames"),
        (torch.full((2, 3, 8, 8), 1.5), r"values in \[1.500, 1.500\]"),
        (torch.full((2, 3, 8, 8), torch.nan), r"values in \[nan, nan\]"),
    ],
)
def test_a_preprocessor_that_breaks_the_contract_is_named(
    monkeypatch: pytest.MonkeyPatch, made: torch.Tensor, message: str
) -> None:
    def load(name: str) -> Any:
        return lambda chunks: (made for _ in chunks)  # pyright: ignore[reportUnknownLambdaType]

    monkeypatch.setattr(maps, "load_preprocessor", load)
    with pytest.raises(InputError, match=message):
        control_maps([ControlSpec(kind="sepia")], torch.zeros(2, 3, 8, 8))


HAS = ("tile", "softedge")


def test_settled_controls_act_all_of_them() -> None:
    video = ControlSpec(kind="softedge", source=Path("edges.mp4"))
    asked = RestyleOptions(controls=(video, ControlSpec(kind="softedge-pidi")))
    assert settled(asked, HAS) == asked
    assert settled(RestyleOptions(), HAS).controls == DEFAULT_CONTROLS
    assert settled(RestyleOptions(controls=()), ()) == RestyleOptions(controls=())


def test_what_is_kept_is_settled_once_and_says_what_it_lacks() -> None:
    video = ControlSpec(kind="tile", source=Path("tile.mp4"))
    found = settled(RestyleOptions(keep="structure", controls=(video,)), HAS)
    assert [(spec.kind, spec.source) for spec in found.controls] == [("softedge", None), ("tile", Path("tile.mp4"))]
    assert settled(found, HAS) == found
    assert keeping(found) == ("keeping structure: softedge:1, tile:0.5; the model has no branch for depth",)
    assert keeping(settled(RestyleOptions(), HAS)) == ()


@pytest.mark.parametrize(
    ("options", "kinds", "said"),
    [
        (
            RestyleOptions(),
            (),
            r"no control branch for tile, softedge \(taken where none is named\); it has none at all",
        ),
        (RestyleOptions(), ("tile",), r"for softedge \(taken .*it has tile; use --control tile, add one with"),
        (
            RestyleOptions(controls=(ControlSpec(kind="canny"),)),
            HAS,
            r"for canny; it has tile, softedge; use --control",
        ),
        (RestyleOptions(controls=(ControlSpec(kind="depth-zoe"),)), HAS, "for depth-zoe; it has tile, softedge"),
        (RestyleOptions(keep="motion"), ("depth",), "of which tiny has none; it has depth"),
        (
            RestyleOptions(keep="motion", controls=(ControlSpec(kind="canny", source=Path("c.mp4")),)),
            HAS,
            "tiny has no control branch for canny",
        ),
    ],
)
def test_a_control_that_cannot_act_is_refused(options: RestyleOptions, kinds: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        settled(options, kinds, model="tiny")
