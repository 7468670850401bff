"""A prompt of any length as the chunks that a CLIP text encoder reads, one after the other.

The encoder of a Stable Diffusion reads 77 tokens, of which two begin and end them. A longer text is cut into chunks of
75 that each get a begin and an end, and whose states stand side by side for the UNet's cross-attention, which takes any
number: the method that the web interfaces share. It cuts behind a comma where one is near the end of a full chunk, so
that a phrase is seldom torn. The states of a token are multiplied by the weight of its words, and then the mean of the
chunk's states is brought back to what it was, so that weights change what is told and not how loud all of it is.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import torch

from vedit.options.prompt_weights import weighted

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    Encoder = CLIPTextModel | CLIPTextModelWithProjection

COMMA = ",</w>"
_NEAR = 20
"""Tokens before the end of a full chunk among which a comma is taken for its end."""

_NO_MEAN = 1e-4
"""Of a chunk's loudness: a mean below it is the sum of roundings, and nothing that could be brought back."""

Token = int | torch.Tensor
"""A token's number, or a vector (D,) that stands in the place of one."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """What an encoder reads in one go, without begin and end."""

    tokens: tuple[Token, ...] = ()
    weights: tuple[float, ...] = ()
    """Of each token."""


@dataclass(frozen=True, kw_only=True)
class States:
    """What an encoder makes of the chunks of a text."""

    states: torch.Tensor
    """(1, L, D), chunk by chunk."""
    pooled: torch.Tensor | None = field(default=None)
    """The whole text in one vector, (1, D): of the first chunk, and of an encoder that projects one."""


def room_of(tokenizer: CLIPTokenizer, encoder: Encoder) -> int:
    """Tokens of a chunk."""
    return min(int(tokenizer.model_max_length), int(encoder.config.max_position_embeddings)) - 2


def chunks_of(
    text: str, tokenizer: CLIPTokenizer, room: int, vectors: Mapping[str, torch.Tensor] | None = None
) -> tuple[Chunk, ...]:
    """The chunks of a prompt; one, with no tokens, of an empty text.

    Args:
        text: with weights as `vedit.options.prompt_weights` has them.
        tokenizer: of the encoder.
        room: tokens of a chunk.
        vectors: by the words that they stand for, in lower case: vectors (V, D), V at most `room`, that are never torn.

    Raises:
        InputError: as `vedit.options.prompt_weights.weighted`.
    """
    found = tokenizer.convert_tokens_to_ids(COMMA)
    comma = found if isinstance(found, int) and found != tokenizer.unk_token_id else None
    chunks: list[Chunk] = []
    for part in weighted(text):
        groups = [(tokens, piece.weight) for piece in part for tokens in _spelt(piece.text, tokenizer, vectors or {})]
        chunks += _cut(groups, room, comma)
    return tuple(chunks)


def _spelt(text: str, tokenizer: CLIPTokenizer, vectors: Mapping[str, torch.Tensor]) -> Iterator[tuple[Token, ...]]:
    """The tokens of a text; those that stay together in one group."""
    if not vectors:
        yield from ((token,) for token in tokenizer(text, add_special_tokens=False, verbose=False).input_ids)
        return
    # The longest name first, where one begins another.
    names = "|".join(re.escape(name) for name in sorted(vectors, key=len, reverse=True))
    for number, words in enumerate(re.split(rf"(?<![\w-])({names})(?![\w-])", text, flags=re.IGNORECASE)):
        if number % 2:
            yield tuple(vectors[words.lower()])
        elif words.strip():
            yield from _spelt(words, tokenizer, {})


def _cut(groups: Sequence[tuple[tuple[Token, ...], float]], room: int, comma: int | None) -> Iterator[Chunk]:
    """The chunks of a part that nothing but its length divides."""
    held: list[tuple[Token, float]] = []
    after_comma = 0
    for tokens, weight in groups:
        is_comma = len(tokens) == 1 and isinstance(tokens[0], int) and tokens[0] == comma
        while len(held) + len(tokens) > room:
            near = after_comma > 0 and len(held) - after_comma < _NEAR and not is_comma
            at = after_comma if near else len(held)
            yield _chunk(held[:at])
            held, after_comma = held[at:], 0
        held += [(token, weight) for token in tokens]
        if is_comma:
            after_comma = len(held)
    if held or not groups:
        yield _chunk(held)


def _chunk(held: Sequence[tuple[Token, float]]) -> Chunk:
    return Chunk(tokens=tuple(token for token, _ in held), weights=tuple(weight for _, weight in held))


@torch.inference_mode()
def encoded(chunks: Sequence[Chunk], tokenizer: CLIPTokenizer, encoder: Encoder, *, layer: int, normed: bool) -> States:
    """What a CLIP text encoder makes of chunks, each with a begin, an end and padding to the encoder's length.

    Args:
        chunks: of a text.
        tokenizer: of the encoder.
        encoder: with or without a projection of the whole text.
        layer: whose states are taken, counted from the last, which is 1.
        normed: with the encoder's final norm, which it puts behind its last layer, behind whichever is taken.
    """
    length = room_of(tokenizer, encoder) + 2
    ids = torch.tensor([_ids(chunk, tokenizer, length) for chunk in chunks], device=encoder.device)
    with _placed(chunks, encoder):
        found = encoder(input_ids=ids, output_hidden_states=layer > 1 or not normed)
    if layer == 1 and normed:
        states = found.last_hidden_state
    else:
        states = found.hidden_states[-layer]
        norm = cast("torch.nn.Module", getattr(encoder, "text_model", encoder).final_layer_norm)
        states = norm(states) if normed else states
    weighed = [_weighed(one, chunk) for one, chunk in zip(states, chunks, strict=True)]
    pooled = getattr(found, "text_embeds", None)
    return States(states=torch.cat(weighed)[None], pooled=None if pooled is None else pooled[:1])


def _ids(chunk: Chunk, tokenizer: CLIPTokenizer, length: int) -> list[int]:
    begin, end, padding = (
        cast("int", token) for token in (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id)
    )
    # A vector's own number is never looked at; one that ends no text keeps encoders that look for the end right.
    ids = [begin, *(token if isinstance(token, int) else begin for token in chunk.tokens), end]
    return ids + [padding] * (length - len(ids))


@contextmanager
def _placed(chunks: Sequence[Chunk], encoder: Encoder) -> Generator[None]:
    """Vectors in the places of tokens, for as long as the context lasts: by a hook on the embedding of tokens, whose
    weights and number stay what they are."""
    places = [
        (row, place, token)
        for row, chunk in enumerate(chunks)
        for place, token in enumerate(chunk.tokens, start=1)
        if isinstance(token, torch.Tensor)
    ]

    def put(_: torch.nn.Module, __: tuple[object, ...], output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        for row, place, vector in places:
            output[row, place] = vector.to(output)
        return output

    hook = encoder.get_input_embeddings().register_forward_hook(put) if places else None
    try:
        yield
    finally:
        if hook is not None:
            hook.remove()


def _weighed(states: torch.Tensor, chunk: Chunk) -> torch.Tensor:
    """(L, D) -> the states of a chunk by the weights of its tokens, their mean what it was."""
    if all(weight == 1.0 for weight in chunk.weights):
        return states
    weights = torch.ones(len(states), 1, dtype=torch.float32, device=states.device)
    weights[1 : 1 + len(chunk.weights), 0] = torch.tensor(chunk.weights)
    full = states.float()
    changed = full * weights
    mean, loudness = changed.mean(), changed.abs().mean()
    if mean.abs() > _NO_MEAN * loudness:
        changed = changed * (full.mean() / mean)
    return changed.to(states.dtype)
