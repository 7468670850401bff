"""Edit a clip shot by shot: list the shots, look at one under an edit, then render two of them.

    python examples/per_shot.py input.mp4 out.mp4

Shots that are named in no edit equal the source's pixels before encoding.
"""

from __future__ import annotations

import sys
from pathlib import Path

import vedit


def edit_shots(source: Path, output: Path) -> None:
    """The first shot as a woodcut, the last one as a pencil sketch that keeps more of the source."""
    with vedit.open_video(source) as video:
        print(video.shots)
        carve = vedit.Edit("woodcut", seed=3)
        sketch = vedit.Edit("pencil sketch", controls=["tile:0.8", "softedge"], strength=0.8)
        print(video.shots[1].preview(carve).save(output.with_suffix(".shot1.png")))
        edits = {len(video.shots): sketch, 1: carve}
        result = video.render(output, edits, overwrite=True, keep_frames=True, on_note=print)
        print(f"{result.output}: {result.frames} frames in {result.seconds:.0f} s")


if __name__ == "__main__":
    edit_shots(Path(sys.argv[1]), Path(sys.argv[2]))
