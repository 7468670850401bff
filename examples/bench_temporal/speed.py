"""Seconds a frame of whole renders beside diffusers' ControlNet image-to-image in the same run: a table.

    python examples/bench_temporal/speed.py                               the sample clip, 24 frames, square and 16:9
    python examples/bench_temporal/speed.py --clip FILE --frames 48 --rounds 3 --only draft --only "draft, keyframes 8"

Every render begins anew, on the embedded model, from the file to the checked file; loading the model is left out on
both sides. The peer draws frame by frame, with the same weights in float32, control maps and prompt and as many
evaluations of the network; it inverts nothing, and reads, enlarges and writes its frames too. Renders take turns, so
that other work on the machine falls on all of them; medians. Core-seconds leave out the time that other programs took.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

# As the command line does: threads that spin while they wait slow small networks down. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import numpy as np
import torch
from temporal.peer import PEERS, Peer, write_rgb

from vedit.geometry import resize
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.options.request import QualityName, RenderRequest, RestyleOptions
from vedit.progress.spent import Profile, profiled
from vedit.render.run import restyle
from vedit.sample_clip.clip import RATE, sample_frames
from vedit.types import FrameRange

SIZES = {"square": (256, 256), "16:9": (448, 256)}
"""Width and height."""
LOOK = "woodcut"
SETTINGS: dict[str, tuple[QualityName, dict[str, Any]]] = {
    "draft": ("draft", {}),
    "draft, float32": ("draft", {"precision": "float32"}),
    "draft, keyframes 8": ("draft", {"keyframes": "8"}),
    "standard": ("standard", {}),
    "standard, float32": ("standard", {"precision": "float32"}),
    "standard, keyframes 8": ("standard", {"keyframes": "8"}),
}
"""What the table's rows are named -> the quality, and what is said beside it."""
PEER = "diffusers"
_STARTING = ("plan", "load")
"""Stages whose time does not grow with the frames, as the peer's loading is left out too."""


@dataclass
class Row:
    """Seconds of wall and processor time a frame, of each round."""

    seconds: list[float] = field(default_factory=list[float])
    cores: list[float] = field(default_factory=list[float])


def rendered(
    source: Path, folder: Path, quality: QualityName, said: dict[str, Any], *, side: int
) -> tuple[float, float]:
    """Seconds that one render took beyond starting, of wall time and of the processor's."""
    precision = said.get("precision", "auto")
    look = {name: value for name, value in said.items() if name != "precision"}
    options = RestyleOptions(prompt=LOOK, quality=quality, short_side=side, **look)
    target = folder / "out.mkv"
    writing = OutputOptions(codec="ffv1", overwrite=True)
    request = RenderRequest(source=source, output=target, options=options, precision=precision, writing=writing)
    with profiled(Profile(clock=time.process_time)) as profile:
        result = restyle(request)
    return (
        sum(seconds for stage, seconds in result.timings.items() if stage not in _STARTING),
        sum(one.seconds for one in profile.stages if one.stage not in _STARTING),
    )


def drawn(peer: Peer, source: Path, folder: Path, quality: QualityName, *, side: int) -> tuple[float, float]:
    """The same of the peer."""
    wall, cores = time.perf_counter(), time.process_time()
    peer.render(PEERS[0], source, folder / "peer.mkv", look=LOOK, quality=quality, short_side=side)
    return time.perf_counter() - wall, time.process_time() - cores


def cut(clip: Path | None, target: Path, size: tuple[int, int], frames: int) -> Path:
    """The middle of the first frames of a clip, or of the sample clip, at a size and without loss."""
    if clip is None:
        pictures = np.stack(list(sample_frames(frames)))
    else:
        with open_video(clip) as reader:
            pictures = reader.read(FrameRange(start=0, stop=min(frames, len(reader.index())))).frames[:, :3]
    height, width = pictures.shape[-2:]
    scale = max(size[0] / width, size[1] / height)
    held = (round(size[1] / scale), round(size[0] / scale))
    top, left = (height - held[0]) // 2, (width - held[1]) // 2
    found: list[Any] = []
    for picture in pictures[..., top : top + held[0], left : left + held[1]]:
        image = np.ascontiguousarray(picture.transpose(1, 2, 0), np.float32)
        small = resize(image, (size[1], size[0])) * (255 / np.iinfo(pictures.dtype).max)
        found.append(small.round().clip(0, 255).astype(np.uint8).transpose(2, 0, 1))
    return write_rgb(found, target, RATE)


def table(rows: dict[tuple[str, str], Row]) -> str:
    """Markdown; the ratio of a row is to the peer at the same size and quality."""
    lines = [
        "| size | what | s a frame | of the peer's | core-s a frame | of the peer's |",
        "|---|---|---|---|---|---|",
    ]
    for (size, name), row in rows.items():
        quality, _, _ = name.removeprefix(f"{PEER}, ").partition(",")
        theirs = rows[size, f"{PEER}, {quality}"]
        pairs = (row.seconds, theirs.seconds), (row.cores, theirs.cores)
        figures = [f"{median(own):.3f} | {median(own) / median(other):.2f}" for own, other in pairs]
        lines.append(f"| {size} | {name} | {' | '.join(figures)} |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="a clip; without it the sample clip")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=SETTINGS, help="a row; all where none is named")
    parser.add_argument("--size", action="append", choices=SIZES, help="all where none is named")
    parser.add_argument("--side", type=int, default=256, help="pixels of the shorter side that is worked at")
    said = parser.parse_args(words)
    chosen = {name: SETTINGS[name] for name in said.only or SETTINGS}
    os.environ["VEDIT_CACHE_GB"] = "0"  # nothing of a round is found by the next
    with tempfile.TemporaryDirectory() as place:
        folder, peer = Path(place), Peer("embedded")
        rows: dict[tuple[str, str], Row] = {}
        runs: dict[tuple[str, str], Callable[[], tuple[float, float]]] = {}
        for size in said.size or SIZES:
            clip = cut(said.clip, folder / f"{size.replace(':', '_')}.mkv", SIZES[size], said.frames)
            qualities: dict[QualityName, None] = dict.fromkeys(quality for quality, _ in chosen.values())
            for quality in qualities:
                runs[size, f"{PEER}, {quality}"] = partial(drawn, peer, clip, folder, quality, side=said.side)
            for name, (quality, more) in chosen.items():
                runs[size, name] = partial(rendered, clip, folder, quality, more, side=said.side)
        for number in range(said.rounds):
            for key, run in runs.items():
                seconds, cores = run()
                row = rows.setdefault(key, Row())
                row.seconds.append(seconds / said.frames)
                row.cores.append(cores / said.frames)
                print(f"round {number + 1}: {', '.join(key)}: {row.seconds[-1]:.3f} s a frame", file=sys.stderr)
    threads = f"{torch.get_num_threads()} threads on {os.cpu_count()} CPUs"
    load = f"load average {os.getloadavg()[0]:.1f}"
    print(f"{said.frames} frames, {said.rounds} rounds, {threads}, {load}\n\n{table(rows)}")


if __name__ == "__main__":
    main()
