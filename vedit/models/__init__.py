"""Models: what is known by name, where it is, and how it is loaded. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.checks.nearest import suggest
from vedit.checks.rationals import shown
from vedit.embedded import FOLDER as EMBEDDED
from vedit.errors import MediaError, ModelError
from vedit.media.writing.target import check_name
from vedit.models.branches import own_controlnets
from vedit.models.configs import read_config, read_json
from vedit.models.identify import check_controlnet, check_model, is_few_step, notes_of, refuse_pickle
from vedit.models.sizes import SD15_TEXT, SD15_UNET, SD15_VAE, Sizes, sizes_of
from vedit.models.words import Vocabulary, read_vocabulary
from vedit.weights.hub_cache import HubPlace, cached, hub_place, on_disk, snapshots_of
from vedit.weights.torchvision import vision_fault

if TYPE_CHECKING:
    from collections.abc import Collection

    from vedit.models.families.sd import Model

DEFAULT = "embedded"
FAST_FOLDER, DRAWN_FOLDER = "fast", "drawn"
"""In a model's folder: few-step weights (`vedit.models.distilled`), for all looks and for those that they name."""
TIER_FOLDERS = (DRAWN_FOLDER, FAST_FOLDER)
"""The one that serves some looks comes before the one that serves all."""
LOOKS = "looks.json"
"""In a model's folder: the looks and words that it was trained on."""


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

    @property
    def on_disk(self) -> ModelSource:
        """The same with paths in the place of hub ids, as far as those are in the hub's cache."""
        return ModelSource(
            base=on_disk(self.base), controlnets={kind: on_disk(place) for kind, place in self.controlnets.items()}
        )


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
    """What is known of a model: the fields of `ModelInfo`, the qualities that its fast tier serves, and its looks and
    words where it lists them.

    Raises:
        ModelError: the name is not one of `known_models`.
    """
    for info in known_models():
        if info.name == name:
            looks = Path(info.location) / LOOKS
            extra = read_json(looks) if looks.is_file() else {}
            own = {key: getattr(info, key) for key in info.__dataclass_fields__}
            tiers = import_module("vedit.models.distilled").fast_tiers(name)
            return {
                **own,
                "fast_tier": [quality for tier in tiers if not tier.looks for quality in tier.schedules],
                "drawn": [look for tier in tiers for look in tier.looks],
                **extra,
            }
    raise _unknown(name)


def resolve(name: str, controlnets: Mapping[str, str] | None = None) -> ModelSource:
    """A name, folder, .safetensors file or hub id -> where the parts are; `controlnets` adds to or replaces kinds.

    Raises:
        ModelError: none of these; a model or a ControlNet that vedit cannot run, by its true name, or one that is
            damaged; whether a hub id exists is not known here, and what is in it only where the cache has it.
    """
    source = _located(name, {kind: _branch(place) for kind, place in (controlnets or {}).items()})
    base = cached(source.base)
    if base is not None and name != DEFAULT:
        check_model(base)
    for kind in controlnets or {}:
        branch = cached(source.controlnets[kind])
        if branch is not None:
            check_controlnet(branch, base)
    return source


def _located(name: str, own: Mapping[str, str]) -> ModelSource:
    if name == DEFAULT:
        return ModelSource(base=str(EMBEDDED), controlnets=own)
    if name == "sd15":
        return ModelSource(base=SD15.base, controlnets={**SD15.controlnets, **own})
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


def size_multiple(name: str) -> int:
    """Pixels that width and height must be a multiple of: read from a folder's configs, else 64, which holds for all
    of the SD 1.x layout (8 of the autoencoder, three halvings of the UNet).

    Raises:
        ModelError: as `resolve`, or a config is damaged.
    """
    folder = Path(resolve(name).on_disk.base)
    configs = [folder / part / "config.json" for part in ("unet", "vae")]
    if not all(config.is_file() for config in configs):
        return 64
    unet, vae = (read_config(config, part) for config, part in zip(configs, ("unet", "vae"), strict=True))
    blocks = vae.get("block_out_channels") or vae["encoder_block_out_channels"]
    return 2 ** (len(blocks) - 1) * 2 ** (len(unet["block_out_channels"]) - 1)


def control_kinds(name: str, controlnets: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The kinds of control that a model has branches for, without loading it: those of its folder, and those given.

    Raises:
        ModelError: as `resolve`, or what its folder says of its branches is damaged.
    """
    source = resolve(name, controlnets).on_disk
    return tuple(dict.fromkeys([*own_controlnets(Path(source.base)), *source.controlnets]))


def default_guidance(name: str) -> float:
    """The guidance scale that a model looks best at: 7 for SD 1.x, none for a distilled one; the embedded one, and any
    that was trained as it was (it lists its looks), overshoots from 2 on, and needs a little for negative prompts."""
    if known_words(name) is not None:
        return 1.25
    base = cached(resolve(name).base)
    # What a distilled model was taught has guidance in it.
    return 1.0 if base is not None and base.is_dir() and is_few_step(base) else 7.0


def what_to_know(name: str) -> tuple[str, ...]:
    """Lines on what is particular about a model, before it is loaded."""
    base = cached(resolve(name).base)
    return () if base is None or name == DEFAULT else notes_of(base)


def sizes(name: str, controlnets: Mapping[str, str] | None = None, *, kinds: Collection[str] = ()) -> Sizes | None:
    """How large a model and the control branches of the kinds that it has are; None where that is not known.

    Raises:
        ModelError: as `resolve`, or a damaged file.
    """
    published = {SD15.base: Sizes(unet=SD15_UNET, vae=SD15_VAE, text_encoder=SD15_TEXT)}
    return sizes_of(resolve(name, controlnets), kinds, published=published)


def vocabulary(name: str) -> Vocabulary | None:
    """The looks and words that a model's looks.json lists; None where the model takes any text.

    Raises:
        ModelError: as `resolve`, or the list is damaged.
    """
    looks = Path(resolve(name).on_disk.base) / LOOKS
    return read_vocabulary(looks) if looks.is_file() else None


def known_words(name: str) -> frozenset[str] | None:
    """The words of a model's vocabulary; None where the model takes any text. Raises ModelError as `vocabulary`."""
    found = vocabulary(name)
    return None if found is None else found.words


def load(
    name: str,
    *,
    device: str = "cpu",
    controls: tuple[str, ...] = (),
    controlnets: Mapping[str, str] | None = None,
    fast: bool = True,
    precision: str | None = None,
) -> Model:
    """Load a model for a device, with the control branches that are asked for and that it has.

    Args:
        name: as `resolve` takes it; a hub id has to be in the hub's cache: `vedit.models.pull.pull` fetches it.
        device: a torch device.
        controls: the kinds wanted; kinds the model lacks are left out of `Model.control_kinds`.
        controlnets: further control branches by kind.
        fast: with the fast tier, where the model has one; without it, one that does not fit is no hindrance.
        precision: what the networks compute in, float32 or float16; None is what suits the device.

    Raises:
        NotFiniteError: weights are too large for the precision.
        ModelError: unknown, absent, damaged, or not safetensors; or a torchvision that breaks diffusers.
    """
    from vedit.models.check import checked

    source = checked(name, controlnets, controls=controls, fast=fast)
    try:
        family = import_module("vedit.models.families.sd")
    except Exception as error:  # what diffusers and transformers die of with it depends on their version
        fault = vision_fault()
        if fault is None:
            raise
        raise ModelError(fault.message, remedy=fault.remedy) from error
    return family.load(source, name=name, device=device, controls=controls, fast=fast, precision=precision)


def _in_cache(repo: str) -> bool:
    return any(snapshots_of(repo).glob("*/model_index.json"))


def _unknown(name: str) -> ModelError:
    named = suggest(name, [info.name for info in known_models()], before="use one of ")
    return ModelError(
        f"there is no model {shown(name)}",
        remedy=f"{named}, a diffusers folder, a .safetensors file, or a hub id owner/name",
    )
