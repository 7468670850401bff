"""Models at their true sizes on a GPU, with random weights: seconds a frame and memory, beside diffusers.

    python examples/bench_models/gpu.py                                   both families, under ten minutes on an H200
    python examples/bench_models/gpu.py --device cpu --size 64 --frames 2 --steps 1 --only sd15      to see it run

Stable Diffusion 1.5 at 512 pixels and XL at 1024, each with a tile ControlNet: 24 frames, 25 steps of inversion and 25
of sampling, without guidance, with cross-frame attention. The peer is `peer.py` at as many evaluations a frame, which
are 50 steps, in batches as large, without cross-frame attention and without an inversion. Each side is a process of its
own, one after the other. Host memory is the peak of the process (ru_maxrss).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from bench import HERE, run, write_clip
from true_sizes import write_sd15, write_sdxl, write_tile

OUTSIDE = ("load", "index", "shots", "plan")
"""Stages that a render has once, however many frames there are."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one of the two took."""

    name: str
    whole: float
    """Seconds of the process."""
    frame: float
    """Seconds of a frame."""
    host: float
    """Megabytes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("build/bench_models"), help="weights (12 GB) and results")
    parser.add_argument("--only", choices=["sd15", "sdxl"])
    parser.add_argument("--size", type=int, help="pixels, instead of the family's")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    tables = [
        table(family, options, size=options.size or size)
        for family, size in {"sd15": 512, "sdxl": 1024}.items()
        if options.only in (None, family)
    ]
    print("\n\n".join(tables))


def table(family: str, options: argparse.Namespace, *, size: int) -> str:
    """What both sides took with a family."""
    folder: Path = options.folder
    xl = family == "sdxl"
    model = (write_sdxl if xl else write_sd15)(folder / family)
    tile = write_tile(folder / ("tile-xl" if xl else "tile"), xl=xl)
    clip = write_clip(folder / f"{family}.mkv", argparse.Namespace(size=size, frames=options.frames))
    ours, theirs = restyled(model, tile, clip, options, size), peer(model, tile, clip, options, size)
    steps, ratio = options.steps, (theirs.frame / ours.frame, ours.host / theirs.host)
    lines = [
        f"{family}, {options.frames} frames of {size}x{size}, {steps} + {steps} steps, {options.device}",
        f"{'':<12} {'whole s':>8} {'s a frame':>10} {'host MB':>8}",
        *(f"{one.name:<12} {one.whole:8.1f} {one.frame:10.3f} {one.host:8.0f}" for one in (ours, theirs)),
        f"vedit is {ratio[0]:.2f}x as fast a frame, with {ratio[1]:.2f}x the host memory",
    ]
    return "\n".join(lines)


def restyled(model: Path, tile: Path, clip: Path, options: argparse.Namespace, size: int) -> Side:
    """`vedit restyle`."""
    words = ["vedit", "restyle", str(clip), "-o", str(clip.with_suffix(".ours.mkv")), "--overwrite", "--fresh"]
    words += ["--json", "-q", "--prompt", "ink drawing", "--model", str(model), "--size", str(size)]
    words += ["--controlnet", f"tile={tile}", "--control", "tile", "--steps", str(options.steps), "--guidance", "1"]
    words += ["--inversion", "ddim", "--batch", str(options.batch), "--device", options.device]
    done = run(words)
    timings: dict[str, float] = json.loads(done.out)["timings"]
    spent = sum(seconds for stage, seconds in timings.items() if stage not in OUTSIDE)
    return Side(name="vedit", whole=done.seconds, frame=spent / options.frames, host=done.peak)


def peer(model: Path, tile: Path, clip: Path, options: argparse.Namespace, size: int) -> Side:
    """`peer.py`."""
    words = [str(HERE / "peer.py"), str(model), str(tile), str(clip), str(clip.with_suffix(".theirs.mkv")), "--ddim"]
    words += ["--steps", str(2 * options.steps), "--batch", str(options.batch), "--size", str(size)]
    words += ["--device", options.device, "--dtype", "float32" if options.device == "cpu" else "float16"]
    done = run(words)
    told = json.loads(done.out.strip().splitlines()[-1])
    return Side(name="diffusers", whole=done.seconds, frame=told["seconds"] / options.frames, host=done.peak)


if __name__ == "__main__":
    main()
