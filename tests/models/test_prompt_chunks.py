"""Prompts of any length and weight, against an encoding that is written here from the description alone."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from vedit.models.families.sd_chunks import COMMA, chunks_of, encoded, room_of
from vedit.models.families.sd_text import SDTextEncoder, token_ids
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd

LENGTH, ROOM = 32, 30
ENDS = "<|startoftext|>", "<|endoftext|>"
SHORT = ["", "ink", "a dog, at night", "x" * (ROOM - 1)]


@pytest.fixture(scope="module")
def tokenizer() -> CLIPTokenizer:
    """Spells words in letters; knows commas and brackets."""
    signs = string.ascii_lowercase + ",()[]:!"
    tokens = [*ENDS, "!pad", *signs, *(f"{sign}</w>" for sign in signs)]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=LENGTH, pad_token="!pad")


def _config() -> CLIPTextConfig:
    return CLIPTextConfig(
        hidden_size=24,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=2,
        vocab_size=80,
        max_position_embeddings=LENGTH,
        projection_dim=10,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=2,
    )


@pytest.fixture(scope="module")
def encoder() -> CLIPTextModel:
    """Its final norm is one that training leaves: with an untrained one the mean of all states is 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = CLIPTextModel(_config()).eval().requires_grad_(False)
        made.final_layer_norm.weight.normal_(1, 0.2)
        made.final_layer_norm.bias.normal_(0.3, 0.2)
        return made


@pytest.fixture(scope="module")
def projecting() -> CLIPTextModelWithProjection:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return CLIPTextModelWithProjection(_config()).eval().requires_grad_(False)


def states(text: str, tokenizer: CLIPTokenizer, encoder: CLIPTextModel, layer: int = 1) -> torch.Tensor:
    return encoded(chunks_of(text, tokenizer, ROOM), tokenizer, encoder, layer=layer, normed=True).states


def reference(
    rows: list[list[tuple[str, float]]], tokenizer: CLIPTokenizer, encoder: CLIPTextModel, layer: int = 1
) -> torch.Tensor:
    """States of chunks that are written out by hand, (words, weight) by (words, weight)."""
    made: list[torch.Tensor] = []
    for row in rows:
        ids, weights = [0], [1.0]
        for words, weight in row:
            told = tokenizer(words).input_ids[1:-1]
            ids, weights = ids + told, weights + [weight] * len(told)
        assert len(ids) < LENGTH
        weights += [1.0] * (LENGTH - len(ids))
        ids = [*ids, 1] + [2] * (LENGTH - len(ids) - 1)
        found = encoder(torch.tensor([ids]), output_hidden_states=True)
        plain = encoder.final_layer_norm(found.hidden_states[-layer])[0]
        scaled = plain * torch.tensor(weights)[:, None]
        made.append(scaled * plain.mean() / scaled.mean())
    return torch.cat(made)[None]


@pytest.mark.parametrize("text", SHORT)
def test_a_short_prompt_is_what_the_tokenizer_alone_makes_of_it(
    text: str, tokenizer: CLIPTokenizer, encoder: CLIPTextModel
) -> None:
    assert torch.equal(states(text, tokenizer, encoder), encoder(token_ids(tokenizer, [text]))[0])


def test_the_words_behind_a_full_chunk_are_read(tokenizer: CLIPTokenizer, encoder: CLIPTextModel) -> None:
    head = " ".join(["abcde"] * 6)
    found = states(f"{head} night", tokenizer, encoder)
    assert found.shape == (1, 2 * LENGTH, 24)
    torch.testing.assert_close(found, reference([[(head, 1)], [("night", 1)]], tokenizer, encoder), atol=1e-6, rtol=0)
    assert not torch.equal(found[:, LENGTH:], states(f"{head} noon", tokenizer, encoder)[:, LENGTH:])


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        # 22 tokens, a comma, 3 of the phrase that would be torn.
        ("abcdefghijk lmnopqrstuv, abc defgh ij", ["abcdefghijk lmnopqrstuv,", "abc defgh ij"]),
        # The comma lies too far back: the phrase is torn where the chunk is full.
        ("abc, defghij klmnopq rstuvwx yzabc de", ["abc, defghij klmnopq rstuvwx yzabc", "de"]),
        # Commas of the chunk before do not count, and one that comes when it is full begins the next.
        ("abcdefghijk lmnopqrstuv abcdefgh, ijk", ["abcdefghijk lmnopqrstuv abcdefgh", ", ijk"]),
        ("abc BREAK def, ghi BREAK jkl", ["abc", "def, ghi", "jkl"]),
    ],
)
def test_commas_and_breaks_end_chunks(
    text: str, rows: list[str], tokenizer: CLIPTokenizer, encoder: CLIPTextModel
) -> None:
    told = [tuple(tokenizer(row).input_ids[1:-1]) for row in rows]
    assert [chunk.tokens for chunk in chunks_of(text, tokenizer, ROOM)] == told
    expected = reference([[(row, 1)] for row in rows], tokenizer, encoder)
    torch.testing.assert_close(states(text, tokenizer, encoder), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("layer", [1, 2, 3])
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a (red:1.4) house", [[("a", 1), ("red", 1.4), ("house", 1)]]),
        ("(a [red] house)", [[("a", 1.1), ("red", 1.0), ("house", 1.1)]]),
        ("((red)) (sky:0.3)", [[("red", 1.21), ("sky", 0.3)]]),
        (r"a \(red\) (b:0)", [[("a (red)", 1), ("b", 0)]]),
        ("a BREAK (red:1.3) house", [[("a", 1)], [("red", 1.3), ("house", 1)]]),
        ("abcdefghijk lmnopqrstuv, (abc defgh:0.7) ij",
         [[("abcdefghijk lmnopqrstuv,", 1)], [("abc defgh", 0.7), ("ij", 1)]]),
    ],
)  # fmt: skip
def test_weights_scale_states_and_keep_the_mean_of_each_chunk(
    text: str, rows: list[list[tuple[str, float]]], layer: int, tokenizer: CLIPTokenizer, encoder: CLIPTextModel
) -> None:
    found = states(text, tokenizer, encoder, layer)
    torch.testing.assert_close(found, reference(rows, tokenizer, encoder, layer), atol=1e-5, rtol=1e-5)
    plain = reference([[(words, 1) for words, _ in row] for row in rows], tokenizer, encoder, layer)
    torch.testing.assert_close(found[0, -LENGTH:].mean(), plain[0, -LENGTH:].mean(), atol=1e-6, rtol=1e-4)
    assert not torch.allclose(found, plain, atol=1e-3)


def test_states_without_a_mean_are_scaled_and_no_more(tokenizer: CLIPTokenizer) -> None:
    """An untrained final norm leaves none: what the mean is divided by would be a rounding."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        untrained = CLIPTextModel(_config()).eval().requires_grad_(False)
    plain, found = (states(text, tokenizer, untrained) for text in ("red", "(red:1.5)"))
    torch.testing.assert_close(found[0, 1:4], plain[0, 1:4] * 1.5)
    torch.testing.assert_close(found[0, 4:], plain[0, 4:])


def test_the_pooled_text_is_that_of_the_first_chunk_without_weights(
    tokenizer: CLIPTokenizer, projecting: CLIPTextModelWithProjection
) -> None:
    chunks = chunks_of("a (red:1.4) house BREAK night", tokenizer, ROOM)
    found = encoded(chunks, tokenizer, projecting, layer=2, normed=False)
    ids = token_ids(tokenizer, ["a red house", "night"])
    peer = projecting(ids, output_hidden_states=True)
    assert found.pooled is not None
    torch.testing.assert_close(found.pooled, peer.text_embeds[:1], atol=1e-6, rtol=0)
    torch.testing.assert_close(found.states[0, LENGTH:], peer.hidden_states[-2][1], atol=1e-6, rtol=0)


def test_vectors_stand_in_the_place_of_their_name(tokenizer: CLIPTokenizer, encoder: CLIPTextModel) -> None:
    """As by an encoder whose matrix holds them: the peer here has two more rows in it."""
    generator = torch.Generator().manual_seed(3)
    vectors = torch.randn(2, 24, generator=generator)
    before = {name: one.clone() for name, one in encoder.state_dict().items()}
    named = {"ink": vectors}
    chunks = chunks_of("a (Ink:1.2), in inkwells", tokenizer, ROOM, named)
    found = encoded(chunks, tokenizer, encoder, layer=1, normed=True).states
    assert all(torch.equal(one, before[name]) for name, one in encoder.state_dict().items())
    assert not encoder.get_input_embeddings()._forward_hooks  # pyright: ignore[reportPrivateUsage]

    embedding = torch.nn.Embedding.from_pretrained(torch.cat([before["embeddings.token_embedding.weight"], vectors]))
    peer = CLIPTextModel(_config()).eval().requires_grad_(False)
    peer.load_state_dict(before)
    peer.embeddings.token_embedding = embedding
    a, rest = tokenizer("a").input_ids[1:-1], tokenizer(", in inkwells").input_ids[1:-1]
    ids = [0, *a, 80, 81, *rest, 1]
    plain = peer(torch.tensor([ids + [2] * (LENGTH - len(ids))]))[0][0]
    weights = torch.ones(LENGTH)
    weights[2:4] = 1.2
    scaled = plain * weights[:, None]
    torch.testing.assert_close(found[0], scaled * plain.mean() / scaled.mean(), atol=1e-5, rtol=1e-5)


def test_vectors_of_one_name_stay_in_one_chunk(tokenizer: CLIPTokenizer) -> None:
    chunks = chunks_of("x" * (ROOM - 1) + " ink", tokenizer, ROOM, {"ink": torch.zeros(3, 24)})
    assert [len(chunk.tokens) for chunk in chunks] == [ROOM - 1, 3]


def test_a_loaded_model_reads_all_of_a_prompt(tmp_path: Path) -> None:
    text = load_sd(resolve(str(write_tiny_sd(tmp_path / "tiny")))).text
    assert isinstance(text, SDTextEncoder)
    assert text.tokenizer.convert_tokens_to_ids(COMMA) == text.tokenizer.unk_token_id, "the tiny one knows no comma"
    room = room_of(text.tokenizer, text.encoder)
    long = text("x" * (3 * room) + " ab")
    assert long.states.shape[1] == 4 * (room + 2)
    assert torch.equal(long.states, text("x" * (3 * room) + " ab").states)
    assert not torch.equal(long.states, text("x" * (3 * room) + " ac").states)
