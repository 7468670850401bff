"""What each method of inversion gives back of a source, and how far an edit leaves it: a table for docs/inversion.md.

    python examples/bench_inversion/bench.py                       the sample clip
    python examples/bench_inversion/bench.py --clip FILE --clip FILE
    python examples/bench_inversion/bench.py --frames 8 --steps 10 --look woodcut

On the embedded model's own weights (no fast tier), in as many steps for all. "Given back" is sampled under the source's
own description without guidance, beside the source and beside what the autoencoder alone makes of it, the most that any
inversion can give. An edit is under a look with the model's guidance: how far it is from the source, how far from the
look by `look_distance` of `vedit evaluate`, and how much it changes from frame to frame, in parts of what was filmed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch
from torch.nn import functional as F

from vedit.evaluation.look_features import look_features, to_side
from vedit.evaluation.metrics.look import statistics
from vedit.media.reading.read import open_video
from vedit.models.load import load
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.render.evaluations import ordinary_evaluations
from vedit.sample_clip.clip import sample_frames
from vedit.types import FrameRange

SIDE = 192
METHODS: dict[str, dict[str, Any]] = {
    "DDIM": {"inversion": "ddim"},
    "fixed point, 1 evaluation": {"fixed_point": 1},
    "fixed point, 2 evaluations": {"fixed_point": 2},
    "edit-friendly DDPM": {"inversion": "ddpm"},
    "fixed point, injection 0.8,0.5": {"fixed_point": 2, "inject": "0.8,0.5"},
    "edit-friendly DDPM, variation 0.5": {"inversion": "ddpm", "variation": 0.5},
}
"""What the table's rows are named -> the options of a look."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one method on one clip."""

    clip: str
    method: str
    evaluations: int
    """Of a frame, in the edit."""
    given_back: float
    """dB, of the source."""
    beside_autoencoder: float
    """dB, of what the autoencoder makes of the source."""
    from_source: float
    """dB of the edit."""
    from_look: float
    """`look_distance` of the edit."""
    changes: float
    """From frame to frame, in parts of the source's."""


def psnr(one: torch.Tensor, other: torch.Tensor) -> float:
    """Of pictures in [0, 1], in dB."""
    return float(-10 * (one - other).square().mean().clamp_min(1e-12).log10())


def look_distance(source: torch.Tensor, result: torch.Tensor, look: str) -> float:
    """Mean over frames (T, 3, H, W), as `vedit evaluate` has it."""
    known = statistics()
    found: list[float] = []
    for before, after in zip(source, result, strict=True):
        pictures = (to_side(one.permute(1, 2, 0).numpy()) for one in (before, after))
        found.append(float(known.distances(look_features(*pictures))[known.names.index(look)]))
    return sum(found) / len(found)


def frames_of(clip: Path | None, count: int, side: int) -> torch.Tensor:
    """The first frames of a clip, or of the sample clip, (T, 3, H, W) in [0, 1] at the working size."""
    if clip is None:
        pictures = np.stack(list(sample_frames(count)))
    else:
        with open_video(clip) as reader:
            pictures = reader.read(FrameRange(start=0, stop=min(count, len(reader.index())))).frames[:, :3]
    frames = torch.from_numpy(pictures.astype(np.float32)) / np.iinfo(pictures.dtype).max
    height, width = frames.shape[-2:]
    scale = side / min(height, width)
    size = [max(1, round(length * scale / 32)) * 32 for length in (height, width)]
    return F.interpolate(frames, size, mode="area")


def measured(model: Any, name: str, frames: torch.Tensor, look: str, *, steps: int) -> list[Row]:
    """The rows of one clip."""
    base = RestyleOptions(prompt=look, steps=steps, batch=4)

    def made(options: RestyleOptions) -> tuple[torch.Tensor, torch.Tensor]:
        restyler, numbers = prepare(model, options), range(len(frames))
        latents = restyle_frames(restyler, frames, numbers, own_guides(restyler)(numbers, frames))
        assert latents.source is not None  # restyle_frames gives it
        return model.codec.decode(latents.data).clamp(0, 1), model.codec.decode(latents.source).clamp(0, 1)

    def moved(pictures: torch.Tensor) -> float:
        return float(pictures.diff(dim=0).abs().mean()) if len(pictures) > 1 else float("nan")

    rows: list[Row] = []
    for method, settings in METHODS.items():
        edit = replace(base, **settings)
        back, alone = made(replace(edit, prompt=edit.source_prompt, guidance=1.0, variation=None))
        result, _ = made(edit)
        rows.append(
            Row(
                clip=name,
                method=method,
                evaluations=ordinary_evaluations(model.traits, edit),
                given_back=psnr(back, frames),
                beside_autoencoder=psnr(back, alone),
                from_source=psnr(result, frames),
                from_look=look_distance(frames, result, look),
                changes=moved(result) / moved(frames),
            )
        )
        print(f"{name}: {method}", file=sys.stderr, flush=True)
    return rows


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    head = (
        "| clip | method | evaluations a frame | given back | beside the autoencoder's | edit from the source "
        "| edit from the look | change from frame to frame |\n|---|---|---|---|---|---|---|---|\n"
    )
    return head + "".join(
        f"| {row.clip} | {row.method} | {row.evaluations} | {row.given_back:.1f} dB | {row.beside_autoencoder:.1f} dB "
        f"| {row.from_source:.1f} dB | {row.from_look:.2f} | {row.changes:.2f} |\n"
        for row in rows
    )


def main(words: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clip", type=Path, action="append", default=[], help="a clip beside the sample; repeat it")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--side", type=int, default=SIDE)
    parser.add_argument("--look", default="woodcut", choices=statistics().names, metavar="NAME")
    asked = parser.parse_args(words)
    model = load(resolve("embedded"), controls=("tile", "softedge"))
    rows: list[Row] = []
    for clip in (None, *asked.clip):
        frames = frames_of(clip, asked.frames, asked.side)
        rows += measured(model, "sample" if clip is None else clip.stem, frames, asked.look, steps=asked.steps)
    print(table(rows), end="")


if __name__ == "__main__":
    main()
