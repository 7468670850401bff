"""The seam of model families: what a family says of a model before it is loaded, and what a loaded one offers.

A family is found by the entry point group `vedit.families`; `vedit.models.families.stable_diffusion` is vedit's own.
Importing this does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vedit.errors import InputError, SettingError
from vedit.latent_shape import ScaleFactors
from vedit.models.regimes import acting, check_by, check_regime, quality_by, scale_by, settled_by
from vedit.options.request import Quality
from vedit.options.travel import check_travel
from vedit.registry.attention import CROSS_FRAME, NONE, PLACED

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import torch

    from vedit.diffusion.conditioning import MaskedWeights, Memory, Regional
    from vedit.diffusion.injecting import FeatureInjection
    from vedit.diffusion.solvers import Trajectory
    from vedit.models.footprint import Footprint, Scene
    from vedit.models.loading import Loading
    from vedit.models.sizes import Sizes
    from vedit.models.source import ModelSource
    from vedit.options.request import RestyleOptions
    from vedit.protocols import Denoiser, TextEncoder, VideoCodec
    from vedit.registry.regimes import Regime


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What is known of a model before it is loaded."""

    size_multiple: int
    """Pixels that width and height of its frames are a multiple of."""
    minimum_side: int
    """Pixels that its shorter side is at least, however small the source."""
    guidance: float
    """The scale of classifier-free guidance that it looks best at; 1 is none."""
    qualities: Mapping[str, Quality]
    """What each quality preset stands for."""
    factors: ScaleFactors = field(default_factory=ScaleFactors)
    """Frames and pixels to one of its latents."""
    control_kinds: tuple[str, ...] = ()
    """The kinds of control that it has branches for in itself."""
    singly: bool = True
    """Each frame is drawn by itself; False: motion modules draw those of a window together."""
    regions: bool = True
    """Parts of the picture can have prompts of their own."""
    cross_frame: bool = True
    """Its network has a place for cross-frame attention (`Adapters.cross_frame`), whose cost estimates know."""
    self_attention: bool = False
    """Its network has a place for methods that change its self-attention (`Adapters.self_attention`)."""
    attention: str = CROSS_FRAME
    """The attention method that it gains by, where a look names none; without a place for cross-frame attention it is
    left alone, whatever stands here."""
    injection: bool = False
    """Its network has a place for the source's features and attention (`Adapters.injection`)."""
    offloads: bool = False
    """Its networks can wait in host memory, as `offload` says (`vedit.options.request.Offload`)."""
    picks_kernels: bool = False
    """Its attention can be computed by the kernel that `Loading.attention_backend` names."""
    fewest_inverted: int = 1
    """The fewest steps, from noise alone, in which the source can be inverted."""
    bears_bfloat16: bool = False
    """In bfloat16 its network samples and its autoencoder decodes so that the pictures are the same to the eye, as was
    measured: a CPU that is faster so does so unasked."""
    quantizes: bool = False
    """Its network's weights can be quantised (`vedit.models.loading.Loading`)."""
    takes: frozenset[str] = frozenset()
    """What a look may bring it, by the names of the options (`vedit.options.adapting.Adapting`)."""
    regime: Regime | None = None
    """How it is sampled where it was distilled for a few steps; None is as any other."""

    def regime_of(self, options: RestyleOptions) -> Regime | None:
        """The few-step regime that a look is sampled by; None is the model's own trajectory."""
        return acting(options, self.regime)

    def quality(self, options: RestyleOptions) -> Quality:
        """The preset of a look, with the look's own values in it."""
        quality, regime = options.resolved(self.qualities), self.regime_of(options)
        return quality if regime is None else quality_by(regime, quality, options)

    def scale(self, options: RestyleOptions) -> float:
        """The scale of classifier-free guidance of a look; 1 is none."""
        regime = self.regime_of(options)
        if regime is not None:
            return scale_by(regime, options)
        return self.guidance if options.guidance is None else options.guidance

    def taken(self, options: RestyleOptions) -> int:
        """The sampling steps that a look's strength regenerates, on the model's own trajectory or a regime's."""
        steps, regime, strength = self.quality(options).steps, self.regime_of(options), options.regenerated
        return min(int(steps * strength), steps) if regime is None else regime.taken(steps, strength)

    def settled(self, options: RestyleOptions) -> RestyleOptions:
        """A look that says where its sampling begins, how much is regenerated and how frames see one another; settled
        once more it is the same."""
        options, regime = self._attending(options), self.regime_of(options)
        if regime is not None:
            return settled_by(regime, options)
        return replace(options, start=options.begins, strength=options.regenerated)

    def _attending(self, options: RestyleOptions) -> RestyleOptions:
        if options.attention is not None or not options.cross_frame:
            return options
        return replace(options, attention=self.attention if self.cross_frame else NONE)

    def _check_attention(self, options: RestyleOptions, *, model: str) -> None:
        if options.attention_method in PLACED and not self.self_attention:
            raise InputError(
                f"{model} has no place for the attention {options.attention_method}",
                remedy="leave --attention out, or use a Stable Diffusion model",
            )

    def check(self, options: RestyleOptions, *, model: str) -> None:
        """Raises InputError where a look asks for what a model of that name cannot do, whatever its controls."""
        quality, regime = self.quality(options), self.regime_of(options)
        options.check_inversion_steps(quality.steps)
        check_regime(self.regime, options, model=model)
        if regime is not None:
            check_by(regime, options, model=model, steps=quality.steps)
        # Noise maps (DDPM) are found where the source is noised; the other methods walk there.
        walks = regime is None and options.begins == "inversion" and options.inversion != "ddpm"
        if walks and options.regenerated == 1 and quality.steps < self.fewest_inverted:
            raise SettingError(
                f"steps is {quality.steps}, and {model} begins at pure noise, where no single step leads",
                remedy=f"give at least {self.fewest_inverted} steps, or take the inversion ddpm",
            )
        if options.regions and not self.regions:
            raise InputError(
                f"{model} cannot give parts of the picture prompts of their own",
                remedy="render each part under a --mask of its own, or use a model that can",
            )
        if options.spacing is not None and not (self.singly and self.factors.frame_by_frame):
            asked = "painted frames" if options.keyframes is None else f"keyframes {options.keyframes}"
            raise InputError(
                f"{model} draws the frames of a shot together: none can be left out ({asked})",
                remedy="leave keyframes out, or use a model that draws each frame by itself",
            )
        self._check_attention(options, model=model)
        check_travel(options, model=model, can=self.factors.frame_by_frame)
        if options.inject is not None and not self.injection:
            raise InputError(
                f"{model} has no place for the source's features and attention (inject {options.inject})",
                remedy="leave inject out, or use a Stable Diffusion model",
            )
        if options.injection is not None:
            options.injection.check_steps(self.taken(options))
        for name in options.brought:
            if name not in self.takes:
                raise InputError(
                    f"{model} takes no {name.replace('_', ' ')}", remedy="leave them out, or use a model that does"
                )


class FewStepSchedule(Protocol):
    """The steps of few-step weights at one quality."""

    @property
    def fixed_point(self) -> int:
        """Evaluations of each step of the inversion; 0 where it leaps
        (`vedit.diffusion.distilled.single_pass_inversion`)."""
        ...

    def taken(self, strength: float) -> Sequence[float]:
        """The levels at the noisy ends of the steps that a strength in [0, 1] regenerates."""
        ...

    def stops(self, strength: float) -> Sequence[float]:
        """The levels at which the inversion stops, the noisiest first."""
        ...


class FewSteps(Protocol):
    """Few-step weights of a loaded model."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the weights."""
        ...

    @property
    def folder(self) -> Path:
        """Where they lie."""
        ...

    def merged(self) -> AbstractContextManager[None]:
        """The weights in the network for as long as the context lasts."""
        ...


InNetwork = Callable[[Any], "AbstractContextManager[Memory]"]
"""Puts an attention method into a network for as long as the context lasts."""


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """What can be put into a model's network for as long as a context lasts; None: this family has no such thing."""

    cross_frame: Callable[[], AbstractContextManager[Memory]] | None = None
    """Attention of every frame to the first that is sampled with it."""
    self_attention: Callable[[InNetwork], AbstractContextManager[Memory]] | None = None
    """A method in the self-attention of its network, which is the UNet of diffusers that the method is given."""
    regional: Callable[[], AbstractContextManager[Regional]] | None = None
    """Prompts for parts of the picture."""
    injection: Callable[[], AbstractContextManager[FeatureInjection]] | None = None
    """The source's features and attention in the place of the target's."""
    encoding: Callable[[RestyleOptions], AbstractContextManager[None]] | None = None
    """What a look brings (a LoRA, say), while its prompts are encoded."""
    sampling: Callable[[RestyleOptions], AbstractContextManager[None]] | None = None
    """What a look brings, while it is sampled; the source is inverted without."""
    masked: Callable[[RestyleOptions], AbstractContextManager[MaskedWeights]] | None = None
    """What a look brings for masks alone (a LoRA there), within `sampling`; by the numbers of
    `vedit.options.loras.masks_of`."""
    facts: Callable[[RestyleOptions], Mapping[str, str]] | None = None
    """What decides the frames of all that a look brings, by name: digests of files, weights."""

    pictures: Callable[[RestyleOptions], tuple[Mapping[str, torch.Tensor], Mapping[str, torch.Tensor]]] | None = None
    """The pictures that a look takes after (`references`), as the network reads them beside its prompt, and what it
    reads beside the negative one (`vedit.types.PromptEmbeds.others`); None: it reads none."""


class Model(Protocol):
    """A loaded model of whatever family, as the pipelines use it."""

    @property
    def name(self) -> str:
        """As it was asked for."""
        ...

    @property
    def traits(self) -> Traits: ...

    @property
    def denoiser(self) -> Denoiser: ...

    @property
    def codec(self) -> VideoCodec: ...

    @property
    def text(self) -> TextEncoder: ...

    @property
    def adapters(self) -> Adapters: ...

    @property
    def control_kinds(self) -> tuple[str, ...]:
        """The kinds of control that it has branches for."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def precision(self) -> str:
        """The number format that the networks compute in: float32, float16."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """SHA-256 of each part's weights as they are loaded, those of a control branch under `controlnet:KIND`; and by
        names of their own what else of its loading decides frames."""
        ...

    @property
    def can_offload(self) -> bool:
        """Whether there is host memory beside the device's."""
        ...

    def schedule(self, *, steps: int, strength: float = 1.0, regime: Regime | None = None) -> Trajectory:
        """The last part `strength`, in [0, 1], of so many steps; of a few-step regime where one is given.

        Only models whose traits have a regime, or let a look bring one, are asked for its steps.

        Raises:
            SettingError: the steps or the strength are out of range.
        """
        ...

    def through(self, levels: Sequence[float]) -> Trajectory:
        """Steps whose noisy ends are these levels of the schedule, the noisiest first; the last one ends clean.

        Raises:
            ValueError: they do not fall, or are none of the schedule.
        """
        ...

    def fast_for(self, options: RestyleOptions) -> tuple[FewSteps, FewStepSchedule] | None:
        """The few-step weights that serve a look, and their steps; None where none do."""
        ...

    def set_memory(self, *, batch: int, tiled: bool, offloaded: bool) -> None:
        """Do with less memory; see `vedit.memory.MemoryBudget`."""
        ...


class Family(Protocol):
    """Models of one kind: how they are told, checked and loaded."""

    @property
    def name(self) -> str: ...

    def matches(self, base: Path) -> bool:
        """Whether the folder or file is a model of this family; cheap, and never an error."""
        ...

    def check(self, source: ModelSource, controls: Collection[str], *, fast: bool) -> None:
        """Raises ModelError where a part of a model is missing or damaged; no weights are read.

        Args:
            source: folders and files on this machine.
            controls: the control branches that are wanted.
            fast: its few-step weights too.
        """
        ...

    def check_look(self, source: ModelSource, options: RestyleOptions) -> None:
        """Raises ModelError or InputError where files that a look brings (`Traits.takes`) are none for this model; of
        weights the headers are read."""
        ...

    def traits(self, source: ModelSource) -> Traits:
        """What is known of a model before it is loaded. Raises ModelError where a config is damaged."""
        ...

    def sizes(self, source: ModelSource, kinds: Collection[str]) -> Sizes | None:
        """How large a model is with the control branches of some kinds; None where that is not known."""
        ...

    def footprint(self, source: ModelSource, kinds: Collection[str], scene: Scene) -> Footprint | None:
        """What a model with the control branches of some kinds holds and computes; None where that is not known."""
        ...

    def notes(self, source: ModelSource) -> tuple[str, ...]:
        """Lines on what a user should know of a model before it is loaded."""
        ...

    def words_cut(self, source: ModelSource, text: str) -> tuple[str, ...]:
        """The words at the end of a prompt that a model does not read, since those before fill its text encoder."""
        ...

    def tokens_read(self, source: ModelSource) -> int | None:
        """How many tokens of a prompt a model reads; None where there is no end to it."""
        ...

    def load(
        self,
        source: ModelSource,
        loading: Loading,
        *,
        name: str,
        controls: Sequence[str],
        fast: bool,
    ) -> Model:
        """Load a model; see `vedit.models.load.load`."""
        ...
