"""A moving result: a clip and what a look makes of it, side by side, as an animated WebP that a web page plays.

    $ python examples/moving.py -o docs/moving.webp
    docs/moving.webp: 24 frames of 724x240, 783 kB

Without a clip it is the sample clip that `vedit sample` draws. The picture in README was made by this command.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import vedit
from vedit.sample_clip.clip import write_sample

if TYPE_CHECKING:
    from vedit.types import IntFrames

DIVIDER = 4
"""Pixels of white between source and result."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?", help="a video; the sample clip where none is given")
    parser.add_argument("--result", type=Path, help="what was made of the clip already, in whole; nothing is rendered")
    parser.add_argument("--look", default="woodcut", help="the prompt")
    parser.add_argument("--quality", choices=["draft", "standard", "high"], default="draft")
    parser.add_argument("--range", dest="frames", help="part of the clip, for instance 0..2 (seconds)")
    parser.add_argument("--every", type=int, default=2, help="show each n-th frame, each n times as long")
    parser.add_argument("--width", type=int, default=360, help="pixels of each of the two pictures")
    parser.add_argument("--compression", type=int, default=60, help="quality of the WebP, 0 to 100")
    parser.add_argument("-o", "--output", type=Path, default=Path("moving.webp"))
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            clip: Path = args.clip or write_sample(Path(folder) / "sample.mp4").path
            output, first = args.result, 0
            if output is None:
                made = vedit.restyle(
                    clip,
                    prompt=args.look,
                    quality=args.quality,
                    frames=args.frames,
                    output=Path(folder) / "result.mov",
                    drop_unsupported=True,
                )
                output, first = made.output, made.first_frame
            source, restyled = vedit.open_video(clip), vedit.open_video(output)
            if len(source) < first + len(restyled):
                parser.error(f"{output} has {len(restyled)} frames and {clip} {len(source)}")
            shown = range(0, len(restyled), args.every)
            pairs = [(source[first + n], restyled[n]) for n in shown]
            rate = restyled.index().rate or Fraction(24)
            depth = source.metadata.bit_depth, restyled.metadata.bit_depth
    except vedit.VeditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    pictures = [beside(pair, depth, width=args.width) for pair in pairs]
    save(pictures, args.output, seconds=args.every / rate, compression=args.compression)
    width, height = pictures[0].size
    size = args.output.stat().st_size / 1000
    print(f"{args.output}: {len(pictures)} frames of {width}x{height}, {size:.0f} kB")
    return 0


def beside(pair: tuple[IntFrames, IntFrames], depth: tuple[int, int], *, width: int) -> Image.Image:
    """Source and result, (H, W, 3 or 4) of their depths each, in one picture."""
    halves: list[Image.Image] = []
    for frame, bits in zip(pair, depth, strict=True):
        picture = Image.fromarray((frame[..., :3] >> (bits - 8)).astype(np.uint8))
        halves.append(picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.LANCZOS))
    both = Image.new("RGB", (2 * width + DIVIDER, halves[0].height), "white")
    both.paste(halves[0], (0, 0))
    both.paste(halves[1], (width + DIVIDER, 0))
    return both


def save(pictures: list[Image.Image], path: Path, *, seconds: Fraction, compression: int) -> None:
    """Pictures as an animated WebP that plays for ever, each shown as long."""
    # Milliseconds are rounded at each picture's end, so that they add up to the clip's length.
    ends = [round(1000 * seconds * n) for n in range(len(pictures) + 1)]
    pictures[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=[after - before for before, after in pairwise(ends)],
        loop=0,
        quality=compression,
        method=6,
    )


if __name__ == "__main__":
    sys.exit(main())
