"""Fetching weights and models from the hub: the one place that does, and only when a user asks for it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from vedit.errors import ModelError
from vedit.registry.weights import WeightsInfo
from vedit.weights.store import FOLDER_VARIABLE, RECORD, digest, find, first_line, info, remedy, whole

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
    from huggingface_hub import HfApi, snapshot_download

    own = os.environ.get(FOLDER_VARIABLE)
    _quieten()
    try:
        commit = entry.revision or cast("str", HfApi().model_info(entry.repo).sha)
        folder = Path(
            snapshot_download(
                entry.repo,
                revision=commit,
                allow_patterns=list(entry.files),
                local_dir=Path(own) / name if own else None,
                force_download=force,
            )
        )
    except Exception as error:  # the hub's client has a dozen kinds of its own
        raise _unfetched(name, entry.repo, error) from error
    _check(entry, folder, commit)
    return folder


def pull_files(
    name: str,
    repo: str,
    files: Sequence[str],
    *,
    others: Sequence[str] = (),
    revision: str | None = None,
    force: bool = False,
) -> Path:
    """Fetch files of a repository into the hub's cache, where loading looks for them.

    Args:
        name: what they belong to, for errors.
        repo: owner/name.
        files: patterns of their names.
        others: patterns of files that are fetched only where the repository has no others of these kinds.
        revision: a branch, tag or commit; None is the newest commit.
        force: fetch again what is there.

    Raises:
        ModelError: offline mode, or the hub is out of reach.
    """
    _refuse_offline(name)
    from huggingface_hub import snapshot_download

    _quieten()
    wanted: dict[str, Any] = {"allow_patterns": list(files), "force_download": force}
    if revision is not None:
        wanted["revision"] = revision
    try:
        folder = Path(snapshot_download(repo, ignore_patterns=list(others) or None, **wanted))
        if others and not any(folder.rglob("*.safetensors")):
            folder = Path(snapshot_download(repo, **wanted))
        return folder
    except Exception as error:  # see pull
        raise _unfetched(name, repo, error) from error


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


def _check(entry: WeightsInfo, folder: Path, commit: str) -> None:
    """Hold what came against what is known of it, and write the record of it."""
    if not whole(entry, folder):
        raise ModelError(
            f"{entry.repo} at {commit} does not hold the safetensors of {entry.name}",
            remedy="report it as a fault of vedit",
        )
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": digest(path)}
        for path in sorted(folder.rglob("*.safetensors"))
    }
    for file, known in entry.sha256.items():
        if file not in files or files[file]["sha256"] != known:
            (folder / file).unlink(missing_ok=True)  # else the next load would take it for what was asked for
            raise ModelError(
                f"{folder / file} is not the file that is known as {entry.name} (its SHA-256 differs)",
                remedy=f"run: vedit models pull {entry.name} --force",
            )
    record = {"name": entry.name, "repo": entry.repo, "revision": commit, "files": files}
    (folder / RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
