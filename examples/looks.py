"""A contact sheet of looks: one frame of each clip, as it is and under every prompt.

$ python examples/looks.py clip.mp4 other.mp4 --look night --look "pencil sketch" -o looks.png
looks.png
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vedit.display.contact_sheet import contact_sheet
from vedit.finishing.upsample import upsample_change
from vedit.geometry import fit, unfit, working_fit
from vedit.media.reading.read import open_video
from vedit.models.family import Model
from vedit.models.load import load
from vedit.models.recipes import by_recipe
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.ranges import to_integer
from vedit.types import Clip, FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

LOOKS = ("woodcut", "engraving", "pencil sketch", "bronze", "marble", "ice", "night", "neon", "poster")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="+", help="videos")
    parser.add_argument("--look", action="append", help="a prompt; repeatable")
    parser.add_argument("--frame", type=int, default=20, help="which frame of each clip, counted from 0")
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--quality", default="standard")
    parser.add_argument("--short-side", type=int, help="pixels at which the model works; the quality's own by default")
    parser.add_argument("--columns", type=int, help="cells in a row; a row for each clip where it is not given")
    parser.add_argument("--width", type=int, default=320, help="pixels of a cell")
    parser.add_argument("-o", "--output", type=Path, default=Path("looks.png"))
    args = parser.parse_args()
    looks: list[str] = args.look or list(LOOKS)
    found = resolve(args.model)
    model = load(found, controls=("tile", "softedge"))
    options = RestyleOptions(quality=args.quality, short_side=args.short_side)
    rows: list[list[IntFrames]] = []
    labels: list[list[str]] = []
    for path in args.clips:
        with open_video(path) as reader:
            clip = reader.read(FrameRange(start=args.frame, stop=args.frame + 1))
        asked = (by_recipe(replace(options, prompt=look), found) for look in looks)
        cells = [to_eight_bits(clip), *(restyled(model, clip, each) for each in asked)]
        columns: int = args.columns or len(cells)
        for first in range(0, len(cells), columns):
            rows.append(cells[first : first + columns])
            labels.append(["source", *looks][first : first + columns])
    print(contact_sheet(rows, labels, args.output, cell_width=args.width))


def restyled(model: Model, clip: Clip, options: RestyleOptions) -> IntFrames:
    """One frame under a prompt, (3, H, W) of 8 bits at the source's size."""
    height, width = clip.frames.shape[-2:]
    short_side = options.resolved().short_side
    place = working_fit(
        (height, width),
        short_side=short_side,
        multiple_of=model.traits.size_multiple,
        minimum=model.traits.minimum_side,
    )
    frames = fit(clip, place)
    restyler = prepare(model, options)
    latents = restyle_frames(restyler, frames, [clip.start], own_guides(restyler)([clip.start], frames))
    seen = unfit(model.codec.decode(model.codec.encode(frames)), place)
    result = unfit(model.codec.decode(latents.data), place)
    return to_integer(upsample_change(clip.frames[:, :3], seen, result, bit_depth=clip.bit_depth), 8)[0]


def to_eight_bits(clip: Clip) -> IntFrames:
    """The clip's first frame, (3, H, W)."""
    return to_integer(torch.from_numpy(clip.frames[0, :3] / (2**clip.bit_depth - 1)), 8)


if __name__ == "__main__":
    main()
