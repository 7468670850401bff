"""Ten-minute clips at every rate: no frame a tick off, no sound a tick off, counted with PyAV alone.

Times are seconds after the first video frame; what is allowed is one tick of the coarser of the two time bases where
they differ, and nothing where the output's ticks hold the source's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media_contract.clips import Measured, Timed, measure, write_timed
from tests.media_contract.conftest import FULL, Results
from tests.media_contract.peer import peer_drift
from vedit.media.contract.identity import identity

pytestmark = pytest.mark.media

SECONDS = 600 if FULL else 10
CONTAINERS = (".mp4", ".mov", ".mkv")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A rate and the ticks that it is written in."""

    name: str
    rate: Fraction
    time_base: Fraction
    step: int
    """Ticks of a frame; 0 is a variable rate."""
    timecode: str | None = None


RATES = (
    Rate(
        name="24000/1001", rate=Fraction(24000, 1001), time_base=Fraction(1, 24000), step=1001, timecode="10:00:00:00"
    ),
    Rate(
        name="30000/1001 drop-frame",
        rate=Fraction(30000, 1001),
        time_base=Fraction(1, 30000),
        step=1001,
        timecode="00:59:59;20",
    ),
    Rate(name="60000/1001", rate=Fraction(60000, 1001), time_base=Fraction(1, 60000), step=1001),
    Rate(name="25", rate=Fraction(25), time_base=Fraction(1, 12800), step=512, timecode="09:59:59:24"),
    Rate(name="50", rate=Fraction(50), time_base=Fraction(1, 90000), step=1800),
    Rate(name="variable", rate=Fraction(30), time_base=Fraction(1, 90000), step=0),
)
STARTS = {"0": Fraction(0), "+0.7337": Fraction(7337, 10000), "-0.2": Fraction(-1, 5)}
# At small scale each rate and container has one start, another one for its neighbour.
CASES = [
    (rate, suffix, start)
    for r, rate in enumerate(RATES)
    for c, suffix in enumerate(CONTAINERS)
    for s, start in enumerate(STARTS)
    if FULL or (r + c + s) % 3 == 0
]


def times(rate: Rate, start: Fraction) -> list[int]:
    """Presentation times in ticks; those of a variable rate are between 1/60 and 1/10 of a second apart."""
    first = round(start / rate.time_base)
    if rate.step:
        return [first + rate.step * n for n in range(int(SECONDS * rate.rate))]
    chance, found, end = random.Random(9), [first], (SECONDS + start) / rate.time_base
    while found[-1] < end:
        found.append(found[-1] + chance.randrange(1500, 9000))
    return found


@pytest.mark.parametrize(("rate", "suffix", "start"), CASES, ids=lambda value: getattr(value, "name", value))
def test_no_drift(rate: Rate, suffix: str, start: str, tmp_path: Path, results: Results) -> None:
    pts = times(rate, STARTS[start])
    source = write_timed(
        Timed(
            path=tmp_path / f"source{suffix}",
            pts=pts,
            time_base=rate.time_base,
            rate=rate.rate,
            last=rate.step or 3000,
            timecode=rate.timecode,
        )
    )
    before = measure(source)
    output = tmp_path / f"out{suffix}"
    report = identity(source, output).report
    assert report.ok
    after = measure(output)
    ticks, sound = apart(before, after)
    results.add(
        "drift",
        rate=rate.name,
        container=suffix,
        start=start,
        frames=len(after.times),
        minutes=round(float(after.video[-1]) / 60, 2),
        **{"ticks off, at most": str(ticks), "sound off, at most": f"{float(sound * 1000):g} ms"},
    )
    assert len(after.times) == len(before.times)
    assert after.time_base == before.time_base
    assert (ticks, sound) == (0, 0)
    assert after.sound == before.sound
    assert after.timecode == before.timecode == rate.timecode
    # The clip is what it claims to be: so long, at that rate, from there.
    hidden = sum(value < 0 for value in pts) if suffix != ".mkv" else 0
    assert len(before.times) == len(pts) - hidden
    if suffix != ".mkv":
        shown = pts[hidden:]
        assert before.video == tuple((value - shown[0]) * rate.time_base for value in shown)


def apart(before: Measured, after: Measured) -> tuple[Fraction, Fraction]:
    """The largest distances of a frame in ticks, and of a sound packet in seconds, beyond what rounding may do."""
    tick = max(before.time_base, after.time_base)
    frames = max(abs(a - b) for a, b in zip(before.video, after.video, strict=True)) / tick
    pairs = zip(before.sound_after_video, after.sound_after_video, strict=True)
    return frames, max(abs(a - b) for a, b in pairs)


def test_a_shift_is_seen(tmp_path: Path) -> None:
    """The measure is not blind: a clip whose frames are one tick late, or whose sound is, is told from the other."""
    rate = RATES[0]
    clip = Timed(
        path=tmp_path / "a.mov", pts=times(rate, Fraction(0))[:48], time_base=rate.time_base, rate=rate.rate, last=1001
    )
    late = [value + (n == 40) for n, value in enumerate(clip.pts)]
    a = measure(write_timed(clip))
    b = measure(
        write_timed(Timed(path=tmp_path / "b.mov", pts=late, time_base=rate.time_base, rate=rate.rate, last=1001))
    )
    assert apart(a, b) == (1, 0)
    moved = Timed(
        path=tmp_path / "c.mov",
        pts=clip.pts,
        time_base=rate.time_base,
        rate=rate.rate,
        last=1001,
        sound_start=Fraction(480, 48000),
    )
    c = measure(write_timed(moved))
    assert c.sound_after_video[0] - a.sound_after_video[0] == Fraction(1, 100)


@pytest.mark.skipif(not FULL, reason="diffusers is compared with in the full run")
@pytest.mark.parametrize("rate", RATES, ids=lambda rate: rate.name)
def test_what_diffusers_gives(rate: Rate, tmp_path: Path, results: Results) -> None:
    """The same clip through `encode_video` of diffusers, which the field's pipelines write their results with."""
    pts = times(rate, Fraction(0))
    source = write_timed(
        Timed(path=tmp_path / "source.mp4", pts=pts, time_base=rate.time_base, rate=rate.rate, last=rate.step or 3000)
    )
    before = measure(source)
    after = peer_drift(source, tmp_path / "peer.mp4", float(rate.rate))
    identity(source, tmp_path / "ours.mp4")
    ours = measure(tmp_path / "ours.mp4").video

    def late(found: tuple[Fraction, ...]) -> str:
        return f"{float(max(abs(a - b) for a, b in zip(before.video, found, strict=False))):.3f} s"

    results.add(
        "diffusers",
        rate=rate.name,
        frames=f"{len(after)} of {len(before.times)}",
        **{"largest difference of a frame's time": late(after), "vedit, same clip": late(ours)},
    )
    assert len(after) > 0
