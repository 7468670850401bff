"""The Python API: settings by name go where they belong, and a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

import vedit
from vedit.api import request
from vedit.media.choices import OutputOptions
from vedit.options import RenderRequest, RestyleOptions


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
    with pytest.raises(TypeError, match=r"no setting 'strenght'; did you mean 'strength'\?"):
        vedit.restyle("in.mp4", prompt="night", strenght=0.5)
    with pytest.raises(TypeError, match="came beside it"):
        vedit.plan(RenderRequest(source=Path("in.mp4"), options=RestyleOptions(prompt="night")), seed=3)


def test_the_names_are_there() -> None:
    assert set(vedit.__all__) <= set(dir(vedit))
    assert all(getattr(vedit, name) is not None for name in vedit.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vedit.nothing  # pyright: ignore[reportAttributeAccessIssue]
