"""A pipeline: plain image-to-image. A window is noised and sampled under the prompt; nothing is inverted.

It holds less of the source than vedit's own, and evaluates the network half as often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vedit.diffusion.conditioning import Conditioning, FrameConditioning, bind
from vedit.diffusion.noise import Drawn, frame_noise
from vedit.diffusion.samplers import sample
from vedit.diffusion.solvers import Trajectory, add_noise
from vedit.errors import InputError
from vedit.models.attention import attending, attention_facts
from vedit.models.family import Model, Traits
from vedit.options.controls import settled
from vedit.options.request import RestyleOptions
from vedit.pipelines.pipeline import FramesOf, GuidesOf, OnStep, ignore_step
from vedit.types import ControlSpec, FrameRange, Latents, PromptEmbeds


@dataclass(frozen=True, kw_only=True)
class PreparedImages:
    """A `vedit.pipelines.pipeline.Prepared`."""

    model: Model
    options: RestyleOptions
    path: Trajectory
    prompt: PromptEmbeds
    negative: PromptEmbeds
    guidance: float
    regions: tuple[PromptEmbeds, ...] = ()

    @property
    def controls(self) -> tuple[ControlSpec, ...]:
        """Those of the look."""
        return self.options.controls

    @property
    def steps(self) -> int:
        """Sampling steps."""
        return len(self.path.steps)

    @property
    def drawn(self) -> Drawn | None:
        """The noise of every frame."""
        codec = self.model.codec
        return Drawn(seed=self.options.seed, channels=codec.channels, cell=codec.factors.cell) if self.steps else None

    @property
    def fingerprint(self) -> Mapping[str, str]:
        """Of all parts of the model."""
        return self.model.fingerprint

    @property
    def facts(self) -> dict[str, object]:
        """What decides the latents beside frames, weights and words."""
        sampled = [step.facts for step in self.path.steps]
        return {
            "sampled": sampled,
            "guidance": self.guidance,
            "seed": self.options.seed,
            **attention_facts(self.options),
        }

    @property
    def recipe(self) -> dict[str, object]:
        """For the record."""
        return {"steps": self.steps}

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
        """One window, sampled together with the anchor, which attention shows to all."""
        first = shot.start if anchor is None else anchor
        numbers, frames = list(range(window.start, window.stop)), frames_of(window)
        beside = first != window.start
        if beside:
            numbers = [first, *numbers]
            frames = torch.cat([frames_of(FrameRange(start=first, stop=first + 1)), frames])
        made = self._sampled(frames, numbers, guides_of(numbers, frames), on_step, batch or self.options.batch)
        return made.part(int(beside))

    def stills(
        self,
        frames: torch.Tensor,
        numbers: Sequence[int],
        guides: FrameConditioning,
        on_step: OnStep = ignore_step,
        *,
        shared: bool = False,
    ) -> Latents:
        """Single frames, sampled together."""
        return self._sampled(frames, numbers, guides, on_step, self.options.batch)

    def _sampled(
        self, frames: torch.Tensor, numbers: Sequence[int], guides: FrameConditioning, on_step: OnStep, batch: int
    ) -> Latents:
        model = self.model
        source = model.codec.encode(frames.to(model.device))
        noise = guides.noise
        if noise is None:
            noise = frame_noise(source.shape[1:], seed=self.options.seed, frames=numbers)
        latents = add_noise(Latents(data=source), noise.to(source), self.path)
        change = Conditioning(
            prompt=self.prompt, negative=self.negative, guidance=self.guidance, controls=guides.controls
        )
        with attending(model, self.options, tuple(numbers), frames) as memory:
            denoise = bind(model.denoiser, change, batch=batch, memory=memory)
            for done, each in enumerate(sample(denoise, latents, self.path), start=1):
                on_step("sample", done / self.steps)
                latents = each
        return Latents(data=latents.data, source=source)


class ImageToImage:
    """A `vedit.pipelines.pipeline.Pipeline` for models that have a latent for each frame."""

    inverts = False
    few_steps = False
    enters_adapters = False

    def draws(self, options: RestyleOptions) -> bool:
        """Always: a window begins at noise of the seed."""
        return True

    def check(self, options: RestyleOptions, traits: Traits) -> None:
        """Raises InputError where the model has a latent for several frames, or the look has regions."""
        if not traits.factors.frame_by_frame:
            raise InputError("image-to-image cannot sample a model of video", remedy="use a model of images")
        if options.regions:
            raise InputError("image-to-image knows no regions", remedy="leave out --region, or --pipeline")

    def prepare(self, model: Model, options: RestyleOptions, inversions: Any = None) -> PreparedImages:
        """Encode the prompts and lay out the steps. Raises InputError as `check`."""
        self.check(options, model.traits)
        options = settled(options, model.control_kinds, model=model.name)
        quality, traits = model.traits.quality(options), model.traits
        return PreparedImages(
            model=model,
            options=options,
            path=model.schedule(steps=quality.steps, strength=options.regenerated),
            prompt=model.text(options.prompt),
            negative=model.text(options.negative_prompt),
            guidance=traits.guidance if options.guidance is None else options.guidance,
        )


pipeline = ImageToImage()
