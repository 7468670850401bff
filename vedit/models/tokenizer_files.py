"""The files of CLIP's tokenizer, read as data: a vocabulary of numbers without gaps in meaning, and merges of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from vedit.models.configs import damaged, read_json

_MOST_BYTES = 64 * 2**20
_SETTINGS = "tokenizer_config.json"


def check_tokenizer(folder: Path, *, vocabulary: int) -> None:
    """Raises ModelError, naming the file, where prompts cannot be spelled by what lies in the folder.

    Args:
        folder: with tokenizer.json, or with vocab.json and merges.txt.
        vocabulary: how many words the text encoder knows: the numbers of words are below.
    """
    whole, vocab, merges = (folder / name for name in ("tokenizer.json", "vocab.json", "merges.txt"))
    if not whole.exists() and not (vocab.exists() and merges.exists()):
        missing = next((file for file in (vocab, merges) if file.exists()), None)
        wanted = whole if missing is None else (merges if missing == vocab else vocab)
        raise damaged(wanted, "is missing: the prompt cannot be spelled without")
    if whole.exists():
        model = read_json(whole).get("model")
        if not isinstance(model, dict):
            raise damaged(whole, "has no table 'model'")
        told = cast("dict[str, Any]", model)
        _check(whole, whole, told.get("vocab"), told.get("merges"), vocabulary)
    else:
        _check(vocab, merges, read_json(vocab), _lines(merges), vocabulary)
    if (folder / _SETTINGS).exists():
        _check_settings(folder / _SETTINGS)


def _check_settings(path: Path) -> None:
    settings = read_json(path)
    length = settings.get("model_max_length")
    # transformers writes 1e30 where there is no limit; the text encoder has one.
    if length is not None and (isinstance(length, bool) or not isinstance(length, int | float) or length < 2):
        raise damaged(path, f"says model_max_length = {length!r}, where a number from 2 on is wanted")
    for key in ("vocab", "merges"):
        if key in settings:
            raise damaged(path, f"says {key!r} itself, which is read from files of the folder alone")
    for key in ("bos_token", "eos_token", "unk_token", "pad_token"):
        token = settings.get(key)
        text = cast("dict[str, object]", token).get("content") if isinstance(token, dict) else token
        if text is not None and not isinstance(text, str):
            raise damaged(path, f"says {key} = {str(token)[:60]}, where a text is wanted")


def _check(words: Path, pairs: Path, vocab: object, merges: object, vocabulary: int) -> None:
    """Words by number, and pairs of words that make another."""
    if not isinstance(vocab, dict) or not vocab:
        raise damaged(words, "has no vocabulary: a table of words and their numbers")
    numbers = list(cast("dict[str, object]", vocab).values())
    if not all(type(number) is int and 0 <= number < vocabulary for number in numbers):
        raise damaged(words, f"numbers its words otherwise than by 0 to {vocabulary - 1}, which the text encoder knows")
    if len(set(numbers)) < len(numbers):
        raise damaged(words, "gives two words one number")
    if not isinstance(merges, list):
        raise damaged(pairs, "has no list of merges")
    for merge in cast("list[object]", merges):
        parts = merge.split(" ") if isinstance(merge, str) else merge
        known = isinstance(parts, list) and len(cast("list[object]", parts)) == 2
        if not (known and _joined(cast("list[object]", parts), cast("dict[str, object]", vocab))):
            raise damaged(pairs, f"merges {str(merge)[:40]!r}, which is no pair of words that makes a third")


def _joined(parts: Iterable[object], vocab: dict[str, object]) -> bool:
    left, right = parts
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    return left in vocab and right in vocab and left + right in vocab


def _lines(path: Path) -> list[str]:
    """The merges of a file, one a line, below a line that names the version."""
    if not path.is_file():
        raise damaged(path, "is a folder, where a file should be")
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise damaged(path, "is larger than the merges of any tokenizer")
        text = raw.decode("utf-8")
    except OSError as error:
        raise damaged(path, f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise damaged(path, "is no UTF-8") from None
    return [line for line in text.split("\n") if line.strip() and not line.startswith("#version")]
