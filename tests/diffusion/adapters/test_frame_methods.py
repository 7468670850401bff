"""Attention methods over key frames in one layer: what they are by dense loops, however frames are called."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest
import torch
from diffusers.models.attention_processor import Attention

from vedit.diffusion.adapters import self_attention
from vedit.diffusion.adapters.extended import ExtendedProcessor
from vedit.diffusion.adapters.flow_attention import FlowMemory, FlowProcessor
from vedit.diffusion.adapters.key_frames import KeyMemory
from vedit.diffusion.adapters.token_merging import MergingProcessor, merges_of
from vedit.diffusion.adapters.tokenflow import TokenFlowProcessor, token_fields
from vedit.types import OpticalFlow

HEADS, WIDTH, TOKENS, FRAMES = 2, 16, 12, 7
KEYS = (0, 3, 6)
CALLS = ([3, 4], [1] * 7, [2, 1, 3, 1])
"""Frames of each call, keys and others apart."""
Make = Callable[[KeyMemory], Callable[..., torch.Tensor]]


@pytest.fixture
def layer() -> Attention:
    torch.manual_seed(0)
    return Attention(query_dim=WIDTH, heads=HEADS, dim_head=WIDTH // HEADS).eval().requires_grad_(False)


@pytest.fixture
def states() -> torch.Tensor:
    return torch.randn(FRAMES, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))


def dense(layer: Any, own: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Softmax attention of tokens (L, D) over others (M, D), a head and a token at a time."""
    query, key, value = layer.to_q(own), layer.to_k(seen), layer.to_v(seen)
    made = torch.zeros_like(query)
    size = WIDTH // HEADS
    for head in range(HEADS):
        part = slice(head * size, (head + 1) * size)
        for token in range(len(own)):
            logits = torch.stack([query[token, part] @ one / math.sqrt(size) for one in key[:, part]])
            made[token, part] = logits.softmax(0) @ value[:, part]
    return layer.to_out[0](made)


def called(layer: Any, states: torch.Tensor, memory: KeyMemory, processor: Any, sizes: Sequence[int]) -> torch.Tensor:
    """What a layer makes of all frames, in their order, called with parts of these sizes."""
    memory.clear()
    order = list(memory.order)
    parts = [processor(layer, part) for part in states[order].split(list(sizes))]
    return torch.cat(parts)[[order.index(place) for place in range(len(order))]]


def check(layer: Any, states: torch.Tensor, make: Make, wanted: Mapping[int, torch.Tensor]) -> None:
    memory = KeyMemory(places=KEYS, count=FRAMES)
    processor = make(memory)
    for sizes in CALLS:
        made = called(layer, states, memory, processor, sizes)
        for place, one in wanted.items():
            torch.testing.assert_close(made[place], one, rtol=0, atol=1e-5)


def extended_by_loops(layer: Any, states: torch.Tensor, near: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    keys = [near(states[key]) for key in KEYS]
    return {
        place: dense(
            layer, states[place], torch.cat([states[place], *(keys[: KEYS.index(place)] if place in KEYS else keys)])
        )
        for place in range(FRAMES)
    }


def test_extended_attention_is_dense_attention_over_the_keys(layer: Attention, states: torch.Tensor) -> None:
    wanted = extended_by_loops(layer, states, lambda one: one)
    check(layer, states, lambda memory: ExtendedProcessor(0, memory), wanted)


def test_in_large_layers_a_third_of_a_key_stands_for_all(
    layer: Attention, states: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_attention, "LARGE", TOKENS)
    wanted = extended_by_loops(layer, states, lambda one: one[::3].repeat_interleave(3, 0))
    check(layer, states, lambda memory: ExtendedProcessor(0, memory), wanted)


def test_tokenflow_gathers_what_the_source_shows_from_the_keys_around(layer: Attention, states: torch.Tensor) -> None:
    draw = torch.Generator().manual_seed(2)
    source = torch.randn(TOKENS, 9, generator=draw)
    orders = [torch.arange(TOKENS), *(torch.randperm(TOKENS, generator=draw) for _ in range(FRAMES - 1))]
    # Each frame of the source has the tokens of the first one, elsewhere.
    fields = token_fields(range(FRAMES), KEYS, lambda place: {4: source[orders[place]]})
    keys = {key: one for key, one in extended_by_loops(layer, states, lambda one: one).items() if key in KEYS}
    wanted = dict(keys)
    for place, (before, behind) in {1: (0, 3), 2: (0, 3), 4: (3, 6), 5: (3, 6)}.items():
        share = (place - before) / 3
        found = torch.zeros(TOKENS, WIDTH)
        for token, shown in enumerate(orders[place]):
            for key, weight in ((before, 1 - share), (behind, share)):
                (there,) = (orders[key] == shown).nonzero()[0].tolist()
                found[token] += weight * keys[key][there]
        wanted[place] = found
    check(layer, states, lambda memory: TokenFlowProcessor(4, memory, fields[4]), wanted)


def test_a_still_source_under_tokenflow_is_drawn_alike_between_equal_keys(layer: Attention) -> None:
    """No key has a share of another where they agree: nothing is greyed."""
    still = torch.randn(1, TOKENS, WIDTH, generator=torch.Generator().manual_seed(3)).expand(FRAMES, -1, -1)
    fields = token_fields(range(FRAMES), KEYS, lambda place: {0: still[place]})
    memory = KeyMemory(places=KEYS, count=FRAMES)
    made = called(layer, still, memory, TokenFlowProcessor(0, memory, fields[0]), CALLS[0])
    torch.testing.assert_close(made, made[:1].expand_as(made), rtol=0, atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.75, 1.0])
def test_merged_tokens_take_what_is_made_of_the_keys_and_the_rest_attends(
    layer: Attention, states: torch.Tensor, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_attention, "LARGE", TOKENS)
    source = torch.randn(FRAMES, TOKENS, 9, generator=torch.Generator().manual_seed(4))
    merges = merges_of(range(FRAMES), KEYS, lambda place: {2: source[place]}, share=share)
    # In a large layer three of a key's tokens are told by one.
    wanted = {
        key: one
        for key, one in extended_by_loops(layer, states, lambda one: one[::3].repeat_interleave(3, 0)).items()
        if key in KEYS
    }
    for place, key in {1: 0, 2: 3, 4: 3, 5: 6}.items():
        likeness = torch.cosine_similarity(source[place][:, None], source[key][None], dim=2)
        best = likeness.max(1)
        alone = best.values.argsort()[: TOKENS - round(share * TOKENS)]
        made = wanted[key][best.indices].clone()
        if len(alone):
            seen = torch.cat([states[place][alone], states[key][::3].repeat_interleave(3, 0)])
            made[alone] = dense(layer, states[place][alone], seen)
        wanted[place] = made
    check(layer, states, lambda memory: MergingProcessor(2, memory, merges[2]), wanted)


def test_small_layers_are_not_merged(states: torch.Tensor) -> None:
    assert not merges_of(range(FRAMES), KEYS, lambda place: {2: states[place]})


def flow_of(shift: torch.Tensor, sides: tuple[int, int], hidden: torch.Tensor | None = None) -> OpticalFlow:
    """Of a picture that moves by (x, y) pixels from each frame to the next."""
    back = (-shift).view(1, 2, 1, 1).expand(FRAMES - 1, 2, *sides).contiguous()
    none = torch.zeros(FRAMES - 1, 1, *sides, dtype=torch.bool)
    return OpticalFlow(
        forward=-back, backward=back, forward_occlusion=none, backward_occlusion=none if hidden is None else hidden
    )


@pytest.mark.parametrize("sizes", [[7], [1] * 7, [3, 4]])
def test_flow_attention_is_attention_along_trajectories(layer: Any, states: torch.Tensor, sizes: list[int]) -> None:
    """Of a grid of 3 x 4 cells, 8 pixels wide, that moves a cell to the right in each frame; a part is hidden once."""
    sides, grid = (24, 32), (3, 4)
    hidden = torch.zeros(FRAMES - 1, 1, *sides, dtype=torch.bool)
    hidden[3, :, 8:16] = True
    numbers = (0, 1, 3, 4, 5, 6, 90)
    memory = FlowMemory(numbers=numbers, flow=flow_of(torch.tensor([8.0, 0.0]), sides, hidden))
    processor = FlowProcessor(0, memory)
    made = torch.cat([processor(layer, part) for part in states.split(sizes)])
    size = WIDTH // HEADS
    mixed = [_mixed(layer, one) for one in states]
    for place in range(FRAMES):
        for token in range(TOKENS):
            row, column = divmod(token, grid[1])
            path = [(place, token)]
            for back in range(1, place + 1):
                frame = place - back
                if numbers[frame + 1] > numbers[frame] + 8 or (frame == 3 and row == 1) or column - back < 0:
                    break
                path.append((frame, row * grid[1] + column - back))
            out = torch.zeros(WIDTH)
            query = layer.to_q(states[place, token])
            for head in range(HEADS):
                part = slice(head * size, (head + 1) * size)
                keys = torch.stack([layer.to_k(states[f, p])[part] for f, p in path])
                shares = (keys @ query[part] / math.sqrt(size)).softmax(0)
                out[part] = shares @ torch.stack([mixed[f][p, part] for f, p in path])
            torch.testing.assert_close(made[place, token], layer.to_out[0](out), rtol=0, atol=1e-5)


def _mixed(layer: Any, states: torch.Tensor) -> torch.Tensor:
    """Self-attention of a frame before its output projection, (L, D)."""
    query, key, value = (part(states).unflatten(1, (HEADS, -1)) for part in (layer.to_q, layer.to_k, layer.to_v))
    shares = (torch.einsum("lhd,mhd->hlm", query, key) / math.sqrt(WIDTH // HEADS)).softmax(-1)
    return torch.einsum("hlm,mhd->lhd", shares, value).flatten(1)


def test_a_still_picture_stays_what_self_attention_makes_of_it(layer: Any, states: torch.Tensor) -> None:
    still = states[:1].expand(FRAMES, -1, -1)
    memory = FlowMemory(numbers=tuple(range(FRAMES)), flow=flow_of(torch.zeros(2), (24, 32)))
    made = cast("Any", FlowProcessor(0, memory))(layer, still)
    wanted = layer.to_out[0](_mixed(layer, states[0]))
    torch.testing.assert_close(made, wanted.expand_as(made), rtol=0, atol=1e-5)


def test_a_mask_or_a_text_is_refused(layer: Attention, states: torch.Tensor) -> None:
    processor = cast("Any", ExtendedProcessor(0, KeyMemory(places=KEYS, count=FRAMES)))
    with pytest.raises(ValueError, match="without a mask"):
        processor(layer, states, encoder_hidden_states=states)
