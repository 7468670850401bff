"""What `vedit models pull` fetches: what is listed by name, and models of the hub by their id.

Nothing else in vedit fetches anything: what a render, a plan or a looks file names has to be on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from vedit.checks.nearest import suggest
from vedit.errors import ModelError
from vedit.models.listed import is_here, local_place
from vedit.models.resolve import known_names
from vedit.models.source import DEFAULT
from vedit.registry.catalogue import VARIABLE, ListedModel, catalogue, user_folder
from vedit.registry.weights import WeightsInfo
from vedit.weights import hub
from vedit.weights.hub_cache import HubPlace, hub_place
from vedit.weights.store import FOLDER_VARIABLE, find, info, known_weights, terms

_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")
_ANY_FILES = (
    "*.json",
    "merges.txt",
    *(f"{part}/{file}" for part in _PARTS for file in ("*.json", "merges.txt", "vocab.json")),
    *(
        f"{part}/*.safetensors"
        for part in ("unet", "vae", "text_encoder", "text_encoder_2", "controlnet*", "fast", "motion_adapter")
    ),
    "controlnet*/*.json",
    "motion_adapter/*.json",
    "fast/*.json",
    "diffusion_pytorch_model*.safetensors",
    "pytorch_lora_weights.safetensors",
)
"""What loading may read of a repository that nothing else is known of: a model's folder, a ControlNet's, a LoRA's."""
_OTHER_FORMS = ("*non_ema*", "*.fp16.*", "*.bf16.*")
"""The same weights once more, which are fetched only where there are no others."""


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
    asked: str = ""
    """What the licence forbids, for which it has to be accepted; empty where it does not."""
    accepted_as: str = ""
    """The name by which it is accepted; empty: its own."""


def plan(name: str, *, force: bool = False) -> PullPlan:
    """What fetching a name would mean; touches no network.

    Raises:
        ModelError: unknown, no id of the hub, or nothing that is fetched: the embedded model, or weights published as
            a pickle alone.
    """
    if name in {entry.name for entry in known_weights()}:
        return _plan_of_weights(name, force=force)
    listed = catalogue().models.get(name)
    if listed is not None:
        return _plan_of(listed)
    if name == DEFAULT:
        raise ModelError(f"{name!r} ships with vedit", remedy="there is nothing to fetch")
    on_hub = hub_place(name)
    if on_hub is None:
        names = [entry.name for entry in (*known_weights(), *known_names())]
        raise ModelError(
            f"there is nothing named {name!r} to fetch",
            remedy=f"{suggest(name, names)}, or an id owner/name of the hub",
        )
    listed = _forbidding(on_hub)
    return PullPlan(
        name=name,
        source=on_hub.repo if on_hub.revision is None else f"{on_hub.repo}@{on_hub.revision}",
        terms="size and licence as the hub says" if listed is None else ", ".join(listed[1:]),
        size_bytes=0,
        licence="as the hub says" if listed is None else listed[1],
        present=on_hub.cached is not None and not on_hub.unfinished,
        asked="" if listed is None else listed[2],
        accepted_as="" if listed is None else listed[0],
    )


def _forbidding(on_hub: HubPlace) -> tuple[str, str, str] | None:
    """Name, licence and what it forbids of what is listed of a place, whose id does not get round them."""
    every = [*catalogue().models.values(), *known_weights()]
    listed = [one for one in every if one.repo.lower() == on_hub.repo.lower()]
    named = [one for one in listed if on_hub.file in _files(one)]  # of one file, what is said of it alone
    found = ((one.name, one.licence, _asked(one)) for one in named or listed)
    return next((told for told in found if told[2]), None)


def _files(listed: ListedModel | WeightsInfo) -> tuple[str, ...]:
    return listed.fetched if isinstance(listed, ListedModel) else listed.files


def _asked(listed: ListedModel | WeightsInfo) -> str:
    """What the licence forbids, for which a pull asks."""
    if isinstance(listed, ListedModel):
        return listed.asked
    return "" if listed.commercial else "no commercial use"


def _plan_of_weights(name: str, *, force: bool) -> PullPlan:
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
        asked=_asked(entry),
    )


def _plan_of(listed: ListedModel) -> PullPlan:
    parts = _with_branches(listed)
    download = sum(part.size_bytes for part in parts)
    asked = dict.fromkeys(part.asked for part in parts if part.asked)
    repos = dict.fromkeys(part.repo if part.revision is None else f"{part.repo}@{part.revision}" for part in parts)
    size = f"{download / 1e9:.1f} GB" if download >= 1e9 else f"{max(download / 1e6, 1):.0f} MB"
    return PullPlan(
        name=listed.name,
        source=", ".join(repos),
        terms=", ".join([size, listed.licence, *asked]),
        size_bytes=download,
        licence=listed.licence,
        present=all(map(is_here, parts)),
        asked="; ".join(asked),
    )


def pull(name: str, *, force: bool = False, accept_licence: bool = False, offline: bool = False) -> Path:
    """Fetch what `plan` says, where it is not there yet.

    Args:
        name: see `plan`.
        force: fetch again what is there.
        accept_licence: whoever calls has read a licence that forbids something and keeps to it; it is asked for once.
        offline: touch no network: only say where what is there lies.

    Returns:
        The folder of the weights or of a model's main part, or one file that was named.

    Raises:
        ModelError: see `plan` and `vedit.weights.hub`; a licence forbids something and was not accepted; or it is not
            there, and nothing may be fetched.
    """
    found = plan(name, force=force)
    if offline:
        check_offline(found, force=force)
    if force or not found.present:
        check_licence(found, accept=accept_licence)
    if name in {entry.name for entry in known_weights()}:
        return hub.pull(name, force=force)
    listed = catalogue().models.get(name)
    if listed is None:
        return _pull_id(name, cast("HubPlace", hub_place(name)), force=force, offline=offline)
    if found.present and not force:
        return local_place(listed) or Path(listed.place)
    folder, *_ = [_pull_part(part, force=force) for part in _with_branches(listed)]
    return folder / listed.file if listed.file else folder


def _pull_part(part: ListedModel, *, force: bool) -> Path:
    return hub.pull_files(part.name, part.repo, part.fetched, revision=part.revision, sha256=part.sha256, force=force)


def _pull_id(name: str, on_hub: HubPlace, *, force: bool, offline: bool) -> Path:
    if on_hub.cached is not None and (offline or hub.offline() is not None) and not force:
        return on_hub.cached  # else what an earlier pull left undone is fetched
    files = _ANY_FILES if on_hub.file is None else (on_hub.file,)
    others = _OTHER_FORMS if on_hub.file is None else ()
    folder = hub.pull_files(name, on_hub.repo, files, others=others, revision=on_hub.revision, force=force)
    return folder if on_hub.file is None else folder / on_hub.file


def _with_branches(listed: ListedModel) -> tuple[ListedModel, ...]:
    """A listed model, and the ControlNets that it comes with and that are listed themselves."""
    models = catalogue().models
    return (listed, *(models[name] for name in listed.controlnets.values() if name in models))


def check_offline(found: PullPlan, *, force: bool = False) -> None:
    """Raises ModelError where something would be fetched, though nothing may be."""
    if force:
        raise ModelError(f"{found.name} would be fetched again, and offline forbids that", remedy="leave one out")
    if not found.present:
        raise ModelError(f"{found.name} is not on this machine, and offline forbids fetching it", remedy="leave it out")


def check_licence(found: PullPlan, *, accept: bool) -> None:
    """Raises ModelError where a licence forbids something and was accepted neither now nor before; notes that it is."""
    if is_accepted(found):
        return
    if not accept:
        raise ModelError(
            f"the licence of {found.name} ({found.licence}) says: {found.asked}",
            remedy="read it, and add --accept-licence if you keep to it",
        )
    file = _licences()
    with contextlib.suppress(OSError):  # it is asked for again where it cannot be written down
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(
            json.dumps({**_accepted(file), found.accepted_as or found.name: found.licence}, indent=2) + "\n", "utf-8"
        )


def is_accepted(found: PullPlan) -> bool:
    """Whether a licence forbids nothing, or was accepted before."""
    return not found.asked or _accepted(_licences()).get(found.accepted_as or found.name) == found.licence


def _licences() -> Path:
    return user_folder() / "accepted-licences.json"


def _accepted(file: Path) -> dict[str, Any]:
    try:
        told: object = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # it is asked for again
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}


def places() -> dict[str, object]:
    """The folders that are looked through, and what lies in them by name."""
    from huggingface_hub.constants import HF_HUB_CACHE

    models = {model.name: model.location for model in known_names() if model.present}
    weights = {entry.name: folder for entry in known_weights() if (folder := find(entry.name)) is not None}
    return {
        FOLDER_VARIABLE: os.environ.get(FOLDER_VARIABLE, "(not set)"),
        "hub cache": HF_HUB_CACHE,
        VARIABLE: os.environ.get(VARIABLE, "(not set)"),
        "offline": hub.offline() or "no",
        "present": {**models, **weights},
    }
