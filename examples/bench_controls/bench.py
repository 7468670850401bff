"""Time flow and edges beside the bare OpenCV calls they are made of, and see that memory does not grow with the clip.

    python examples/bench_controls/bench.py                    the built-in sample picture, 1280x720
    python examples/bench_controls/bench.py --clip FILE        a clip of your own
    python examples/bench_controls/bench.py --rounds 21

The two sides of a ratio take turns, so that a busy machine slows both; medians are printed, and beside the clock the
processor's time, which other programs do not change. "Bare" starts from 8-bit frames as a decoder gives them and does
nothing but the OpenCV calls: both directions of DIS on grey frames at the flow's size; grey, blur and Canny.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import cv2
import numpy as np
import torch

from vedit.flow.estimate import FLOW_SIDE, flow_pairs
from vedit.preprocessors.canny import SIGMA, canny
from vedit.sample_clip.clip import sample_frames

if TYPE_CHECKING:
    import numpy.typing as npt

    Image = npt.NDArray[np.uint8]

HEIGHT, WIDTH = 720, 1280
PAIRS = 6
SECONDS, RATE = 2, 24


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, help="frames to measure on, in place of the sample picture")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def images(clip: Path | None, count: int) -> list[Image]:
    """Frames (720, 1280, 3), there and back again."""
    if clip is None:
        source = [np.ascontiguousarray(frame.transpose(1, 2, 0)) for frame in sample_frames(min(count, 12))]
    else:
        import av

        with av.open(str(clip)) as container:
            frames = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
            source = [frame for frame, _ in zip(frames, range(min(count, 12)), strict=False)]
    sized = [cast("Image", cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)) for image in source]
    swing = sized + sized[-2:0:-1]
    return [swing[number % len(swing)] for number in range(count)]


def as_tensor(frames: list[Image]) -> torch.Tensor:
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).contiguous().float() / 255


def take_turns(bare: Callable[[], Any], ours: Callable[[], Any], rounds: int) -> tuple[float, float, float, float]:
    """Median seconds of the clock, then of the processor: bare, ours, bare, ours."""
    seconds: dict[str, list[float]] = {"bare": [], "ours": [], "bare cpu": [], "ours cpu": []}
    for number in range(rounds + 1):
        for name, work in (("bare", bare), ("ours", ours)):
            clock, processor = time.perf_counter(), time.process_time()
            work()
            if number:  # the first round warms up
                seconds[name].append(time.perf_counter() - clock)
                seconds[f"{name} cpu"].append(time.process_time() - processor)
    bare_clock, ours_clock, bare_processor, ours_processor = (median(values) for values in seconds.values())
    return bare_clock, ours_clock, bare_processor, ours_processor


def flow_ratio(frames: list[Image], rounds: int) -> tuple[float, float, float, float]:
    """Both directions and occlusion against both directions of DIS, from frames of the flow's size."""
    size = (FLOW_SIDE * WIDTH // HEIGHT, FLOW_SIDE)
    small = [cast("Image", cv2.resize(image, size, interpolation=cv2.INTER_AREA)) for image in frames]
    tensor = as_tensor(small)
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    start = cast("cv2.typing.MatLike", None)

    def bare() -> None:
        grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in small]
        for first, second in pairwise(grey):
            dis.calc(first, second, start)
            dis.calc(second, first, start)

    return take_turns(bare, lambda: list(flow_pairs([tensor])), rounds)


def edge_ratio(frames: list[Image], rounds: int) -> tuple[float, float, float, float]:
    tensor = as_tensor(frames)

    def bare() -> None:
        for image in frames:
            cv2.Canny(cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), SIGMA), 100, 200)

    return take_turns(bare, lambda: canny(tensor), rounds)


def stream(frames: list[Image], count: int) -> Iterator[torch.Tensor]:
    for number in range(0, count, 4):
        yield as_tensor([frames[index % len(frames)] for index in range(number, min(number + 4, count))])


def peak(clip: Path | None, count: int) -> float:
    """Megabytes at the peak of a process that does nothing but the flow of `count` frames."""
    command = [sys.executable, __file__, "--memory", str(count), *(["--clip", str(clip)] if clip else [])]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    options = arguments()
    if options.memory:
        for _ in flow_pairs(stream(images(options.clip, 12), options.memory)):
            pass
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    frames = images(options.clip, PAIRS + 1)
    print(
        f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, OpenCV {cv2.__version__}, {options.rounds} rounds"
    )
    for name, bar, count, ratio in (
        (f"flow both ways and occlusion, {FLOW_SIDE} lines", 1.3, PAIRS, flow_ratio),
        ("canny, 720 lines", 1.3, PAIRS + 1, edge_ratio),
    ):
        bare, ours, bare_cpu, ours_cpu = ratio(frames, options.rounds)
        milli = [f"{1000 * value / count:.1f}" for value in (bare, ours, bare_cpu, ours_cpu)]
        print(
            f"{name}: clock {milli[1]} ms against {milli[0]} bare = {ours / bare:.2f}x; "
            f"processor {milli[3]} against {milli[2]} = {ours_cpu / bare_cpu:.2f}x; asked at most {bar}x"
        )
    tensors = list(stream(images(options.clip, 12), SECONDS * RATE))
    clock, processor = time.perf_counter(), time.process_time()
    pairs = sum(len(flow.forward) for flow in flow_pairs(tensors))
    took, worked = time.perf_counter() - clock, time.process_time() - processor
    print(
        f"{SECONDS} s of 720p at the default flow size, {pairs} pairs: {took:.2f} s of the clock, "
        f"{worked:.2f} s of the processor; asked at most 4 s"
    )
    lengths = (24, 240)
    print(
        "peak memory of the flow stream at 720p: "
        + ", ".join(f"{count} frames {peak(options.clip, count):.0f} MB" for count in lengths)
        + "; asked flat"
    )


if __name__ == "__main__":
    main()
