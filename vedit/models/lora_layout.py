"""What stands in a LoRA file: which tensors together change which module, in every layout that trainers write.

    lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight                 kohya-ss, with `alpha`
    lora_unet_input_blocks_4_1_proj_in.lora_down.weight                           the same after the original code
    unet.down_blocks.0.attentions.0.proj_in.lora_A.weight                         diffusers
    base_model.model.down_blocks.0.attentions.0.proj_in.lora_A.default.weight     PEFT
    down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_k_lora.down.weight    diffusers before 0.22
    lora_unet_down_blocks_0_resnets_0_conv1.hada_w1_a                             LyCORIS: LoHa, LoKr, full, norms

A change is computed by `vedit.models.lora_changes`. Importing this does not import torch.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vedit.errors import ModelError

UNET, TEXT, TEXT_2 = "unet", "text_encoder", "text_encoder_2"
"""The networks that a LoRA changes, by the names of their folders."""

_LOKR = ("w1", "w1_a", "w1_b", "w2", "w2_a", "w2_b", "t2")
_HADA = ("w1_a", "w1_b", "w2_a", "w2_b", "t1", "t2")
_ROLES: Mapping[str, str] = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_B.bias": "bias",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    ".alpha": "alpha",
    ".dora_scale": "magnitude",
    ".lora_magnitude_vector": "row_magnitude",
    ".lora_magnitude_vector.weight": "row_magnitude",
    **{f".hada_{part}": f"hada_{part}" for part in _HADA},
    **{f".lokr_{part}": f"lokr_{part}" for part in _LOKR},
    ".diff": "diff",
    ".diff_b": "diff_b",
    ".w_norm": "diff",
    ".b_norm": "diff_b",
}
"""How a key ends -> what its tensor is in the change of its module."""
_NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "down": (("up",),),
    "up": (("down",),),
    "mid": (("down",),),
    "bias": (("down",),),
    "alpha": (("down", "diff", "diff_b", "hada_w1_a", "lokr_w1", "lokr_w1_a"),),
    "magnitude": (("down", "diff", "hada_w1_a", "lokr_w1", "lokr_w1_a"),),
    "row_magnitude": (("down",),),
    **{f"hada_{part}": tuple((f"hada_{other}",) for other in _HADA[:4]) for part in _HADA},
    **{f"lokr_{part}": (("lokr_w1", "lokr_w1_a"), ("lokr_w2", "lokr_w2_a")) for part in _LOKR},
    "hada_t1": (("hada_t2",),),
    "hada_t2": (("hada_t1",),),
    "lokr_w1_a": (("lokr_w1_b",),),
    "lokr_w1_b": (("lokr_w1_a",),),
    "lokr_w2_a": (("lokr_w2_b",),),
    "lokr_w2_b": (("lokr_w2_a",),),
    "lokr_t2": (("lokr_w2_a",),),
}
"""What a tensor stands for nothing without: of each group one."""
_REFUSED: Mapping[str, str] = {
    ".on_input": "IA3",
    ".ia3_l": "IA3",
    ".oft_blocks": "OFT",
    ".oft_diag": "OFT",
    ".oft_R.weight": "OFT",
    ".boft_R": "BOFT",
    ".a1.weight": "GLoRA",
    ".b1.weight": "GLoRA",
    ".vera_lambda_b": "VeRA",
    ".vera_lambda_d": "VeRA",
    ".bias_indices": "a LoRA with sparse biases",
    ".set_weight": "a patch that replaces weights",
}
"""How keys end that tell a method which is none of the sums that are known here."""
_FLAT = {"lora_unet_": UNET, "lycoris_": UNET, "lora_te_": TEXT, "lora_te1_": TEXT, "lora_te2_": TEXT_2}
_DOTTED = {
    "unet.": UNET,
    "lora_unet.": UNET,
    "model.diffusion_model.": UNET,
    "diffusion_model.": UNET,
    "text_encoder.": TEXT,
    "text_encoder_2.": TEXT_2,
    "lora_te1.": TEXT,
    "lora_te2.": TEXT_2,
    "text_encoders.clip_l.transformer.": TEXT,
    "text_encoders.clip_g.transformer.": TEXT_2,
    "text_model.": TEXT,
}
_WRAPPER = "base_model.model."
"""What PEFT puts before the names of a network that it has wrapped."""
_ADAPTER = re.compile(r"\.(lora_[AB]|lora_magnitude_vector)\.(?!(?:weight|bias)$)[^.]+(?=\.|$)")
"""PEFT's name of an adapter among several, `default` where there is one."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The tensors that together change one module."""

    part: str
    """Of the model: `UNET`, `TEXT` or `TEXT_2`."""
    name: str
    """The module as the file calls it."""
    flat: bool
    """Underscores stand where the module's name has dots."""
    keys: Mapping[str, str]
    """What a tensor is -> its key."""

    @property
    def first(self) -> str:
        """A key of it, for messages."""
        return min(self.keys.items(), key=lambda item: item[0] == "alpha")[1]


def changes_in(keys: Iterable[str], *, place: str) -> tuple[Change, ...]:
    """The changes that a file's tensors are, each tensor in one.

    Args:
        keys: of all its tensors.
        place: what a message calls the file.

    Raises:
        ModelError: a key is of no layout that is known, is of a method that is refused, or has no counterpart.
    """
    found: dict[tuple[str, str, bool], dict[str, str]] = defaultdict(dict)
    for key in keys:
        module, role = _role_of(key, place)
        part, name, flat = _module_of(module)
        taken = found[part, name, flat].setdefault(role, key)
        if taken != key:
            raise ModelError(
                f"{place} changes a module twice: by {taken!r} and {key!r}", remedy="save one LoRA into the file"
            )
    for roles in found.values():
        for role, key in roles.items():
            if not all(any(one in roles for one in group) for group in _NEEDED.get(role, ())):
                raise ModelError(f"{place}: {key!r} has no counterpart", remedy="fetch the file again")
    return tuple(Change(part=part, name=name, flat=flat, keys=roles) for (part, name, flat), roles in found.items())


def _role_of(key: str, place: str) -> tuple[str, str]:
    """A key without its end, and what the end says."""
    plain = _ADAPTER.sub(r".\1", key)
    for end in _REFUSED:
        if plain.endswith(end):
            raise ModelError(
                f"{place} is {_REFUSED[end]}, which is not supported: {key!r}",
                remedy="give a LoRA, LoHa, LoKr or DoRA, or merge it into a model with the tool that made it",
            )
    end = max((one for one in _ROLES if plain.endswith(one)), key=len, default=None)
    if end is None:
        raise ModelError(
            f"{place} is no LoRA that is understood: it has {key!r}",
            remedy="give one in the layout of kohya-ss, diffusers, PEFT or LyCORIS",
        )
    return plain.removesuffix(end), _ROLES[end]


def _module_of(text: str) -> tuple[str, str, bool]:
    """Which network a module is of, its name there, and whether that has underscores for dots."""
    for prefix, part in _FLAT.items():
        if text.startswith(prefix):
            return part, text.removeprefix(prefix), True
    text = text.removeprefix(_WRAPPER)
    for prefix, part in _DOTTED.items():
        if text.startswith(prefix):
            return part, text.removeprefix(prefix).removeprefix(_WRAPPER), False
    return UNET, text, False
