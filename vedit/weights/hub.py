"""Fetching weights and models from the hub: the one place that does, and only when a user asks for it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vedit.errors import ModelError
from vedit.registry.weights import WeightsInfo
from vedit.weights.hub_cache import PULLING, snapshots_of
from vedit.weights.large_files import fetch_large, forget_parts, large_files
from vedit.weights.pulled import files_in, write_record
from vedit.weights.store import FOLDER_VARIABLE, digest, find, first_line, info, own_folders, remedy, whole

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

OFFLINE_VARIABLES = ("VEDIT_OFFLINE", "HF_HUB_OFFLINE")


def offline() -> str | None:
    """The environment variable that forbids the network, None where it is allowed."""
    truths = {"1", "true", "yes", "on"}
    return next((name for name in OFFLINE_VARIABLES if os.environ.get(name, "").strip().lower() in truths), None)


def pull(name: str, *, force: bool = False) -> Path:
    """Fetch weights: into `$VEDIT_MODEL_DIR/<name>` where that is set, else into the hub's cache.

    Args:
        name: of the weights, see `vedit.weights.store`.
        force: fetch again what is there.

    Returns:
        Their folder.

    Raises:
        ModelError: unknown; offline mode; the hub is out of reach; what came is not what is known of these weights.
    """
    entry = info(name)
    there = find(name)
    if there is not None and not force:
        return there
    refuse_pickle(entry)
    _refuse_offline(name)
    own = next(iter(own_folders()), None)
    _quieten()
    target = own / name if own else None
    told = _told(entry.repo, entry.revision)
    if entry.revision is not None:
        commit = entry.revision
    elif isinstance(told, Exception):
        raise _unfetched(name, entry.repo, told)
    else:
        commit = str(told.sha)
        forget_parts(entry.repo, told, folder=target)
    before = files_in(target or snapshots_of(entry.repo) / commit)
    wanted = _Wanted(repo=entry.repo, revision=commit, files=entry.files, folder=target, force=force)
    folder, held = _fetch(name, wanted, told)
    _check(entry, folder, commit, before, held)
    return folder


def pull_files(
    name: str,
    repo: str,
    files: Sequence[str],
    *,
    others: Sequence[str] = (),
    revision: str | None = None,
    sha256: Mapping[str, str] | None = None,
    force: bool = False,
) -> Path:
    """Fetch files of a repository into the hub's cache, where loading looks for them, and write down which.

    What an interrupted pull has left is gone on from.

    Args:
        name: what they belong to, for errors.
        repo: owner/name.
        files: patterns of their names.
        others: patterns of files that are fetched only where the repository has no others of these kinds.
        revision: a branch, tag or commit; None is the newest commit.
        sha256: checksums that are known, by file.
        force: fetch again what is there.

    Raises:
        ModelError: offline mode, the hub is out of reach, or what came is not what is known of it.
    """
    _refuse_offline(name)
    _quieten()
    snapshots = snapshots_of(repo)
    before = _there_before(snapshots)
    told = _told(repo, revision)
    if revision is None and not isinstance(told, Exception):
        forget_parts(repo, told)
    wanted = _Wanted(repo=repo, revision=revision, files=files, force=force)
    folder, held = _fetch(name, replace(wanted, without=others), told)
    if others and not any(folder.rglob("*.safetensors")):
        folder, held = _fetch(name, wanted, told)
    found: Mapping[str, str] = {}
    if folder.parent == snapshots:  # else another client than the hub's own keeps its files in a way of its own
        came = {file for file in files_in(folder) if any(fnmatch(file, one) for one in files)}
        there = before.get(folder.name, [])
        found = write_record(folder, name=name, repo=repo, revision=folder.name, files=came, before=there, held=held)
        (snapshots.parent / PULLING).unlink(missing_ok=True)
    _check_known(name, folder, sha256 or {}, found)
    return folder


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """Files of a repository that are fetched."""

    repo: str
    revision: str | None
    files: Sequence[str]
    """Patterns of their names."""
    without: Sequence[str] = ()
    """Patterns of names that are left out."""
    folder: Path | None = None
    """That they go to; None is the hub's cache."""
    force: bool = False


def _told(repo: str, revision: str | None) -> ModelInfo | Exception:
    """What the hub tells of the files of a repository, or why it tells nothing."""
    from huggingface_hub import HfApi

    try:
        return HfApi().model_info(repo, revision=revision, files_metadata=True)
    except Exception as error:  # the hub's client has a dozen kinds of its own
        return error


def _fetch(name: str, wanted: _Wanted, told: ModelInfo | Exception) -> tuple[Path, Mapping[str, str]]:
    """The folder of what is wanted, large files by `vedit.weights.large_files` and the rest by the hub's client; and
    the SHA-256 of those of its files that were held against it as they came.

    Where the hub tells nothing, its client knows whether all is here already. Raises ModelError.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import filter_repo_objects

    large: list[str] = []
    held: Mapping[str, str] = {}
    allowed, ignored = [*wanted.files], [*wanted.without]
    asked: dict[str, Any] = {"allow_patterns": allowed, "local_dir": wanted.folder}
    if wanted.revision is not None:
        asked["revision"] = wanted.revision
    try:
        if not isinstance(told, Exception):
            names = [one.rfilename for one in told.siblings or ()]
            names = filter_repo_objects(names, allow_patterns=allowed, ignore_patterns=ignored or None)
            found = large_files(wanted.repo, told, names)
            held = fetch_large(found, folder=wanted.folder, force=wanted.force)
            large = [escape(one.name) for one in found]
        if wanted.force:  # the large ones have just come anew
            snapshot_download(wanted.repo, ignore_patterns=[*ignored, *large], force_download=True, **asked)
        folder = Path(snapshot_download(wanted.repo, ignore_patterns=ignored or None, **asked))
    except ModelError:
        raise
    except Exception as error:  # see _told
        raise _unfetched(name, wanted.repo, error) from error
    moved = wanted.folder is None and folder.name != getattr(told, "sha", None)  # the branch, in between
    return folder, {} if moved else held


def _there_before(snapshots: Path) -> Mapping[str, Collection[str]]:
    """The files that a repository's snapshots held before a pull began, the first where several were interrupted."""
    begun = snapshots.parent / PULLING
    try:
        return cast("dict[str, list[str]]", json.loads(begun.read_text("utf-8")))
    except (OSError, ValueError):
        found = {commit.name: sorted(files_in(commit)) for commit in snapshots.glob("*")}
    begun.parent.mkdir(parents=True, exist_ok=True)
    begun.write_text(json.dumps(found), "utf-8")
    return found


def refuse_pickle(entry: WeightsInfo) -> None:
    """Raises ModelError, with what to do, where weights are published as a pickle alone."""
    if entry.pickle:
        raise ModelError(f"{entry.repo} holds {entry.name} as a pickle file alone", remedy=remedy(entry))


def _quieten() -> None:
    """Keep the hub's client from telling of each attempt; what comes of them is told by one line."""
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()


def _unfetched(name: str, repo: str, error: Exception) -> ModelError:
    return ModelError(
        f"{name} cannot be fetched from {repo}: {first_line(error)}",
        remedy="try again where the hub is in reach, or copy the files",
    )


def _refuse_offline(name: str) -> None:
    setting = offline()
    if setting is not None:
        raise ModelError(
            f"{name} cannot be fetched: {setting} is set",
            remedy=f"unset it, or copy the files to a folder {name} in ${FOLDER_VARIABLE}",
        )


def _check(entry: WeightsInfo, folder: Path, commit: str, before: Collection[str], held: Mapping[str, str]) -> None:
    """Hold what came against what is known of it, and write the record of it."""
    if not whole(entry, folder):
        raise ModelError(
            f"{entry.repo} at {commit} does not hold the safetensors of {entry.name}",
            remedy="report it as a fault of vedit",
        )
    came = {file for file in files_in(folder) if any(fnmatch(file, one) for one in entry.files)}
    found = write_record(
        folder, name=entry.name, repo=entry.repo, revision=commit, files=came, before=before, held=held
    )
    _check_known(entry.name, folder, entry.sha256, found)


def _check_known(name: str, folder: Path, sha256: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raises ModelError where a file is not the one that is known; it is taken away, so that no load takes it.

    Args:
        name: that the files were pulled for.
        folder: of the files.
        sha256: what is known, by file.
        found: what those have that were hashed already.
    """
    for file, known in sha256.items():
        path = folder / file
        if not path.is_file() or (found.get(file) or digest(path)) != known:
            path.unlink(missing_ok=True)
            raise ModelError(
                f"{path} is not the file that is known as {name} (its SHA-256 differs)",
                remedy=f"run: vedit models pull {name} --force",
            )
