"""How much of a prompt a model's text encoder has room for, found without loading the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from vedit.models.configs import read_config, read_json
from vedit.models.families.sd_configs import config_of
from vedit.models.families.sd_single import CLIP_TOKENIZER, tokenizer_beside
from vedit.models.words import heard, vocabulary_of
from vedit.weights.hub_cache import on_disk

_ENDS = 2
"""Tokens that begin and end every prompt."""
_SETTINGS = "tokenizer_config.json"


def words_cut(base: Path, text: str) -> tuple[str, ...]:
    """The words at the end of a prompt that a model does not read, since those before fill its text encoder.

    Args:
        base: folder or file of a model that `vedit.models.check.checked` has found whole.
        text: the prompt; what the model would not hear of it anyway takes no room.

    Raises:
        ModelError: a file of the model is damaged.
    """
    known = vocabulary_of(base)
    told = heard(text, None if known is None else known.words)
    room = tokens_read(base)
    if len(told.encode("utf-8", "surrogatepass")) <= room:  # a token is a byte at least
        return ()
    # The tokenizer of a model that lists its words keeps them whole, and is that much faster to do without.
    count = _pieces if known is not None else _counter(base)
    words = told.split()
    for number, word in enumerate(words):
        room -= count(word)
        if room < 0:
            return tuple(words[number:])
    return ()


def tokens_read(base: Path) -> int:
    """How many tokens of a prompt the model of a folder or file reads.

    Raises:
        ModelError: a file that says so is damaged.
    """
    if base.is_dir():
        config = read_config(base / "text_encoder" / "config.json", "text_encoder")
    else:
        config = config_of(base, "text_encoder")
    most = int(config.get("max_position_embeddings", 77))
    settings = _tokenizer_folder(base) / _SETTINGS
    limit = read_json(settings).get("model_max_length") if settings.is_file() else None
    return (most if limit is None else min(most, int(limit))) - _ENDS


def _pieces(word: str) -> int:
    """Words, digits and signs, each of which is a token."""
    return len(re.findall(r"[^\W\d_]+|\d|[^\w\s]|_", word))


def _counter(base: Path) -> Callable[[str], int]:
    # Takes a second to import, so only where a prompt may be too long.
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(str(_tokenizer_folder(base)), local_files_only=True)
    return lambda word: len(tokenizer(word).input_ids) - _ENDS


def _tokenizer_folder(base: Path) -> Path:
    if base.is_dir():
        return base / "tokenizer"
    return tokenizer_beside(base) or Path(on_disk(CLIP_TOKENIZER))
