"""Probing and reading: what is said of a file, exact frames by number, colour, orientation, damaged and bad files."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vedit.errors import InputError, MediaError
from vedit.media.reading import limits
from vedit.media.reading.decode import Decoder
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.types import Clip, FrameRange

Make = Callable[..., Path]


def whole(path: Path) -> Clip:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index())))


def close(a: Any, b: Any, levels: float) -> bool:
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean()) <= levels


def never(*_: object) -> None:
    pytest.fail("this must not be called")


def test_probe_tells_the_headers(make: Make, sound: Callable[..., object]) -> None:
    path = make(
        name="a.mov",
        aspect=Fraction(4, 3),
        timecode="01:00:00:00",
        title="A film",
        sounds=(sound(language="eng"), sound(language="ger", codec="pcm_s16le")),
        chapters=((0, 400), (400, 900)),
    )
    found = probe(path)
    assert found.path == path and found.path.is_absolute()
    assert (found.codec, found.width, found.height, found.bit_depth, found.has_alpha) == ("h264", 64, 48, 8, False)
    assert found.sample_aspect_ratio == Fraction(4, 3)
    assert found.average_rate == Fraction(24000, 1001)
    assert (found.declared_frames, found.duration) == (24, Fraction(1001, 1000))
    assert (found.color.primaries, found.color.transfer, found.color.matrix, found.color.full_range) == (1, 1, 1, False)
    assert found.timecode == "01:00:00:00"
    assert [(track.codec, track.language) for track in found.audio] == [("aac", "eng"), ("pcm_s16le", "ger")]
    assert found.chapters == 2
    assert found.metadata["title"] == "A film"


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("flip", [False, True])
def test_frames_come_in_display_orientation(make: Make, draw: Callable[..., Any], degrees: int, flip: bool) -> None:
    # Files say counter-clockwise turns; a flip comes after the turn.
    path = make(name="turned.mov", frames=2, rotation=(degrees, flip), aspect=Fraction(2))
    shown = np.rot90(draw(0, 64, 48), k=degrees // 90)
    shown = shown[:, ::-1] if flip else shown
    clip = whole(path)
    meta = probe(path)
    turned = degrees in (90, 270)
    assert (meta.width, meta.height) == ((48, 64) if turned else (64, 48))
    assert meta.sample_aspect_ratio == (Fraction(1, 2) if turned else Fraction(2))
    assert (meta.rotation, meta.mirrored) == ((-degrees) % 360, flip)
    assert clip.frames.shape == (2, 3, meta.height, meta.width)
    assert close(clip.frames[0].transpose(1, 2, 0), shown, 4)


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.avi", "b.ts"])
def test_any_frame_by_number_equals_the_sequential_decode(make: Make, name: str) -> None:
    path = make(name=name, frames=60, options={"bf": "3", "g": "15", "crf": "20"}, rate=Fraction(25))
    reference = whole(path).frames
    assert len(reference) == 60  # the frames held back for reordering are flushed
    with open_video(path) as reader:
        for number in (59, 0, 31, 30, 14, 15, 16, 44, 1, 58):
            clip = reader.read(FrameRange(start=number, stop=number + 1))
            assert np.array_equal(clip.frames[0], reference[number]), number
            assert clip.start == number
        parts = list(reader.chunks(FrameRange(start=7, stop=47), 16))
        assert [len(part) for part in parts] == [16, 16, 8]
        assert np.array_equal(np.concatenate([part.frames for part in parts]), reference[7:47])


def test_reading_on_does_not_seek(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=40)
    with open_video(path) as reader:
        reader.read(FrameRange(start=5, stop=10))
        monkeypatch.setattr(Decoder, "seek", never)
        reader.read(FrameRange(start=10, stop=20))


def test_a_file_that_seeks_to_the_wrong_place_is_decoded_from_the_start(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(frames=40)
    reference = whole(path).frames
    seek = Decoder.seek

    def too_far(decoder: Decoder, _pts: int) -> bool:
        return seek(decoder, 10**9)

    monkeypatch.setattr(Decoder, "seek", too_far)
    with open_video(path) as reader:
        for number in (30, 3, 39):
            assert np.array_equal(reader.read(FrameRange(start=number, stop=number + 1)).frames[0], reference[number])


def test_variable_rate_is_kept(make: Make) -> None:
    pts = [0, 3003, 9009, 10000, 40000, 40001, 61111]
    path = make(name="vfr.mp4", pts=pts, time_base=Fraction(1, 90000), last_duration=12345)
    with open_video(path) as reader:
        index = reader.index()
    assert index.pts == tuple(pts)
    assert (index.rate, index.time_base, index.last_duration) == (None, Fraction(1, 90000), 12345)
    assert index.seconds(2) == Fraction(9009, 90000)


@pytest.mark.parametrize("matrix", [1, 6])
@pytest.mark.parametrize("full", [1, 2])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_colour_comes_back(make: Make, matrix: int, full: int, pixel_format: str) -> None:
    path = make(
        frames=2,
        tags=(matrix, matrix, matrix, full),
        color=(200, 60, 30),
        pixel_format=pixel_format,
        options={"crf": "1"},
    )
    clip = whole(path)
    assert clip.bit_depth == (10 if pixel_format.endswith("10le") else 8)
    scale = ((1 << clip.bit_depth) - 1) / 255
    error = np.abs(clip.frames.astype(float) / scale - np.array([200, 60, 30])[:, None, None])
    assert error.max() <= 2
    assert clip.color.full_range == (full == 2)


@pytest.mark.parametrize("size", [(1280, 720), (320, 240)])
def test_untagged_is_709_from_720_lines_and_601_below(make: Make, size: tuple[int, int]) -> None:
    clip = whole(make(frames=1, size=size, tags=None, color=(200, 60, 30), options={"crf": "1"}))
    assert np.abs(clip.frames.astype(int) - np.array([200, 60, 30])[:, None, None]).max() <= 2
    assert (clip.color.matrix, clip.color.full_range) == (2, None)


def test_ten_bits_keep_their_depth(make: Make) -> None:
    clip = whole(make(frames=1, pixel_format="yuv444p10le", options={"crf": "1"}))
    assert clip.frames.dtype == np.uint16
    assert clip.frames.max() <= 1023
    assert len(np.unique(clip.frames)) > 256


def test_transparency_is_kept(make: Make) -> None:
    path = make(name="a.webm", frames=4, codec="libvpx-vp9", pixel_format="yuva420p", options={"crf": "4", "b": "0"})
    clip = whole(path)
    assert clip.frames.shape[1] == 4
    assert [round(float(frame[3].mean())) for frame in clip.frames] == pytest.approx([40, 45, 50, 55], abs=2)


def test_odd_sizes(make: Make, draw: Callable[..., Any]) -> None:
    clip = whole(make(frames=1, size=(33, 17), pixel_format="yuv444p"))
    assert clip.frames.shape == (1, 3, 17, 33)
    assert close(clip.frames[0].transpose(1, 2, 0), draw(0, 33, 17), 4)


def test_truncated_file_keeps_its_good_frames(make: Make, tmp_path: Path) -> None:
    path = make(name="t.mkv", frames=60, options={"bf": "0", "g": "10"})
    data = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) * 6 // 10])
    with open_video(cut) as reader:
        kept = len(reader.index())
        assert 20 < kept < 60
        assert len(reader.read(FrameRange(start=0, stop=kept))) == kept


def test_truncated_mp4_says_how_much_is_left(make: Make, tmp_path: Path) -> None:
    path = make(name="t.mp4", frames=60, options={"bf": "0", "g": "10"}, faststart=True)
    data = path.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 7 // 10])
    with open_video(cut) as reader:
        kept = len(reader.index())
        assert 10 < kept < 60
        assert f"the header says 60 frames, {kept} could be decoded" in reader.warnings[0]


def test_ranges_outside_the_clip_are_refused(make: Make) -> None:
    with open_video(make(frames=5)) as reader:
        for start, stop in ((0, 6), (5, 5), (7, 9)):
            with pytest.raises(InputError, match=r"frames 0\.\.5"):
                reader.read(FrameRange(start=start, stop=stop))
        with pytest.raises(ValueError, match="give 1 or more"):
            next(reader.chunks(FrameRange(start=0, stop=5), 0))


def test_names_that_look_like_protocols_or_patterns(make: Make) -> None:
    for name in ("shot:1.mp4", "100%03d.mp4", "-dash.mp4", "ä ö.mp4"):
        assert probe(make(name=name, frames=1)).path.name == name


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("empty.mp4", b"", "0 bytes"),
        ("text.mp4", b"not a video\n" * 99, "not a video"),
        ("list.m3u8", b"#EXTM3U\nx.ts\n", "not a video"),
    ],
)
def test_files_that_are_not_video(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=says) as raised:
        probe(path)
    assert "\n" not in str(raised.value) and raised.value.remedy


def test_playlists_do_not_open_other_files(make: Make, tmp_path: Path) -> None:
    make(name="secret.mp4", frames=2)
    for name, text in (
        ("a.txt", "ffconcat version 1.0\nfile secret.mp4\n"),
        ("b.m3u8", "#EXTM3U\n#EXTINF:1,\nsecret.mp4\n"),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(MediaError):
            probe(tmp_path / name)


def test_bad_paths(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        probe(tmp_path / "none.mp4")
    with pytest.raises(MediaError, match="is a folder without"):
        probe(tmp_path)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="not a regular file"):
        probe(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="is an address"):
        probe("http://127.0.0.1:9/a.mp4")


def test_sound_only(sound_only: Path) -> None:
    with pytest.raises(MediaError, match="sound but no video"):
        probe(sound_only)


def test_huge_frames_are_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=1)
    monkeypatch.setattr(limits, "MAX_SIDE", 63)
    with pytest.raises(MediaError, match="64x48 is larger than 63"):
        probe(path)
