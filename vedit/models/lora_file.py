"""A LoRA file before it is used: where it lies, what its header says, and what its trainer wrote about it.

Importing this does not import torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vedit.errors import ModelError
from vedit.models.brought import found
from vedit.models.configs import read_json
from vedit.models.headers import FETCH_AGAIN, SUFFIX, Header, read_header
from vedit.models.identify import identify, refuse_pickle
from vedit.models.lora_layout import Change, changes_in

if TYPE_CHECKING:
    from vedit.options.request import RestyleOptions

_NAMES = (f"pytorch_lora_weights{SUFFIX}", f"adapter_model{SUFFIX}")
"""What diffusers and PEFT call the file in a folder."""
_PEFT_CONFIG = "adapter_config.json"
_TOLD = "lora_adapter_metadata"
"""Where diffusers writes PEFT's settings into the header."""
_MODULE = re.compile(r"[\w.]+", re.ASCII)
_WORDS = 12


def lora_path(path: Path) -> Path:
    """The file of a LoRA, of a folder, of a listed name, or of an id of the hub that is in its cache.

    Raises:
        ModelError: it is not on this machine, or a folder does not say which file is meant.
    """
    place = found(path, "lora")
    if not place.is_dir():
        return place
    files = [place / name for name in _NAMES if (place / name).is_file()] or sorted(place.glob(f"*{SUFFIX}"))
    if len(files) != 1 and files[:1] != [place / _NAMES[0]]:
        told = f"holds {len(files)} {SUFFIX} files" if files else f"holds no {SUFFIX} file"
        raise ModelError(f"{place} {told}, where one LoRA should be", remedy="name the file itself")
    return files[0]


def with_lora_files(options: RestyleOptions) -> RestyleOptions:
    """A look whose LoRAs are named by their files. Raises ModelError as `lora_path`."""
    if not options.loras:
        return options
    return replace(options, loras=tuple(replace(one, path=lora_path(one.path)) for one in options.loras))


@dataclass(frozen=True, kw_only=True)
class LoraFile:
    """What a file's header says."""

    path: Path
    header: Header
    changes: tuple[Change, ...]

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """PEFT's settings by the network that they are for; of a folder's config for all, under ""."""
        try:
            told = json.loads(self.header.metadata.get(_TOLD, "{}"))
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{self.path} has damaged settings in its header", remedy=FETCH_AGAIN) from error
        beside = self.path.with_name(_PEFT_CONFIG)
        if self.path.name == _NAMES[1] and beside.is_file():
            return {"": read_json(beside)}
        found: dict[str, dict[str, Any]] = {}
        for key, value in cast("dict[str, Any]", told if isinstance(told, dict) else {}).items():
            part, _, name = key.partition(".")
            found.setdefault(part, {})[name] = value
        return found

    def factor(self, change: Change) -> float | None:
        """Alpha by rank, where settings tell it rather than a tensor; None where nothing does, which is 1."""
        told = cast("dict[str, Any]", self.settings.get(change.part, self.settings.get("", {})))
        alpha, rank = told.get("lora_alpha", told.get("alpha")), told.get("r")
        alpha = _by_pattern(self.path, told.get("alpha_pattern"), change.name, alpha)
        rank = _by_pattern(self.path, told.get("rank_pattern"), change.name, rank)
        if not _is_number(alpha) or not _is_number(rank) or rank <= 0:
            return None
        return alpha / (sqrt(rank) if told.get("use_rslora") else rank)

    @property
    def ranks(self) -> tuple[int, ...]:
        """Of its low-rank changes, each once."""
        shapes = [self.header.shapes[one.keys["down"]] for one in self.changes if "down" in one.keys]
        return tuple(sorted({shape[0] for shape in shapes if shape}))


def read_lora_file(path: Path) -> LoraFile:
    """What a LoRA's header says, each tensor accounted for.

    Args:
        path: a file, as `lora_path` finds it.

    Raises:
        ModelError: it is absent, damaged, no LoRA, or of a layout or a method that is not known.
    """
    refuse_pickle(path)
    header = read_header(path)
    try:
        changes = changes_in(header.shapes, place=str(path))
    except ModelError:
        kind = identify(path)
        if kind.part in ("lora", "other"):
            raise
        given = kind.given_as("PATH")
        remedy = f"give it as {given}, and a LoRA as --lora" if given else "give a LoRA"
        raise ModelError(f"{path} is {kind.name}, not a LoRA", remedy=remedy) from None
    if not changes:
        raise ModelError(f"{path} changes nothing", remedy=FETCH_AGAIN)
    return LoraFile(path=path, header=header, changes=changes)


def lora_facts(path: Path) -> Mapping[str, str]:
    """What a user wants to know of a LoRA, by name: rank, what it changes, trigger words, title.

    Raises:
        ModelError: as `read_lora_file`.
    """
    file = read_lora_file(path)
    told, parts = file.header.metadata, dict.fromkeys(change.part for change in file.changes)
    ranks = file.ranks
    facts = {
        "rank": "" if not ranks else str(ranks[0]) if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}",
        "changes": f"{len(file.changes)} modules of {', '.join(parts)}",
        "title": told.get("modelspec.title", told.get("ss_output_name", "")),
        "trained on": told.get("modelspec.architecture", told.get("ss_base_model_version", "")),
        "trigger words": told.get("modelspec.trigger_phrase", "") or ", ".join(_frequent(told)),
    }
    return {name: value for name, value in facts.items() if value}


def _frequent(told: Mapping[str, str]) -> tuple[str, ...]:
    """The words that most pictures of the training were tagged with, the most frequent first."""
    try:
        folders = json.loads(told.get("ss_tag_frequency", "{}"))
        counts: dict[str, int] = {}
        for tags in folders.values():
            for word, count in tags.items():
                counts[word.strip()] = counts.get(word.strip(), 0) + int(count)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return ()  # what a trainer wrote there decides nothing
    return tuple(sorted(filter(None, counts), key=lambda word: -counts[word])[:_WORDS])


def _by_pattern(path: Path, patterns: object, name: str, usual: Any) -> Any:
    """PEFT's setting of a module: of the first pattern that ends its name, else that of all."""
    if not isinstance(patterns, dict):
        return usual
    for pattern, value in cast("dict[str, Any]", patterns).items():
        # PEFT takes regular expressions here; a file that nobody vouches for gets names alone.
        if not _MODULE.fullmatch(pattern):
            raise ModelError(f"{path} has settings of {pattern!r}", remedy="save it with names of modules in its place")
        if name == pattern or name.endswith(f".{pattern}"):
            return value
    return usual


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
