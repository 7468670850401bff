"""SHA-256 of a loaded Stable Diffusion's weights, by part: hashed side by side, and once while its files are untouched.

What is hashed are the tensors as they were loaded, so that the same weights are the same wherever they came from. That
takes seconds for each few gigabytes; what came of it is kept by the files and by what was made of them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vedit.media.writing.sidecar import versions
from vedit.models.families.modules import weights_digest
from vedit.models.headers import SUFFIX
from vedit.store.kept_digests import digests_under, keep_digests, stamp_of

if TYPE_CHECKING:
    from vedit.models.loading import Loading
    from vedit.models.source import ModelSource

Mark = tuple[tuple[int, int], ...]
"""Where each tensor of a network lies, and how often it was written to."""
_DECIDING = (SUFFIX, ".gguf", ".json")
"""Endings of files that decide tensors: weights and configs."""


@dataclass(frozen=True, kw_only=True)
class ReadFrom:
    """The files that a model is read from, as they are before it is."""

    files: tuple[Path, ...]
    stamp: str | None
    """None: one was changed just now, or is gone."""
    loading: Loading
    """What is made of them."""
    marks: Mapping[torch.nn.Module, Mark] = field(default_factory=dict[torch.nn.Module, "Mark"], repr=False)
    """What would be another, had the tensors of a network been written to or exchanged since they were loaded."""

    def into(self, networks: Iterable[torch.nn.Module]) -> ReadFrom:
        """The same, once the networks are loaded."""
        return replace(self, marks={network: _mark(network) for network in networks})

    def is_in(self, networks: Iterable[torch.nn.Module]) -> bool:
        """Whether the networks' tensors are those that were loaded."""
        return all(self.marks.get(network) == _mark(network) for network in networks)

    @classmethod
    def of(cls, source: ModelSource, controls: Collection[str], loading: Loading) -> ReadFrom:
        """Of a model on this machine with its control branches of some kinds."""
        places = [Path(source.base), *(Path(place) for kind, place in source.controlnets.items() if kind in controls)]
        places += [Path(place) for place in (source.motion_adapter, source.unet) if place is not None]
        files = tuple(dict.fromkeys(file for place in places for file in _deciding(place)))
        return cls(files=files, stamp=_stamp(files), loading=loading)

    @property
    def untouched(self) -> bool:
        """Whether they are still as they were, and were so for a while."""
        return self.stamp is not None and _stamp(self.files) == self.stamp


def digests_of(parts: Mapping[str, torch.nn.Module], read: ReadFrom) -> dict[str, str]:
    """SHA-256 of each part's tensors, as `weights_digest` has it.

    Args:
        parts: by name, as they were loaded.
        read: what they were read from.
    """
    key = _key(parts, read) if read.untouched and read.is_in(parts.values()) else None
    known = {} if key is None else digests_under(key)
    if known.keys() == parts.keys():
        return {name: known[name] for name in parts}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # The largest come first: one of them takes half of the time.
        ordered = sorted(parts, key=lambda name: _numbers(parts[name]), reverse=True)
        found = dict(zip(ordered, pool.map(weights_digest, map(parts.__getitem__, ordered)), strict=True))
    if key is not None and read.untouched:
        keep_digests(key, found)
    return {name: found[name] for name in parts}


def _key(parts: Mapping[str, torch.nn.Module], read: ReadFrom) -> str:
    """Of the files, and of what the libraries have made of them: another network of the same files is another."""
    made = {name: list(_structure(part)) for name, part in parts.items()}
    wide = [read.loading.precision, read.loading.quantize]
    told = json.dumps([read.stamp, wide, made, versions()], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


def _structure(part: torch.nn.Module) -> Iterator[object]:
    """Classes of all modules, and names, shapes and number formats of all tensors."""
    yield from (f"{name} {type(module).__qualname__}" for name, module in part.named_modules())
    yield from (f"{name} {value.dtype} {tuple(value.shape)}" for name, value in part.state_dict().items())


def _mark(network: torch.nn.Module) -> Mark:
    return tuple((value.data_ptr(), value._version) for value in network.state_dict().values())


def _numbers(part: torch.nn.Module) -> int:
    return sum(value.numel() for value in part.state_dict().values())


def _deciding(place: Path) -> Iterator[Path]:
    """The files in a folder that decide tensors; of a single file it and the configs beside it."""
    if place.is_dir():
        yield from sorted(file for file in place.rglob("*") if file.suffix in _DECIDING and file.is_file())
        return
    yield place
    yield from sorted(file for file in place.with_suffix("").glob("*/*.json") if file.is_file())
    beside = place.with_name("config.json")
    if beside.is_file():
        yield beside


def _stamp(files: tuple[Path, ...]) -> str | None:
    try:
        return stamp_of(files)
    except OSError:
        return None
