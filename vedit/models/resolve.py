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
from vedit.models.claimed import family_at, moving
from vedit.models.configs import read_json
from vedit.models.gguf_unets import check_unet
from vedit.models.headers import SUFFIX
from vedit.models.identify import check_controlnet, check_model, refuse_pickle
from vedit.models.listed import branch_place_of, branches_of, is_here, place_of
from vedit.models.ref import ModelRef
from vedit.models.source import DEFAULT, ModelSource
from vedit.registry.catalogue import ListedModel, catalogue
from vedit.registry.families import VEDITS
from vedit.weights.hub_cache import HubPlace, cached, hub_place

if TYPE_CHECKING:
    from vedit.options.request import RenderRequest


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model known by name."""

    name: str
    family: str
    summary: str
    licence: str
    size_bytes: int
    """On disk, control branches included; of what is not there, to download."""
    location: str
    """A folder, or a place on the hub."""
    present: bool
    """Whether its files are on this machine."""
    part: str = "model"
    """What it is: a model, or what is put beside one (`vedit.registry.catalogue.ListedPart`)."""
    commercial: bool | None = True
    """Whether the licence allows commercial use; None: that is not known."""
    limits: str = ""
    """Where on earth the licence does not hold."""
    needs: tuple[str, ...] = ()
    """Names of what it is used beside."""
    origin: str = "vedit"
    """Who lists it."""


def known_models() -> tuple[ModelInfo, ...]:
    """Every model with a name of its own, the default first. Raises InputError as the catalogue does."""
    return tuple(entry for entry in known_names() if entry.part == "model")


def known_names() -> tuple[ModelInfo, ...]:
    """`known_models`, and the ControlNets, LoRAs and other adapters with a name."""
    embedded = ModelInfo(
        name=DEFAULT,
        family="sd",
        summary="small latent diffusion model that ships with vedit; restyles offline on a CPU",
        licence="Apache-2.0",
        size_bytes=sum(p.stat().st_size for p in EMBEDDED.rglob("*") if p.is_file()),
        location=str(EMBEDDED),
        present=(EMBEDDED / "model_index.json").is_file(),
    )
    return (embedded, *map(_info_of, catalogue().models.values()))


def _info_of(listed: ListedModel) -> ModelInfo:
    models = catalogue().models
    branches = [models[name].size_bytes for name in listed.controlnets.values() if name in models]
    return ModelInfo(
        name=listed.name,
        family=listed.family,
        summary=listed.summary,
        licence=listed.licence,
        size_bytes=listed.size_bytes + sum(branches),
        location=listed.place,
        present=is_here(listed),
        part=listed.part,
        commercial=listed.commercial,
        limits=listed.limits,
        needs=listed.needs,
        origin=listed.origin,
    )


def describe(name: str) -> dict[str, object]:
    """What is known of a model: the fields of `ModelInfo`, the qualities that its fast tier serves, and its looks and
    words where it lists them.

    Raises:
        ModelError: the name is not one of `known_names`.
    """
    info = next((info for info in known_names() if info.name == name), None)
    if info is None:
        raise _unknown(name)
    if info.part != "model":
        return asdict(info)
    model = resolve(name)
    return {
        **asdict(info),
        "fast_tier": [quality for tier in model.distilled if not tier.looks for quality in tier.schedules],
        "drawn": [look for tier in model.distilled for look in tier.looks],
        **({} if model.looks is None else read_json(model.looks)),
    }


def model_of(request: RenderRequest) -> ModelRef:
    """The model that a request asks for, with its control branches. Raises ModelError as `resolve`."""
    return resolve(
        request.model,
        dict(request.controlnets),
        ip_adapter=request.ip_adapter,
        image_encoder=request.image_encoder,
        motion_adapter=request.motion_adapter,
        unet=request.unet,
    )


def resolve(
    name: str,
    controlnets: Mapping[str, str] | None = None,
    *,
    ip_adapter: str | None = None,
    image_encoder: str | None = None,
    motion_adapter: str | None = None,
    unet: str | None = None,
) -> ModelRef:
    """The model of a name, folder, .safetensors file or hub id, as it is found on this machine.

    It is called where a call or a command begins, before any work; what follows takes what it returns.

    Args:
        name: as a user asks for it.
        controlnets: control branches by kind, beside its own or in their place.
        ip_adapter: what reads a look's references: a file, or a file on the hub.
        image_encoder: the folder of what it looks at pictures with; None: one near it.
        motion_adapter: AnimateDiff's for the model: a folder, a file, a listed name or a hub id.
        unet: a GGUF file in the place of its UNet.

    Raises:
        ModelError: none of these; a model or a ControlNet that vedit cannot run, by its true name, or one that is
            damaged; whether a hub id exists is not known here, and what is in it only where the cache has it.
    """
    source = replace(
        _located(name, {kind: _branch(place) for kind, place in (controlnets or {}).items()}),
        **_reader(ip_adapter, image_encoder),
        motion_adapter=None if motion_adapter is None else _motion(motion_adapter),
        unet=None if unet is None else _unet(unet),
    )
    base = cached(source.base)
    family = family_at(base)
    if base is not None and name != DEFAULT and family.name in VEDITS:
        check_model(base)
    if source.motion_adapter is not None:
        family = moving(family, source, name=name)
    if source.unet is not None:
        check_unet(Path(source.unet), base, family.name, name=name)
    for kind in controlnets or {}:
        branch = cached(source.controlnets[kind])
        if branch is not None:
            check_controlnet(branch, base, kind=kind)
    traits = family.traits(source)
    if ip_adapter is not None and "references" not in traits.takes:
        raise ModelError(f"{name} reads no pictures", remedy="leave --ip-adapter out, or use a model that does")
    return ModelRef(name=name, source=source, base=base, family=family, traits=traits)


def _located(name: str, own: Mapping[str, str]) -> ModelSource:
    if name == DEFAULT:
        return ModelSource(base=str(EMBEDDED), controlnets=own)
    path = Path(name)
    if not name.strip() or not _can_be(path):
        raise _unknown(name)
    listed = catalogue().models.get(name)
    if listed is None and path.is_dir():
        return ModelSource(base=str(path.resolve()), controlnets=own)
    if listed is None and path.is_file() and path.suffix in (".safetensors", ".gguf"):
        return ModelSource(base=str(path.resolve()), controlnets=own)
    place = place_of(name, "model")
    if place is not None:
        return ModelSource(base=place, controlnets={**(branches_of(listed) if listed else {}), **own})
    refuse_pickle(path)
    if _on_hub(name) is not None:
        return ModelSource(base=name, controlnets=own)
    if path.suffix in (".safetensors", ".gguf"):
        raise ModelError(f"there is no file {name}", remedy="check the path given to --model")
    raise _unknown(name)


def _branch(place: str) -> str:
    """Where a ControlNet or T2I-Adapter is. Raises ModelError where it cannot be there."""
    path = Path(place)
    refuse_pickle(path)
    if not place.strip() or not _can_be(path):
        raise _no_branch(place)
    if path.is_dir():
        return str(path.resolve())
    if path.suffix == ".safetensors" and path.is_file():
        return str(path.resolve())
    named = branch_place_of(place)
    if named is not None:
        return named
    if _on_hub(place) is not None:
        return place
    if path.suffix == ".safetensors":
        raise ModelError(f"there is no file {place}", remedy="check the path given to --controlnet")
    raise _no_branch(place)


def _reader(ip_adapter: str | None, image_encoder: str | None) -> dict[str, str | None]:
    """Where an IP-Adapter and its image encoder are. Raises ModelError where they cannot be there."""
    if ip_adapter is None:
        if image_encoder is not None:
            raise ModelError("an image encoder alone reads nothing", remedy="add --ip-adapter FILE, or leave it out")
        return {}
    for place, option in ((ip_adapter, "ip-adapter"), (image_encoder, "image-encoder")):
        if place is not None and not (place.strip() and _can_be(Path(place))):
            raise ModelError(f"there is nothing named {shown(place)}", remedy=f"check what is given to --{option}")
    refuse_pickle(Path(ip_adapter))
    on_hub = _on_hub(ip_adapter)
    named = None if Path(ip_adapter).is_file() else place_of(ip_adapter, "ip-adapter")
    if named is None and not (Path(ip_adapter).is_file() or (on_hub is not None and on_hub.file is not None)):
        raise ModelError(
            f"there is no IP-Adapter {shown(ip_adapter)}",
            remedy="give a .safetensors file, a listed name, or one on the hub as owner/name/FILE, to --ip-adapter",
        )
    places: dict[str, str | None] = {"ip_adapter": named or _absolute(ip_adapter)}
    if image_encoder is not None:
        if not Path(image_encoder).is_dir() and _on_hub(image_encoder) is None:
            raise ModelError(
                f"there is no image encoder {shown(image_encoder)}",
                remedy="give its folder, or a hub id owner/name, to --image-encoder",
            )
        places |= {"image_encoder": _absolute(image_encoder)}
    return places


def _motion(place: str) -> str:
    """Where a motion adapter is. Raises ModelError where it cannot be there."""
    path = Path(place)
    refuse_pickle(path)
    if place.strip() and _can_be(path):
        if path.is_dir() or (path.is_file() and path.suffix == SUFFIX):
            return str(path.resolve())
        found = place_of(place, "motion") or (place if _on_hub(place) is not None else None)
        if found is not None:
            return found
    raise ModelError(
        f"there is no motion adapter {shown(place)}",
        remedy="give a folder, a .safetensors file, a listed name (animatediff-v3), or a hub id owner/name to "
        "--motion-adapter",
    )


def _unet(place: str) -> str:
    """Where a UNet in GGUF is. Raises ModelError where it cannot be there."""
    path = Path(place)
    refuse_pickle(path)
    if place.strip() and _can_be(path) and path.is_file():
        return str(path.resolve())
    raise ModelError(f"there is no file {shown(place)}", remedy="give the UNet's .gguf file to --unet")


def _absolute(place: str) -> str:
    return str(Path(place).resolve()) if Path(place).exists() else place


def _no_branch(place: str) -> ModelError:
    return ModelError(
        f"there is no ControlNet {shown(place)}",
        remedy="give a folder, a .safetensors file, or a hub id owner/name to --controlnet, or a listed name",
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


def _unknown(name: str) -> ModelError:
    """The error of a name that stands for no model."""
    named = suggest(name, [info.name for info in known_models()], before="use one of ")
    return ModelError(
        f"there is no model {shown(name)}",
        remedy=f"{named}, a diffusers folder, a .safetensors file, or a hub id owner/name",
    )
