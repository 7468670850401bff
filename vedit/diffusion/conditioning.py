"""What steers the denoiser, and the one place where frames are cut into network calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from vedit.diffusion.guiders import classifier_free

if TYPE_CHECKING:
    from vedit.diffusion.samplers import Denoise
    from vedit.diffusion.trajectory import Step
    from vedit.protocols import Denoiser
    from vedit.types import ControlMap, ControlSpec, PromptEmbeds


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control map with how strongly and when it acts."""

    spec: ControlSpec
    map: ControlMap


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """Prompt, what to move away from, and controls; `guidance` 1 leaves `negative` unused."""

    prompt: PromptEmbeds
    negative: PromptEmbeds | None = None
    guidance: float = 1.0
    controls: tuple[Control, ...] = ()


class Memory(Protocol):
    """What remembers frames between network calls (`vedit.diffusion.attention.FrameMemory`)."""

    def clear(self) -> None: ...


def bind(
    denoiser: Denoiser,
    conditioning: Conditioning,
    *,
    batch: int,
    memory: Memory | None = None,
) -> Denoise:
    """A denoiser with its conditioning bound: (x (T, C, h, w), step) -> raw output, guidance included.

    Frames go through the network in order, at most `batch` at a time; `memory` is cleared before each pass over
    them, so the first frame of `x` is the anchor of cross-frame attention.
    """
    if batch < 1:
        raise ValueError(f"batch must be at least 1, got {batch}")

    def run(x: torch.Tensor, step: Step, prompt: PromptEmbeds) -> torch.Tensor:
        if memory is not None:
            memory.clear()
        active = [c for c in conditioning.controls if c.spec.scale > 0 and step.active(c.spec.start, c.spec.end)]
        outputs = [
            denoiser(
                x[i : i + batch],
                step.timestep,
                prompt,
                {c.map.kind: (c.map.frames[i : i + batch], c.spec.scale) for c in active},
            )
            for i in range(0, len(x), batch)
        ]
        return torch.cat(outputs)

    def denoise(x: torch.Tensor, step: Step) -> torch.Tensor:
        conditional = run(x, step, conditioning.prompt)
        if conditioning.negative is None or conditioning.guidance == 1:
            return conditional
        return classifier_free(conditional, run(x, step, conditioning.negative), scale=conditioning.guidance)

    return denoise
