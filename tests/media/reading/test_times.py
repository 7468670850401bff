"""Timestamps that repeat, step back or are missing: only those move."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from vedit.cli.app import main
from vedit.errors import MediaError
from vedit.media.contract.identity import identity
from vedit.media.contract.verify import verify
from vedit.media.reading.index import predict, scan
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.reading.times import NO_PTS, mend, spelled
from vedit.media.writing.containers import CONTAINERS
from vedit.media.writing.copied_streams import check_timing
from vedit.types import FrameIndex, FrameRange

TICK = Fraction(1, 90000)
STEP = 3000


def mended(pts: Sequence[int], *, end: int | None = None, time_base: Fraction = TICK) -> tuple[int, ...]:
    return mend(pts, rate=Fraction(30), time_base=time_base, end=end).pts


@pytest.mark.parametrize(
    ("told", "right"),
    [
        # The one of two that leaves the most even steps is the one that stays.
        ([0, 3000, 9000, 9000, 12000], [0, 3000, 6000, 9000, 12000]),
        ([0, 3000, 6000, 6000, 12000], [0, 3000, 6000, 9000, 12000]),
        ([0, 3000, 6000, 6000, 6000, 15000], [0, 3000, 6000, 9000, 12000, 15000]),
        # A variable rate has no grid: between the neighbours.
        ([0, 1000, 9000, 9000, 11000, 30000], [0, 1000, 5000, 9000, 11000, 30000]),
        # A step back, a jump ahead, one that is missing.
        ([0, 3000, 1000, 9000, 12000], [0, 3000, 6000, 9000, 12000]),
        ([0, 3000, 60000, 9000, 12000], [0, 3000, 6000, 9000, 12000]),
        ([0, 3000, NO_PTS, 9000], [0, 3000, 6000, 9000]),
        # The first frame stays: what goes with the pictures is timed from it; unless it is the one that is wrong.
        ([0, 0, 3100, 6000], [0, 1550, 3100, 6000]),
        ([10**9, 3000, 6000, 9000], [0, 3000, 6000, 9000]),
        # At the end nothing follows: on like the others.
        ([0, 3000, 6000, 6000], [0, 3000, 6000, 9000]),
        # A clock that starts again goes on with its own steps.
        ([0, 3000, 6000, 9000, 0, 2000, 7000], [0, 3000, 6000, 9000, 12000, 14000, 19000]),
        # No tick is left between: the later ones make room.
        ([0, 1, 2, 2, 3, 4], [0, 1, 2, 3, 4, 5]),
    ],
)
def test_only_the_bad_times_move(told: list[int], right: list[int]) -> None:
    assert mended(told) == tuple(right)


def test_the_end_of_the_track_is_a_neighbour_too() -> None:
    assert mended([0, 1000, 4000, 4000], end=9000) == (0, 1000, 4000, 6500)
    # Not where it leaves no room: it is then the start of the last frame.
    assert mended([0, 1000, 4000, 4000], end=4001) == (0, 1000, 4000, 5000)


def test_a_grid_is_found_again_to_the_tick() -> None:
    grid = [round(n * 1000 / 30) for n in range(60)]
    told = [*grid[:20], grid[19], grid[19], *grid[22:]]
    found = mend(told, rate=Fraction(30), time_base=Fraction(1, 1000))
    assert (list(found.pts), found.moved) == (grid, (20, 21))


def test_times_in_no_order_are_replaced() -> None:
    found = mend([0, 2, 1, 4, 3, 6, 5, 8, 7], rate=Fraction(25), time_base=Fraction(1, 25))
    assert found.even and found.pts == tuple(range(9)) and len(found.moved) == 9
    assert mend([NO_PTS] * 3, rate=Fraction(25), time_base=Fraction(1, 25)).even


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.one_of(st.none(), st.integers(0, 90)))
def test_times_always_increase_and_unmoved_ones_are_the_files_own(told: list[int], end: int | None) -> None:
    found = mend(told, rate=Fraction(25), time_base=Fraction(1, 1000), end=end)
    assert all(a < b for a, b in pairwise(found.pts)) and len(found.pts) == len(told)
    assert all(found.pts[n] == told[n] for n in range(len(told)) if n not in found.moved)
    assert all(found.pts[n] != told[n] for n in found.moved) or found.even


def test_frames_are_spelled_out() -> None:
    assert spelled([30]) == "frame 30"
    assert spelled([3, 4]) == "frames 3 and 4"
    assert spelled(range(9)) == "frames 0, 1, 2, 3, 4 and 4 more"


def write(path: Path, times: Sequence[int], last: int = STEP) -> Path:
    """A clip whose packets say just these times, in ticks of 1/90000."""
    options = {"video_track_timescale": "90000"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", container_options=options) as output:
        stream: Any = output.add_stream("libx264", rate=30, options={"bf": "0", "g": "12", "crf": "20"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 48, "yuv420p", TICK
        stream.codec_context.time_base = Fraction(1, 30)
        packets: list[Any] = []
        for number in range(len(times)):
            image = np.full((48, 64, 3), 20 + 3 * number, np.uint8)
            frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for number, packet in enumerate(packets):
            # Decoding times increase by a tick, so that every container takes the pictures as they come.
            packet.time_base, packet.pts, packet.dts = TICK, times[number], number
            packet.duration = last if number == len(packets) - 1 else 0
            output.mux(packet)
    return path


def steady(count: int) -> list[int]:
    return [STEP * (n + 1) for n in range(count)]


def uneven(count: int) -> list[int]:
    """30 frames a second, then 10, as a phone writes when it gets dark."""
    half = count // 2
    return [STEP * (n + 1) for n in range(half)] + [STEP * (half + 3 * (n + 1)) for n in range(count - half)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
@pytest.mark.parametrize("kind", [steady, uneven])
@pytest.mark.parametrize("bad", [{10: 11}, {10: 9}, {5: 4, 17: 16}, {7: 3}, {12: 11, 13: 11}, {23: 22}])
def test_in_every_container(tmp_path: Path, suffix: str, kind: Any, bad: dict[int, int]) -> None:
    true = kind(24)
    told = [true[bad.get(number, number)] for number in range(24)]
    path = write(tmp_path / f"in{suffix}", told)
    with open_video(path) as reader:
        index = reader.index()
        assert len(index) == 24 and all(a < b for a, b in pairwise(index.pts))
        assert set(index.moved) <= set(bad) | set(bad.values()) and len(index.moved) <= len(bad)
        tick = 0 if suffix != ".mkv" else Fraction(1, 1000)
        for number in set(range(24)) - set(index.moved):
            assert abs(index.seconds(number) - (told[number] - told[0]) * TICK) <= tick
        (warning,) = reader.warnings
        assert spelled(index.moved) in warning and "every other frame stays" in warning
        if kind is steady:
            assert index.rate == 30 and index.moved == tuple(bad)
        assert predict(path, reader.metadata) is None
        assert int(reader.read(FrameRange(start=15, stop=16)).frames.mean()) == pytest.approx(20 + 3 * 15, abs=2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_was_moved_is_never_called_equal(tmp_path: Path, suffix: str) -> None:
    true = uneven(24)
    path = write(tmp_path / "in.mp4", [true[7] if n == 6 else true[n] for n in range(24)])
    result = identity(path, tmp_path / f"out{suffix}")
    assert result.report.ok
    report = verify(path, tmp_path / f"out{suffix}")
    (times,) = (check for check in report.checks if check.name == "frame times")
    assert times.ok and "save frame 6 that had to be moved" in times.expected
    (later,) = (
        check
        for check in verify(path, tmp_path / f"out{suffix}", frames=FrameRange(start=12, stop=24)).checks
        if check.name == "frame times"
    )
    assert "moved" not in later.expected


def test_a_result_whose_times_repeat_breaks_the_contract(tmp_path: Path) -> None:
    true = steady(24)
    good = write(tmp_path / "in.mp4", true)
    bad = write(tmp_path / "out.mp4", [true[7] if n == 6 else true[n] for n in range(24)])
    (times,) = (check for check in verify(good, bad).checks if check.name == "frame times")
    assert not times.ok and "frame 6" in times.found


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".gif"])
def test_a_clock_too_coarse_is_refused_before(suffix: str) -> None:
    index = FrameIndex(pts=(0, 3000, 3010, 6000), time_base=TICK, last_duration=3000, rate=None)
    with pytest.raises(MediaError, match=r"frame 1 is shown for 0\.000111 s"):
        check_timing(CONTAINERS[suffix], index)
    check_timing(CONTAINERS[".mp4"], index)


def test_a_clip_of_a_variable_rate_with_one_repeat(tmp_path: Path, cases: Path) -> None:
    path = cases / "media/dup.mp4"
    index = scan(path, probe(path)).frames
    assert index.moved == (30,) and index.seconds(60) == 2 and index.pts[29:32] == (87000, 90000, 93000)
    done = CliRunner().invoke(main, ["identity", str(path), "-o", str(tmp_path / "out.mp4")])
    assert done.exit_code == 0 and "frame 30" in done.output
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [frame.time for frame in container.decode(video=0)][60] == 2
