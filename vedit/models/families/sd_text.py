"""The text encoder of a Stable Diffusion: prompts -> what its UNet takes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from vedit.checks.finite import finite, precision_of
from vedit.models.attention_kernels import AUTO, attending_by
from vedit.models.families.sd_chunks import chunks_of, encoded, room_of
from vedit.models.families.sd_embeddings import Vectors, for_encoder
from vedit.models.words import heard, unknown_words
from vedit.types import PromptEmbeds

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer


class SDTextEncoder:
    """CLIP text encoder; `words` is what the model was trained on, None where it takes any text."""

    def __init__(self, tokenizer: CLIPTokenizer, encoder: CLIPTextModel, words: frozenset[str] | None) -> None:
        self.tokenizer = tokenizer
        self.encoder = encoder
        self.words = words
        self.attention = AUTO
        """The kernel that computes attention (`vedit.models.attention_kernels`)."""
        self.layer = 1
        """Of whose states prompts are, counted from the last."""
        self.vectors: Vectors = {}
        """What the encoders read in the place of words."""

    @property
    def encoders(self) -> Mapping[str, torch.nn.Module]:
        """By the names of the folders that they lie in."""
        return {"text_encoder": self.encoder}

    @property
    def tokenizers(self) -> Mapping[str, CLIPTokenizer]:
        """By the names of the encoders that they spell for."""
        return {"text_encoder": self.tokenizer}

    @torch.inference_mode()
    def __call__(self, text: str) -> PromptEmbeds:
        """States (1, L, D) of a text, and what else the networks are told of it."""
        with attending_by(self.attention):
            return self._read(text)

    def _read(self, text: str) -> PromptEmbeds:
        """States (1, L, D) of `layer`, in chunks of the model's length (`vedit.models.families.sd_chunks`); of a model
        that knows but some words, of these alone, cut to its length."""
        if self.words is not None:
            ids = token_ids(self.tokenizer, [heard(text, self.words)])
            states = self.encoder(ids.to(self.encoder.device))[0]
        else:
            chunks = chunks_of(
                text, self.tokenizer, room_of(self.tokenizer, self.encoder), for_encoder(self.vectors, "text_encoder")
            )
            states = encoded(chunks, self.tokenizer, self.encoder, layer=self.layer, normed=True).states
        precision = precision_of(self.encoder.dtype)
        return PromptEmbeds(states=finite(states, f"text encoder's states of {text[:40]!r}", precision=precision))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        """Words of the text that the model was not trained on, in order, each once."""
        return unknown_words(text, self.words)


def token_ids(tokenizer: CLIPTokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Token ids (N, L) of N texts, padded or cut to the model's length."""
    return tokenizer(
        list(texts),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids
