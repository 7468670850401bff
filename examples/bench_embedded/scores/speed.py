"""Seconds a frame, beside diffusers' own ControlNet image-to-image on the same networks in the same run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

import torch
from diffusers.models.controlnets.multicontrolnet import MultiControlNetModel
from diffusers.pipelines.controlnet.pipeline_controlnet_img2img import StableDiffusionControlNetImg2ImgPipeline

from scores.rendering import Subject
from scores.report import Bar, Cell, Table
from vedit.control_maps.maps import control_maps
from vedit.diffusion.trajectory import ddim_scheduler
from vedit.models.load import load
from vedit.models.ref import ModelRef
from vedit.options.request import QUALITIES, RestyleOptions
from vedit.pipelines.restyle import prepare
from vedit.render.evaluations import evaluations

PROMPT = "watercolor painting"
LIMITS = {"draft": (0.6, 5), "standard": (2.0, 20)}
"""Seconds and network evaluations a frame."""
LOADING_LIMIT = 2.0
SQUARE = (256, 256)
WIDE = (256, 480)
"""16:9 at a short side of 256 is 455 wide, padded to the model's multiple of 32."""

PEERS = ("diffusers, frame by frame", "diffusers, all at once")

Log = Callable[[str], None]
Run = Callable[[], object]


def speed_table(subject: Subject, *, frames: int, rounds: int, log: Log) -> Table:
    """Ours and the peer's in turns, so that other work on the machine falls on both; medians.

    The peer is diffusers' pipeline over the very same modules (same dtype, same memory layout, no safety checker),
    with the same two controls, guidance and number of network evaluations; it inverts nothing, so all its evaluations
    are sampling steps. It is run on one frame at a time, and on all frames at once; the faster is what ours is held
    against. Making the control maps is timed on both sides.
    """
    peer = _peer(subject)
    busy = os.getloadavg()[0]
    rows: list[tuple[Cell, ...]] = []
    bars: list[Bar] = []
    for quality, (limit, most) in LIMITS.items():
        options = subject.options(PROMPT, quality=quality, short_side=min(SQUARE))
        count = evaluations(subject.found, options)
        square, wide = _noise(frames, SQUARE), _noise(frames, WIDE)
        runs: dict[str, Run] = {
            "vedit": partial(subject.frames, options, square),
            PEERS[0]: partial(_one_by_one, peer, options, peer_settings(subject, options), square),
            PEERS[1]: partial(_restyle, peer, options, peer_settings(subject, options), square),
            "vedit, cross-frame attention": partial(subject.frames, replace(options, attention="cross-frame"), square),
            "vedit, 16:9": partial(subject.frames, options, wide),
        }
        if quality == "draft":
            own = QUALITIES[quality].short_side
            small = square[..., :own, :own].contiguous()
            runs[f"vedit, {own}x{own} as draft works"] = partial(subject.frames, options, small)
        taken = _in_turns(runs, rounds)
        seconds = {name: median(wall for wall, _ in times) / frames for name, times in taken.items()}
        work = {name: median(cores for _, cores in times) / frames for name, times in taken.items()}
        theirs, their_work = (
            min(v for name, v in of.items() if name.startswith("diffusers")) for of in (seconds, work)
        )
        for name, value in seconds.items():
            rows.append((quality, name, value, value / theirs, work[name], work[name] / their_work))
            log(f"speed {quality}, {name}: {value:.2f} s a frame, {value / theirs:.2f} of the faster peer")
        bars.append(Bar(what=f"{quality}, seconds a frame", figure=seconds["vedit"], sign="<=", limit=limit))
        bars.append(Bar(what=f"{quality}, network evaluations a frame", figure=count, sign="<=", limit=most))
        bars.append(Bar(what=f"{quality}, vedit over diffusers", figure=seconds["vedit"] / theirs, sign="<=", limit=1))
    loading = _loading(subject.found)
    rows.append(("any", "loading the weights, libraries imported; seconds in all", loading, "", "", ""))
    bars.append(Bar(what="loading the weights, seconds", figure=loading, sign="<=", limit=LOADING_LIMIT))
    threads = f"{torch.get_num_threads()} threads, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}"
    return Table(
        title="Speed",
        settings=(
            f"{frames} frames, {rounds} rounds in turns, medians; {threads}; "
            f"load average before {busy:.1f} on {os.cpu_count()} CPUs"
        ),
        columns=(
            "quality",
            "what",
            "seconds a frame",
            "over the faster peer",
            "core-seconds a frame",
            "over the thriftier peer",
        ),
        rows=tuple(rows),
        bars=tuple(bars),
    )


def peer_settings(subject: Subject, options: RestyleOptions) -> tuple[int, float]:
    """The peer's sampling steps and guidance, for as many evaluations as ours takes, or one fewer; as ours samples
    without guidance where few steps were distilled, so does the peer then."""
    guidance = prepare(subject.model, options).guidance
    return evaluations(subject.found, options) // (1 if guidance == 1 else 2), guidance


def _loading(model: ModelRef) -> float:
    began = time.perf_counter()
    load(model, controls=("tile", "softedge"))
    return time.perf_counter() - began


def _in_turns(runs: dict[str, Run], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Wall and processor seconds of each run, once each per round; one unmeasured round before, for what is only done
    once. Processor seconds leave out the time that other work on the machine takes."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            wall, cores = time.perf_counter(), time.process_time()
            run()
            if number:
                times[name].append((time.perf_counter() - wall, time.process_time() - cores))
    return times


def _peer(subject: Subject) -> StableDiffusionControlNetImg2ImgPipeline:
    model = subject.model
    nets = [model.denoiser.controlnets[kind] for kind in ("tile", "softedge")]
    pipeline = StableDiffusionControlNetImg2ImgPipeline(
        vae=model.codec.vae,  # pyright: ignore[reportArgumentType]
        text_encoder=model.text.encoder,
        tokenizer=model.text.tokenizer,
        unet=model.denoiser.unet,
        controlnet=MultiControlNetModel(nets),  # pyright: ignore[reportArgumentType]
        scheduler=ddim_scheduler(model.scheduler_config),  # pyright: ignore[reportArgumentType]
        safety_checker=None,  # pyright: ignore[reportArgumentType]
        feature_extractor=None,  # pyright: ignore[reportArgumentType]
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _noise(frames: int, size: tuple[int, int]) -> torch.Tensor:
    """Time does not depend on what is seen."""
    return torch.rand(frames, 3, *size, generator=torch.Generator().manual_seed(0))


def _one_by_one(
    pipeline: StableDiffusionControlNetImg2ImgPipeline,
    options: RestyleOptions,
    settings: tuple[int, float],
    frames: torch.Tensor,
) -> object:
    return [_restyle(pipeline, options, settings, frame) for frame in frames.split(1)]


def _restyle(
    pipeline: StableDiffusionControlNetImg2ImgPipeline,
    options: RestyleOptions,
    settings: tuple[int, float],
    frames: torch.Tensor,
) -> object:
    """Frames (T, 3, H, W) under the prompt, as a tensor: no conversion to pictures is charged to the peer."""
    call: Any = pipeline
    steps, guidance = settings
    scales: Sequence[float] = [spec.scale for spec in options.controls]
    return call(
        prompt=[options.prompt] * len(frames),
        image=frames,
        control_image=[made.frames for made in control_maps(options.controls, frames)],
        height=frames.shape[-2],
        width=frames.shape[-1],
        strength=1.0,
        num_inference_steps=steps,
        guidance_scale=guidance,
        controlnet_conditioning_scale=scales,
        generator=torch.Generator().manual_seed(options.seed),
        output_type="pt",
    )
