"""A model by its name, folder, file or hub id -> what is known of it before it is loaded. Does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.checks.nearest import suggest
from vedit.checks.rationals import shown
from vedit.embedded import FOLDER as EMBEDDED
from vedit.errors import MediaError, ModelError
from vedit.media.writing.target import check_name
from vedit.models.claimed import family_at
from vedit.models.configs import read_json
from vedit.models.identify import check_controlnet, check_model, refuse_pickle
from vedit.models.ref import ModelRef
from vedit.models.source import DEFAULT, NAMED, SD15, ModelSource
from vedit.registry.families import OWN
from vedit.weights.hub_cache import HubPlace, cached, hub_place, snapshots_of

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest

_SD15_BYTES = 2_133_000_000 + 2 * 722_600_000


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model known by name."""

    name: str
    family: str
    summary: str
    licence: str
    size_bytes: int
    """On disk, control branches included."""
    location: str
    """A folder, or a hub id."""
    present: bool
    """Whether its files are on this machine."""


def known_models() -> tuple[ModelInfo, ...]:
    """Every model with a name of its own, the default first."""
    return (
        ModelInfo(
            name=DEFAULT,
            family="sd",
            summary="small latent diffusion model that ships with vedit; restyles offline on a CPU",
            licence="Apache-2.0",
            size_bytes=sum(p.stat().st_size for p in EMBEDDED.rglob("*") if p.is_file()),
            location=str(EMBEDDED),
            present=(EMBEDDED / "model_index.json").is_file(),
        ),
        ModelInfo(
            name="sd15",
            family="sd",
            summary="Stable Diffusion 1.5 with tile and soft-edge ControlNets; wants a GPU",
            licence="CreativeML OpenRAIL-M",
            size_bytes=_SD15_BYTES,
            location=SD15.base,
            present=_in_cache(SD15.base),
        ),
    )


def describe(name: str) -> dict[str, object]:
    """What is known of a model: the fields of `ModelInfo`, the qualities that its fast tier serves, and its looks and
    words where it lists them.

    Raises:
        ModelError: the name is not one of `known_models`.
    """
    info = next((info for info in known_models() if info.name == name), None)
    if info is None:
        raise _unknown(name)
    model = resolve(name)
    return {
        **asdict(info),
        "fast_tier": [quality for tier in model.distilled if not tier.looks for quality in tier.schedules],
        "drawn": [look for tier in model.distilled for look in tier.looks],
        **({} if model.looks is None else read_json(model.looks)),
    }


def model_of(request: RenderRequest) -> ModelRef:
    """The model that a request asks for, with its control branches. Raises ModelError as `resolve`."""
    return resolve(request.model, dict(request.controlnets))


def resolve(name: str, controlnets: Mapping[str, str] | None = None) -> ModelRef:
    """The model of a name, folder, .safetensors file or hub id, as it is found on this machine.

    It is called where a call or a command begins, before any work; what follows takes what it returns.

    Args:
        name: as a user asks for it.
        controlnets: control branches by kind, beside its own or in their place.

    Raises:
        ModelError: none of these; a model or a ControlNet that vedit cannot run, by its true name, or one that is
            damaged; whether a hub id exists is not known here, and what is in it only where the cache has it.
    """
    source = _located(name, {kind: _branch(place) for kind, place in (controlnets or {}).items()})
    base = cached(source.base)
    family = family_at(base)
    if base is not None and name != DEFAULT and family.name == OWN:
        check_model(base)
    for kind in controlnets or {}:
        branch = cached(source.controlnets[kind])
        if branch is not None:
            check_controlnet(branch, base)
    return ModelRef(name=name, source=source, base=base, family=family, traits=family.traits(source))


def _located(name: str, own: Mapping[str, str]) -> ModelSource:
    if name == DEFAULT:
        return ModelSource(base=str(EMBEDDED), controlnets=own)
    if name in NAMED:
        return replace(NAMED[name], controlnets={**NAMED[name].controlnets, **own})
    path = Path(name)
    if not name.strip() or not _can_be(path):
        raise _unknown(name)
    if path.is_dir():
        return ModelSource(base=str(path.resolve()), controlnets=own)
    refuse_pickle(path)
    if path.suffix in (".safetensors", ".gguf"):
        if not path.is_file():
            raise ModelError(f"there is no file {name}", remedy="check the path given to --model")
        return ModelSource(base=str(path.resolve()), controlnets=own)
    on_hub = _on_hub(name)
    if on_hub is not None and on_hub.file is None:
        return ModelSource(base=name, controlnets=own)
    raise _unknown(name)


def _branch(place: str) -> str:
    """Where a ControlNet is. Raises ModelError where it cannot be there."""
    path = Path(place)
    refuse_pickle(path)
    if not place.strip() or not _can_be(path):
        raise _no_branch(place)
    if path.is_dir():
        return str(path.resolve())
    if path.suffix == ".safetensors" and path.is_file():
        return str(path.resolve())
    if _on_hub(place) is not None:
        return place
    if path.suffix == ".safetensors":
        raise ModelError(f"there is no file {place}", remedy="check the path given to --controlnet")
    raise _no_branch(place)


def _no_branch(place: str) -> ModelError:
    return ModelError(
        f"there is no ControlNet {shown(place)}",
        remedy="give a folder, a .safetensors file, or a hub id owner/name to --controlnet",
    )


def _can_be(path: Path) -> bool:
    """Whether this system can have a file of that name."""
    try:
        check_name(path)
    except MediaError:
        return False
    return True


def _on_hub(text: str) -> HubPlace | None:
    """What a user's words stand for on the hub; None where they lead into a folder that is here."""
    first = Path(text).parts[:1]
    return None if first and Path(first[0]).is_dir() else hub_place(text)


def _in_cache(repo: str) -> bool:
    return any(snapshots_of(repo).glob("*/model_index.json"))


def _unknown(name: str) -> ModelError:
    """The error of a name that stands for no model."""
    named = suggest(name, [info.name for info in known_models()], before="use one of ")
    return ModelError(
        f"there is no model {shown(name)}",
        remedy=f"{named}, a diffusers folder, a .safetensors file, or a hub id owner/name",
    )
