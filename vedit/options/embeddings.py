"""What `--embedding` asks for: files of textual inversion, and the words that stand for them in prompts.

Importing this does not import torch; `vedit.models.families.sd_embeddings` reads the files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.checks.arguments import checked
from vedit.checks.rationals import shown
from vedit.errors import InputError, SettingError

_SUFFIX = ".safetensors"
FORM = "FILE[=TOKEN], for instance ink.safetensors=inkstyle"


@checked
@dataclass(frozen=True, kw_only=True)
class EmbeddingSpec:
    """`--embedding FILE[=TOKEN]`: vectors that a text encoder reads in the place of a word.

    Raises:
        SettingError: the token is empty, or has a sign that the grammar of prompts takes for itself.
    """

    path: Path
    """A .safetensors file, a listed name, or a file on the hub that is in its cache."""
    token: str = ""
    """The word in prompts that stands for it; empty is the file's name without its ending."""

    def __post_init__(self) -> None:
        if not self.word or set(self.word) & set("()[]|\\,") or self.word != " ".join(self.word.split()):
            raise SettingError(
                f"{shown(self.word)} cannot stand for {self.path.name} in a prompt",
                remedy="name it otherwise, without brackets, commas and bars: FILE=TOKEN",
            )

    @property
    def word(self) -> str:
        """What is written in prompts."""
        return self.token or self.path.stem

    def named_in(self, text: str) -> bool:
        """Whether its word stands in a text, in whatever case."""
        return re.search(rf"(?<![\w-]){re.escape(self.word)}(?![\w-])", text, re.IGNORECASE) is not None

    def __str__(self) -> str:
        return f"{self.path}={self.word}"


def parse_embedding(text: str) -> EmbeddingSpec:
    """`FILE[=TOKEN]` -> an embedding; a file of the whole name wins over a token behind it.

    Raises:
        InputError: no file is named, or the token cannot stand in a prompt.
    """
    told = text.strip()
    path, equals, token = ("", "", "") if told.endswith(_SUFFIX) else told.rpartition("=")
    if not equals:
        path = told
    if not path.strip() or (equals and not token.strip()):
        raise InputError(f"the embedding {shown(text)} names no file or no word", remedy=f"write {FORM}")
    try:
        return EmbeddingSpec(path=Path(path.strip()), token=token.strip())
    except SettingError as error:
        raise InputError(f"the embedding {shown(text)}: {error.message}", remedy=error.remedy) from None


def embeddings(given: Sequence[EmbeddingSpec | Path | str]) -> tuple[EmbeddingSpec, ...]:
    """Embeddings as a caller writes them: as specifications, paths, or as --embedding has them. Raises InputError."""
    return tuple(
        one
        if isinstance(one, EmbeddingSpec)
        else EmbeddingSpec(path=one)
        if isinstance(one, Path)
        else parse_embedding(one)
        for one in given
    )
