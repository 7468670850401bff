"""What tells a model's files from others of the same name. Importing this does not import torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from functools import cache
from pathlib import Path

from vedit.models.source import TIER_FOLDERS, ModelSource
from vedit.store.kept_digests import digests_under, keep_digests, stamp_of
from vedit.weights.hub_cache import hub_place
from vedit.weights.store import digest

_MODEL_FILES = frozenset((".safetensors", ".json", ".txt"))
"""Weights, configs and the vocabulary of a tokenizer: what decides what a model does."""
_LARGE = 16 * 2**20
"""Bytes from which on a digest is kept on disk."""
_WHOLE = "file"
"""What such a digest is of."""


def identity(source: ModelSource, *, kinds: Collection[str] = (), tiers: Collection[str] = ()) -> dict[str, str | None]:
    """What tells a model's files from others of the same name, JSON-able, without loading them.

    Args:
        source: where its parts are, as `vedit.models.ref.ModelRef` has it.
        kinds: the control branches that are used, beside those that lie in the model's own folder.
        tiers: the folders of the fast tiers that are used.

    Returns:
        For each part by its kind, the model itself as "model", a fast tier by its folder: SHA-256 of the folder's
        files or of the file, of a hub id the commit in the local cache; None where it is not on this machine yet.
    """
    parts = {"model": source.base, **{kind: place for kind, place in source.controlnets.items() if kind in kinds}}
    if source.ip_adapter is not None:
        parts |= {"ip_adapter": source.ip_adapter}
        parts |= {} if source.image_encoder is None else {"image_encoder": source.image_encoder}
    parts |= {} if source.motion_adapter is None else {"motion_adapter": source.motion_adapter}
    parts |= {} if source.unet is None else {"unet": source.unet}
    parts |= {tier: str(Path(source.on_disk.base) / tier) for tier in sorted(tiers)}
    return {part: _files_of(place) for part, place in parts.items()}


def _files_of(place: str) -> str | None:
    path = Path(place)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in _MODEL_FILES and file.is_file())
        # A fast tier is a part of its own: a look that does not use it is the same with and without.
        apart = {path / tier for tier in TIER_FOLDERS}
        own = [file for file in files if apart.isdisjoint(file.parents)]
        told = [(file.relative_to(path).as_posix(), file_digest(file)) for file in own]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()
    if path.is_file():
        return file_digest(path)
    on_hub = hub_place(place)
    return None if on_hub is None else on_hub.commit


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, remembered for as long as the file is untouched: in this process by its size and its
    time of change, of a large one on disk by more (`vedit.store.kept_digests`)."""
    status = path.stat()
    return _digest_as_is(path, status.st_size, status.st_mtime_ns)


@cache
def _digest_as_is(path: Path, size: int, _changed: int) -> str:
    """Many renders of one process use one model of many gigabytes."""
    if size < _LARGE:
        return digest(path)
    stamp = stamp_of([path])
    known = {} if stamp is None else digests_under(stamp)
    if _WHOLE in known:
        return known[_WHOLE]
    found = digest(path)
    if stamp is not None and stamp_of([path]) == stamp:
        keep_digests(stamp, {_WHOLE: found})
    return found
