"""What a plan says a render will cost: fewer frames ask for less, and what is not changed is not counted as changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clips import CUT, FRAMES, two_shots
from tests.support.resolved import made_job
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render import peaks
from vedit.render.estimate import describe_job, estimate_memory, estimate_seconds
from vedit.render.job import Job
from vedit.types import Fit, FrameRange, Shot

OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft")


@pytest.fixture(autouse=True)
def unmeasured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What renders of other tests took is not known here; and the machine is that of the measurements."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))
    monkeypatch.setattr(peaks, "threads", lambda: 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Job:
    clip = two_shots(tmp_path_factory.mktemp("estimates") / "in.mov")
    return made_job(RenderRequest(source=clip, output=clip.parent / "out.mov", options=OPTIONS, device="cpu"))


def job_of(
    made: Job,
    frames: int = 24,
    size: tuple[int, int] = (960, 540),
    working: tuple[int, int] = (352, 192),
    **changes: object,
) -> Job:
    """The job with a single shot of so many frames, at these sizes (width, height) and under changed options."""
    whole, small = FrameRange(start=0, stop=frames), (working[1], working[0])
    return replace(
        made,
        request=replace(made.request, options=replace(OPTIONS, **changes)),  # pyright: ignore[reportArgumentType]
        metadata=replace(made.metadata, width=size[0], height=size[1]),
        frames=whole,
        shots=(Shot(number=1, frames=whole),),
        fit=Fit(source=(size[1], size[0]), inner=small, outer=small, top=0, left=0),
    )


def memory(job: Job) -> int:
    found = estimate_memory(job)
    assert found is not None
    assert found.device is None
    return found.host


def seconds(job: Job) -> float:
    found = estimate_seconds(job)
    assert found is not None
    return found


# Peak resident sets of whole renders, in GB: (frames, size, working size, quality, strength) of each. What is told
# holds for float32; a CPU that takes bfloat16 instead needs less (1.12 of the second of high quality).
MEASURED = [
    (8, (512, 512), (192, 192), "draft", 1.0, 0.76),
    (8, (512, 512), (192, 192), "draft", 0.0, 0.57),
    (16, (960, 506), (384, 192), "draft", 0.0, 0.70),
    (40, (960, 506), (384, 192), "draft", 1.0, 1.19),
    (16, (718, 718), (256, 256), "standard", 1.0, 0.94),
    (4, (720, 480), (576, 384), "high", 1.0, 0.91),
    (24, (960, 506), (512, 256), "standard", 1.0, 1.41),
    (8, (960, 506), (736, 384), "high", 1.0, 1.25),
    (60, (1920, 1080), (352, 192), "draft", 0.0, 1.12),
    (24, (1920, 1080), (448, 256), "draft", 1.0, 1.81),
    (8, (2160, 3840), (192, 352), "draft", 1.0, 1.81),
    (4, (7680, 4320), (352, 192), "draft", 1.0, 4.41),
]


@pytest.mark.parametrize(("frames", "size", "working", "quality", "strength", "measured"), MEASURED)
def test_memory_is_as_was_measured(
    made: Job,
    frames: int,
    size: tuple[int, int],
    working: tuple[int, int],
    quality: str,
    strength: float,
    measured: float,
) -> None:
    told = memory(job_of(made, frames, size, working, quality=quality, strength=strength)) / 1e9
    assert 0.95 * measured <= told <= 1.2 * measured


def test_what_keyframes_carry_is_counted(made: Job) -> None:
    """As was measured of 60 frames with one key in 8: 1.11 GB, and 1.24 of 600, in which files of the keys are."""
    plain = job_of(made, 60, (480, 320), (288, 192), quality="draft")
    options = replace(plain.request.options, keyframes="8")
    told = memory(replace(plain, request=replace(plain.request, options=options))) / 1e9
    assert 0.95 * 1.11 <= told <= 1.2 * 1.11


def test_small_batches_take_longer(made: Job) -> None:
    assert seconds(job_of(made, batch=1)) > seconds(job_of(made, batch=2)) > 1.1 * seconds(job_of(made, batch=8))


def test_fewer_frames_than_a_batch_or_a_window_ask_for_less_memory_and_more_than_a_window_for_no_more(
    made: Job,
) -> None:
    told = [memory(job_of(made, frames)) for frames in (1, 4, 8, 12, 24)]
    assert sorted(set(told)) == told
    assert told[-1] < memory(job_of(made, 60)) == memory(job_of(made, 240))
    pixel = 352 * 192
    # Four frames more in the batch and in the window, and four more that are finished together.
    assert told[2] - told[1] == 4 * (pixel * (150 + 125) + 960 * 540 * (12 + 2.5 + 4))


def test_the_longest_shot_decides_memory_not_the_clip(made: Job) -> None:
    one = job_of(made, 12)
    halves = tuple(Shot(number=n + 1, frames=FrameRange(start=6 * n, stop=6 * n + 6)) for n in range(2))
    assert memory(replace(one, shots=halves)) < memory(one)


def test_a_smaller_batch_or_window_asks_for_less(made: Job) -> None:
    full = memory(job_of(made))
    assert memory(job_of(made, batch=2)) < full
    assert memory(job_of(made, window=8)) < full


def test_larger_frames_ask_for_more(made: Job) -> None:
    sizes = [(960, 540), (1920, 1080), (3840, 2160)]
    told = [job_of(made, size=size) for size in sizes]
    assert sorted(map(memory, told)) == list(map(memory, told))
    assert sorted(map(seconds, told)) == list(map(seconds, told))
    worked = [job_of(made, working=working) for working in [(192, 128), (352, 192), (480, 256), (704, 384)]]
    assert sorted(map(memory, worked)) == list(map(memory, worked))
    assert sorted(map(seconds, worked)) == list(map(seconds, worked))


def test_time_has_a_start_and_then_goes_by_frames(made: Job) -> None:
    one, two = (seconds(job_of(made, frames)) for frames in (8, 16))
    assert 5 < one - (two - one) < 7
    # Frames that windows share, and the anchor that each has beside it, are done again.
    long = [seconds(job_of(made, frames)) for frames in (204, 404, 604)]
    assert long[1] - long[0] == pytest.approx(long[2] - long[1])
    assert 1.05 * (two - one) < (long[1] - long[0]) / 25 < 1.4 * (two - one)
    alone = job_of(made, 400, window=400, overlap=0)
    assert seconds(alone) - one == pytest.approx(49 * (two - one))


def test_what_strength_0_saves_is_not_counted(made: Job) -> None:
    changed, kept = job_of(made), job_of(made, strength=0.0)
    assert memory(kept) < memory(changed)
    assert 0.5 < seconds(kept) - seconds(job_of(made, 1, strength=0.0)) < 1.5
    assert seconds(kept) < seconds(job_of(made, strength=0.3)) < seconds(changed)


def test_start_and_files_are_counted_once_for_all_looks(made: Job) -> None:
    settled = made.request.options
    looks = {1: settled, 2: replace(settled, prompt="bronze")}
    several = replace(made, request=replace(made.request, looks=looks))
    assert len(several.looks()) == 2
    assert describe_job(several).seconds == pytest.approx(seconds(made))
    first = replace(made, request=replace(made.request, looks={1: looks[1]}))
    none = replace(made, request=replace(made.request, looks={}))
    second = replace(made, request=replace(made.request, looks={2: looks[1]}))
    loaded = 2.2
    parts = [seconds(part) - seconds(none) - loaded for part in (first, second, made)]
    assert parts[0] / parts[2] == pytest.approx(CUT / FRAMES, abs=0.06)
    assert parts[0] + parts[1] == pytest.approx(parts[2], abs=0.2)
    assert memory(none) < memory(first)
