"""The source's states in the decoder: what is taken is given, whatever else is in the network, and no trace is left."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, cast

import pytest
import torch
from torch.nn import functional as F

from vedit.diffusion.adapters.injection import injected_layers
from vedit.diffusion.conditioning import Conditioning, RegionConditioning, bind
from vedit.diffusion.injecting import with_injection
from vedit.diffusion.trajectory import PreservingStep
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.options.injection import Injection
from vedit.testing.tiny_sd import write_tiny_sd

STEP = PreservingStep(index=0, count=2, level=400, alpha=0.4, alpha_cleaner=0.6)


@pytest.fixture(scope="module", params=["sd15", "embedded"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    named = "embedded" if request.param == "embedded" else str(write_tiny_sd(tmp_path_factory.mktemp("model") / "tiny"))
    return load_sd(resolve(named))


def latents(model: SDModel, seed: int, frames: int = 3) -> torch.Tensor:
    return torch.randn(frames, model.codec.channels, 8, 8, generator=torch.Generator().manual_seed(seed))


def state_of(model: SDModel) -> dict[str, object]:
    """All that a hook or a processor would show in."""
    unet = model.denoiser.unet
    kinds = ("_forward_hooks", "_forward_pre_hooks")
    hooks = {name: [len(getattr(one, kind)) for kind in kinds] for name, one in unet.named_modules()}
    weights = {name: one.clone() for name, one in unet.state_dict().items()}
    return {"hooks": hooks, "processors": dict(unet.attn_processors), "weights": weights}


def same(before: dict[str, object], after: dict[str, object]) -> bool:
    weights, others = before.pop("weights"), after.pop("weights")
    assert isinstance(weights, dict) and isinstance(others, dict)
    return before == after and all(torch.equal(weights[name], others[name]) for name in weights)


def test_it_is_at_a_quarter_of_the_resolution_and_from_there_on(model: SDModel) -> None:
    """In SD 1.5 layer 4 of the decoder, and the attention of layers 4 to 11: two of the block, then three and three."""
    unet = model.denoiser.unet
    names = {module: name for name, module in unet.named_modules()}
    features, attention = injected_layers(unet)
    assert features is not None
    if len(unet.up_blocks) == 4:
        assert names[features] == "up_blocks.1.resnets.1.conv2"
        firsts = [names[layer].split(".transformer_blocks")[0] for layer in attention[::2]]
        layers = len(cast("Any", unet.up_blocks[1]).resnets)
        own = [f"up_blocks.1.attentions.{n}" for n in range(1, layers)]
        assert firsts == own + [f"up_blocks.{block}.attentions.{n}" for block in (2, 3) for n in range(layers)]
    else:
        assert names[features].startswith("up_blocks.0.resnets.1.")
    assert all(names[layer].endswith((".attn1.to_q", ".attn1.to_k")) for layer in attention)


@pytest.mark.parametrize("frames_a_call", [1, 2, 8])
def test_injected_everywhere_the_states_are_the_sources(model: SDModel, frames_a_call: int) -> None:
    """Under its own latents and prompt injection changes nothing; under others it pulls what comes out to the source's,
    and how frames are cut into calls does not matter."""
    prompt = Conditioning(prompt=model.text("a photograph"))
    denoise = bind(model.denoiser, prompt, batch=frames_a_call)
    source, other = latents(model, 1), latents(model, 2)
    with model.injection() as states:
        own = with_injection(denoise, denoise, states, lambda _: source, Injection(features=1, attention=1))
        torch.testing.assert_close(own(source, STEP), denoise(source, STEP), rtol=0, atol=1e-6)
        moved, plain = own(other, STEP), denoise(other, STEP)
    assert float((moved - plain).abs().max()) > 1e-4
    whole = bind(model.denoiser, prompt, batch=8)
    with model.injection() as states:
        at_once = with_injection(whole, whole, states, lambda _: source, Injection(features=1, attention=1))
        torch.testing.assert_close(moved, at_once(other, STEP), rtol=0, atol=1e-4)


def test_queries_and_keys_are_replaced_in_attention_and_values_are_not(model: SDModel) -> None:
    """Written out for one layer: softmax of the source's q and k over the target's v."""
    _, layers = injected_layers(model.denoiser.unet)
    query = layers[-2]
    attn: Any = next(m for m in model.denoiser.unet.modules() if getattr(m, "to_q", None) is query)
    x, y = (torch.randn(2, 16, attn.to_q.in_features, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    with model.injection() as states, torch.inference_mode():
        with states.taking(features=False, attention=True):
            attn(x)
        with states.giving():
            found = attn(y)
        q, k, v = (
            layer(given).unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for layer, given in ((attn.to_q, x), (attn.to_k, x), (attn.to_v, y))
        )
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        expected = attn.to_out[1](attn.to_out[0](mixed))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_guided_step_gets_it_in_both_passes_and_several_prompts_get_the_one_frames(model: SDModel) -> None:
    source = bind(model.denoiser, Conditioning(prompt=model.text("a photograph")), batch=2)
    words = [model.text(text) for text in ("night", "woodcut")]
    guided = [Conditioning(prompt=one, negative=model.text("day"), guidance=3.0) for one in words]
    x, frame = latents(model, 2, 1), latents(model, 1, 1)

    def run(asked: Conditioning, given: torch.Tensor) -> torch.Tensor:
        target = bind(model.denoiser, asked, batch=2)
        with model.injection() as states:
            return with_injection(target, source, states, lambda _: frame, Injection(features=1, attention=1))(
                given, STEP
            )

    alone = torch.cat([run(one, x) for one in guided])
    others = {name: torch.cat([one.others[name] for one in words]) for name in words[0].others}
    both = Conditioning(
        prompt=type(words[0])(states=torch.cat([one.states for one in words]), others=others),
        negative=model.text("day"),
        guidance=3.0,
    )
    torch.testing.assert_close(run(both, x.expand(2, -1, -1, -1)), alone, rtol=0, atol=1e-4)


@pytest.mark.parametrize("order", ["cross-frame first", "injection first"])
def test_it_goes_with_cross_frame_attention_and_regions(model: SDModel, order: str) -> None:
    """In either order of opening the frames are the same, they still see each other, and the source sees no region."""
    mask = torch.zeros(3, 1, 64, 64)
    mask[..., :32] = 1
    regions = (RegionConditioning(prompt=model.text("bronze"), mask=mask),)
    source, x = latents(model, 1), latents(model, 2)
    before = state_of(model)

    def run(given: torch.Tensor, first: str, shown: tuple[RegionConditioning, ...] = regions) -> torch.Tensor:
        with ExitStack() as stack:
            if first == "injection first":
                states = stack.enter_context(model.injection())
                memory = stack.enter_context(model.cross_frame())
            else:
                memory = stack.enter_context(model.cross_frame())
                states = stack.enter_context(model.injection())
            regional = stack.enter_context(model.regional())
            asked = Conditioning(prompt=model.text("night"), regions=shown)
            target = bind(model.denoiser, asked, batch=2, memory=memory, regional=regional)
            told = Conditioning(prompt=model.text("a photograph"))
            own = bind(model.denoiser, told, batch=2, memory=memory, regional=regional)
            half = Injection(features=1, attention=0)
            return with_injection(target, own, states, lambda _: source, half)(given, STEP)

    found = run(x, order)
    torch.testing.assert_close(found, run(x, "cross-frame first"), rtol=0, atol=0)
    changed = x.clone()
    changed[0] += 1
    assert float((run(changed, order) - found)[2].abs().max()) > 1e-5, "the others do not see the first frame"
    assert float((run(x, order, ()) - found).abs().max()) > 1e-5, "the region does not act"
    assert same(before, state_of(model))


def test_nothing_is_left_after_success_and_exception_in_any_nesting(model: SDModel) -> None:
    before, x = state_of(model), latents(model, 1)
    expected = bind(model.denoiser, Conditioning(prompt=model.text("night")), batch=2)(x, STEP)

    def fails(*_: object) -> torch.Tensor:
        raise RuntimeError("in the middle")

    denoise = bind(model.denoiser, Conditioning(prompt=model.text("night")), batch=2)
    for source, target in ((denoise, denoise), (fails, denoise), (denoise, fails)):
        with ExitStack() as stack:
            stack.enter_context(model.cross_frame())
            outer = stack.enter_context(model.injection())
            inner = stack.enter_context(model.injection())
            stack.enter_context(model.regional())
            for states in (inner, outer):
                run = with_injection(target, source, states, lambda _: x, Injection(features=1, attention=1))
                if source is fails or target is fails:
                    with pytest.raises(RuntimeError, match="in the middle"):
                        run(x, STEP)
                else:
                    run(x, STEP)
        assert torch.equal(denoise(x, STEP), expected)
    assert same(before, state_of(model))


def test_beyond_its_part_nothing_is_injected_and_the_source_is_not_run(model: SDModel) -> None:
    denoise = bind(model.denoiser, Conditioning(prompt=model.text("night")), batch=2)
    x = latents(model, 1)

    def never(*_: object) -> torch.Tensor:
        raise AssertionError("the source was run")

    late = PreservingStep(index=1, count=2, level=200, alpha=0.6, alpha_cleaner=0.9)
    with model.injection() as states:
        run = with_injection(denoise, never, states, lambda _: x, Injection(features=0.5, attention=0.4))
        assert torch.equal(run(x, late), denoise(x, late))
