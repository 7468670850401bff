"""Textual inversion (Gal et al. 2023): vectors that a text encoder reads in the place of a word.

Files of the web interfaces (`emb_params`; `clip_l` and `clip_g` for SDXL) and of diffusers (one tensor, called by its
token). Nothing is put into tokenizer or encoder: the vectors take the places of their word's tokens as a prompt is read
(`vedit.models.families.sd_chunks`), so that the number of tokens and the matrix of their embeddings stay what they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file

from vedit.errors import InputError, ModelError
from vedit.models.headers import read_header
from vedit.models.identify import identify, refuse_pickle
from vedit.options.travel import texts_of

if TYPE_CHECKING:
    from vedit.options.embeddings import EmbeddingSpec
    from vedit.options.request import RestyleOptions

_OF_ONE = "emb_params"
_FIRST, _SECOND = "text_encoder", "text_encoder_2"
_OF_TWO = {"clip_l": _FIRST, "clip_g": _SECOND}

Vectors = Mapping[str, Mapping[str, torch.Tensor]]
"""(V, D) by the word that they stand for, in lower case, and by the text encoder that reads them."""


def vectors_of(specs: Iterable[EmbeddingSpec]) -> Vectors:
    """The vectors of embeddings, float32. Raises ModelError for a file that is none."""
    found: dict[str, Mapping[str, torch.Tensor]] = {}
    for spec in specs:
        tensors = load_file(spec.path)
        keys = _keys(spec, {name: tuple(one.shape) for name, one in tensors.items()})
        read = {part: tensors[key].float() for part, key in keys.items()}
        found[spec.word.lower()] = {part: one if one.ndim == 2 else one[None] for part, one in read.items()}
    return found


def for_encoder(vectors: Vectors, part: str) -> dict[str, torch.Tensor]:
    """Those that one text encoder reads, by their words."""
    return {word: parts[part] for word, parts in vectors.items() if part in parts}


def used(options: RestyleOptions) -> tuple[EmbeddingSpec, ...]:
    """The embeddings of a look whose word stands in one of its prompts."""
    prompts = (options.prompt, options.negative_prompt)
    said = [text for prompt in prompts for text in texts_of(prompt)] + [region.prompt for region in options.regions]
    return tuple(one for one in options.embeddings if any(map(one.named_in, said)))


def check_embeddings(specs: Sequence[EmbeddingSpec], *, widths: Mapping[str, int], room: int) -> None:
    """Hold files against the text encoders of a model by their headers.

    Args:
        specs: of a look.
        widths: D of the tokens of each encoder.
        room: tokens of a chunk.

    Raises:
        ModelError: one is absent, damaged, no embedding, or for encoders of other widths.
        InputError: two stand for one word.
    """
    words = [spec.word.lower() for spec in specs]
    twice = next((word for word in words if words.count(word) > 1), None)
    if twice is not None:
        raise InputError(f"two embeddings stand for {twice!r}", remedy="give each a word of its own: FILE=TOKEN")
    for spec in specs:
        refuse_pickle(spec.path)
        shapes = read_header(spec.path).shapes
        found = {part: (1, *shapes[key])[-2:] for part, key in _keys(spec, shapes).items()}
        told = {part: columns for part, (_, columns) in found.items()}
        if told != widths:
            held, wanted = (" and ".join(str(one) for one in of.values()) for of in (told, widths))
            raise ModelError(
                f"{spec.path} holds vectors of {held} numbers, and the model's text encoding reads {wanted}",
                remedy="give an embedding that was trained for this family of models (768: Stable Diffusion 1.x, "
                "1024: 2.x, 768 and 1280: XL)",
            )
        rows = {rows for rows, _ in found.values()}
        if len(rows) != 1 or not 1 <= max(rows) <= room:
            raise ModelError(
                f"{spec.path} holds {' and '.join(map(str, sorted(rows)))} vectors, of at most {room}",
                remedy="give an embedding of fewer, and of as many for each text encoder",
            )


def _keys(spec: EmbeddingSpec, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
    """The tensor with the vectors of each text encoder. Raises ModelError where a file is no embedding."""
    keys = {part: key for key, part in _OF_TWO.items() if key in shapes}
    if not keys and (_OF_ONE in shapes or len(shapes) == 1):
        keys = {_FIRST: _OF_ONE if _OF_ONE in shapes else next(iter(shapes))}
    if keys and all(len(shapes[key]) in (1, 2) for key in keys.values()):
        return keys
    raise ModelError(f"{spec.path} is {identify(spec.path).name}, not an embedding", remedy="give one to --embedding")
