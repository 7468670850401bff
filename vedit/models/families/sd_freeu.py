"""FreeU in the UNet of a Stable Diffusion, for as long as it samples."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from vedit.errors import InputError
from vedit.options.freeu import AUTO, FOR_TEXT, FreeU, parse_freeu

if TYPE_CHECKING:
    from vedit.models.families.sd_networks import Networks
    from vedit.options.request import RestyleOptions

_SCALES = ("b1", "b2", "s1", "s2")


class FreeUs:
    """See `vedit.models.families.sd_networks.Adaptation`."""

    def encoding(self, model: Networks, options: RestyleOptions) -> AbstractContextManager[None]:
        """Nothing: no words are read otherwise."""
        return nullcontext()

    @contextmanager
    def sampling(self, model: Networks, options: RestyleOptions) -> Generator[None]:
        """The scales on the blocks of the way up, whose own code multiplies by them; afterwards as they were."""
        if not options.freeu:
            yield
            return
        unet = model.denoiser.unet
        scales = scales_of(options.freeu, unet.config["cross_attention_dim"])
        blocks = list(unet.up_blocks)
        before = [{name: vars(block)[name] for name in _SCALES if name in vars(block)} for block in blocks]
        try:
            unet.enable_freeu(s1=scales.s1, s2=scales.s2, b1=scales.b1, b2=scales.b2)
            yield
        finally:
            for block, told in zip(blocks, before, strict=True):
                for name in _SCALES:
                    vars(block).pop(name, None)
                vars(block).update(told)

    def facts(self, model: Networks, options: RestyleOptions) -> Mapping[str, str]:
        """The four scales."""
        if not options.freeu:
            return {}
        scales = scales_of(options.freeu, model.denoiser.unet.config["cross_attention_dim"])
        return {"freeu": " ".join(f"{name} {getattr(scales, name)!r}" for name in _SCALES)}


FREEU = FreeUs()


def scales_of(text: str, width: object) -> FreeU:
    """The scales of a look for a UNet that reads text so wide. Raises InputError where none are known for it."""
    found = parse_freeu(text) or (FOR_TEXT.get(width) if isinstance(width, int) else None)
    if found is None:
        raise InputError(
            f"no values of FreeU are known for a UNet whose text is {width} wide",
            remedy=f"give the four instead of {AUTO}: --freeu 1.5,1.6,0.9,0.2",
        )
    return found
