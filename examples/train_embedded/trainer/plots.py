"""Pictures of a run: its loss curves, and sheets of looks and samples."""

import csv
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Tile = NDArray[np.uint8]  # (H, W, 3) RGB


def plot_losses(log: Path, out: Path) -> None:
    """Draw every column of a `loss.csv` but step, time and rate against the step; without a log, nothing."""
    if not log.is_file():
        return
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with log.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name not in {"step", "elapsed_s", "rate"}]
    figure, axes = pyplot.subplots(len(names), 1, figsize=(8, 2.4 * len(names)), squeeze=False, sharex=True)
    for name, axis in zip(names, axes[:, 0], strict=True):
        axis.plot([float(r["step"]) for r in rows], [float(r[name] or "nan") for r in rows], linewidth=0.8)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
    axes[-1, 0].set_xlabel("step")
    figure.tight_layout()
    figure.savefig(out, dpi=90)
    pyplot.close(figure)


def write_sheet(rows: list[list[Tile]], captions: list[str], out: Path) -> None:
    """Write a grid of pictures of equal size, one caption per column, drawn into the first row."""
    named = [[_captioned(tile, caption) for tile, caption in zip(rows[0], captions, strict=True)], *rows[1:]]
    _write_grid(named, out)


def write_rows(rows: list[list[Tile]], captions: list[str], out: Path) -> None:
    """Write a grid of pictures of equal size, one caption per row, drawn into its first picture."""
    _write_grid([[_captioned(row[0], text), *row[1:]] for row, text in zip(rows, captions, strict=True)], out)


def _captioned(tile: Tile, caption: str) -> Tile:
    tile = np.ascontiguousarray(tile).copy()
    for colour, width in ((0, 3), (255, 1)):
        cv2.putText(tile, caption, (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (colour,) * 3, width, cv2.LINE_AA)
    return tile


def _write_grid(rows: list[list[Tile]], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    grid = np.vstack([np.hstack(row) for row in rows])
    cv2.imwrite(str(out), np.ascontiguousarray(grid[..., ::-1]))
