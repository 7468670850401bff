"""Models at their true sizes, with random weights: time beside diffusers, and memory and time beside what is planned.

    python examples/bench_models/bench.py speed                     vedit restyle beside diffusers' pipeline
    python examples/bench_models/bench.py plan                      `vedit models plan` beside renders
    python examples/bench_models/bench.py speed --size 64 --frames 2     to see it run

Speed: Stable Diffusion 1.5, a tile ControlNet and a LoRA that makes it an LCM; 4 steps, 8 frames of 512x512. The peer
is `peer.py` with as many evaluations a frame. Each side is a process of its own, one after the other, whole: start,
load, frames, file. Memory is the peak of the process (ru_maxrss).

Plan: for each shape a render of some frames is started, two steps there and two back, and its peak and seconds stand
beside what was told before.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from true_sizes import write_lcm_lora, write_sd15, write_sd21, write_tile

from vedit.sample_clip.clip import sample_frames

HERE = Path(__file__).parent
_PEAK = re.compile(r"^peak (\d+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A process that has ended."""

    seconds: float
    peak: float
    """Megabytes."""
    out: str


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A render whose memory was planned."""

    name: str
    model: str
    size: int
    frames: int = 2
    batch: int = 1
    controlnet: bool = False


SHAPES = (
    Shape(name="SD 1.5, 512x512", model="sd15", size=512),
    Shape(name="SD 1.5 + tile, 512x512", model="sd15", size=512, controlnet=True),
    Shape(name="SD 1.5, 256x256, batch 4", model="sd15", size=256, batch=4, frames=4),
    Shape(name="SD 1.5 + tile, 384x384, 8 frames", model="sd15", size=384, controlnet=True, frames=8, batch=2),
    Shape(name="SD 2.1, 768x768", model="sd21", size=768),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["speed", "plan", "_run"])
    parser.add_argument("words", nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path("build/bench_models"), help="weights (5 GB) and results")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the shapes, from 1")
    options, words = parser.parse_known_args()
    if options.part == "_run":
        run_here([*options.words, *words])
    elif options.part == "speed":
        speed(options)
    else:
        plan(options)


def speed(options: argparse.Namespace) -> None:
    """Print how long both sides take, and what they hold."""
    folder = options.folder
    model, tile = write_sd15(folder / "sd15"), write_tile(folder / "tile")
    lora, clip = write_lcm_lora(folder / "lcm-lora-sdv1-5.safetensors"), write_clip(folder / "clip.mkv", options)
    device = ["--device", options.device]
    words = ["vedit", "restyle", str(clip), "-o", str(folder / "ours.mkv"), "--overwrite", "--fresh", "--json", "-q"]
    words += ["--prompt", "ink drawing", "--model", str(model), "--controlnet", f"tile={tile}", "--control", "tile"]
    words += ["--lora", str(lora), "--steps", "4", "--strength", "1", "--guidance", "1", "--size", str(options.size)]
    ours = run([*words, *device])
    dtype = ["--dtype", "float32" if options.device == "cpu" else "float16"]
    files = [*map(str, (model, tile, clip, folder / "theirs.mkv")), "--lora", str(lora)]
    theirs = run([str(HERE / "peer.py"), *files, *device, *dtype, "--size", str(options.size)])
    told = json.loads(theirs.out.strip().splitlines()[-1])
    timings: dict[str, float] = json.loads(ours.out)["timings"]
    spent = sum(seconds for stage, seconds in timings.items() if stage not in ("load", "index", "shots", "plan"))
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, {options.frames} frames of {options.size}")
    print(f"{'':<12} {'whole s':>8} {'s a frame':>10} {'peak MB':>8}")
    print(f"{'vedit':<12} {ours.seconds:8.1f} {spent / options.frames:10.2f} {ours.peak:8.0f}   {timings}")
    print(f"{'diffusers':<12} {theirs.seconds:8.1f} {told['seconds'] / options.frames:10.2f} {theirs.peak:8.0f}")
    ratio = told["seconds"] / spent, theirs.seconds / ours.seconds, ours.peak / theirs.peak
    print(f"vedit is {ratio[0]:.2f}x as fast a frame and {ratio[1]:.2f}x in all, with {ratio[2]:.2f}x the memory")


def plan(options: argparse.Namespace) -> None:
    """Print what was planned beside what came."""
    folder = options.folder
    write = {"sd15": write_sd15, "sd21": write_sd21}
    print(f"{'shape':<36} {'planned MB':>10} {'peak MB':>8} {'off':>6} {'planned s':>10} {'took s':>8} {'off':>6}")
    for number, shape in enumerate(SHAPES, 1):
        if options.only and number not in options.only:
            continue
        model = write[shape.model](folder / shape.model)
        clip = write_clip(folder / "plan.mkv", argparse.Namespace(size=shape.size, frames=shape.frames))
        branch = ["--controlnet", f"tile={write_tile(folder / 'tile')}", "--control", "tile"]
        words = ["vedit", "restyle", str(clip), "-o", str(folder / "planned.mkv"), "--overwrite", "--fresh", "--json"]
        words += ["-q", "--prompt", "ink drawing", "--model", str(model), "--size", str(shape.size), "--steps", "2"]
        words += ["--inversion", "ddim", "--guidance", "1"]
        words += ["--batch", str(shape.batch), *(branch if shape.controlnet else ["--control", "none"])]
        told = json.loads(run([*words, "--dry-run"]).out)
        done = run(words)
        planned, seconds = told["peak_memory_bytes"] / 1e6, told["seconds"]
        off = planned / done.peak - 1, seconds / done.seconds - 1
        print(
            f"{shape.name:<36} {planned:10.0f} {done.peak:8.0f} {off[0]:+6.0%} {seconds:10.1f} "
            f"{done.seconds:8.1f} {off[1]:+6.0%}",
            flush=True,
        )


def write_clip(file: Path, options: argparse.Namespace) -> Path:
    """Frames of the sample clip, square, without loss."""
    import cv2

    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as target:
        stream = target.add_stream("ffv1", rate=24)
        stream.width = stream.height = options.size
        stream.pix_fmt = "bgr0"
        frames = list(sample_frames(min(options.frames, 12)))
        for number in range(options.frames):
            image = np.ascontiguousarray(frames[number % len(frames)].transpose(1, 2, 0))
            sized = np.asarray(cv2.resize(image, (options.size, options.size), interpolation=cv2.INTER_AREA), np.uint8)
            target.mux(stream.encode(av.VideoFrame.from_ndarray(sized, format="rgb24").reformat(format="bgr0")))
        target.mux(stream.encode(None))
    return file


def run(words: Sequence[str]) -> Run:
    """A command in a process that tells its peak; "vedit" is the one of this Python."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "_run", "--", *words], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
    peaks = _PEAK.findall(done.stderr)
    return Run(seconds=seconds, peak=int(peaks[-1]) / 1024, out=done.stdout)


def run_here(words: Sequence[str]) -> None:
    """The command as a child of this process, then the child's peak on the error stream."""
    command = ["-m", "vedit", *words[1:]] if words[0] == "vedit" else list(words)
    done = subprocess.run([sys.executable, *command], check=False)
    print(f"peak {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}", file=sys.stderr)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
