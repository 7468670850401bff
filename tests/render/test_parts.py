"""Parts of a render that a look names: who may be named, what is kept under which key, and what estimates say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from tests.support.plugged import ORIGIN, plugged_in
from vedit.cli.params import check_seed
from vedit.errors import InputError, SettingError
from vedit.models.attention import ALONE, Together, attention_facts, load_attention
from vedit.models.family import Traits
from vedit.models.load import load
from vedit.models.loading import Loading
from vedit.models.recipes import Recipe, by_recipe, recipe_of
from vedit.models.resolve import resolve
from vedit.options.masks import KeyedBox, MaskSpec, RegionSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines.pipeline import pipeline_facts
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.pipelines.restyle_pipeline import PIPELINE
from vedit.pipelines.seeds import VARIATION, drawing, draws
from vedit.registry.attention import attention_methods
from vedit.registry.pipelines import pipelines
from vedit.registry.upscalers import upscalers
from vedit.render import ended_before
from vedit.render.costs import Outline, seconds_of
from vedit.render.evaluations import evaluations, outline_of_look, steps_taken
from vedit.render.notes import dear_looks, idle_seeds
from vedit.render.parts import check_brought, check_parts, options_facts, plugged_parts, upscaler_facts
from vedit.render.provenance import weights_of
from vedit.render.settle import settle
from vedit.store.units import unit_key
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import Fit, FrameRange

USUAL = RestyleOptions(prompt="night", quality="draft")
SOURCE: dict[str, Any] = {
    "pixels": 4096,
    "source_codec": "h264",
    "model": "embedded",
    "loading": Loading(),
    "codec": "h264",
    "scanned": 9,
    "searched": 9,
}
OTHER = {"name": "other", "of": ORIGIN, "version": None}


class WithoutInversion:
    """A pipeline for estimates: it samples from noise, with the model's own weights, does not invert, and has no
    regions."""

    inverts, few_steps, enters_adapters = False, False, False

    def draws(self, options: RestyleOptions) -> bool:
        return True

    def check(self, options: RestyleOptions, traits: Traits) -> None:
        if options.regions:
            raise InputError("it has no regions")

    def prepare(self, model: Any, options: Any, inversions: Any = None) -> Any:
        return PIPELINE.prepare(model, options, inversions)


class Other:
    """An attention method of a plug-in."""

    needs_flow, cost = False, 2.0

    def open(self, model: Any, together: Together) -> AbstractContextManager[None]:
        return nullcontext()


PLAIN, METHOD, NOTHING = WithoutInversion(), Other(), None


def no_weights(*_: object) -> dict[str, object]:
    return {"unet": "0"}


def upscaled(source: torch.Tensor, seen: torch.Tensor, result: torch.Tensor) -> torch.Tensor:
    return source


@pytest.fixture
def other() -> Iterator[RestyleOptions]:
    """A look all of whose parts are a plug-in's."""
    named = {"other": "PLAIN", "nothing": "NOTHING", "class": "WithoutInversion"}
    with (
        plugged_in(pipelines, "vedit.pipelines", {name: f"{__name__}:{part}" for name, part in named.items()}),
        plugged_in(attention_methods, "vedit.attention", {"other": f"{__name__}:METHOD"}),
        plugged_in(upscalers, "vedit.upscalers", {"other": f"{__name__}:upscaled"}),
    ):
        yield replace(USUAL, pipeline="other", attention="other", upscale="other")


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("pipeline", "restile", "pipeline is 'restile'; did you mean 'restyle'? use one of restyle"),
        ("attention", "crossframe", "did you mean 'cross-frame'? use one of cross-frame, extended"),
        ("upscale", "lancos", "upscale is 'lancos'; did you mean 'lanczos'? use one of guided, lanczos"),
    ],
)
def test_a_name_that_nobody_has_is_refused_with_the_nearest(name: str, typed: str, told: str) -> None:
    with pytest.raises(SettingError) as error:
        cast("Any", RestyleOptions)(**{name: typed})
    assert told in str(error.value)


def test_a_pipeline_that_would_leave_out_what_a_look_brings_refuses_it(other: RestyleOptions) -> None:
    look = replace(USUAL, pipeline="other", freeu="auto")
    with pytest.raises(InputError, match="the pipeline other takes no freeu"):
        check_brought(look)
    check_brought(replace(look, freeu=""))
    check_brought(replace(look, pipeline="restyle"))


def test_own_parts_say_in_keys_what_older_versions_said() -> None:
    assert attention_facts(USUAL) == {"cross_frame": True}
    assert attention_facts(replace(USUAL, cross_frame=False)) == {"cross_frame": False}
    assert attention_facts(replace(USUAL, attention="none")) == {"cross_frame": False}
    assert pipeline_facts(USUAL) == plugged_parts(USUAL) == {}
    assert upscaler_facts(replace(USUAL, upscale="lanczos")) == "lanczos"


def test_results_of_the_version_before_are_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """By digests that it gave; a setting that is new is left out of them where it is left alone."""
    look = RestyleOptions(prompt="woodcut")
    digest = unit_key({"options": options_facts(replace(look, batch=1))})
    assert digest == "f7ff9e68cbad0d85e6ba4593b185586c116fcfe3d79cff9c1d191231c3fc8e11"
    assert unit_key({"options": options_facts(replace(look, batch=1, attention="none"))}) != digest
    assert unit_key({"options": options_facts(replace(look, batch=1, attention="cross-frame"))}) == digest
    monkeypatch.setattr(ended_before, "weights_of", no_weights)
    monkeypatch.setattr(ended_before, "versions", lambda: (("vedit", "1"),))
    request = RenderRequest(source=Path("a.mp4"), options=replace(look, upscale="lanczos"))
    key = cast("Any", ended_before)._key(request, None, None, "1")
    assert key == "3d155be83832752b372c979954ac3581d14ebda9aebc2f85c174be0c2c90f95f"


def test_results_are_known_by_the_versions_of_plug_ins(other: RestyleOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    before = options_facts(other)
    assert (before["pipeline"], before["plug-ins"]) == ("other", plugged_parts(other))
    monkeypatch.setattr("vedit.registry.entry.version", {ORIGIN: "2.0"}.__getitem__)
    assert options_facts(other) != before


def test_the_parts_of_plug_ins_are_in_keys_and_records(other: RestyleOptions) -> None:
    check_parts(other)
    assert attention_facts(other) == {"cross_frame": True, "attention": OTHER}
    assert pipeline_facts(other) == {"pipeline": OTHER}
    assert upscaler_facts(other) == OTHER
    assert plugged_parts(other) == {"pipeline": OTHER, "attention": OTHER, "upscale": OTHER}


def test_what_is_no_pipeline_is_refused_before_work_begins(other: RestyleOptions) -> None:
    with pytest.raises(InputError, match=f"'nothing' of {ORIGIN} is no pipeline but NoneType; mend or uninstall"):
        check_parts(replace(other, pipeline="nothing"))
    with pytest.raises(InputError, match=f"'class' of {ORIGIN} is no pipeline but the class WithoutInversion"):
        check_parts(replace(other, pipeline="class"))


def test_no_attention_is_said_in_one_way() -> None:
    assert replace(USUAL, cross_frame=False).attention_method == "none"
    assert replace(USUAL, cross_frame=False, attention="none").attention_method == "none"


def test_where_nothing_is_said_a_model_attends_as_it_gains_by() -> None:
    """And once it is settled it is said, so that what is kept of it holds when a model's own is another one day."""
    own, video = resolve("embedded").traits, Traits(size_multiple=8, minimum_side=64, guidance=1.0, qualities={})
    assert own.cross_frame and own.settled(USUAL).attention == "none"
    assert video.settled(USUAL).attention == "cross-frame"
    assert replace(video, cross_frame=False).settled(USUAL).attention == "none"
    for traits in (own, video):
        assert traits.settled(replace(USUAL, attention="cross-frame")).attention_method == "cross-frame"
        assert traits.settled(replace(USUAL, attention="none")).attention_method == "none"
        off = traits.settled(replace(USUAL, cross_frame=False))
        assert (off.attention, off.attention_method) == (None, "none"), "as older versions have told it"
        assert traits.settled(off) == off
    assert attention_facts(own.settled(USUAL)) == {"cross_frame": False}
    assert options_facts(own.settled(USUAL))["attention"] == "none"
    assert "attention" not in options_facts(video.settled(USUAL)), "as of the versions in which it was of every model"


def test_stable_diffusion_attends_across_frames_where_nothing_is_said(tmp_path: Path) -> None:
    assert resolve(str(write_tiny_sd(tmp_path))).traits.settled(USUAL).attention == "cross-frame"


def test_an_attention_method_that_would_not_act_is_refused(other: RestyleOptions) -> None:
    with pytest.raises(SettingError, match="attention is 'other' with cross_frame false"):
        replace(other, cross_frame=False)


def test_estimates_go_by_what_a_pipeline_says(other: RestyleOptions) -> None:
    own = replace(USUAL, steps=6, guidance=3.0)
    plain = replace(own, pipeline="other")
    model = resolve("embedded")
    assert evaluations(model, plain) == 2 * steps_taken(model, plain) == 12
    assert evaluations(model, own) > 12
    assert steps_taken(model, replace(USUAL, pipeline="other")) == 4, "of the model's own weights"
    assert load_attention(other.attention_method).cost == 2.0
    without = replace(model, traits=replace(model.traits, cross_frame=False))
    fit, shots = Fit(source=(64, 64), inner=(64, 64), outer=(64, 64), top=0, left=0), (FrameRange(start=0, stop=9),)
    for method, usual, idle in (("cross-frame", 1.0, 1.0), ("none", ALONE.cost, 1.0), ("other", 2.0, 2.0)):
        look = replace(USUAL, attention=method)
        told = [outline_of_look(one, look, fit, shots, Loading()) for one in (model, without)]
        assert [one.attention for one in told] == [usual, idle]
        seconds = [seconds_of(Outline(**SOURCE, frames=shots[0], looks=(one,))) for one in told]
        assert (seconds[0] == seconds[1]) == (usual == idle)


def test_the_seed_acts_where_a_pipeline_says(other: RestyleOptions) -> None:
    model, plain = resolve("embedded"), replace(USUAL, pipeline="other", seed=3)
    own = replace(plain, pipeline="restyle")
    assert (draws(own), draws(replace(own, variation=0.5)), draws(plain)) == (False, True, True)
    assert (drawing(own, model).variation, drawing(plain, model)) == (VARIATION, plain)
    assert (len(idle_seeds([own])), idle_seeds([plain])) == (1, ())
    check_seed(3, [plain], model)
    with pytest.raises(InputError, match="--seed 3 would decide nothing"):
        check_seed(3, [own], model)


def test_what_is_measured_for_the_own_pipeline_is_for_no_other(other: RestyleOptions) -> None:
    """Recipes, and the few-step weights of a pipeline that takes none: neither in notes nor in keys."""
    model = resolve("embedded")
    named = next(look for look in (model.vocabulary or pytest.fail("no looks")).looks if recipe_for(look.name))
    look = RestyleOptions(prompt=named.wordings[0])
    plain = replace(look, pipeline="other")
    assert recipe_of(look, model) and not recipe_of(plain, model)
    assert by_recipe(plain, model) == replace(plain, variation=0.0)
    dear = replace(USUAL, negative_prompt="blur")
    assert dear_looks(model, [dear]) and not dear_looks(model, [replace(dear, pipeline="other")])
    assert set(weights_of([USUAL], model)) - set(weights_of([replace(USUAL, pipeline="other")], model)) == {"fast"}


def recipe_for(name: str) -> Recipe | None:
    return recipe_of(RestyleOptions(prompt=name), resolve("embedded"))


def test_what_a_pipeline_cannot_do_is_refused_before_a_model_is_loaded(other: RestyleOptions) -> None:
    region = RegionSpec(mask=MaskSpec(boxes=(KeyedBox(left=0, top=0, width=8, height=8),)), prompt="bronze")
    request = RenderRequest(source=Path("a.mp4"), options=replace(USUAL, regions=(region,)))
    settle(request, resolve("embedded"))
    with pytest.raises(InputError, match="it has no regions"):
        settle(replace(request, options=replace(request.options, pipeline="other")), resolve("embedded"))


def test_an_inversion_under_another_attention_method_is_another(
    other: RestyleOptions,
) -> None:
    """What is kept of inversions is told apart by the method, and by nothing for vedit's own."""
    told: list[dict[str, object]] = []

    class Kept:
        def tensors(self, facts: Any) -> None:
            told.append(dict(facts))

        def keep_tensors(self, facts: Any, tensors: Any, *, needed_again: bool = False) -> None:
            pass

    model = load(resolve("embedded"))
    frames = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    for options in (replace(USUAL, controls=(), steps=1), replace(other, controls=(), steps=1, pipeline="restyle")):
        restyler = prepare(model, options, Kept())
        restyle_frames(restyler, frames, range(2), own_guides(restyler)(range(2), frames))
    assert ["attention" in facts for facts in told] == [False, True]
    assert [facts["cross_frame"] for facts in told] == [False, True], "the embedded model's own is none"
    # Under several prompts no method is opened, and a plug-in's is not said to be.
    told.clear()
    for options in (
        replace(other, controls=(), steps=1, pipeline="restyle", attention=one) for one in ("other", "none")
    ):
        restyler = prepare(model, options, Kept())
        guides = own_guides(restyler)([0], frames[:1])
        restyle_frames(restyler, frames[:1], [0], guides, targets=[restyler.prompt] * 2)
    assert told[0] == told[1] and not told[0]["cross_frame"]
