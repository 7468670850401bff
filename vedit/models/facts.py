"""What is known of a model before it is loaded: sizes, looks, words, defaults. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from vedit.models.branches import own_controlnets
from vedit.models.configs import read_config, read_json
from vedit.models.distilled import distilled_weights
from vedit.models.identify import is_few_step, notes_of
from vedit.models.resolve import known_models, resolve, unknown
from vedit.models.sizes import SD15_TEXT, SD15_UNET, SD15_VAE, Sizes, sizes_of
from vedit.models.source import DEFAULT, LOOKS, SD15
from vedit.models.words import Vocabulary, read_vocabulary
from vedit.weights.hub_cache import cached


def describe(name: str) -> dict[str, object]:
    """What is known of a model: the fields of `vedit.models.resolve.ModelInfo`, the qualities that its fast tier
    serves, and its looks and words where it lists them.

    Raises:
        ModelError: the name is not one of `known_models`.
    """
    for info in known_models():
        if info.name == name:
            looks = Path(info.location) / LOOKS
            extra = read_json(looks) if looks.is_file() else {}
            own = {key: getattr(info, key) for key in info.__dataclass_fields__}
            tiers = distilled_weights(name)
            return {
                **own,
                "fast_tier": [quality for tier in tiers if not tier.looks for quality in tier.schedules],
                "drawn": [look for tier in tiers for look in tier.looks],
                **extra,
            }
    raise unknown(name)


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
