"""The two text encoders of a Stable Diffusion XL: prompts -> what its UNet takes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch

from vedit.checks.finite import finite, precision_of
from vedit.models.families.sd_chunks import Chunk, chunks_of, encoded, room_of
from vedit.models.families.sd_embeddings import for_encoder
from vedit.models.families.sd_text import SDTextEncoder
from vedit.models.words import heard
from vedit.types import PromptEmbeds

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

POOLED = "pooled"
"""The name of the second encoder's summary of a text in `PromptEmbeds.others`."""


class SDXLTextEncoder(SDTextEncoder):
    """CLIP's and OpenCLIP's encoders side by side (Podell et al. 2023, sec. 2.1).

    Args:
        tokenizer: of the first encoder.
        encoder: CLIP's.
        tokenizer_2: of the second.
        encoder_2: OpenCLIP's, with its projection.
        words: what the model was trained on, None where it takes any text.
        zeros_for_empty: an empty text is zeros, as the model's authors left texts out in training.
    """

    def __init__(
        self,
        tokenizer: CLIPTokenizer,
        encoder: CLIPTextModel,
        tokenizer_2: CLIPTokenizer,
        encoder_2: CLIPTextModelWithProjection,
        words: frozenset[str] | None,
        *,
        zeros_for_empty: bool,
    ) -> None:
        super().__init__(tokenizer, encoder, words)
        self.tokenizer_2 = tokenizer_2
        self.encoder_2 = encoder_2
        self.zeros_for_empty = zeros_for_empty
        self.layer = 2

    @property
    def encoders(self) -> Mapping[str, torch.nn.Module]:
        """By the names of the folders that they lie in."""
        return {**super().encoders, "text_encoder_2": self.encoder_2}

    @property
    def tokenizers(self) -> Mapping[str, CLIPTokenizer]:
        """By the names of the encoders that they spell for."""
        return {**super().tokenizers, "text_encoder_2": self.tokenizer_2}

    def _read(self, text: str) -> PromptEmbeds:
        """States (1, L, D + D2) of `layer` of both, the one before the last if nothing else is asked for, in chunks of
        the model's length (`vedit.models.families.sd_chunks`), and under `POOLED` the second one's projected summary,
        (1, P)."""
        told = heard(text, self.words)
        pairs = ((self.tokenizer, self.encoder), (self.tokenizer_2, self.encoder_2))
        read = [
            chunks_of(told, tokenizer, room_of(tokenizer, encoder), for_encoder(self.vectors, part))
            for part, (tokenizer, encoder) in zip(self.encoders, pairs, strict=True)
        ]
        longest = max(map(len, read))
        first, second = (
            encoded((*chunks, *[Chunk()] * (longest - len(chunks))), tokenizer, encoder, layer=self.layer, normed=False)
            for chunks, (tokenizer, encoder) in zip(read, pairs, strict=True)
        )
        states = torch.cat([first.states, second.states], dim=-1)
        pooled = cast("torch.Tensor", second.pooled)
        if not text and self.zeros_for_empty:
            states, pooled = torch.zeros_like(states), torch.zeros_like(pooled)
        name, precision = f"text encoders' states of {text[:40]!r}", precision_of(self.encoder.dtype)
        return PromptEmbeds(
            states=finite(states, name, precision=precision),
            others={POOLED: finite(pooled, name, precision=precision)},
        )
