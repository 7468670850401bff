"""The seam of pipelines: how a window of a shot is made of its frames by a model, under a look.

A pipeline is found by its name (`vedit.registry.pipelines`, `--pipeline`). It is made ready once for each look of a
render, and then asked for one window after the other; windows are kept on disk, joined, decoded and finished by
`vedit.render`. `vedit.testing.contracts.check_pipeline` checks one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from vedit.registry.pipelines import pipelines

if TYPE_CHECKING:
    import torch

    from vedit.diffusion.conditioning import FrameConditioning
    from vedit.diffusion.inversion_cache import TensorCache
    from vedit.diffusion.noise import Drawn
    from vedit.models.family import Model, Traits
    from vedit.options.request import RestyleOptions
    from vedit.types import ControlSpec, FrameRange, Latents, PromptEmbeds

OnStep = Callable[[str, float], None]
"""Called with the stage's name, "invert" or "sample", and the part of it that is done, in (0, 1]."""
FramesOf = Callable[["FrameRange"], "torch.Tensor"]
"""A range of frames -> (T, 3, H, W) in [0, 1] at the model's size."""
GuidesOf = Callable[[Sequence[int], "torch.Tensor"], "FrameConditioning"]
"""What steers frames that are sampled together, by their indices in the source and themselves, (T, 3, H, W)."""


def ignore_step(stage: str, part: float) -> None:
    """The caller that does not want to know."""


class Prepared(Protocol):
    """A pipeline made ready for one look on one model: prompts encoded, steps laid out."""

    @property
    def model(self) -> Model: ...

    @property
    def options(self) -> RestyleOptions:
        """The look, settled: `controls` are those that act."""
        ...

    @property
    def controls(self) -> tuple[ControlSpec, ...]:
        """Whose maps `guides_of` gives."""
        ...

    @property
    def regions(self) -> tuple[PromptEmbeds, ...]:
        """The prompts of the look's regions, with which `guides_of` gives their masks."""
        ...

    @property
    def drawn(self) -> Drawn | None:
        """What `guides_of` draws from the seed; None where it decides nothing."""
        ...

    @property
    def steps(self) -> int:
        """Sampling steps; with 0 the source's frames pass through and no window is asked for."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """SHA-256 of the weights that are used, by part."""
        ...

    @property
    def facts(self) -> Mapping[str, object]:
        """What decides its latents beside frames, weights, prompts, controls, mask and regions, as JSON has it:
        finished windows are known again by it."""
        ...

    @property
    def recipe(self) -> Mapping[str, object]:
        """What the record beside a result says of how it was made, as JSON has it; `steps` at least."""
        ...

    def window(
        self,
        shot: FrameRange,
        window: FrameRange,
        frames_of: FramesOf,
        guides_of: GuidesOf,
        on_step: OnStep = ignore_step,
        *,
        anchor: int | None = None,
        batch: int | None = None,
    ) -> Latents:
        """One window of a shot, by itself: it depends on no other window, so windows are kept and made anew singly.

        Args:
            shot: frames of the source that belong together.
            window: part of the shot, of whole latents.
            frames_of: a range of the shot, or the anchor alone.
            guides_of: what steers frames.
            on_step: told after each step.
            anchor: a frame of the source, in whatever shot, whose look is shared; None: the shot's own first frame.
            batch: frames per network call; None is what the options say.

        Returns:
            Clean latents (T, C, h, w) of the window's frames, with the source's.
        """
        ...

    def stills(
        self,
        frames: torch.Tensor,
        numbers: Sequence[int],
        guides: FrameConditioning,
        on_step: OnStep = ignore_step,
        *,
        shared: bool = False,
    ) -> Latents:
        """Single frames (T, 3, H, W) of a shot, each with latents of its own, as previews show them.

        Args:
            frames: in order.
            numbers: theirs in the source.
            guides: what steers them.
            on_step: told after each step.
            shared: the first is an anchor of another shot, whose look the others take on.
        """
        ...


@runtime_checkable
class Pipeline(Protocol):
    """A method that makes windows, and what estimates have to know of it."""

    @property
    def inverts(self) -> bool:
        """Whether it evaluates the network on the way from the source into noise, as `start` and `fixed_point` say."""
        ...

    @property
    def few_steps(self) -> bool:
        """Whether it samples with a model's few-step weights where these serve a look (`Model.fast_for`)."""
        ...

    @property
    def enters_adapters(self) -> bool:
        """Whether it puts what a look brings (LoRAs, references ...) into the network, by `Adapters.encoding` and
        `Adapters.sampling`; of one that does not such looks are refused."""
        ...

    def draws(self, options: RestyleOptions) -> bool:
        """Whether a look's frames depend on its seed."""
        ...

    def check(self, options: RestyleOptions, traits: Traits) -> None:
        """What is refused before a model is loaded; nothing is computed for it.

        Args:
            options: of the look, as it is asked for.
            traits: of the model; what these refuse themselves (`Traits.check`) is refused already.

        Raises:
            InputError: the look asks for what the pipeline cannot do, or cannot with such a model.
        """
        ...

    def prepare(self, model: Model, options: RestyleOptions, inversions: TensorCache | None = None) -> Prepared:
        """Make ready for a look.

        Args:
            model: with the control branches that it has of those asked for.
            options: of the look.
            inversions: where inversions may be kept for later renders.

        Raises:
            InputError: the look asks for what the pipeline or the model cannot do.
        """
        ...


def load_pipeline(name: str) -> Pipeline:
    """Import a pipeline by name. Raises InputError where it is unknown or cannot be loaded."""
    return pipelines()[name].load_as(Pipeline, "pipeline")


def pipeline_facts(options: RestyleOptions) -> dict[str, object]:
    """What tells the windows of a plug-in's pipeline from those of another, as JSON has it; none of vedit's own."""
    facts = pipelines()[options.pipeline].facts
    return {} if facts is None else {"pipeline": facts}
