"""How a model is loaded: what is said of it is what is not usual, and the same in all that shows it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from vedit.models.loading import Loading, loading_of
from vedit.options.request import RenderRequest
from vedit.render.model_plan import ModelPlan
from vedit.render.outcome import RenderPlan

SAID: dict[str, Any] = {"precision": "bfloat16", "quantize": "nf4", "offload": "group", "attention_backend": "math"}


def test_what_is_usual_is_not_said() -> None:
    usual, other = Loading(device="cuda:1"), Loading(device="cuda:1", **SAID)
    assert (usual.said(), str(usual), usual.is_usual) == ({}, "on cuda:1", True)
    assert (other.said(), other.is_usual) == (SAID, False)
    assert str(other) == "on cuda:1 in bfloat16, weights in nf4, offload group, attention by math"
    assert other.kind == usual.kind == "cuda"


def test_requests_and_plans_have_every_setting_of_it() -> None:
    names = {"device", *Loading().settings()}
    assert names == {"device", *SAID}
    for kind in (RenderRequest, RenderPlan, ModelPlan):
        assert names <= {field.name for field in fields(kind)}


def test_a_plan_of_a_render_shows_it() -> None:
    plan = RenderPlan(
        source="in.mp4",
        output="out.mp4",
        frames=1,
        first_frame=0,
        shots=((0, 1),),
        rate="24",
        source_size=(64, 64),
        working_size=(64, 64),
        model="sd15",
        device="cuda",
        steps=1,
        network_evaluations_per_frame=1,
        peak_memory_bytes=None,
        seconds=None,
        **SAID,
    )
    assert loading_of(plan, plan.device).said() == SAID
    assert plan.network == "sd15 on cuda in bfloat16, weights in nf4, offload group, attention by math"
