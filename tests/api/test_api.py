"""The Python API: settings by name go where they belong, and a wrong one is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import vedit
from tests.support.clips import two_shots
from vedit.api import request
from vedit.errors import ArgumentError, InputError
from vedit.media.output import OutputOptions
from vedit.options.masks import KeyedFile, MaskSpec, RegionSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.types import ControlSpec


def test_settings_find_their_place() -> None:
    found = request("in.mp4", prompt="night", output="out.mov", strength=0.5, seed=3, model="sd15", overwrite=True)
    assert found == RenderRequest(
        source=Path("in.mp4"),
        output=Path("out.mov"),
        options=RestyleOptions(prompt="night", strength=0.5, seed=3),
        model="sd15",
        writing=OutputOptions(overwrite=True),
    )


def test_a_wrong_setting_is_named() -> None:
    for call in (vedit.restyle, vedit.plan, vedit.preview, request):
        with pytest.raises(TypeError, match=r"no argument 'strenght'; did you mean 'strength'\?") as caught:
            call("in.mp4", prompt="night", strenght=0.5)  # pyright: ignore[reportCallIssue]
        assert isinstance(caught.value, ArgumentError)
    asked = RenderRequest(source=Path("in.mp4"), options=RestyleOptions(prompt="night"))
    with pytest.raises(ArgumentError, match=r"came beside it; write dataclasses\.replace\(request, seed=\.\.\.\)"):
        vedit.plan(asked, seed=3)
    assert request(asked) is asked


def test_settings_are_written_as_on_the_command_line(tmp_path: Path) -> None:
    mask = tmp_path / "person.png"
    mask.touch()
    found = request(
        "in.mp4",
        prompt="night",
        controls=["tile:0.5"],
        mask=mask,
        regions=[f"{mask}=bronze"],
        controlnets={"depth": "owner/name"},
        rate=24,
    )
    assert found.options == RestyleOptions(
        prompt="night",
        controls=(ControlSpec(kind="tile", scale=0.5),),
        mask=MaskSpec(files=(KeyedFile(path=mask),)),
        regions=(RegionSpec(mask=MaskSpec(files=(KeyedFile(path=mask),)), prompt="bronze"),),
    )
    assert found.controlnets == (("depth", "owner/name"),)
    assert found.rate == Fraction(24)
    assert request("in.mp4", looks={2: vedit.Edit("night")}).looks == {2: RestyleOptions(prompt="night")}


def test_a_plan_refuses_what_the_render_would(tmp_path: Path) -> None:
    clip = two_shots(tmp_path / "clip.mov")
    beside = tmp_path / "beside.mov"
    beside.touch()
    for call in (vedit.plan, vedit.restyle):
        with pytest.raises(InputError, match="exists"):
            call(clip, prompt="woodcut", side_by_side=beside)
        with pytest.raises(InputError, match="named twice"):
            call(clip, prompt="woodcut", output=tmp_path / "out.mov", side_by_side=tmp_path / "out.mov")
        with pytest.raises(InputError, match="'soon' is not a timecode"):
            call(clip, prompt="woodcut", timecode="soon")
        with pytest.raises(InputError, match="the prompt is empty"):
            call(clip)


def test_the_names_are_there() -> None:
    assert set(vedit.__all__) <= set(dir(vedit))
    assert all(getattr(vedit, name) is not None for name in vedit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vedit.nothing  # pyright: ignore[reportAttributeAccessIssue]
