"""Restyle: invert the source into noise under its own description, sample it again under the prompt.

    frames -> controls
    frames -> encode -> invert (or add noise) -> sample -> latents of the new look

Both passes see the same controls and the same cross-frame attention, so that sampling under the source's own
description and no guidance retraces the inversion (DDIM inversion, Song et al. 2021; with ControlNet as in RAVE,
Kara et al. 2024; fixed point as in AIDI, Pan et al. 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from vedit.controls import control_maps
from vedit.diffusion.conditioning import Conditioning, Control, bind
from vedit.diffusion.noise import frame_noise
from vedit.diffusion.samplers import invert, sample
from vedit.diffusion.trajectory import Trajectory, add_noise, trajectory
from vedit.diffusion.windows import windows
from vedit.models import default_guidance
from vedit.types import ControlSpec, FrameRange, Latents, PromptEmbeds

if TYPE_CHECKING:
    from vedit.models.sd import Model
    from vedit.options import RestyleOptions

OnStep = Callable[[str, float], None]
"""Called with the stage's name and the part of it that is done, in (0, 1]."""


def ignore_step(stage: str, part: float) -> None:
    """The caller that does not want to know."""


def ignore_window_step(window: FrameRange, stage: str, part: float) -> None:
    """The caller that does not want to know."""


@dataclass(frozen=True, kw_only=True)
class Restyler:
    """A model and options made ready: prompts encoded, trajectory laid out."""

    model: Model
    options: RestyleOptions
    path: Trajectory
    source: PromptEmbeds
    target: PromptEmbeds
    negative: PromptEmbeds
    controls: tuple[ControlSpec, ...]
    guidance: float
    fixed_point: int


def prepare(model: Model, options: RestyleOptions) -> Restyler:
    """Encode the prompts and lay out the trajectory; controls the model has no branch for are left out."""
    quality = options.resolved()
    return Restyler(
        model=model,
        options=options,
        path=trajectory(model.scheduler_config, steps=quality.steps, strength=options.strength),
        source=model.text(options.source_prompt),
        target=model.text(options.prompt),
        negative=model.text(options.negative_prompt),
        controls=tuple(spec for spec in options.controls if spec.kind in model.control_kinds),
        guidance=default_guidance(model.name) if options.guidance is None else options.guidance,
        fixed_point=quality.fixed_point,
    )


def restyle_frames(
    restyler: Restyler, frames: torch.Tensor, numbers: Sequence[int], on_step: OnStep = ignore_step
) -> Latents:
    """Frames of one shot, sampled together; the first is the anchor.

    Args:
        restyler: from `prepare`.
        frames: (T, 3, H, W) in [0, 1], H and W multiples of the model's.
        numbers: the frames' indices in the source, which key their noise.
        on_step: told after each step.

    Returns:
        Clean latents (T, C, h, w).
    """
    model, options, path = restyler.model, restyler.options, restyler.path
    maps = control_maps(restyler.controls, frames)
    controls = tuple(Control(spec=s, map=m) for s, m in zip(restyler.controls, maps, strict=True))
    describe = Conditioning(prompt=restyler.source, controls=controls)
    change = Conditioning(
        prompt=restyler.target, negative=restyler.negative, guidance=restyler.guidance, controls=controls
    )
    latents = Latents(data=model.codec.encode(frames.to(model.device)))
    with model.cross_frame() if options.cross_frame else nullcontext() as memory:
        if options.start == "inversion":
            denoise = bind(model.denoiser, describe, batch=options.batch, memory=memory)
            steps = invert(denoise, latents, path, fixed_point=restyler.fixed_point)
            latents = _last(steps, latents, path, "invert", on_step)
        else:
            noise = frame_noise(latents.data.shape[1:], seed=options.seed, frames=numbers)
            latents = add_noise(latents, noise.to(latents.data), path)
        denoise = bind(model.denoiser, change, batch=options.batch, memory=memory)
        return _last(sample(denoise, latents, path), latents, path, "sample", on_step)


def restyle_shot(
    restyler: Restyler,
    shot: FrameRange,
    frames_of: Callable[[FrameRange], torch.Tensor],
    on_step: Callable[[FrameRange, str, float], None] = ignore_window_step,
) -> Iterator[tuple[torch.Tensor, Latents]]:
    """A shot of any length, window by window: yields frames with their clean latents in order, seams blended.

    Every window also holds the shot's first frame, the anchor of cross-frame attention, so that all share one look.

    Args:
        restyler: from `prepare`.
        shot: frames of the source that belong together.
        frames_of: a range of the shot -> (T, 3, H, W) in [0, 1] at the model's size; it is asked for each frame
            once, in order.
        on_step: told the window, the stage and the part done.
    """
    options = restyler.options
    anchor = frames_of(FrameRange(start=shot.start, stop=shot.start + 1))
    held, pending = anchor, torch.empty(0)
    parts = windows(shot, size=options.window, overlap=min(options.overlap, options.window // 3))
    for i, window in enumerate(parts):
        numbers = range(window.frames.start, window.frames.stop)
        frames = torch.cat([held, frames_of(FrameRange(start=numbers.start + len(held), stop=numbers.stop))])
        extra = window.frames.start > shot.start
        data = restyle_frames(
            restyler,
            torch.cat([anchor, frames]) if extra else frames,
            [shot.start, *numbers] if extra else numbers,
            lambda stage, part, window=window: on_step(window.frames, stage, part),
        ).data[int(extra) :]
        data = data * torch.tensor(window.weights).to(data).view(-1, 1, 1, 1)
        if len(pending):
            data = torch.cat([data[: len(pending)] + pending, data[len(pending) :]])
        stop = parts[i + 1].frames.start - window.frames.start if i + 1 < len(parts) else len(data)
        held, pending = frames[stop:], data[stop:]
        yield frames[:stop], Latents(data=data[:stop])


def _last(steps: Iterator[Latents], start: Latents, path: Trajectory, stage: str, on_step: OnStep) -> Latents:
    latest = start
    for done, latents in enumerate(steps, start=1):
        on_step(stage, done / len(path.steps))
        latest = latents
    return latest
