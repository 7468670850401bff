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
from vedit.types import ControlSpec, FrameRange, Latents, PromptEmbeds, Window

if TYPE_CHECKING:
    from vedit.models.sd import Model
    from vedit.options import RestyleOptions

OnStep = Callable[[str, float], None]
"""Called with the stage's name and the part of it that is done, in (0, 1]."""


def ignore_step(stage: str, part: float) -> None:
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


def shot_windows(options: RestyleOptions, shot: FrameRange) -> tuple[Window, ...]:
    """The windows that a shot is sampled in."""
    return windows(shot, size=options.window, overlap=min(options.overlap, options.window // 3))


def restyle_window(
    restyler: Restyler,
    shot: FrameRange,
    window: FrameRange,
    frames_of: Callable[[FrameRange], torch.Tensor],
    on_step: OnStep = ignore_step,
) -> Latents:
    """One window of a shot, by itself: it depends on no other window, so windows can be kept and made anew singly.

    The window is sampled together with the shot's first frame, the anchor of cross-frame attention, so that all
    windows share one look.

    Args:
        restyler: from `prepare`.
        shot: frames of the source that belong together.
        window: part of the shot.
        frames_of: a range of the shot -> (T, 3, H, W) in [0, 1] at the model's size.
        on_step: told after each step.

    Returns:
        Clean latents (T, C, h, w) of the window's frames.
    """
    numbers = range(window.start, window.stop)
    if window.start == shot.start:
        return restyle_frames(restyler, frames_of(window), numbers, on_step)
    anchor = frames_of(FrameRange(start=shot.start, stop=shot.start + 1))
    frames = torch.cat([anchor, frames_of(window)])
    return Latents(data=restyle_frames(restyler, frames, [shot.start, *numbers], on_step).data[1:])


def join_windows(
    parts: Sequence[Window], latents_of: Callable[[Window], torch.Tensor]
) -> Iterator[tuple[FrameRange, Latents]]:
    """The windows of a shot as one: their latents in order, blended where they overlap, each frame once."""
    pending = torch.empty(0)
    for i, window in enumerate(parts):
        data = latents_of(window)
        data = data * torch.tensor(window.weights).to(data).view(-1, 1, 1, 1)
        if len(pending):
            data = torch.cat([data[: len(pending)] + pending, data[len(pending) :]])
        start = window.frames.start
        stop = parts[i + 1].frames.start if i + 1 < len(parts) else window.frames.stop
        pending = data[stop - start :]
        yield FrameRange(start=start, stop=stop), Latents(data=data[: stop - start])


def _last(steps: Iterator[Latents], start: Latents, path: Trajectory, stage: str, on_step: OnStep) -> Latents:
    latest = start
    for done, latents in enumerate(steps, start=1):
        on_step(stage, done / len(path.steps))
        latest = latents
    return latest
