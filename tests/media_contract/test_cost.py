"""What the way through costs: memory that does not grow with the clip's length, and a rate near that of a bare loop."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import pytest
from av.video.frame import VideoFrame

from tests.media_contract.conftest import FULL, Results
from tests.media_contract.test_exactness import Coded, scene, write_source
from tests.support.forked import ROOT
from vedit.media.contract.identity import identity
from vedit.media.reading.read import open_video
from vedit.media.writing.output_plan import plan_output

if TYPE_CHECKING:
    from av.video.stream import VideoStream

pytestmark = pytest.mark.media

MEMORY_RATE = 2
"""Frames per second of the long 1080p clips: half an hour is 3,600 pictures, which take minutes and not an hour."""
SIZE = (1920, 1080) if FULL else (320, 180)
SHORT, LONG = (60, 1800) if FULL else (6, 24)
"""Seconds. The shorter is longer than what an encoder holds to look ahead (60 frames), which fills only once."""
RATE = MEMORY_RATE if FULL else 25
GROWTH = 1.10
LEAST = 0.8
"""Of the bare loop's rate; held in the full run only, on the median of three turns."""
PROGRAM = """
import json, re, resource, sys
from pathlib import Path
from vedit.media.contract.identity import identity
done = identity(sys.argv[1], sys.argv[2])
status = Path("/proc/self/status")
if status.exists():
    # What getrusage tells begins with the size of the process that started this one.
    peak = int(re.search(r"VmHWM:\\s+([0-9]+)", status.read_text())[1]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"frames": done.frames, "seconds": done.seconds, "peak": peak, "torch": "torch" in sys.modules}))
"""


def long_clip(path: Path, seconds: int) -> Path:
    """H.264 that is cheap to decode: a still scene with a bar that moves, all key frames a second apart."""
    width, height = SIZE
    with av.open(f"file:{path}", "w") as output:
        options = {"preset": "ultrafast", "crf": "30", "bf": "0", "g": str(RATE)}
        stream = output.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        image = scene(0, width, height)
        for number in range(seconds * RATE):
            shown = image.copy()
            left = (8 * number) % (width - 16)
            shown[height // 3 : height // 2, left : left + 16] = 255
            frame = VideoFrame.from_ndarray(shown, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def rendered(source: Path, output: Path) -> dict[str, Any]:
    """An identity render in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(source), str(output)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_memory_is_flat(tmp_path: Path, results: Results) -> None:
    peaks: list[int] = []
    for seconds in (SHORT, LONG):
        found = rendered(long_clip(tmp_path / f"{seconds}.mp4", seconds), tmp_path / f"{seconds}.out.mp4")
        assert found["frames"] == seconds * RATE
        assert not found["torch"]
        peaks.append(found["peak"])
        results.add(
            "memory",
            clip=f"{SIZE[0]}x{SIZE[1]}, {RATE} frames/s",
            length=f"{seconds} s" if seconds < 60 else f"{seconds // 60} min",
            frames=found["frames"],
            **{"peak RSS": f"{found['peak'] / 2**20:.0f} MiB", "seconds": f"{found['seconds']:.0f}"},
        )
    assert peaks[1] <= GROWTH * peaks[0]


def bare(source: Path, output: Path, codec: str, options: dict[str, str]) -> tuple[int, float]:
    """Decode and encode with PyAV alone, the frames handed on as they are; frames and seconds."""
    began, count = time.monotonic(), 0
    with av.open(f"file:{source}") as reader, av.open(f"file:{output}", "w") as writer:
        video = reader.streams.video[0]
        video.thread_type = "AUTO"
        stream = cast("VideoStream", writer.add_stream(codec, rate=video.average_rate, options=options))
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, video.pix_fmt or "yuv420p"
        stream.codec_context.thread_type = "AUTO"
        for frame in reader.decode(video):
            frame.pict_type = 0
            writer.mux(stream.encode(frame))
            count += 1
        writer.mux(stream.encode(None))
    return count, time.monotonic() - began


def test_throughput_beside_a_bare_loop(tmp_path: Path, results: Results) -> None:
    size = (1920, 1080) if FULL else (320, 184)
    coded = Coded(pixel_format="yuv420p", matrix="bt709", full=False)
    source = write_source(tmp_path / "source.mp4", coded, 300 if FULL else 10, size, crf=20)
    with open_video(source) as reader:
        encoding = plan_output(tmp_path / "planned.mp4", reader.metadata, reader.index()).encoding
    ratios: list[float] = []
    for turn in range(3 if FULL else 1):
        began = time.process_time()
        count, seconds = bare(source, tmp_path / f"bare{turn}.mp4", encoding.codec, dict(encoding.options))
        worked = time.process_time() - began
        done = identity(source, tmp_path / f"out{turn}.mp4")
        took = time.process_time() - began - worked
        assert done.frames == count
        ratios.append(seconds / done.seconds)
        results.add(
            "throughput",
            clip=f"{size[0]}x{size[1]}, {count} frames",
            encoder=f"{encoding.codec} {' '.join(f'{key}={value}' for key, value in encoding.options.items())}",
            **{
                "bare PyAV": f"{count / seconds:.1f} frames/s",
                "identity, check included": f"{count / done.seconds:.1f} frames/s",
                "ratio": f"{ratios[-1]:.2f}",
                "ratio of CPU time": f"{worked / took:.2f}",
            },
        )
    if FULL:
        assert sorted(ratios)[len(ratios) // 2] >= LEAST
