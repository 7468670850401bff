"""What is known of a model before it is loaded: sizes, looks, words, defaults. Importing this does not import torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from vedit.models.claimed import family_of
from vedit.models.configs import read_json
from vedit.models.distilled import distilled_weights
from vedit.models.family import Traits
from vedit.models.resolve import known_models, resolve, unknown
from vedit.models.sizes import Sizes
from vedit.models.source import DEFAULT, LOOKS
from vedit.models.words import Vocabulary, read_vocabulary


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


def traits_of(name: str) -> Traits:
    """What a model's family says of it: sizes, qualities, guidance.

    Raises:
        ModelError: as `resolve`, or a config is damaged.
    """
    source = resolve(name)
    return family_of(source).traits(source)


def control_kinds(name: str, controlnets: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The kinds of control that a model has branches for, without loading it: those of its folder, and those given.

    Raises:
        ModelError: as `resolve`, or what its folder says of its branches is damaged.
    """
    source = resolve(name, controlnets)
    return tuple(dict.fromkeys([*family_of(source).traits(source).control_kinds, *source.controlnets]))


def what_to_know(name: str) -> tuple[str, ...]:
    """Lines on what is particular about a model, before it is loaded."""
    source = resolve(name)
    return () if name == DEFAULT else family_of(source).notes(source)


def prompt_cut(name: str, text: str) -> tuple[int | None, tuple[str, ...]]:
    """How many tokens of a prompt a model reads, and the words at its end that it does not; see `Family.words_cut`."""
    source = resolve(name)
    family = family_of(source)
    cut = family.words_cut(source, text)
    return (family.tokens_read(source) if cut else None), cut


def sizes(name: str, controlnets: Mapping[str, str] | None = None, *, kinds: Collection[str] = ()) -> Sizes | None:
    """How large a model and the control branches of the kinds that it has are; None where that is not known.

    Raises:
        ModelError: as `resolve`, or a damaged file.
    """
    source = resolve(name, controlnets)
    return family_of(source).sizes(source, kinds)


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
