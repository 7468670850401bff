"""Restyle a clip from Python, in several looks, and say what came out.

    $ python examples/restyle.py input.mp4 --looks "woodcut" "night" --range 0..1
    input.mp4: 1280x720 h264, 48 frames at 24, 2 shots
    woodcut: 24 frames in 31.2 s -> input.woodcut.mp4
    night: 24 frames in 30.8 s -> input.night.mp4

Nothing is downloaded: the embedded model does the work, on the CPU where there is no GPU.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import vedit


def main() -> int:
    parser = argparse.ArgumentParser(description="Restyle a clip in several looks.")
    parser.add_argument("source", type=Path)
    parser.add_argument("--looks", nargs="+", default=["woodcut"], help="one prompt for each result")
    parser.add_argument("--range", dest="frames", help="part of the clip, for instance 0..1 (seconds)")
    parser.add_argument("--quality", choices=["draft", "standard", "high"], default="draft")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        describe(args.source)
        for look in args.looks:
            result = vedit.restyle(
                args.source,
                prompt=look,
                output=output_name(args.source, look),
                frames=args.frames,
                quality=args.quality,
                seed=args.seed,
                overwrite=True,
            )
            print(f"{look}: {result.frames} frames in {result.seconds:.1f} s -> {result.output}")
    except vedit.VeditError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def describe(source: Path) -> None:
    """One line on what the clip is."""
    with vedit.open_video(source) as reader:
        index, metadata = reader.index(), reader.metadata
        shots = vedit.detect_shots(reader)
    rate = "a variable rate" if index.rate is None else str(index.rate)
    size = f"{metadata.width}x{metadata.height}"
    print(f"{source.name}: {size} {metadata.codec}, {len(index)} frames at {rate}, {len(shots)} shots")


def output_name(source: Path, look: str) -> Path:
    """input.mp4, "pencil sketch" -> input.pencil-sketch.mp4"""
    slug = re.sub(r"\W+", "-", look.lower()).strip("-")
    return source.with_name(f"{source.stem}.{slug}{source.suffix}")


if __name__ == "__main__":
    sys.exit(main())
