"""The public signatures: real ones, and the same names, defaults and annotations as the dataclasses behind them."""

from __future__ import annotations

import inspect
import pydoc
import re
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, cast

import pytest

import vedit
from vedit import api
from vedit.edits.edit import Edit, plain_options
from vedit.media.output import OutputOptions
from vedit.options.look_schema import LOOK
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.table import BOUNDS

API = "the signature and the Args of _called in vedit/api.py"
EDIT = "the signature and the Args of Edit.__init__ in vedit/edits/edit.py"
NO_SETTINGS = {"source", "options", "writing"}
"""Fields of a request that a call gives otherwise."""
EASIER = {
    "embeddings",
    "keyframe",
    "loras",
    "references",
    "controls",
    "mask",
    "regions",
    "controlnets",
    "rate",
    "output",
    "looks",
} | {
    "shots",
    "replaces",
}
"""Settings that a call takes in more forms than the dataclass holds."""
CHOICES = ("Keep", "QualityName", "Start", "PresetName", "Interlaced", "Backend", "BlackBars")
"""Annotations that are a few words."""
IN_OTHER_WORDS = {"invert_mask", "grow", "feather", "from"}
"""Keys of a look that a mask or a control has in Python."""


def settings(*kinds: type) -> dict[str, Field[Any]]:
    return {field.name: field for kind in kinds for field in fields(kind) if field.name not in NO_SETTINGS}


def parameters(call: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(call).parameters)


CASES = [
    pytest.param(vedit.restyle, settings(RestyleOptions, RenderRequest, OutputOptions), API, id="restyle"),
    pytest.param(vedit.Edit, settings(RestyleOptions), EDIT, id="Edit"),
]


@pytest.mark.parametrize(("call", "known", "place"), CASES)
def test_a_signature_has_every_setting_as_its_dataclass_has_it(
    call: Callable[..., Any], known: dict[str, Field[Any]], place: str
) -> None:
    taken = parameters(call)
    for name, field in known.items():
        default = field.default if field.default is not MISSING else None
        line = f"{name}: {field.type} = {default!r},"
        assert name in taken, f"{name} is missing in Python: add\n    {line}\nto {place}"
        assert taken[name].kind is inspect.Parameter.KEYWORD_ONLY or name == "prompt"
        if name in EASIER:
            continue
        assert taken[name].default == default, f"the default of {name} is {default!r}: mend\n    {line}\nin {place}"
        assert taken[name].annotation == field.type, f"{name} is {field.type}: mend\n    {line}\nin {place}"
    beside = {"source", "side_by_side", "on_progress"}
    assert set(taken) - beside == set(known), f"{place} has settings that no dataclass has"


def test_settings_in_easier_forms_have_the_same_defaults() -> None:
    assert plain_options(Edit()) == RestyleOptions()
    assert api.request("in.mp4") == RenderRequest(
        source=api.request("in.mp4").source, options=RestyleOptions(), writing=OutputOptions()
    )


def test_one_call_may_be_changed_into_another() -> None:
    shapes = {str(inspect.signature(call)).partition(" -> ")[0] for call in (api.request, vedit.plan, vedit.preview)}
    assert shapes == {str(inspect.signature(vedit.restyle)).partition(" -> ")[0]}
    found = {call.__name__: inspect.signature(call).return_annotation for call in (vedit.plan, vedit.restyle)}
    assert found == {"plan": "RenderPlan", "restyle": "RenderResult"}


def test_a_look_has_the_same_keys_in_plan_files() -> None:
    assert set(LOOK) ^ set(settings(RestyleOptions)) == IN_OTHER_WORDS


@pytest.mark.parametrize("call", [vedit.restyle, vedit.plan, vedit.preview, vedit.Edit.__init__, vedit.open_video])
def test_every_argument_is_described_with_its_range(call: Callable[..., Any]) -> None:
    said = cast("str", inspect.getdoc(call)).partition("Args:\n")[2]
    described = dict(re.findall(r"^    (\w+): ((?:.*)(?:\n        .*)*)", said, re.MULTILINE))
    for name, one in parameters(call).items():
        if name == "self":
            continue
        assert name in described, f"describe {name} under Args of {call.__qualname__}"
        text = " ".join(described[name].split())
        if name in BOUNDS:
            bound = BOUNDS[name]
            assert text.startswith(f"{bound.low} to {bound.high}"), f"{name} begins with its range, as {bound}"
        if str(one.annotation).startswith(CHOICES):
            assert text.count('"') >= 4, f"{name} names its choices"


def public_calls() -> list[tuple[str, Callable[..., Any]]]:
    """Every function, class and method of the API."""
    found: list[tuple[str, Callable[..., Any]]] = []
    for name in vedit.__all__:
        value = getattr(vedit, name)
        if inspect.isclass(value):
            methods = inspect.getmembers(value, inspect.isfunction)
            found += [(f"{name}.{n}", call) for n, call in methods if not n.startswith("_") or n == "__init__"]
        elif callable(value):
            found.append((name, value))
    return found


@pytest.mark.parametrize(("name", "call"), public_calls(), ids=[name for name, _ in public_calls()])
def test_no_signature_hides_its_arguments(name: str, call: Callable[..., Any]) -> None:
    hidden = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    for one in parameters(call).values():
        assert one.kind not in hidden, f"{name} takes anything"
        assert one.name == "self" or one.annotation is not inspect.Parameter.empty, f"{name}: {one.name} has no type"


def test_help_shows_them() -> None:
    text = pydoc.plain(pydoc.render_doc(vedit.restyle))
    assert "seed: 'int' = 0" in text
    assert "quality: 'QualityName' = 'standard'" in text
    assert "strength: 0 to 1: how much is regenerated; 0 is the source" in text
    assert "-> 'RenderResult'" in text
