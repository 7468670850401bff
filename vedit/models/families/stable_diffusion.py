"""Family `sd` before a model is loaded: the SD 1.x layout, as folders and single files tell it.

Importing this does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.errors import ModelError
from vedit.latent_shape import ScaleFactors
from vedit.models.branches import own_controlnets
from vedit.models.check import check_parts
from vedit.models.configs import read_config
from vedit.models.families.sd_configs import cell_of
from vedit.models.families.sd_presets import ends_in_noise, qualities_of
from vedit.models.family import Traits
from vedit.models.findings import found_before, keep, key_of
from vedit.models.identify import notes_of
from vedit.models.kept_footprints import kept_footprint
from vedit.models.prompt_room import tokens_read, words_cut
from vedit.models.regimes import regime_of_model
from vedit.models.sizes import SD15_TEXT, SD15_UNET, SD15_VAE, Sizes, sizes_of
from vedit.models.source import LOOKS, SD15
from vedit.models.words import looks_of
from vedit.options.request import QUALITIES
from vedit.registry.attention import CROSS_FRAME, NONE
from vedit.registry.families import OWN
from vedit.weights.hub_cache import cached
from vedit.weights.torchvision import vision_fault

if TYPE_CHECKING:
    from vedit.models.family import Model
    from vedit.models.footprint import Footprint, Scene
    from vedit.models.loading import Loading
    from vedit.models.source import ModelSource
    from vedit.options.request import RestyleOptions

MINIMUM_SIDE = 128
_TAKES = frozenset({"loras", "references", "regime"})
_WORDS = frozenset({"embeddings", "clip_skip", "freeu"})
"""What a model that lists its words, and was trained on these, does not take."""
_PUBLISHED = {SD15.base: Sizes(unet=SD15_UNET, vae=SD15_VAE, text_encoder=SD15_TEXT)}


class StableDiffusion:
    """See `vedit.models.family.Family`."""

    name = OWN
    guidance = 7.0
    """That it looks best at, where nothing says otherwise."""

    def matches(self, base: Path) -> bool:
        """What no other family claims is met as this one, whose errors say what it is."""
        return True

    def check(self, source: ModelSource, controls: Collection[str], *, fast: bool) -> None:
        """See `vedit.models.check.check_parts`."""
        check_parts(source, controls, fast=fast)
        if source.unet is not None:
            _found_right(
                [source.base, source.unet],
                "unet",
                lambda: import_module("vedit.models.families.sd_unets").check_unet_fits(source),
            )

    def check_look(self, source: ModelSource, options: RestyleOptions) -> None:
        """See `vedit.models.family.Family`."""
        if options.loras:
            _found_right(
                [source.base, *(one.path.as_posix() for one in options.loras)],
                "loras",
                lambda: import_module("vedit.models.families.sd_loras").check_loras(source, options.loras),
            )
        if set(options.brought) & _WORDS:
            import_module("vedit.models.families.sd_reading").check_reading(source, options)

    def traits(self, source: ModelSource) -> Traits:
        """Guidance: the family's, of a distilled one its regime's; the embedded one, and any that was trained as it was
        (it lists its looks), overshoots from 2 on, and needs a little for negative prompts. To that one cross-frame
        attention is a cost without a gain (`docs/models.md`)."""
        base = cached(source.base)
        listed = base is not None and (base / LOOKS).is_file()
        cell, halvings = _sides(base)
        return Traits(
            size_multiple=cell * 2**halvings,
            minimum_side=MINIMUM_SIDE,
            guidance=1.25 if listed else self.guidance,
            qualities=QUALITIES if base is None or listed else qualities_of(base),
            factors=ScaleFactors(height=cell, width=cell),
            control_kinds=() if base is None else tuple(own_controlnets(base)),
            fewest_inverted=2 if base is not None and ends_in_noise(base) else 1,
            takes=_TAKES if listed else _TAKES | _WORDS,
            attention=NONE if listed else CROSS_FRAME,
            self_attention=True,
            injection=True,
            bears_bfloat16=listed,
            quantizes=True,
            offloads=True,
            picks_kernels=True,
            regime=regime_of_model(base),
        )

    def sizes(self, source: ModelSource, kinds: Collection[str]) -> Sizes | None:
        """See `vedit.models.sizes.sizes_of`."""
        return sizes_of(source, kinds, published=_PUBLISHED)

    def footprint(self, source: ModelSource, kinds: Collection[str], scene: Scene) -> Footprint | None:
        """See `vedit.models.families.sd_footprint.footprint`."""

        def find() -> Footprint | None:
            return import_module("vedit.models.families.sd_footprint").footprint(source, kinds, scene)

        return kept_footprint(source, kinds, scene, find)

    def notes(self, source: ModelSource) -> tuple[str, ...]:
        """See `vedit.models.identify.notes_of`."""
        base = cached(source.base)
        return () if base is None else notes_of(base)

    def words_cut(self, source: ModelSource, text: str) -> tuple[str, ...]:
        """See `vedit.models.prompt_room.words_cut`."""
        return words_cut(Path(source.on_disk.base), text)

    def tokens_read(self, source: ModelSource) -> int | None:
        """See `vedit.models.prompt_room.tokens_read`."""
        base = Path(source.on_disk.base)
        return None if looks_of(base) is None else tokens_read(base)

    def load(
        self,
        source: ModelSource,
        loading: Loading,
        *,
        name: str,
        controls: Sequence[str],
        fast: bool,
    ) -> Model:
        """See `vedit.models.families.sd.load`. Raises ModelError where torchvision breaks diffusers."""
        try:
            sd = import_module("vedit.models.families.sd")
        except Exception as error:  # what diffusers and transformers die of with it depends on their version
            fault = vision_fault()
            if fault is None:
                raise
            raise ModelError(fault.message, remedy=fault.remedy) from error
        return sd.load(source, loading, name=name, traits=self.traits(source), controls=controls, fast=fast)


def _found_right(places: Sequence[str], check: str, run: Callable[[], None]) -> None:
    """A check of files against each other that builds networks, which is run once while they stay as they are."""
    key = key_of(places, check=check)
    if not found_before(key):
        run()
        keep(key, True)


def _sides(base: Path | None) -> tuple[int, int]:
    """Pixels to a cell of the autoencoder, and how often the UNet halves cells.

    From a folder's configs, else what all of the SD 1.x layout has.
    """
    configs = [] if base is None else [base / part / "config.json" for part in ("unet", "vae")]
    if not configs or not all(config.is_file() for config in configs):
        return 8, 3
    unet, vae = (read_config(config, part) for config, part in zip(configs, ("unet", "vae"), strict=True))
    return cell_of(vae), len(unet["block_out_channels"]) - 1


FAMILY = StableDiffusion()
