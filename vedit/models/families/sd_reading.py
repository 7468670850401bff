"""How the text encoder of a Stable Diffusion reads the prompts of a look: to which layer, and with which new words."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.models.configs import Part
from vedit.models.digests import file_digest
from vedit.models.families.sd_configs import part_config
from vedit.models.families.sd_embeddings import check_embeddings, used, vectors_of
from vedit.models.families.sd_freeu import scales_of
from vedit.models.identify import identify
from vedit.models.kinds import SDXL
from vedit.options.prompt_weights import Weighted, weighted
from vedit.options.travel import texts_of

if TYPE_CHECKING:
    from vedit.models.families.sd_networks import Networks
    from vedit.models.source import ModelSource
    from vedit.options.request import RestyleOptions

_GRAMMAR = "weights and chunks"


class Reading:
    """See `vedit.models.families.sd_networks.Adaptation`."""

    @contextmanager
    def encoding(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """The layer and the new words of the look; afterwards those of before."""
        text = model.text
        before = text.layer, text.vectors
        try:
            text.layer = options.clip_skip or text.layer
            text.vectors = {**text.vectors, **vectors_of(options.embeddings)}
            yield
        finally:
            text.layer, text.vectors = before

    def sampling(self, model: Networks, options: RestyleOptions) -> AbstractContextManager[None]:
        """Nothing: the UNet reads what the encoder made."""
        return nullcontext()

    def facts(self, model: Networks, options: RestyleOptions) -> Mapping[str, str]:
        """The layer where it is another than the model's own, the embeddings that a prompt names, and that weights and
        chunks are read, where a prompt has any."""
        told: dict[str, str] = {}
        if options.clip_skip not in (None, model.text.layer):
            told["clip skip"] = str(options.clip_skip)
        if found := used(options):
            told["embeddings"] = " ".join(f"{file_digest(one.path)}={one.word.lower()}" for one in found)
        if model.text.words is None and any(map(_is_read_otherwise, _spoken(options))):
            told["prompts"] = _GRAMMAR
        return told


READING = Reading()


def check_reading(source: ModelSource, options: RestyleOptions) -> None:
    """Hold what a look brings the text encoder, and FreeU, against a model by its configs and headers of files.

    Raises:
        ModelError: an embedding is absent, damaged, none, or for another model.
        InputError: fewer layers than are skipped, two embeddings of one word, or no values of FreeU are known.
    """
    if not (options.clip_skip or options.embeddings or options.freeu):
        return
    base = Path(source.on_disk.base)
    config = part_config(base, "text_encoder")
    layers = int(config.get("num_hidden_layers", 12))
    if options.clip_skip is not None and options.clip_skip > layers:
        raise InputError(
            f"clip_skip is {options.clip_skip}, and the text encoder has {layers} layers",
            remedy=f"give 1 (the last layer) to {layers}; models that ask for it mostly want 2",
        )
    if options.freeu:
        scales_of(options.freeu, part_config(base, "unet").get("cross_attention_dim"))
    if options.embeddings:
        parts: tuple[Part, ...] = (
            ("text_encoder", "text_encoder_2") if identify(base).family == SDXL else ("text_encoder",)
        )
        widths: dict[str, int] = {part: int(part_config(base, part)["hidden_size"]) for part in parts}
        check_embeddings(options.embeddings, widths=widths, room=int(config.get("max_position_embeddings", 77)) - 2)


def _spoken(options: RestyleOptions) -> tuple[str, ...]:
    prompts = (options.prompt, options.negative_prompt, options.source_prompt)
    return (*(text for prompt in prompts for text in texts_of(prompt)), *(one.prompt for one in options.regions))


def _is_read_otherwise(text: str) -> bool:
    return weighted(text) != ((Weighted(text=text),),)
