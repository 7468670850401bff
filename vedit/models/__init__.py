"""Models: what is known by name, where it is, and how it is loaded. Importing this does not import torch."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.embedded import FOLDER as EMBEDDED
from vedit.errors import ModelError
from vedit.vision_wheel import vision_fault
from vedit.weights import digest

if TYPE_CHECKING:
    from vedit.models.sd import Model

DEFAULT = "embedded"
_MODEL_FILES = frozenset((".safetensors", ".json", ".txt"))
"""Weights, configs and the vocabulary of a tokenizer: what decides what a model does."""
FAST_FOLDER = "fast"
"""In a model's folder: few-step weights, which only some looks use (`vedit.models.fast`)."""
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+(@[\w.-]+)?")


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


@dataclass(frozen=True, kw_only=True)
class ModelSource:
    """Where a model's parts come from: `base` is a folder, a .safetensors file or a hub id with an optional @revision.

    `controlnets` maps a control kind to a ControlNet's folder, file, hub id, or file on the hub (owner/name/FILE); the
    ones that a folder holds itself are found there.
    """

    base: str
    controlnets: Mapping[str, str] = field(default_factory=dict[str, str])


# The authors' own repositories hold some of the ControlNets as pickle only; these are the same weights as safetensors.
_CONTROLNETS = "comfyanonymous/ControlNet-v1-1_fp16_safetensors"
SD15 = ModelSource(
    base="stable-diffusion-v1-5/stable-diffusion-v1-5",
    controlnets={
        "tile": f"{_CONTROLNETS}/control_v11f1e_sd15_tile_fp16.safetensors",
        "softedge": f"{_CONTROLNETS}/control_v11p_sd15_softedge_fp16.safetensors",
        "depth": f"{_CONTROLNETS}/control_v11f1p_sd15_depth_fp16.safetensors",
        "canny": f"{_CONTROLNETS}/control_v11p_sd15_canny_fp16.safetensors",
    },
)
_SD15_BYTES = 2_133_000_000 + 2 * 722_600_000


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
    """What is known of a model: the fields of `ModelInfo`, and its looks and words where it lists them.

    Raises:
        ModelError: the name is not one of `known_models`.
    """
    for info in known_models():
        if info.name == name:
            looks = Path(info.location) / "looks.json"
            extra = json.loads(looks.read_text("utf-8")) if looks.is_file() else {}
            return {**{key: getattr(info, key) for key in info.__dataclass_fields__}, **extra}
    raise _unknown(name)


def resolve(name: str, controlnets: Mapping[str, str] | None = None) -> ModelSource:
    """A name, folder, .safetensors file or hub id -> where the parts are; `controlnets` adds to or replaces kinds.

    Raises:
        ModelError: none of these, or a file that is not safetensors; whether a hub id exists is not known here.
    """
    own = dict(controlnets or {})
    for place in own.values():
        _check_branch(place)
    if name == DEFAULT:
        return ModelSource(base=str(EMBEDDED), controlnets=own)
    if name == "sd15":
        return ModelSource(base=SD15.base, controlnets={**SD15.controlnets, **own})
    path = Path(name)
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise ModelError(
                f"{name} is not a diffusers folder: it has no model_index.json",
                remedy="give the folder that holds unet/, vae/, text_encoder/, tokenizer/ and scheduler/",
            )
        return ModelSource(base=str(path.resolve()), controlnets=own)
    _refuse_pickle(path)
    if path.suffix == ".safetensors":
        if not path.is_file():
            raise ModelError(f"there is no file {name}", remedy="check the path given to --model")
        return ModelSource(base=str(path.resolve()), controlnets=own)
    if _HUB_ID.fullmatch(name) and not path.is_absolute():
        return ModelSource(base=name, controlnets=own)
    raise _unknown(name)


def _check_branch(place: str) -> None:
    """Raises ModelError where a ControlNet cannot be there."""
    path = Path(place)
    _refuse_pickle(path)
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelError(
                f"{place} is no folder of a ControlNet: it has no config.json",
                remedy="give the folder that holds config.json and the weights",
            )
    elif path.suffix == ".safetensors":
        on_hub = place.count("/") >= 2 and not path.is_absolute() and not place.startswith(".")
        if not path.is_file() and not on_hub:
            raise ModelError(f"there is no file {place}", remedy="check the path given to --controlnet")
    elif path.is_absolute() or not _HUB_ID.fullmatch(place):
        raise ModelError(
            f"there is no ControlNet {place!r}",
            remedy="give a folder, a .safetensors file, or a hub id owner/name to --controlnet",
        )


def _refuse_pickle(path: Path) -> None:
    if path.suffix in {".ckpt", ".pt", ".pth", ".bin"}:
        raise ModelError(
            f"{path} is a pickle file, which can run code when it is opened",
            remedy="convert it to .safetensors, or use a diffusers folder",
        )


def size_multiple(name: str) -> int:
    """Pixels that width and height must be a multiple of: read from a folder's configs, else 64, which holds for all
    of the SD 1.x layout (8 of the autoencoder, three halvings of the UNet)."""
    folder = Path(resolve(name).base)
    configs = [folder / part / "config.json" for part in ("unet", "vae")]
    if not all(config.is_file() for config in configs):
        return 64
    unet, vae = (json.loads(config.read_text("utf-8")) for config in configs)
    blocks = vae.get("block_out_channels") or vae["encoder_block_out_channels"]
    return 2 ** (len(blocks) - 1) * 2 ** (len(unet["block_out_channels"]) - 1)


def default_guidance(name: str) -> float:
    """The guidance scale that a model looks best at: 7 for SD 1.x; the embedded one, and any that was trained as it
    was (it lists its looks), overshoots from 3 on."""
    return 7.0 if known_words(name) is None else 2.0


def known_words(name: str) -> frozenset[str] | None:
    """The words that a model's looks.json lists; None where the model takes any text."""
    looks = Path(resolve(name).base) / "looks.json"
    return frozenset(json.loads(looks.read_text("utf-8"))["words"]) if looks.is_file() else None


def unknown_words(text: str, known: frozenset[str] | None) -> tuple[str, ...]:
    """Words of the text that are not among the known ones, in order, each once."""
    if known is None:
        return ()
    spoken = (word.strip(".,;:!?\"'()[]").lower() for word in text.replace("-", " ").split())
    return tuple(dict.fromkeys(word for word in spoken if word and word not in known))


def load(
    name: str,
    *,
    device: str = "cpu",
    controls: tuple[str, ...] = (),
    controlnets: Mapping[str, str] | None = None,
    fast: bool = True,
) -> Model:
    """Load a model for a device, with the control branches that are asked for and that it has.

    Args:
        name: as `resolve` takes it; a hub id that is not in the local cache is fetched, since it was asked for.
        device: a torch device.
        controls: the kinds wanted; kinds the model lacks are left out of `Model.control_kinds`.
        controlnets: further control branches by kind.
        fast: with the fast tier, where the model has one; without it, one that does not fit is no hindrance.

    Raises:
        ModelError: unknown, incomplete, or not safetensors; or a torchvision that breaks diffusers.
    """
    try:
        family = import_module("vedit.models.sd")
    except Exception as error:  # what diffusers and transformers die of with it depends on their version
        fault = vision_fault()
        if fault is None:
            raise
        raise ModelError(fault.message, remedy=fault.remedy) from error
    return family.load(resolve(name, controlnets), name=name, device=device, controls=controls, fast=fast)


def identity(
    name: str, controlnets: Mapping[str, str] | None = None, *, kinds: Collection[str] = (), fast: bool = False
) -> dict[str, str | None]:
    """What tells a model's files from others of the same name, JSON-able, without loading them.

    Args:
        name: as `resolve` takes it.
        controlnets: further control branches by kind.
        kinds: the control branches that are used, beside those that lie in the model's own folder.
        fast: the fast tier is used.

    Returns:
        For each part by its kind, the model itself as "model", a fast tier that is used as "fast": SHA-256 of the
        folder's files or of the file, of a hub id the commit in the local cache; None where it is not on this machine
        yet.

    Raises:
        ModelError: as `resolve`.
    """
    source = resolve(name, controlnets)
    parts = {"model": source.base, **{kind: place for kind, place in source.controlnets.items() if kind in kinds}}
    if fast:
        parts["fast"] = str(Path(source.base) / FAST_FOLDER)
    return {part: _files_of(place) for part, place in parts.items()}


def _files_of(place: str) -> str | None:
    path = Path(place)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix in _MODEL_FILES and file.is_file())
        # The fast tier is a part of its own: a look that does not use it is the same with and without.
        own = [file for file in files if path / FAST_FOLDER not in file.parents]
        told = [(file.relative_to(path).as_posix(), file_digest(file)) for file in own]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()
    if path.is_file():
        return file_digest(path)
    repo, _, revision = place.partition("@")
    owner, _, rest = repo.partition("/")
    snapshots = _cached(f"{owner}/{rest.partition('/')[0]}")  # owner/name/FILE is one file of a repository
    named = snapshots.parent / "refs" / (revision or "main")
    if named.is_file():
        return named.read_text("utf-8").strip()
    return revision if revision and (snapshots / revision).is_dir() else None


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, remembered for as long as its size and its time of change are the same."""
    status = path.stat()
    return _digest_as_is(path, status.st_size, status.st_mtime_ns)


@cache
def _digest_as_is(path: Path, _size: int, _changed: int) -> str:
    """Many renders of one process use one model of many gigabytes."""
    return digest(path)


def _in_cache(repo: str) -> bool:
    return any(_cached(repo).glob("*/model_index.json"))


def _cached(repo: str) -> Path:
    # transformers and diffusers keep hub files under the same cache; the folder's name is the hub client's rule.
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}" / "snapshots"


def _unknown(name: str) -> ModelError:
    names = [info.name for info in known_models()]
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return ModelError(
        f"there is no model {name!r}",
        remedy=f"{hint}use one of {', '.join(names)}, a diffusers folder, a .safetensors file, or a hub id owner/name",
    )
