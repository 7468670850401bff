"""What the autoencoder adds to a film by itself, and whether `strength` leads from the source to the look evenly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from trainer.looks import Look

from scores.data import Photographs, prompt_of
from scores.metrics import patch_sketch, sketch_distance
from scores.rendering import Subject
from scores.report import Bar, Cell, Table

NOISE = 2 / 255
"""Standard deviation of a sensor's noise."""
ROOM = 0.1
"""How far tones are drawn to grey, so that noise of six deviations stays inside [0, 1]."""
NOISE_LIMIT = 1.2
SHIFTS = range(1, 8)
SHIFT_LIMIT = 2.0
EDGE = 16
"""Pixels at the border that are left out: what lies outside the picture reaches in there."""
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)

Log = Callable[[str], None]


def steadiness_table(subject: Subject, photos: torch.Tensor, settings: str, *, frames: int = 8) -> Table:
    """A static shot with a sensor's noise, and a shot that pans by whole pixels, through the autoencoder alone."""
    generator = torch.Generator().manual_seed(0)
    given: list[torch.Tensor] = []
    made: list[torch.Tensor] = []
    for photo in photos:
        noise = torch.randn(frames, *photo.shape, generator=generator) * NOISE
        # Black and white are moved inwards: clipped noise would deviate less, by how much of the picture they cover.
        shot = photo.lerp(torch.tensor(0.5), ROOM) + noise
        given.append(temporal_deviation(shot))
        made.append(temporal_deviation(subject.through_autoencoder(shot.clamp(0, 1))))
    ratio = float(torch.stack(made).mean() / torch.stack(given).mean())
    rows: list[tuple[Cell, ...]] = [("noise of 2/255: deviation over time, output over input", ratio)]
    moved = {shift: shift_difference(subject, photos, shift) for shift in SHIFTS}
    rows += [(f"shifted by {shift} px: mean difference where both see it, of 255", moved[shift]) for shift in SHIFTS]
    return Table(
        title="Steadiness of the autoencoder",
        settings=settings,
        columns=("what", "figure"),
        rows=tuple(rows),
        bars=(
            Bar(what="deviation over time, of the input's", figure=ratio, sign="<=", limit=NOISE_LIMIT),
            Bar(
                what="shifted pictures differ by, of 255, the worst",
                figure=max(moved.values()),
                sign="<=",
                limit=SHIFT_LIMIT,
            ),
        ),
    )


def temporal_deviation(frames: torch.Tensor) -> torch.Tensor:
    """Mean over pixels of the standard deviation over time of (T, 3, H, W)."""
    return frames.std(dim=0).mean()


def shift_difference(subject: Subject, photos: torch.Tensor, shift: int) -> float:
    """Mean difference in 255ths between a crop and one `shift` pixels further, over what both show."""
    size = (photos.shape[-1] - max(SHIFTS)) // 32 * 32
    first, second = (subject.through_autoencoder(photos[..., :size, at : at + size]) for at in (0, shift))
    inner = slice(EDGE, size - EDGE)
    same = first[..., inner, shift + EDGE : size - EDGE] - second[..., inner, EDGE : size - shift - EDGE]
    return float(same.abs().mean() * 255)


def strength_table(subject: Subject, looks: Sequence[Look], held_out: Photographs, settings: str, log: Log) -> Table:
    """Colour distance to the target over the source's own, at five strengths; at 0 beside the autoencoder's picture."""
    source = held_out.sources()
    again = subject.through_autoencoder(source)
    rows: list[tuple[Cell, ...]] = []
    falling, off = 0, 0.0
    for look in looks:
        target = patch_sketch(held_out.targets(look))
        untouched = sketch_distance(patch_sketch(source), target)
        found: list[float] = []
        for strength in STRENGTHS:
            made = subject.frames(subject.options(prompt_of(look), strength=strength, cross_frame=False), source)
            if strength == 0:
                off = max(off, float((made - again).abs().max() * 255))
            found.append(sketch_distance(patch_sketch(made), target) / untouched)
        even = all(after < before for before, after in pairwise(found))
        falling += even
        rows.append((look.name, *found, "yes" if even else "no"))
        log(f"strength {look.name}: {', '.join(f'{value:.3f}' for value in found)}")
    return Table(
        title="Strength",
        settings=settings,
        columns=("look", *(f"{strength:g}" for strength in STRENGTHS), "falls throughout"),
        rows=tuple(rows),
        bars=(
            Bar(what="strength 0 beside the autoencoder, most, of 255", figure=off, sign="<=", limit=0.5),
            Bar(what="looks whose distance falls throughout", figure=falling, sign=">=", limit=len(rows)),
        ),
    )
