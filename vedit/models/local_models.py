"""Models on this machine, found by reading headers: in the hub's cache, in model folders, wherever one asks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.errors import ModelError
from vedit.models.headers import SUFFIX
from vedit.models.identify import identify
from vedit.models.kinds import Kind
from vedit.models.model_folders import elsewhere
from vedit.weights.store import own_folders

MOST = 20_000
"""Files and folders that are looked at; where there are more, the search ends and says so."""
_ENDINGS = (SUFFIX, ".gguf")
_PICKLES = (".ckpt", ".pt", ".pth", ".bin")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_LORA = f"pytorch_lora_weights{SUFFIX}"


@dataclass(frozen=True, kw_only=True)
class LocalModel:
    """Something that was found."""

    path: Path
    name: str
    """What it is, in words; of a file that cannot be read, what is wrong with it."""
    part: str
    family: str
    precision: str
    runs: bool
    """Whether vedit uses it as what it is."""
    given_as: str
    """The option that takes it; empty where none does."""
    size_bytes: int
    """Of its files of weights."""


@dataclass(frozen=True, kw_only=True)
class LocalModels:
    """What a search found."""

    places: tuple[Path, ...]
    """That were looked through; those that are not there are left out."""
    models: tuple[LocalModel, ...]
    pickles: int
    """Files that are pickles, which are not opened."""
    complete: bool
    """Whether all was looked at (`MOST`)."""


def local_models(folders: Sequence[Path] = ()) -> LocalModels:
    """Models in folders, each with all that is in it; without any, those in the hub's cache and the model folders.

    Only configs and headers are read. The folders of other programs that an extra_model_paths.yaml names are looked
    through too.
    """
    from huggingface_hub.constants import HF_HUB_CACHE

    named = tuple(folders) or (Path(HF_HUB_CACHE), *own_folders())
    places = [place for folder in named for place in (folder, *(other for _, other in elsewhere(folder)))]
    there = tuple(dict.fromkeys(place for place in places if place.is_dir()))
    search = _Search()
    found = {model.path.resolve(): model for place in there for model in search.walk(place)}
    return LocalModels(
        places=there, models=tuple(found.values()), pickles=search.pickles, complete=search.looked < MOST
    )


class _Search:
    """One walk over several places, each folder of them entered once."""

    def __init__(self) -> None:
        self.looked = self.pickles = 0
        self._seen: set[Path] = set()

    def walk(self, folder: Path) -> Iterator[LocalModel]:
        """The models in a folder, in the order of their paths."""
        real = folder.resolve()
        if real in self._seen or self.looked >= MOST:
            return
        self._seen.add(real)
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            return  # closed to the user
        self.looked += 1 + len(entries)
        if any((folder / name).is_file() for name in ("model_index.json", _LORA)) or self._is_component(folder):
            yield _told(folder)
            return
        for entry in entries:
            if entry.name.startswith(".") or entry.name == "blobs":
                continue  # of programs, and the hub's own store, which snapshots link to
            if entry.is_dir():
                yield from self.walk(entry)
            elif entry.suffix in _ENDINGS and not _SHARD.search(entry.stem) and entry.is_file():
                yield _told(entry)
            elif entry.suffix in _PICKLES:
                self.pickles += 1

    def _is_component(self, folder: Path) -> bool:
        """Whether a folder is one network with its config, and not a shelf of files with some config among them."""
        if not (folder / "config.json").is_file():
            return False
        stems = ("diffusion_pytorch_model", "model")
        return any(file.name.startswith(stems) and file.suffix == SUFFIX for file in folder.iterdir())


def _told(path: Path) -> LocalModel:
    try:
        kind = identify(path)
    except ModelError as error:
        name = error.message.removeprefix(f"{path} ")
        kind = Kind(name=f"not readable: {name}", part="other")
    return LocalModel(
        path=path,
        name=kind.name,
        part=kind.sort or kind.part,
        family=kind.family,
        precision=kind.precision,
        runs=kind.runs,
        given_as=kind.given_as(path),
        size_bytes=_size(path),
    )


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    files = (Path(root) / name for root, _, names in os.walk(path) for name in names if name.endswith(_ENDINGS))
    return sum(file.stat().st_size for file in files if file.is_file())
