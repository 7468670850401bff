"""A model as it was found, before it is loaded: what is handed on in the place of its name. Does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vedit.errors import ModelError
from vedit.models.distilled import DistilledWeights, Schedule, distilled_in, serving
from vedit.models.loading import check_attention, check_offload
from vedit.models.quantisation import NONE
from vedit.models.source import DEFAULT
from vedit.models.words import Vocabulary, looks_of, vocabulary_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from vedit.models.family import Family, Traits
    from vedit.models.footprint import Footprint, Scene
    from vedit.models.loading import Loading
    from vedit.models.sizes import Sizes
    from vedit.models.source import ModelSource
    from vedit.options.request import RestyleOptions


@dataclass(frozen=True, kw_only=True)
class ModelRef:
    """A model that was asked for; `vedit.models.resolve.resolve` makes it, once, where a call or a command begins.

    What its files say beside the traits is read when it is first asked for, and once.
    """

    name: str
    """As it was asked for: a listed name, folder, file or hub id; what records and messages call it."""
    source: ModelSource
    """Where its parts are, the control branches that were asked for with it included."""
    base: Path | None
    """Its folder or file on this machine; None where it is not here."""
    family: Family
    """What claims it."""
    traits: Traits

    @property
    def control_kinds(self) -> tuple[str, ...]:
        """The kinds of control that it has branches for: those of its folder, and those given."""
        return tuple(dict.fromkeys([*self.traits.control_kinds, *self.source.controlnets]))

    @property
    def looks(self) -> Path | None:
        """Its looks.json; None where it has none."""
        return looks_of(self.base)

    @cached_property
    def vocabulary(self) -> Vocabulary | None:
        """The looks and words that it lists; None where it takes any text. Raises ModelError for a damaged list."""
        return vocabulary_of(self.base)

    @property
    def words(self) -> frozenset[str] | None:
        """The words of its vocabulary; None where it takes any text. Raises ModelError as `vocabulary`."""
        return None if self.vocabulary is None else self.vocabulary.words

    @cached_property
    def distilled(self) -> tuple[DistilledWeights, ...]:
        """Its fast tiers. Raises ModelError as `vedit.models.distilled.distilled_in`."""
        return () if self.base is None else distilled_in(self.base)

    def distilled_for(self, options: RestyleOptions) -> tuple[DistilledWeights, Schedule] | None:
        """The fast tier that serves a look, and its steps; None where none does. Raises ModelError as `distilled`."""
        return None if self.traits.regime_of(options) is not None else serving(self.distilled, options)

    def check_look(self, options: RestyleOptions) -> None:
        """Raises ModelError or InputError where files that a look brings are none for this model."""
        if options.brought:
            self.family.check_look(self.source, options)

    @property
    def unquantizable(self) -> ModelError | None:
        """What stands against quantising its network's weights; None where nothing does. Raises ModelError as
        `distilled`."""
        if self.source.unet is not None:
            return ModelError("the UNet of --unet rests as its file has it", remedy="leave --quantize out")
        if not self.traits.quantizes:
            return ModelError(f"the weights of {self.name} cannot be quantised", remedy="leave --quantize out")
        if self.distilled:
            return ModelError(
                f"{self.name} has few-step weights, which are put into its own and do not fit quantised ones",
                remedy="leave --quantize out: a model of that size needs none",
            )
        return None

    def check_quantized(self, name: str) -> None:
        """Raises ModelError where its network's weights cannot be quantised so; "none" is not at all."""
        fault = None if name == NONE else self.unquantizable
        if fault is not None:
            raise fault

    def check_loading(self, loading: Loading) -> None:
        """Raises SettingError where it cannot be loaded so on this machine."""
        check_offload(loading, model=self.name, can=self.traits.offloads)
        check_attention(loading, model=self.name, can=self.traits.picks_kernels)

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines on what is particular about it."""
        return () if self.name == DEFAULT else self.family.notes(self.source)

    def prompt_cut(self, text: str) -> tuple[int | None, tuple[str, ...]]:
        """How many tokens of a prompt it reads, and the words at its end that it does not; see `Family.words_cut`."""
        cut = self.family.words_cut(self.source, text)
        return (self.family.tokens_read(self.source) if cut else None), cut

    def sizes(self, kinds: Collection[str] = ()) -> Sizes | None:
        """How large it and its control branches of some kinds are; None where that is not known.

        Raises:
            ModelError: a file is damaged.
        """
        return self.family.sizes(self.source, kinds)

    def footprint(self, kinds: Collection[str], scene: Scene) -> Footprint | None:
        """What it and its control branches of some kinds hold and compute in a scene; None where that is not known.

        Raises:
            ModelError: a file is damaged.
        """
        return self.family.footprint(self.source, kinds, scene)
