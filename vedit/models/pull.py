"""What `vedit models pull` fetches: weights of preprocessors, models known by name, and models of the hub by their id.

Nothing else in vedit fetches anything: what a render, a plan or a looks file names has to be on this machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vedit.checks.nearest import suggest
from vedit.errors import ModelError
from vedit.models.resolve import known_models
from vedit.models.source import SD15
from vedit.weights import hub
from vedit.weights.hub_cache import hub_place, on_disk
from vedit.weights.store import FOLDER_VARIABLE, find, info, known_weights, terms

_PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
_SD15_FILES = (
    "model_index.json",
    *(f"{part}/{file}" for part in _PARTS for file in ("*.json", "merges.txt", "vocab.json")),
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)
"""What loading reads; the repository holds the same weights in half a dozen other forms."""


_ANY_FILES = (
    "*.json",
    "merges.txt",
    *(f"{part}/{file}" for part in _PARTS for file in ("*.json", "merges.txt", "vocab.json")),
    *(f"{part}/*.safetensors" for part in ("unet", "vae", "text_encoder", "controlnet*", "fast")),
    "controlnet*/*.json",
    "fast/*.json",
    "diffusion_pytorch_model*.safetensors",
)
"""What loading may read of a repository that nothing else is known of: a model's folder, or a ControlNet's."""
_OTHER_FORMS = ("*non_ema*", "*.fp16.*", "*.bf16.*")
"""The same weights once more, which are fetched only where there are no others."""
_SD15_BYTES = 4_270_000_000
"""Of the above, in single precision."""
_CONTROLNET_BYTES = 723_000_000


@dataclass(frozen=True, kw_only=True)
class PullPlan:
    """Something that can be fetched."""

    name: str
    source: str
    """Repository on the hub, with @revision where one is pinned."""
    terms: str
    """Size and licence, to read."""
    size_bytes: int
    licence: str
    present: bool


def plan(name: str, *, force: bool = False) -> PullPlan:
    """What fetching a name would mean; touches no network.

    Raises:
        ModelError: unknown, no id of the hub, or nothing that is fetched: the embedded model, or weights published as
            a pickle alone.
    """
    if name in {entry.name for entry in known_weights()}:
        entry = info(name)
        if entry.pickle and (find(name) is None or force):
            hub.refuse_pickle(entry)
        return PullPlan(
            name=name,
            source=f"{entry.repo}@{entry.revision}" if entry.revision else entry.repo,
            terms=terms(entry),
            size_bytes=entry.size_bytes,
            licence=entry.licence,
            present=find(name) is not None,
        )
    model = next((model for model in known_models() if model.name == name), None)
    on_hub = hub_place(name) if model is None else None
    if on_hub is not None:
        return PullPlan(
            name=name,
            source=on_hub.repo if on_hub.revision is None else f"{on_hub.repo}@{on_hub.revision}",
            terms="size and licence as the hub says",
            size_bytes=0,
            licence="as the hub says",
            present=on_hub.cached is not None,
        )
    if model is None:
        names = [entry.name for entry in known_weights()] + [model.name for model in known_models()]
        raise ModelError(
            f"there is nothing named {name!r} to fetch",
            remedy=f"{suggest(name, names)}, or an id owner/name of the hub",
        )
    if model.location != SD15.base:
        raise ModelError(f"{name!r} ships with vedit", remedy="there is nothing to fetch")
    download = _SD15_BYTES + len(SD15.controlnets) * _CONTROLNET_BYTES
    return PullPlan(
        name=name,
        source=", ".join(dict.fromkeys([SD15.base, *(_repo(place) for place in SD15.controlnets.values())])),
        terms=f"{download / 1e9:.1f} GB, {model.licence}",
        size_bytes=download,
        licence=model.licence,
        present=model.present and all(Path(on_disk(place)).is_file() for place in SD15.controlnets.values()),
    )


def pull(name: str, *, force: bool = False) -> Path:
    """Fetch what `plan` says, where it is not there yet.

    Returns:
        The folder of the weights or of a model's main part, or one file that was named.

    Raises:
        ModelError: see `plan` and `vedit.weights.hub`.
    """
    if name in {entry.name for entry in known_weights()}:
        return hub.pull(name, force=force)
    plan(name)
    on_hub = None if name in {model.name for model in known_models()} else hub_place(name)
    if on_hub is not None:
        if on_hub.cached is not None and hub.offline() is not None and not force:
            return on_hub.cached  # else what an earlier pull left undone is fetched
        files = _ANY_FILES if on_hub.file is None else (on_hub.file,)
        others = _OTHER_FORMS if on_hub.file is None else ()
        folder = hub.pull_files(name, on_hub.repo, files, others=others, revision=on_hub.revision, force=force)
        return folder if on_hub.file is None else folder / on_hub.file
    folder = hub.pull_files(name, SD15.base, _SD15_FILES, force=force)
    for repo, files in _by_repo(tuple(SD15.controlnets.values())).items():
        hub.pull_files(name, repo, files, force=force)
    return folder


def places() -> dict[str, object]:
    """The folders that are looked through, and what lies in them by name."""
    from huggingface_hub.constants import HF_HUB_CACHE

    models = {model.name: model.location for model in known_models() if model.present}
    weights = {entry.name: folder for entry in known_weights() if (folder := find(entry.name)) is not None}
    return {
        FOLDER_VARIABLE: os.environ.get(FOLDER_VARIABLE, "(not set)"),
        "hub cache": HF_HUB_CACHE,
        "offline": hub.offline() or "no",
        "present": {**models, **weights},
    }


def _repo(place: str) -> str:
    """owner/name of owner/name/FILE."""
    return "/".join(place.split("/")[:2])


def _by_repo(files: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for place in files:
        found.setdefault(_repo(place), []).append(place.split("/", 2)[2])
    return found
