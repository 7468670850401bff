"""Kinds of files that readers get wrong: which track is the film, odd starts, bare streams, deep and clear pictures."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame

from vedit.errors import MediaError
from vedit.media.color.convert import FromRgb, working_space
from vedit.media.reading import limits
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing.hdr import read_hdr
from vedit.media.writing.output_plan import plan_output
from vedit.types import FrameRange

Make = Callable[..., Path]
Draw = Callable[[int, int, int], Any]


def numbers(path: Path, draw: Draw, size: tuple[int, int] = (64, 48)) -> list[int]:
    """Which drawn picture each frame of a file shows."""
    width, height = size
    with open_video(path) as reader:
        clip = reader.read(FrameRange(start=0, stop=len(reader.index())))
    shown = (clip.frames[:, :3] >> (clip.bit_depth - 8)).astype(int)
    known = np.stack([draw(n, width, height).transpose(2, 0, 1) for n in range(70)]).astype(int)
    return [int(np.abs(known - frame).mean(axis=(1, 2, 3)).argmin()) for frame in shown]


def test_the_default_track_is_the_film_and_a_cover_never_is(tmp_path: Path, draw: Draw) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as output:
        streams: list[Any] = []
        for size, disposition in ((32, Disposition(0)), (64, Disposition.default)):
            stream: Any = output.add_stream("libx264", rate=25, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = size, 48, "yuv420p"
            stream.disposition = disposition
            streams.append(stream)
        for number in range(5):
            for stream in streams:
                frame = VideoFrame.from_ndarray(draw(number, stream.width, 48), format="rgb24").reformat(
                    format="yuv420p"
                )
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
        for stream in streams:
            output.mux(stream.encode(None))
    found = probe(path)
    assert (found.stream_index, found.width) == (1, 64)
    assert [stream.kind for stream in found.streams] == ["video"]


@pytest.mark.parametrize("film", [True, False])
def test_cover_art_is_not_the_film(tmp_path: Path, draw: Draw, film: bool) -> None:
    path = tmp_path / "cover.mp4"
    with av.open(str(path), "w") as output:
        cover: Any = output.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        stream: Any = output.add_stream("libx264" if film else "aac", rate=25 if film else 48000)
        if film:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = VideoFrame.from_ndarray(draw(0, 32, 32), format="rgb24").reformat(format="yuvj420p")
        for packet in [*cover.encode(frame), *cover.encode(None)]:
            output.mux(packet)
        if film:
            picture = VideoFrame.from_ndarray(draw(0, 64, 48), format="rgb24").reformat(format="yuv420p")
            output.mux([*stream.encode(picture), *stream.encode(None)])
    if film:
        assert (probe(path).width, probe(path).codec) == (64, "h264")
    else:
        with pytest.raises(MediaError, match="cover picture but no video"):
            probe(path)


@pytest.mark.parametrize(
    ("name", "first"),
    # Matroska has no negative times.
    [*((name, first) for name in ("a.mp4", "a.mov") for first in (-2002, 0, 9009)), ("a.mkv", 0), ("a.mkv", 9009)],
)
def test_offset_and_negative_starts(make: Make, draw: Draw, first: int, name: str) -> None:
    path = make(name=name, pts=[first + 1001 * n for n in range(20)], time_base=Fraction(1, 24000), frames=20)
    with open_video(path) as reader:
        index = reader.index()
        assert index.rate == Fraction(24000, 1001)
        steps = [index.seconds(number) * 24000 for number in range(len(index))]
        slack = 24 if name == "a.mkv" else 0
        assert all(abs(step - 1001 * number) <= slack for number, step in enumerate(steps))
    if first >= 0:
        assert numbers(path, draw) == list(range(20))


@pytest.mark.parametrize("suffix", [".h264", ".hevc", ".ts", ".m2v"])
def test_bare_streams(tmp_path: Path, draw: Draw, suffix: str) -> None:
    codec = {".h264": "libx264", ".ts": "libx264", ".hevc": "libx265", ".m2v": "mpeg2video"}[suffix]
    options = {"bf": "2", "g": "10", "crf": "5"} | ({"x265-params": "log-level=none"} if suffix == ".hevc" else {})
    path = tmp_path / f"a{suffix}"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=Fraction(24000, 1001), options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(30):
            frame = VideoFrame.from_ndarray(draw(number, 64, 48), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1001, 24000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with open_video(path) as reader:
        index = reader.index()
        assert (len(index), index.rate) == (30, Fraction(24000, 1001))
        assert any("no timestamps" in line for line in reader.warnings) == (suffix in (".h264", ".hevc"))
        alone = [reader.read(FrameRange(start=n, stop=n + 1)).frames[0] for n in (29, 3, 17)]
        both = reader.read(FrameRange(start=0, stop=30)).frames
        assert all(np.array_equal(a, both[n]) for a, n in zip(alone, (29, 3, 17), strict=True))
    assert numbers(path, draw) == list(range(30))


def test_side_data_that_is_newer_than_its_reader(tmp_path: Path) -> None:
    """Motion JPEG of a camera, with EXIF in each picture."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x01\0\0\0\0\0\0\0"
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(3):
            flat = VideoFrame.from_ndarray(np.full((48, 64, 3), 50 * number, np.uint8), format="rgb24")
            for packet in stream.encode(flat):
                data = bytes(packet)
                told = Packet(data[:2] + segment + data[2:])
                told.stream, told.is_keyframe = stream, True
                told.pts, told.dts, told.time_base = packet.pts, packet.dts, packet.time_base
                output.mux(told)
    assert not read_hdr(path, 0)
    with open_video(path) as reader:
        assert plan_output(tmp_path / "o.mkv", reader.metadata, reader.index()).lost == ()


def test_a_fragmented_file_without_duration(tmp_path: Path, draw: Draw) -> None:
    path = tmp_path / "a.mp4"
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(path), "w", container_options=options) as output:
        stream: Any = output.add_stream("libx264", rate=30, options={"g": "5", "bf": "2", "crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(20):
            frame = VideoFrame.from_ndarray(draw(number, 64, 48), format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    assert probe(path).declared_frames is None
    with open_video(path) as reader:
        assert (len(reader.index()), reader.index().rate, reader.warnings) == (20, 30, ())
    assert numbers(path, draw) == list(range(20))


@pytest.mark.parametrize(
    ("name", "codec", "pixel_format", "options", "depth"),
    [
        ("a.webm", "libvpx", "yuva420p", {"b": "4M", "crf": "4", "auto-alt-ref": "0"}, 8),
        ("a.webm", "libvpx-vp9", "yuva420p", {"b": "0", "crf": "4"}, 8),
        ("a.mov", "prores_ks", "yuva444p10le", {"profile": "4444", "alpha_bits": "16"}, 12),
        ("a.mov", "qtrle", "argb", {}, 8),
        ("a.mov", "png", "rgba64be", {}, 16),
    ],
)
def test_transparency(
    tmp_path: Path, draw: Draw, name: str, codec: str, pixel_format: str, options: dict[str, str], depth: int
) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        for number in range(4):
            alpha = np.full((48, 64, 1), 40 + 50 * number, np.uint8)
            picture = np.concatenate([draw(number, 64, 48), alpha], axis=-1)
            frame = VideoFrame.from_ndarray(picture, format="rgba").reformat(format=pixel_format)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with open_video(path) as reader:
        assert reader.metadata.has_alpha and reader.metadata.bit_depth == depth
        clip = reader.read(FrameRange(start=0, stop=4))
    clear = clip.frames[:, 3].astype(float).mean(axis=(1, 2)) / ((1 << depth) - 1) * 255
    assert clear == pytest.approx([40, 90, 140, 190], abs=2)
    assert numbers(path, draw) == [0, 1, 2, 3]


@pytest.mark.parametrize(("transfer", "curve"), [(16, "PQ"), (18, "HLG")])
def test_hdr_keeps_its_code_values(make: Make, draw: Draw, transfer: int, curve: str) -> None:
    color = {"tags": (9, transfer, 1, 1), "pixel_format": "yuv444p10le", "frames": 2, "options": {"crf": "1"}}
    path = make(name="a.mp4", **color)
    found = probe(path)
    assert (found.color.primaries, found.color.transfer, found.bit_depth) == (9, transfer, 10)
    assert curve in working_space(found) and "not tone-mapped" in working_space(found)
    with open_video(path) as reader:
        clip = reader.read(FrameRange(start=0, stop=1))
    # No curve was applied: the same codes as an untagged file's.
    assert np.abs(clip.frames[0] / 1023 * 255 - draw(0, 64, 48).transpose(2, 0, 1)).mean() < 2


def test_a_size_that_changes_is_refused_before_anything_is_read(tmp_path: Path, draw: Draw) -> None:
    path = tmp_path / "a.h264"
    parts: list[bytes] = []
    for size in ((64, 48), (96, 64)):
        part = tmp_path / "part.h264"
        with av.open(str(part), "w") as output:
            stream: Any = output.add_stream("libx264", rate=25, options={"bf": "0"})
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            for number in range(6):
                frame = VideoFrame.from_ndarray(draw(number, *size), format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    with open_video(path) as reader, pytest.raises(MediaError, match="frame 6 is 96x64, the clip is 64x48") as raised:
        reader.index()
    assert "split the clip" in raised.value.remedy


def test_limits_name_the_way_past_them(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(frames=10)
    monkeypatch.setattr(limits, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(MediaError, match=r"64x48 is larger.*--allow-huge"):
        open_video(path)
    with open_video(path, allow_huge=True) as reader:
        assert len(reader.index()) == 10
    monkeypatch.setattr(limits, "MAX_PIXELS", 2**28)
    monkeypatch.setattr(limits, "MAX_TOTAL_PIXELS", 64 * 48 * 9)
    with pytest.raises(MediaError, match=r"10 frames of 64x48 are more.*--allow-huge"):
        probe(path)


def test_a_count_that_the_header_hides_is_found_while_decoding(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(name="a.mkv", frames=10)
    assert probe(path).declared_frames is None
    monkeypatch.setattr(limits, "MAX_TOTAL_PIXELS", 64 * 48 * 9)
    with open_video(path) as reader, pytest.raises(MediaError, match=r"10 frames of 64x48 are more.*--allow-huge"):
        reader.index()
    with open_video(path, allow_huge=True) as reader:
        assert len(reader.index()) == 10


def test_a_damaged_cover_of_another_kind_does_not_matter(make: Make) -> None:
    # A still of no picture is said to be none, and is not looked for in the film beside it.
    still = make(frames=1).with_suffix(".png")
    still.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(MediaError, match=r"clip\.png holds no picture that can be decoded"):
        probe(still)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_the_way_back_from_rgb_is_the_same_every_time(pixel_format: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (70, 118, 3), dtype=np.uint8)
    convert = [FromRgb(pixel_format, matrix=1, full_range=False, bit_depth=8) for _ in range(20)]
    first = convert[0](picture).to_ndarray()
    assert all(np.array_equal(each(picture).to_ndarray(), first) for each in convert)
