"""Which weights are behind a render: what tells them from others of the same names, before a model is loaded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, cast

from vedit.masks.subjects import segmenters
from vedit.models.digests import file_digest, identity
from vedit.models.source import TIER_FOLDERS
from vedit.options.controls import branch
from vedit.options.loras import masks_of
from vedit.registry.preprocessors import needs_of
from vedit.render.conditioning import made_by
from vedit.render.evaluations import few_steps_for
from vedit.weights.store import find
from vedit.weights.store import identity as identity_of_weights

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef
    from vedit.options.request import RestyleOptions


def weights_of(looks: Collection[RestyleOptions], model: ModelRef) -> dict[str, object]:
    """What tells the weights behind a settled request from others of the same names, by part, as JSON has it.

    A part that is not on this machine yet is None: a render asks again when it has loaded all. A fast tier is a part
    where a look is served by it, and there only.

    Args:
        looks: of the request.
        model: that it asks for.

    Raises:
        ModelError: a fast tier does not fit the model.
    """
    drawn = [options for options in looks if not options.only_painted]
    asked = [spec for options in drawn for spec in options.controls]
    kinds = {branch(spec.kind) for spec in asked}
    served = filter(None, (few_steps_for(model, look) for look in drawn))
    tiers = {tier.folder.name for tier, _ in served}
    # Where all is painted by hand no model is asked for anything.
    told = dict[str, object](identity(model.source, kinds=kinds, tiers=tiers) if drawn or not looks else {})
    for kind in dict.fromkeys(spec.kind for spec in asked if spec.source is None):
        names = needs_of(kind).weights
        if names:
            told[f"maps of {kind}"] = made_by(kind) if all(map(find, names)) else None
    for spec in (spec for options in looks for spec in options.loras):
        digest, name = file_digest(spec.path), f"LoRA {spec.path.name}"
        told[name if told.get(name, digest) == digest else f"LoRA {spec.path}"] = digest
    for spec in (spec for options in looks for spec in options.embeddings):
        digest, name = file_digest(spec.path), f"embedding {spec.path.name}"
        told[name if told.get(name, digest) == digest else f"embedding {spec.path}"] = digest
    masks = [
        mask
        for options in looks
        for mask in (options.mask, *(region.mask for region in options.regions), *masks_of(options.loras))
        if mask
    ]
    for name in segmenters(*masks):
        told[f"masks by {name}"] = identity_of_weights(name)
    return told


def same_weights(recorded: object, now: Mapping[str, object]) -> bool:
    """Whether what a render recorded of `weights_of` is what there is now, as far as that is on this machine."""
    if not isinstance(recorded, dict):
        return False
    told = cast("dict[str, object]", recorded)
    if any(told.get(tier) != now.get(tier) for tier in TIER_FOLDERS):
        # Where one is there at all, it is on this machine: with and without it are two results.
        return False
    return all(told.get(part) in (None, value) for part, value in now.items() if value is not None)
