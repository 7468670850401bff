"""Codecs: what is written with which, at which depth, in which container, and what is refused with what advice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from vedit.errors import InputError, MediaError
from vedit.media.output import OutputOptions
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing import codecs
from vedit.media.writing.codecs import CODECS, Encoder, find_encoder, layout, pick_format
from vedit.media.writing.hdr import read_hdr
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.write import VideoWriter

Make = Callable[..., Path]
Sound = Callable[..., object]

MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def write(source: Path, name: str, **asked: Any) -> OutputSpec:
    """An identity edit; the writer checks the contract."""
    with open_video(source) as reader:
        options = OutputOptions(overwrite=True, **asked)
        plan = plan_output(source.with_name(name), reader.metadata, reader.index(), options=options)
        with VideoWriter(plan) as writer:
            for clip in reader.chunks(plan.frames, 5):
                writer.write(clip.frames)
            writer.finish()
    return plan


def plan_of(source: Path, name: str, **asked: Any) -> OutputSpec:
    with open_video(source) as reader:
        return plan_output(source.with_name(name), reader.metadata, reader.index(), options=OutputOptions(**asked))


@pytest.mark.parametrize(
    ("codec", "name", "found", "pixel_format"),
    [
        ("h264", "o.mov", "h264", "yuv420p"),
        ("hevc", "o.mp4", "hevc", "yuv420p"),
        ("hevc", "o.mkv", "hevc", "yuv420p"),
        ("av1", "o.mp4", "av1", "yuv420p"),
        ("av1", "o.mkv", "av1", "yuv420p"),
        ("vp9", "o.mkv", "vp9", "yuv420p"),
        ("vp9", "o.mp4", "vp9", "yuv420p"),
        ("prores", "o.mov", "prores", "yuv422p10le"),
        ("prores", "o.mkv", "prores", "yuv422p10le"),
        ("dnxhr", "o.mov", "dnxhd", "yuv422p"),
        ("ffv1", "o.mkv", "ffv1", "bgr0"),
        ("png", "o.mov", "png", "rgb24"),
    ],
)
def test_every_codec_keeps_time_and_sound(
    make: Make, sound: Sound, codec: Any, name: str, found: str, pixel_format: str
) -> None:
    pts = [0, 3003, 6006, 9009, 12012, 15015, 20020, 21021]
    source = make(
        frames=8, size=(256, 128), pts=pts, time_base=Fraction(1, 90000), rate=Fraction(30000, 1001), sounds=(sound(),)
    )
    write(source, name, codec=codec)
    result = probe(source.with_name(name))
    assert (result.codec, result.pixel_format) == (found, pixel_format)
    assert len(result.audio) == 1


@pytest.mark.parametrize(
    ("codec", "name", "says"),
    [
        ("prores", "o.mp4", r"\.mp4 cannot hold prores; write \.mov or \.mkv"),
        ("prores", "o.webm", r"\.webm cannot hold prores; write \.mov or \.mkv"),
        ("h264", "o.webm", r"\.webm cannot hold h264; write \.mp4"),
        ("dnxhr", "o.mkv", r"\.mkv cannot hold dnxhr; write \.mov or \.mxf"),
        ("ffv1", "o.mp4", r"\.mp4 cannot hold ffv1; write \.mkv"),
        ("exr", "o.mkv", r"\.mkv cannot hold exr; write NAME_%04d\.exr"),
        ("gif", "o.mov", r"\.mov cannot hold gif; write \.gif"),
        ("exr", "o_%04d.png", r"\.png cannot hold exr; write NAME_%04d\.exr"),
        ("dnxhr", "o.mov", "the smallest is 256x120"),
        ("av1", "o.mp4", "the smallest is 64x64"),
    ],
)
def test_impossible_pairs_name_a_way(make: Make, codec: Any, name: str, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        plan_of(make(frames=2, size=(48, 48)), name, codec=codec)


def test_an_absent_encoder_names_those_present(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    known = codecs.encoder_formats

    def without_x265(name: str) -> tuple[str, ...] | None:
        return None if "265" in name else known(name)

    monkeypatch.setattr(codecs, "encoder_formats", without_x265)
    with pytest.raises(InputError, match=r"no encoder for hevc \(libx265\); use --codec with one of h264, .*prores"):
        plan_of(make(frames=2), "o.mp4", codec="hevc")


@pytest.mark.parametrize(
    ("codec", "asked", "pixel_format"),
    [
        ("h264", 10, "yuv420p10le"),
        ("hevc", 10, "yuv420p10le"),
        ("hevc", 12, "yuv420p12le"),
        ("av1", 10, "yuv420p10le"),
        ("ffv1", 10, "gbrp10le"),
        ("ffv1", 12, "gbrp12le"),
        ("ffv1", 16, "gbrp16le"),
    ],
)
def test_bit_depth_on_request(make: Make, codec: Any, asked: Any, pixel_format: str) -> None:
    source = make(frames=3, size=(64, 64))
    plan = write(source, "o.mkv", codec=codec, bit_depth=asked)
    assert plan.encoding.pixel_format == pixel_format
    assert probe(source.with_name("o.mkv")).pixel_format == pixel_format
    assert plan.lost == ()


def test_depth_and_chroma_that_are_lost_are_said(make: Make) -> None:
    deep = make(frames=2, size=(64, 64), pixel_format="yuv444p10le")
    assert plan_of(deep, "a.webm").lost == ("10 bits (written as 8, vp9 holds no more)",)
    assert plan_of(deep, "a.mp4", codec="av1").lost == ("4:4:4 chroma (written as 4:2:0, av1 holds no more)",)
    assert plan_of(deep, "a.mp4", codec="av1", bit_depth=16).notes[0] == "av1 holds no 16 bits here: written as 10"
    with pytest.raises(MediaError, match="--strict: not kept: 10 bits"):
        plan_of(deep, "a.webm", strict=True)


def test_web_plays_everywhere(make: Make) -> None:
    source = make(frames=3, pixel_format="yuv444p10le")
    plan = write(source, "o.mp4", preset="web")
    assert plan.encoding.pixel_format == "yuv420p"
    assert len(plan.notes) == 2
    data = source.with_name("o.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert plan_of(source, "p.mp4", preset="web", bit_depth=10).encoding.pixel_format == "yuv420p10le"


@pytest.mark.parametrize("codec", ["h264", "hevc", "prores"])
def test_odd_sides(make: Make, codec: Any) -> None:
    source = make(name="in.webm", frames=2, size=(67, 65), codec="libvpx-vp9", options={"b": "0", "crf": "10"})
    plan = write(source, "o.mov", codec=codec)
    assert layout(plan.encoding.pixel_format).chroma == "444"
    result = probe(source.with_name("o.mov"))
    assert (result.width, result.height) == (67, 65)
    padded = write(source, "e.mov", codec=codec, even=True)
    assert padded.encoding.width == 68
    with pytest.raises(MediaError, match="a side is odd; use --even"):
        plan_of(source, "o.mp4", codec="av1")


def test_hardware_says_what_was_tried(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(frames=2)
    absent = Encoder(name="h264_nowhere", formats=("yuv420p",), presets={"web": {}, "edit": {}, "archive": {}})
    broken = replace(absent, name="libx264", presets={p: {"preset": "no such"} for p in ("web", "edit", "archive")})
    works = replace(absent, name="libx264rgb", formats=("rgb24",))
    monkeypatch.setitem(CODECS, "h264", replace(CODECS["h264"], hardware=(absent, broken)))  # pyright: ignore
    with pytest.raises(InputError, match=r"tried h264_nowhere \(not in this PyAV\), libx264\); leave out --hardware"):
        plan_of(source, "o.mp4", hardware=True)
    monkeypatch.setitem(CODECS, "h264", replace(CODECS["h264"], hardware=(absent, broken, works)))  # pyright: ignore
    assert plan_of(source, "o.mp4", hardware=True).encoding.codec == "libx264rgb"
    with pytest.raises(InputError, match="no hardware encoder for ffv1"):
        plan_of(source, "o.mkv", codec="ffv1", hardware=True)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [(("420", 8), "yuv422p"), (("422", 10), "yuv422p10le"), (("444", 8), "yuv444p10le"), (("rgb", 16), "yuv444p10le")],
)
def test_the_format_that_loses_least_is_picked(wanted: tuple[str, int], found: str) -> None:
    encoder = find_encoder(CODECS["dnxhr"], hardware=False)
    assert pick_format(encoder, chroma=wanted[0], depth=wanted[1], alpha=False) == found


@pytest.fixture
def hdr_source(make: Make) -> Path:
    params = f"log-level=error:master-display={MASTERING}:max-cll=1000,400:hdr10=1"
    return make(
        name="hdr.mkv",
        frames=3,
        size=(128, 96),
        codec="libx265",
        pixel_format="yuv420p10le",
        tags=(9, 16, 9, 1),
        options={"bf": "0", "x265-params": params},
    )


@pytest.mark.parametrize(
    ("codec", "name"), [(None, "o.mp4"), ("hevc", "o.mov"), ("hevc", "o.mkv"), ("av1", "o.mp4"), ("av1", "o.mkv")]
)
def test_mastering_display_is_handed_on(hdr_source: Path, codec: Any, name: str) -> None:
    plan = write(hdr_source, name, codec=codec)
    before, after = read_hdr(hdr_source, 0), read_hdr(hdr_source.with_name(name), 0)
    assert before.light == after.light == (1000, 400)
    assert before.primaries is not None and after.primaries is not None and after.luminance is not None
    for a, b in zip(before.primaries, after.primaries, strict=True):
        assert [float(v) for v in a] == pytest.approx([float(v) for v in b], abs=2e-5)
    assert float(after.luminance[0]) == pytest.approx(0.005, abs=1e-4) and after.luminance[1] == 1000
    result = probe(hdr_source.with_name(name))
    assert (result.color.primaries, result.color.transfer, result.bit_depth) == (9, 16, 10)
    assert plan.lost == ()


def test_hdr_is_never_squeezed_silently(hdr_source: Path) -> None:
    for name, asked in (("o.mp4", {"bit_depth": 8}), ("o.webm", {}), ("o.gif", {})):
        with pytest.raises(MediaError, match=r"HDR \(PQ\).*--bit-depth 10"):
            plan_of(hdr_source, name, **asked)
        lost = plan_of(hdr_source, name, drop_unsupported=True, **asked).lost
        assert any(text.startswith("10 bits") for text in lost)
    with pytest.raises(MediaError, match="linear light"):
        plan_of(hdr_source, "o_%d.exr")
    assert plan_of(hdr_source, "o.mov", codec="prores").lost == (
        "mastering display and light level data (prores is written without)",
    )


def test_alpha_is_kept_or_refused(make: Make) -> None:
    source = make(name="in.webm", frames=2, codec="libvpx-vp9", pixel_format="yuva420p", options={"b": "0", "crf": "4"})
    for codec, name in (("prores", "o.mov"), ("ffv1", "o.mkv"), ("png", "o_%d.png"), ("exr", "o_%d.exr")):
        plan = write(source, name, codec=codec)
        assert plan.encoding.alpha and probe(source.with_name(name)).has_alpha
    with pytest.raises(MediaError, match=r"h264 in \.mov cannot keep .*; use --codec prores or png, or --drop-alpha"):
        plan_of(source, "new.mov", codec="h264")
    with pytest.raises(MediaError, match="cannot keep"):
        plan_of(source, "new.mp4", codec="vp9")


def test_the_hevc_code_is_the_one_that_players_know(make: Make) -> None:
    source = make(frames=2)
    write(source, "o.mp4", codec="hevc")
    with av.open(str(source.with_name("o.mp4"))) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
