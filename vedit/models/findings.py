"""What was found out about a model by building its networks, kept by what decides it: a second plan builds none.

A finding is decided by configs, headers of weights and vocabularies, by the libraries that build networks, and by
vedit's own code around them; all of it stands in its key. Findings are kept in `findings.json` in the folder for
caches. Nothing in there is ever needed: what is absent or damaged is found out again. Importing this does not import
torch.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from vedit.media.writing.sidecar import versions
from vedit.models.digests import file_digest
from vedit.models.families.sd_single import CLIP_TOKENIZER, tokenizer_beside
from vedit.models.headers import SUFFIX
from vedit.store import kept_table
from vedit.store.cache_folder import cache_root
from vedit.weights.hub_cache import on_disk

FILE = kept_table.FINDINGS
FORMAT = 1
_TABLE = "findings"
_ENTRIES = 200
"""The newest."""
_READ = (".json", ".txt")
"""Configs and vocabularies, which are told by all that is in them."""
_WEIGHTS = (SUFFIX, ".gguf")
_BESIDE = ("config.json", "adapter_config.json")
"""Files in the folder of a single one that may say something of it."""
_LARGEST_HEADER = 100_000_000
_CODE = ("models", "diffusion", "weights")
"""Packages that build networks and run them."""

_known: dict[str, Any] = {}
"""Of this process."""


def key_of(places: Iterable[str], **asked: object) -> str:
    """The key of a finding.

    Args:
        places: folders, files and hub ids that it is about; of one that is not on this machine its name counts.
        asked: what else decides it, JSON-able.
    """
    told = {"places": [_told(place) for place in places], "asked": asked, "versions": versions(), "code": _code()}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def found_before(key: str) -> Any | None:
    """A finding, JSON-able; None where it is not known."""
    return _known.get(key) or kept_table.read_table(cache_root() / FILE, _TABLE, version=FORMAT).get(key)


def keep(key: str, found: object) -> None:
    """Keep a finding, JSON-able and not None. Not to be able to is no error."""
    _known[key] = found
    kept_table.keep(cache_root() / FILE, _TABLE, {key: found}, version=FORMAT, newest=_ENTRIES)


def _told(place: str) -> object:
    path = Path(on_disk(place))
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        return place
    beside = [path.with_name(name) for name in _BESIDE]
    folders = (path.with_suffix(""), tokenizer_beside(path), tokenizer_beside(path, "tokenizer_2"))
    return {
        "file": _file(path),
        "beside": [file_digest(file) for file in beside if file.is_file()],
        "folders": [_folder(folder) for folder in folders if folder is not None and folder.is_dir()],
        "tokenizer": on_disk(CLIP_TOKENIZER),
    }


def _folder(path: Path) -> Mapping[str, object]:
    files = (file for file in path.rglob("*") if file.suffix in (*_READ, *_WEIGHTS) and file.is_file())
    return {file.relative_to(path).as_posix(): _file(file) for file in files}


def _file(path: Path) -> object:
    """A text by all of it, weights by their header and size."""
    status = path.stat()
    if path.suffix in _READ:
        return file_digest(path)
    if path.suffix != SUFFIX:
        return [status.st_size, status.st_mtime_ns]
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        # Of a damaged one it does not matter how much: whoever reads it refuses it.
        return [status.st_size, hashlib.sha256(file.read(min(length, _LARGEST_HEADER))).hexdigest()]


@cache
def _code() -> str:
    """SHA-256 of the sources that build networks and run them."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(file for package in _CODE for file in (root / package).rglob("*.py")):
        digest.update(file.relative_to(root).as_posix().encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
