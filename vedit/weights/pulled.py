"""What `vedit models pull` has put on this machine: its records, whether the files are still those, and taking it away.

A record, `vedit.json`, lies beside the files: repository, commit, each file's size and SHA-256, and which of them were
not there before, by the name that they were pulled for. What another program put into the hub's cache is in no such
list and is never taken away.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vedit.errors import ModelError
from vedit.weights.store import RECORD, digest, own_folders

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CLIENTS_OWN = (".cache", ".locks")
"""Folders that the hub's client keeps for itself."""


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """What one name was pulled for, in one folder."""

    name: str
    repo: str
    revision: str
    folder: Path
    files: Mapping[str, Mapping[str, Any]]
    """Of the name, by path from the folder: size and sha256 of each."""
    fetched: tuple[str, ...]
    """Those of them that the pull brought."""

    @property
    def size_bytes(self) -> int:
        """Of all its files as they were pulled."""
        return sum(int(facts["size"]) for facts in self.files.values())


def files_in(folder: Path) -> set[str]:
    """The files of a folder by their paths from it, without records and what the hub's client keeps for itself."""
    if not folder.is_dir():
        return set()
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.name != RECORD and path.parts[0] not in _CLIENTS_OWN}


def write_record(
    folder: Path,
    *,
    name: str,
    repo: str,
    revision: str,
    files: Collection[str],
    before: Collection[str],
    held: Mapping[str, str],
) -> Mapping[str, str]:
    """Hash the files of a pull and write them down, beside what the folder's record says already.

    Args:
        folder: that they lie in.
        name: that they were pulled for.
        repo: owner/name.
        revision: the commit.
        files: their paths from the folder.
        before: what was there already.
        held: the SHA-256 of those that were held against it as they came, which are not read again.

    Returns:
        The SHA-256 of each.

    Raises:
        ModelError: a file is not what the hub says that it is; it is taken away, so that the next pull brings it again.
    """
    facts = {file: _facts(folder / file, held.get(file)) for file in sorted(files)}
    told = _read(folder / RECORD) if (folder / RECORD).is_file() else {}
    known = cast("dict[str, list[str]]", told.get("fetched", {}))
    ours = {file for each in known.values() for file in each}
    names = {**known, name: sorted(file for file in facts if file in ours or file not in before)}
    record = {
        "name": name,
        "repo": repo,
        "revision": revision,
        "files": {**told.get("files", {}), **facts},
        "of": {**told.get("of", {}), name: sorted(facts)},
        "fetched": names,
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    return {file: one["sha256"] for file, one in facts.items()}


def _facts(path: Path, held: str | None) -> dict[str, Any]:
    found = held or digest(path)
    # The hub's client keeps large files under the SHA-256 that the hub told it.
    told = path.resolve().name
    if path.is_symlink() and _SHA256.fullmatch(told) and told != found:
        path.resolve().unlink()
        path.unlink()
        raise ModelError(f"{path} did not come as the hub has it (its SHA-256 differs)", remedy="pull it again")
    return {"size": path.stat().st_size, "sha256": found}


def pulled() -> tuple[Pulled, ...]:
    """Everything that was pulled and has a record. Raises ModelError for a damaged one."""
    from huggingface_hub.constants import HF_HUB_CACHE

    records = [*Path(HF_HUB_CACHE).glob(f"models--*/snapshots/*/{RECORD}")]
    records += [record for folder in own_folders() for record in folder.glob(f"*/{RECORD}")]
    return tuple(one for record in sorted(records) for one in _of(record))


def _of(record: Path) -> Iterator[Pulled]:
    told = _read(record)
    files = cast("dict[str, dict[str, Any]]", told["files"])
    # Records of earlier versions are of one name, and list what was brought alone.
    by_name = cast("dict[str, list[str]]", told.get("of") or {str(told.get("name", record.parent.name)): list(files)})
    for name, own in by_name.items():
        fetched = cast("dict[str, list[str]]", told.get("fetched", by_name)).get(name, [])
        yield Pulled(
            name=name,
            repo=str(told.get("repo", "")),
            revision=str(told["revision"]),
            folder=record.parent,
            files={file: files[file] for file in own if file in files},
            fetched=tuple(fetched),
        )


def altered_files(one: Pulled) -> dict[str, str]:
    """Files that are not as they were pulled, and what is wrong with each; reads every byte."""
    found: dict[str, str] = {}
    for file, facts in one.files.items():
        path = one.folder / file
        if not path.is_file():
            found[file] = "is missing"
        elif path.stat().st_size != facts["size"]:
            found[file] = f"has {path.stat().st_size} of {facts['size']} bytes"
        elif digest(path) != facts["sha256"]:
            found[file] = "is another file (its SHA-256 differs)"
    return found


def remove(one: Pulled) -> int:
    """Take away what a pull brought for a name and no other name needs; returns the bytes that became free."""
    told = _read(one.folder / RECORD)
    others = {
        name: files for name, files in cast("dict[str, list[str]]", told.get("of", {})).items() if name != one.name
    }
    kept = {file for files in others.values() for file in files}
    freed = sum(_unlink(one.folder / file) for file in one.fetched if file not in kept)
    if others:
        fetched = cast("dict[str, list[str]]", told.get("fetched", {}))
        # What a name that stays was pulled for after this one is the pull's own, and goes with that name.
        fetched = {
            name: sorted({*fetched.get(name, []), *(set(files) & set(one.fetched))}) for name, files in others.items()
        }
        files = {file: facts for file, facts in told["files"].items() if file in kept}
        record = {**told, "name": next(iter(others)), "files": files, "of": others, "fetched": fetched}
        (one.folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        return freed
    (one.folder / RECORD).unlink()
    _prune(one.folder)
    return freed


def _unlink(path: Path) -> int:
    """Take away a file, and the one that it links to where no other link of the repository leads there."""
    if not os.path.lexists(path):
        return 0
    if not path.is_symlink():
        size = path.stat().st_size
        path.unlink()
        return size
    blob = path.resolve()
    path.unlink()
    if not blob.is_file() or blob.parent.name != "blobs":
        return 0
    links = (other for other in (blob.parent.parent / "snapshots").rglob("*") if other.is_symlink())
    if any(other.resolve() == blob for other in links):
        return 0
    size = blob.stat().st_size
    blob.unlink()
    return size


def _prune(folder: Path) -> None:
    """Take away folders that have become empty, the client's own notes on the files included."""
    notes = folder / ".cache" / "huggingface"
    for path in sorted(notes.rglob("*"), reverse=True) if notes.is_dir() else ():
        path.rmdir() if path.is_dir() else path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _remove_empty(path)
    _remove_empty(folder)
    repository = folder.parent.parent
    if folder.exists() or folder.parent.name != "snapshots" or any(folder.parent.iterdir()):
        return
    notes = [path for name in ("refs", "trees") for path in (repository / name).rglob("*")]
    for path in sorted(notes, reverse=True):  # of the client, on what is no longer there
        path.rmdir() if path.is_dir() else path.unlink()
    for name in ("refs", "trees", "snapshots", "blobs"):
        _remove_empty(repository / name)
    _remove_empty(repository)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _read(record: Path) -> dict[str, Any]:
    try:
        told = json.loads(record.read_text("utf-8"))
        if all("sha256" in facts and "size" in facts for facts in told["files"].values()) and "revision" in told:
            return told
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    raise ModelError(f"{record} is damaged", remedy=f"remove {record.parent} and pull it again")
