"""Files that a text file names: they count from its folder, and lie in it unless the user says otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vedit.errors import InputError, MediaError
from vedit.media.reading.sequence import SUFFIXES, counted, split_counter
from vedit.models.listed import place_of
from vedit.models.model_folders import in_model_folders
from vedit.models.resolve import known_models
from vedit.weights.hub_cache import WEIGHT_ENDINGS, hub_place

_OPTION = "--allow-outside"


@dataclass(frozen=True, kw_only=True)
class NamedFiles:
    """What a plan file or a looks file may name."""

    path: Path
    """Of the file that names them."""
    anywhere: bool = False
    """They may lie outside its folder."""

    def place(self, file: Path | str) -> Path:
        """A file that is named. Raises InputError where it lies outside."""
        name = self.path.name
        if "\0" in str(file):
            raise InputError(f"{name} names {str(file)!r}, which no file can be called")
        folder = self.path.absolute().parent
        # Not resolved for use: a link to the clip is a name that the user chose.
        found = Path(os.path.normpath(folder / file))
        inside = folder.resolve()
        for behind in () if self.anywhere else (found, *_linked(found)):
            if not behind.resolve().is_relative_to(inside):
                own = "" if behind == found else f" ({behind.name})"
                raise InputError(
                    f"{name} names {file}{own}, which is outside its folder",
                    remedy=f"move {name}, or allow it with {_OPTION}",
                )
        return found

    def model(self, text: str) -> str:
        """A model that is named: a listed name or a hub id as it is, a folder or file in its place.

        Raises:
            InputError: it is a path, and lies outside or is only there from the current folder.
        """
        if any(text == known.name for known in known_models()):
            return text
        beside = self.path.absolute().parent / text
        if not beside.exists() and in_model_folders(text, "model") is not None:
            return text
        named = Path(text)
        first = self.path.absolute().parent / Path(*named.parts[:1])
        path = hub_place(text) is None and ("/" in text or text.startswith(".") or named.suffix in WEIGHT_ENDINGS)
        if path or first.exists():
            return str(self.place(text))
        if named.exists():
            raise InputError(
                f"{self.path.name} names the model {text}, which is not in its folder",
                remedy=f"name it from there: {os.path.relpath(named.absolute(), self.path.absolute().parent)}",
            )
        return text

    def weights(self, path: Path, part: Literal["lora", "embedding"]) -> Path:
        """A LoRA or an embedding that is named: a file in its place, else what a name or an id of the hub stands for.

        Raises:
            InputError: it is a path, and lies outside; or it is the name of something else.
        """
        text = path.as_posix()
        if not (self.path.absolute().parent / path).exists():
            place = place_of(text, part)
            if place is not None:
                return Path(place)
            if hub_place(text) is not None:
                return path
        return self.place(path)


def _linked(path: Path) -> list[Path]:
    """The pictures of the sequence that a folder or a pattern stands for, as far as they are links."""
    counter = None if path.exists() else split_counter(path.name)
    try:
        if path.is_dir():
            pictures = [file for file in path.iterdir() if file.suffix.lower() in SUFFIXES]
        else:
            pictures = list(counted(path.parent, *counter).values()) if counter is not None else []
    except (OSError, MediaError):
        return []  # what cannot be listed cannot be read either
    return [file for file in pictures if file.is_symlink()]
