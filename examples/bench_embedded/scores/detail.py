"""Detail at full size, for looks that keep it; and the sheet to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from trainer.looks import Look, look_named
from trainer.styles import dress

from scores.data import SEED, prompt_of, read_frames
from scores.metrics import gradient_energy, luma_variance
from scores.rendering import Subject
from scores.report import Bar, Cell, Table
from vedit.display.contact_sheet import contact_sheet
from vedit.finishing.upsample import upsample_change
from vedit.geometry import fit, unfit, working_fit
from vedit.ranges import to_integer, to_unit
from vedit.types import Clip

CLIPS = (("sam2__01_dog.mp4", 37), ("sam2__03_blocks.mp4", 37), ("sam2__04_coffee.mp4", 37))
"""720p."""
KEEPING = ("night", "sepia", "winter")
LIMIT = 0.6
SHEET_CLIPS = (
    ("tokenflow__woman-running.mp4", 20),
    ("sam2__04_coffee.mp4", 37),
    ("imageio-binaries__cockatoo.mp4", 20),
)

Log = Callable[[str], None]


def detail_table(
    subject: Subject, looks: Sequence[Look], folder: Path, *, frames: int, settings: str, log: Log
) -> Table:
    """Gradient energy over the source's, as vedit finishes it and by Lanczos.

    A look that darkens has less of it however sharp it is, by the square of the contrast. So beside it stand what the
    training style itself scores at full size, and the result's ratio per luma variance; the bar is on the plain one.
    """
    rows: list[tuple[Cell, ...]] = []
    for name, start in CLIPS:
        clip = read_frames(folder / name, start=start, count=frames)
        source = to_unit(clip.frames[:, :3], clip.bit_depth)
        energy, variance = gradient_energy(source), luma_variance(source)
        for look in looks:
            small = _small(subject, clip, prompt_of(look))
            guided, lanczos = (
                upsample_change(clip.frames[:, :3], *small, method=method, bit_depth=clip.bit_depth)
                for method in ("guided", "lanczos")
            )
            kept, plain, style = (gradient_energy(p) / energy for p in (guided, lanczos, _styled(source, look)))
            contrast = luma_variance(guided) / variance
            rows.append((name, look.name, kept, plain, style, kept / contrast))
            log(f"detail {name}, {look.name}: {kept:.3f}, lanczos {plain:.3f}, the style itself {style:.3f}")
    return Table(
        title="Detail",
        settings=settings,
        columns=("clip", "look", "result", "lanczos", "the training style", "result per variance"),
        rows=tuple(rows),
        bars=tuple(
            Bar(
                what=f"gradient energy over the source's, {look.name}, the least of the clips",
                figure=min(float(row[2]) for row in rows if row[1] == look.name),
                sign=">=",
                limit=LIMIT,
                remark=f"the training style has {fmean(float(row[4]) for row in rows if row[1] == look.name):.2f}",
            )
            for look in looks
        ),
    )


def write_sheet(subject: Subject, looks: Sequence[Look], folder: Path, path: Path, *, log: Log) -> Table:
    """One frame of each clip as it is and under each look, at the source's size."""
    cells, labels = [], []
    for name, start in SHEET_CLIPS:
        clip = read_frames(folder / name, start=start, count=1)
        row = [to_integer(to_unit(clip.frames[:, :3], clip.bit_depth), 8)[0]]
        for look in looks:
            small = _small(subject, clip, prompt_of(look))
            row.append(to_integer(upsample_change(clip.frames[:, :3], *small, bit_depth=clip.bit_depth), 8)[0])
            log(f"sheet {name}, {look.name}")
        cells.append(row)
        labels.append(["source", *(look.name for look in looks)])
    path.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(cells, labels, path)
    return Table(title="Sheet", settings=f"{len(cells)} clips, {len(looks)} looks: {path}", columns=(), rows=())


def keeping(looks: Sequence[Look]) -> tuple[Look, ...]:
    """The looks that keep detail, among those asked for; all of them where none is."""
    return tuple(look for look in looks if look.name in KEEPING) or tuple(look_named(name) for name in KEEPING)


def _small(subject: Subject, clip: Clip, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Source as the autoencoder returns it, and result, both at the working size: what `vedit.render.run` finishes."""
    options = subject.options(prompt)
    size = (clip.frames.shape[-2], clip.frames.shape[-1])
    multiple = subject.model.traits.size_multiple
    place = working_fit(size, short_side=options.resolved().short_side, multiple_of=multiple, minimum=128)
    frames = fit(clip, place)
    return unfit(subject.through_autoencoder(frames), place), unfit(subject.frames(options, frames), place)


def _styled(source: torch.Tensor, look: Look) -> torch.Tensor:
    """The training style on the full-size frames."""
    pictures = (np.ascontiguousarray(picture.permute(1, 2, 0).numpy()) for picture in source)
    dressed = [dress(picture, (look,), np.random.default_rng(SEED)) for picture in pictures]
    return torch.from_numpy(np.stack(dressed)).permute(0, 3, 1, 2)
