"""What every reader of frames owes, run over PyAV and decord; and per file, whether decord may read it at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.media.reading.decord_table import table
from vedit.errors import InputError, MediaError, MissingExtraError
from vedit.media.reading import decord_reader
from vedit.media.reading.decord_reader import FAR, Agreement, DecordReader, Verdict, judge, may_be_same
from vedit.media.reading.read import Backend, open_video
from vedit.media.reading.reader import VideoReader
from vedit.protocols import Reader
from vedit.types import FrameRange

Make = Callable[..., Path]
BACKENDS: tuple[Backend, ...] = ("pyav", "decord")
needs_decord = pytest.mark.skipif(not decord_reader.available(), reason="decord is not installed")

# Of files that are made here: what sets them apart, and whether decord may read them.
MADE: dict[str, tuple[dict[str, object], Agreement]] = {
    "cfr": ({"name": "a.mp4", "frames": 40}, Agreement.CLOSE),
    "b-pyramid": (
        {"name": "a.mkv", "frames": 40, "options": {"bf": "3", "b-pyramid": "normal", "g": "15"}},
        Agreement.CLOSE,
    ),
    "444": ({"name": "a.mp4", "frames": 20, "pixel_format": "yuv444p", "size": (64, 48)}, Agreement.CLOSE),
    "vfr": ({"name": "a.mp4", "pts": [0, 100, 130, 500, 501, 900], "frames": 6}, Agreement.CLOSE),
    "start offset": ({"name": "a.mp4", "pts": [9009 + 1001 * n for n in range(20)]}, Agreement.NO),
    "ten bits": ({"name": "a.mp4", "pixel_format": "yuv420p10le"}, Agreement.NO),
    "rotation": ({"name": "a.mov", "rotation": (90, False)}, Agreement.NO),
    "alpha": (
        {"name": "a.webm", "codec": "libvpx-vp9", "pixel_format": "yuva420p", "options": {"b": "0"}, "frames": 4},
        Agreement.NO,
    ),
    "ffv1": ({"name": "a.mkv", "codec": "ffv1", "pixel_format": "yuv420p", "options": {}}, Agreement.NO),
}

# Of the test clips: files that decord must never read, by what it does to them.
NEVER = {
    "decord__video_90.mov": "rotation",
    "media__sample_rotate_and_reflect.mp4": "rotation or mirroring",
    "media__bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec.mp4": "a start offset",
    "media__sample_fragmented.mp4": "a start offset",
    "media__hdr10-video-with-sdr-container.mp4": "10 bits",
    "media__iibbibb_editlist_videoonly.mp4": "13 frames instead of 12",
    "media__sample_sef_slow_motion.mp4": "64 frames instead of 63",
    "mediabunny__transparency.webm": "transparency",
    "torchcodec__av1_video.mkv": "codec av1",
    "imageio-binaries__newtonscradle.gif": "codec gif",
}


def keeps_the_contract(reader: VideoReader) -> None:
    typed: Reader = reader
    index, meta = typed.index(), typed.metadata
    count = len(index)
    head = typed.read(FrameRange(start=0, stop=min(count, 9)))
    assert head.frames.shape == (min(count, 9), 4 if meta.has_alpha else 3, meta.height, meta.width)
    assert head.frames.dtype == (np.uint8 if meta.bit_depth == 8 else np.uint16)
    assert (head.pts, head.time_base, head.start) == (index.pts[:9], index.time_base, 0)
    assert all(a < b for a, b in zip(index.pts, index.pts[1:], strict=False))
    # By number, forwards and backwards, alone and in parts: always the same frame.
    far = typed.read(FrameRange(start=count - 1, stop=count)).frames[0]
    for number in sorted({0, min(count - 1, 7), min(count - 1, 3)}, reverse=True):
        assert np.array_equal(typed.read(FrameRange(start=number, stop=number + 1)).frames[0], head.frames[number])
    assert np.array_equal(typed.read(FrameRange(start=count - 1, stop=count)).frames[0], far)
    parts = list(typed.chunks(FrameRange(start=0, stop=min(count, 9)), 4))
    assert np.array_equal(np.concatenate([part.frames for part in parts]), head.frames)
    with pytest.raises(InputError):
        typed.read(FrameRange(start=0, stop=count + 1))
    with pytest.raises(InputError):
        typed.read(FrameRange(start=1, stop=1))


def shows_the_same_frames(reader: VideoReader, exact: VideoReader, slack: float) -> None:
    count = len(exact.index())
    assert reader.index() == exact.index()
    for number in sorted({0, 1 % count, count // 3, count // 2, count - 1}):
        one = FrameRange(start=number, stop=number + 1)
        far = np.abs(reader.read(one).frames.astype(int) - exact.read(one).frames).mean()
        assert far <= slack, number


def check(path: Path, backend: Backend) -> None:
    with open_video(path) as exact:
        if backend == "pyav":
            keeps_the_contract(exact)
            with VideoReader(exact.metadata, seek=False, scanned=exact.scanned()) as plain:
                shows_the_same_frames(exact, plain, 0)
            return
        verdict = judge(exact)
        if verdict.agreement is Agreement.NO:
            with pytest.raises(MediaError, match="cannot be read by decord"):
                DecordReader(exact, verdict)
            return
        with DecordReader(exact, verdict) as other:
            keeps_the_contract(other)
            shows_the_same_frames(other, exact, FAR)


@pytest.mark.parametrize("backend", ["pyav", pytest.param("decord", marks=needs_decord)])
@pytest.mark.parametrize("kind", MADE)
def test_made_files(make: Make, kind: str, backend: Backend) -> None:
    check(make(**MADE[kind][0]), backend)


@needs_decord
@pytest.mark.parametrize("kind", MADE)
def test_decord_is_judged_per_file(make: Make, kind: str) -> None:
    fields, expected = MADE[kind]
    path = make(**fields)
    with open_video(path) as exact:
        verdict = judge(exact)
    assert verdict.agreement is expected, verdict
    if expected is Agreement.NO:
        with pytest.raises(MediaError, match="cannot be read by decord"):
            open_video(path, backend="decord")
    else:
        with open_video(path, backend="decord") as forced:
            assert isinstance(forced, DecordReader)
    with open_video(path, backend="auto") as chosen:
        # Only frames that were all compared, bit for bit, let auto take it.
        assert not isinstance(chosen, DecordReader) or chosen.verdict.agreement is Agreement.SAME


@needs_decord
def test_auto_takes_decord_where_every_frame_is_the_same(make: Make) -> None:
    # Grey has no chroma to convert: 4:4:4 is then one table from luma to RGB in any library.
    path = make(name="a.mkv", frames=12, pixel_format="yuv444p", color=(16, 16, 16), tags=None)
    with open_video(path, backend="pyav") as exact:
        assert may_be_same(exact.metadata)
        verdict = judge(exact, every_frame=True)
        reference = exact.read(FrameRange(start=0, stop=12)).frames
    with open_video(path, backend="auto") as chosen:
        assert verdict.agreement is Agreement.SAME and isinstance(chosen, DecordReader)
        assert np.array_equal(chosen.read(FrameRange(start=0, stop=12)).frames, reference)


@needs_decord
def test_a_reader_that_swaps_frames_is_found_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=30)
    opened = decord_reader._opened  # pyright: ignore[reportPrivateUsage]

    class Late:
        """decord, one frame late from frame 10 on."""

        def __init__(self, path: Path) -> None:
            self.inner = opened(path)

        def __len__(self) -> int:
            return len(self.inner)

        def __getitem__(self, number: int) -> object:
            return self.inner[number - 1 if number >= 10 else number]

        def get_frame_timestamp(self, numbers: list[int]) -> object:
            return self.inner.get_frame_timestamp(numbers)

    monkeypatch.setattr(decord_reader, "_opened", Late)
    with open_video(path) as exact:
        verdict = judge(exact)
    assert verdict.agreement is Agreement.NO
    assert "is another one" in verdict.reason


def test_without_decord_the_extra_is_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=2)
    monkeypatch.setattr(decord_reader, "available", lambda: False)
    with open_video(path, backend="auto") as reader:
        assert not isinstance(reader, DecordReader)
    with pytest.raises(MissingExtraError, match=r"vedit\[decord\]"):
        open_video(path, backend="decord")


@needs_decord
def test_the_table_has_a_row_per_file(make: Make, sound_only: Path) -> None:
    told = table([make(frames=3), sound_only]).splitlines()
    assert told[0] == "| file | decord | why |"
    assert told[2].startswith("| clip.mp4 | close | 3 of 3 frames compared")
    assert told[3] == "| sound.m4a | no | not readable at all |"


def clips(folder: Path) -> Iterator[Path]:
    yield from sorted(path for kind in ("torture", "real") for path in (folder / kind).iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["pyav", pytest.param("decord", marks=needs_decord)])
def test_every_clip(clips_dir: Path, backend: Backend) -> None:
    for path in clips(clips_dir):
        check(path, backend)


@needs_decord
def test_clips_that_decord_must_not_read(clips_dir: Path) -> None:
    for name, reason in NEVER.items():
        with open_video(clips_dir / "torture" / name) as exact:
            verdict: Verdict = judge(exact)
        assert verdict.agreement is Agreement.NO, name
        assert reason in verdict.reason, (name, verdict.reason)
