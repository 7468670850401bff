"""What pipelines and attention methods have to keep to; `vedit.testing.contracts` has them all in one place."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from vedit.control_maps.maps import control_maps
from vedit.diffusion.conditioning import Conditioning, Control, FrameConditioning, bind
from vedit.errors import InputError
from vedit.models.attention import attending, load_attention
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.options.masks import KeyedBox, MaskSpec, RegionSpec
from vedit.options.request import RestyleOptions
from vedit.pipelines.pipeline import load_pipeline
from vedit.pipelines.restyle_windows import shot_windows
from vedit.testing.surroundings import shifted, world
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.diffusion.conditioning import Memory
    from vedit.models.family import Model
    from vedit.pipelines.pipeline import Pipeline, Prepared

PROMPT = "night"
FRAMES = 9
"""Of the shot that is shown: two windows of 5 that share a frame, for models of a latent a frame and for others."""
IN_PARTS = 1e-3
"""By which outputs of a network may differ that was called with its frames in other parts."""


def check_attention(name: str, model: str = "embedded") -> None:
    """An attention method gives finite outputs, the same in network calls of any lengths, and leaves the model as it
    was.

    Args:
        name: of the method, as it is listed.
        model: on which it is tried, by any name that `vedit.models.resolve.resolve` takes.

    Raises:
        AssertionError: it does not.
        InputError: there is none of that name, or it cannot be loaded.
    """
    method = load_attention(name)
    assert isinstance(method.needs_flow, bool), "needs_flow is True or False"
    assert 0 < method.cost < float("inf"), f"a cost is a positive number, not {method.cost}"
    loaded, options = load(resolve(model)), RestyleOptions(prompt=PROMPT, attention=name)
    frames = _frames(loaded, 4)
    before, untouched = frames.clone(), _output(loaded, frames)
    state = world()

    def opened() -> AbstractContextManager[Memory | None]:
        return attending(loaded, options, tuple(range(len(frames))), frames)

    with opened() as memory:
        outputs = [_output(loaded, frames, memory, batch=batch) for batch in (len(frames), len(frames), 3, 1)]
    assert all(bool(one.isfinite().all()) for one in outputs), "outputs are finite"
    assert torch.equal(*outputs[:2]), "an output depends on the pass before it: the memory's clear forgets too little"
    for other in outputs[2:]:
        assert torch.allclose(other, outputs[0], atol=IN_PARTS), "an output depends on the parts in which frames come"
    assert torch.equal(_output(loaded, frames), untouched), "closed, it leaves something in the model"
    with opened() as memory:
        assert torch.equal(_output(loaded, frames, memory, batch=len(frames)), outputs[0]), "opened anew it is another"
    assert torch.equal(frames, before), "the frames were changed"
    after = world()
    assert [key for key in state if state[key] != after[key]] == [], "it changed the world around it"


def check_pipeline(name: str, model: str = "embedded") -> None:
    """A pipeline gives latents of every window's frames, which depend on no other window, tells what decides them, and
    leaves model, frames and world as they were.

    Args:
        name: of the pipeline, as it is listed.
        model: on which it is tried, by any name that `vedit.models.resolve.resolve` takes.

    Raises:
        AssertionError: it does not.
        InputError: there is none of that name, it cannot be loaded, or does not take the model.
    """
    pipeline = load_pipeline(name)
    assert isinstance(pipeline.inverts, bool) and isinstance(pipeline.few_steps, bool), "inverts, few_steps are bools"
    found = resolve(model)
    loaded = load(found, controls=found.control_kinds)
    options = RestyleOptions(prompt=PROMPT, quality="draft", pipeline=name, window=5, overlap=1)
    frames = _frames(loaded, FRAMES)
    before, untouched, state = frames.clone(), _output(loaded, frames), world()
    prepared = pipeline.prepare(loaded, options)
    _check_told(prepared)
    _check_asked(pipeline, loaded, options)
    assert pipeline.prepare(loaded, replace(options, strength=0.0)).steps == 0, "at strength 0 nothing is sampled"
    shot = FrameRange(start=0, stop=FRAMES)
    cut = [one.frames for one in shot_windows(prepared.options, shot, loaded.codec.factors)]
    made = [_window(prepared, frames, shot, window) for window in cut]
    for window, latents in reversed(list(zip(cut, made, strict=True))):
        again = _window(prepared, frames, shot, window)
        assert torch.equal(again, latents), f"frames {window.start} to {window.stop} depend on the window before"
    changed = pipeline.prepare(loaded, replace(options, prompt="watercolor"))
    assert not torch.equal(_window(changed, frames, shot, cut[0]), made[0]), "the prompt changes nothing"
    _window(prepared, frames, shot, cut[-1], anchor=1)
    _window(prepared, frames, shot, cut[-1], batch=1)
    stills = prepared.stills(frames[:2], [0, 1], _guides(prepared, frames[:2]))
    assert len(stills.data) == 2 and bool(stills.data.isfinite().all()), "a still has a latent to itself"
    assert torch.equal(_output(loaded, frames), untouched), "it leaves something in the model"
    assert torch.equal(frames, before), "the frames were changed"
    after = world()
    assert [key for key in state if state[key] != after[key]] == [], "it changed the world around it"


def _check_asked(pipeline: Pipeline, model: Model, options: RestyleOptions) -> None:
    """What is asked of it before a model is loaded is what it does with one."""
    region = RegionSpec(mask=MaskSpec(boxes=(KeyedBox(left=0, top=0, width=8, height=8),)), prompt=PROMPT)
    noise, varied = replace(options, start="noise"), replace(options, variation=0.5)
    for look in (options, varied, noise, replace(options, regions=(region,))):
        try:
            model.traits.check(look, model="the model")
            pipeline.check(look, model.traits)
        except InputError:
            continue
        try:
            drawn = pipeline.prepare(model, look).drawn
        except InputError as error:
            raise AssertionError(f"prepare refuses what check does not: {error.message}") from error
        assert pipeline.draws(look) == (drawn is not None), "draws says other than what is drawn"


def _check_told(prepared: Prepared) -> None:
    """What is known of windows before they are made."""
    assert prepared.steps > 0, "nothing is sampled"
    assert prepared.options.prompt == PROMPT, "its options are of another look"
    assert prepared.recipe["steps"] == prepared.steps, "a recipe says the steps"
    for told in (prepared.facts, prepared.recipe, prepared.fingerprint):
        assert json.loads(json.dumps(dict(told))) is not None, "what is told is JSON"
    assert prepared.fingerprint, "weights are told by their SHA-256"


def _window(
    prepared: Prepared,
    frames: torch.Tensor,
    shot: FrameRange,
    window: FrameRange,
    *,
    anchor: int | None = None,
    batch: int | None = None,
) -> torch.Tensor:
    """The latents of a window, held to the protocol."""
    told: list[tuple[str, float]] = []
    made = prepared.window(
        shot,
        window,
        lambda part: frames[part.start : part.stop].clone(),
        lambda numbers, shown: _guides(prepared, shown),
        lambda stage, part: told.append((stage, part)),
        anchor=anchor,
        batch=batch,
    )
    factors = prepared.model.codec.factors
    count = factors.latent_of(window.stop - shot.start) - factors.latent_of(window.start - shot.start)
    assert len(made.data) == count, f"{len(made.data)} latents of {len(window)} frames, not {count}"
    assert bool(made.data.isfinite().all()), "latents are finite"
    assert made.source is not None and made.source.shape == made.data.shape, "the source's latents come with them"
    assert told and told[-1] == ("sample", 1.0), f"each step is told, the last one as whole, not {told[-1:]}"
    return made.data


def _guides(prepared: Prepared, frames: torch.Tensor) -> FrameConditioning:
    maps = control_maps(prepared.controls, frames)
    pairs = zip(prepared.controls, maps, strict=True)
    return FrameConditioning(controls=tuple(Control(spec=spec, map=each) for spec, each in pairs))


def _frames(model: Model, count: int) -> torch.Tensor:
    side = max(2 * model.traits.size_multiple, model.traits.minimum_side)
    return shifted((side, side), count)


def _output(model: Model, frames: torch.Tensor, memory: Memory | None = None, *, batch: int = 8) -> torch.Tensor:
    """What the networks make of the frames' own latents in the first step."""
    step = model.schedule(steps=3).steps[0]
    denoise = bind(model.denoiser, Conditioning(prompt=model.text(PROMPT)), batch=batch, memory=memory)
    return denoise(model.codec.encode(frames.to(model.device)), step)
