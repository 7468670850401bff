"""How much of a prompt a model that lists its words has room for, found without loading the model.

It was trained on short prompts and reads one chunk; any other reads all of a prompt, in as many as it takes
(`vedit.models.families.sd_chunks`).
"""

from __future__ import annotations

import re
from pathlib import Path

from vedit.models.configs import read_config, read_json
from vedit.models.words import heard, vocabulary_of

_ENDS = 2
"""Tokens that begin and end every prompt."""
_SETTINGS = "tokenizer_config.json"


def words_cut(base: Path, text: str) -> tuple[str, ...]:
    """The words at the end of a prompt that a model does not read, since those before fill its text encoder; none of a
    model that takes any text.

    Args:
        base: folder or file of a model that `vedit.models.check.checked` has found whole.
        text: the prompt; what the model would not hear of it anyway takes no room.

    Raises:
        ModelError: a file of the model is damaged.
    """
    known = vocabulary_of(base)
    if known is None:
        return ()
    told, room = heard(text, known.words), tokens_read(base)
    if len(told.encode("utf-8", "surrogatepass")) <= room:  # a token is a byte at least
        return ()
    words = told.split()
    for number, word in enumerate(words):
        room -= _pieces(word)
        if room < 0:
            return tuple(words[number:])
    return ()


def tokens_read(base: Path) -> int:
    """How many tokens of a prompt the model of a folder that lists its words reads.

    Raises:
        ModelError: a file that says so is damaged.
    """
    config = read_config(base / "text_encoder" / "config.json", "text_encoder")
    most = int(config.get("max_position_embeddings", 77))
    settings = base / "tokenizer" / _SETTINGS
    limit = read_json(settings).get("model_max_length") if settings.is_file() else None
    return (most if limit is None else min(most, int(limit))) - _ENDS


def _pieces(word: str) -> int:
    """Words, digits and signs, each of which is a token: the tokenizer of such a model keeps words whole."""
    return len(re.findall(r"[^\W\d_]+|\d|[^\w\s]|_", word))
