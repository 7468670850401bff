"""Planning and writing: identity edits keep times, sound and tags; nothing half-made is left; refusals come first."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
import pytest

from vedit.errors import ContractError, MediaError
from vedit.media.contract.verify import ContractReport, verify
from vedit.media.output import OutputOptions
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing.containers import default_output
from vedit.media.writing.output_plan import plan_output
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.stream_copy import StreamCopy
from vedit.media.writing.write import VideoWriter
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

Make = Callable[..., Path]
Sound = Callable[..., object]


def rewrite(source: Path, output: Path | None = None, part: FrameRange | None = None, **asked: Any) -> ContractReport:
    """Read and write a file unchanged; the contract is checked by the writer."""
    with open_video(source) as reader:
        index = reader.index()
        plan = plan_output(
            output or default_output(source), reader.metadata, index, frames=part, options=OutputOptions(**asked)
        )
        with VideoWriter(plan) as writer:
            for clip in reader.chunks(plan.frames, 10):
                writer.write(clip.frames)
            return writer.finish()


def nothing(*_: object) -> None:
    """Stands in for a step that is left out."""


def found(report: ContractReport, name: str) -> str:
    return next(check.found for check in report.checks if check.name == name)


def plan_of(source: Path, output: Path, **asked: Any) -> OutputSpec:
    with open_video(source) as reader:
        frames = asked.pop("frames", None)
        return plan_output(output, reader.metadata, reader.index(), frames=frames, options=OutputOptions(**asked))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_two_sound_tracks_with_languages(make: Make, sound: Sound, suffix: str) -> None:
    tracks = (sound(language="eng"), sound(language="deu"))
    source = make(frames=60, sounds=tracks, title="A film", options={"bf": "2", "g": "12"})
    output = source.with_name(f"out{suffix}")
    for part in (None, FrameRange(start=13, stop=41)):
        report = rewrite(source, output, part, overwrite=True)
        assert found(report, "audio tracks") == "2"
        assert (found(report, "audio 1 language"), found(report, "audio 2 language")) == ("eng", "deu")
        assert found(report, "frame rate") == "24000/1001"
        assert probe(output).metadata.get("title", probe(output).metadata.get("TITLE")) == "A film"


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("start", [Fraction(-1, 4), Fraction(0), Fraction(1, 3)])
def test_sound_offset_is_kept(make: Make, sound: Sound, suffix: str, start: Fraction) -> None:
    pts = [2002 + 1001 * n for n in range(40)]
    first = max(Fraction(0), Fraction(2002, 30000) + start)
    tracks = (sound(start=first),)
    source = make(name="in.mov", pts=pts, time_base=Fraction(1, 30000), rate=Fraction(30000, 1001), sounds=tracks)
    report = rewrite(source, source.with_name(f"out{suffix}"))
    assert report.ok
    offset = probe(source).audio[0].start_pts
    assert offset is not None
    assert abs(offset / 48000 - float(first)) < 0.03  # the file under test is what it should be, but for AAC's priming


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_variable_rate_and_the_last_frame(make: Make, suffix: str) -> None:
    pts = [0, 3003, 9009, 10000, 40000, 40090, 61111]
    source = make(name="vfr.mp4", pts=pts, time_base=Fraction(1, 90000), last_duration=12345, options={"bf": "0"})
    output = source.with_name(f"out{suffix}")
    assert rewrite(source, output).ok
    with open_video(output) as reader:
        index = reader.index()
    assert index.rate is None
    if suffix != ".mkv":
        assert index.pts == tuple(pts)
        assert (index.time_base, index.last_duration) == (Fraction(1, 90000), 12345)
    report = rewrite(source, source.with_name(f"part{suffix}"), FrameRange(start=2, stop=5))
    assert report.ok


@pytest.mark.parametrize(
    ("timecode", "rate", "suffix", "later"),
    [
        ("01:00:00:00", Fraction(24000, 1001), ".mov", "01:00:00:10"),
        ("00:59:59;25", Fraction(30000, 1001), ".mov", "01:00:00;05"),
        ("00:00:59;25", Fraction(30000, 1001), ".mp4", "00:01:00;07"),
        ("10:00:00:24", Fraction(25), ".mp4", "10:00:01:09"),
        ("23:59:59:24", Fraction(25), ".mkv", "00:00:00:09"),
    ],
)
def test_timecode(make: Make, timecode: str, rate: Fraction, suffix: str, later: str) -> None:
    source = make(name="in.mov", frames=30, rate=rate, timecode=timecode)
    assert found(rewrite(source, source.with_name(f"a{suffix}")), "timecode") == timecode
    part = FrameRange(start=10, stop=20)
    assert found(rewrite(source, source.with_name(f"b{suffix}"), part), "timecode") == later


@pytest.mark.parametrize("rotation", [(90, False), (180, False), (270, True)])
def test_orientation_is_baked_in(make: Make, rotation: tuple[int, bool]) -> None:
    source = make(name="in.mov", frames=3, rotation=rotation, aspect=Fraction(4, 3))
    output = source.with_name("out.mov")
    assert rewrite(source, output).ok
    before, after = probe(source), probe(output)
    assert (after.rotation, after.mirrored) == (0, False)
    assert (after.width, after.height) == (before.width, before.height)
    assert after.sample_aspect_ratio == before.sample_aspect_ratio
    with open_video(source) as a, open_video(output) as b:
        frames = FrameRange(start=0, stop=3)
        error = a.read(frames).frames.astype(int) - b.read(frames).frames.astype(int)
    assert np.abs(error).mean() < 3


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "gray"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chroma_and_depth_are_kept(make: Make, pixel_format: str, suffix: str) -> None:
    source = make(frames=4, pixel_format=pixel_format)
    output = source.with_name(f"out{suffix}")
    assert rewrite(source, output).ok
    assert probe(output).pixel_format == pixel_format.replace("gray", "yuv420p")


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (6, 6, 6, 1), (1, 1, 1, 2), (5, 6, 5, 2), (9, 16, 9, 1), None])
def test_colour_survives(make: Make, tags: tuple[int, int, int, int] | None) -> None:
    depth = "yuv420p10le" if tags and tags[0] == 9 else "yuv420p"
    # The maker draws in BT.709 or BT.601: what counts is that the result shows what the source shows.
    source = make(frames=2, tags=tags, color=(200, 60, 30), pixel_format=depth, options={"crf": "1"})
    output = source.with_name("out.mp4")
    assert rewrite(source, output).ok
    with open_video(source) as a, open_video(output) as b:
        frames = FrameRange(start=0, stop=2)
        error = a.read(frames).frames.astype(int) - b.read(frames).frames.astype(int)
        assert a.metadata.color == b.metadata.color
    assert np.abs(error).max() <= (8 if depth.endswith("10le") else 2)


def test_open_tags_are_written_where_a_turn_would_change_what_players_assume(make: Make) -> None:
    source = make(name="in.mov", frames=1, size=(960, 540), tags=None, rotation=(90, False))
    assert rewrite(source, source.with_name("out.mov")).ok
    assert probe(source.with_name("out.mov")).color.matrix == 6


@pytest.mark.parametrize("even", [False, True])
def test_odd_sides(make: Make, even: bool) -> None:
    source = make(name="in.webm", frames=3, size=(33, 17), codec="libvpx-vp9", options={"b": "0", "crf": "10"})
    output = source.with_name("out.mp4")
    plan = plan_of(source, output, even=even)
    assert plan.encoding.pixel_format == ("yuv420p" if even else "yuv444p")
    assert (plan.encoding.width, plan.encoding.height) == ((34, 18) if even else (33, 17))
    assert any("33x17" in note for note in plan.notes)
    assert rewrite(source, output, even=even).ok


def test_transparency_goes_where_it_can(make: Make) -> None:
    source = make(name="in.webm", frames=4, codec="libvpx-vp9", pixel_format="yuva420p", options={"b": "0", "crf": "4"})
    for suffix in (".webm", ".mov"):
        output = source.with_name(f"out{suffix}")
        assert rewrite(source, output).ok
        with open_video(output) as reader:
            clip = reader.read(FrameRange(start=0, stop=4))
        full = (1 << clip.bit_depth) - 1
        assert [float(frame[3].mean()) / full * 255 for frame in clip.frames] == pytest.approx([40, 45, 50, 55], abs=3)
    with pytest.raises(MediaError, match=r"transparency; write a \.mov, \.webm or \.mkv file, or --drop-alpha"):
        plan_of(source, source.with_name("out.mp4"))
    dropped = plan_of(source, source.with_name("out.mp4"), drop_alpha=True)
    assert dropped.lost == ("transparency",) and "not kept: transparency" in dropped.notes


def test_subtitles_and_chapters_in_matroska(make: Make, sound: Sound) -> None:
    source = make(
        name="in.mkv",
        frames=96,
        rate=Fraction(24),
        sounds=(sound(),),
        subtitles=((100, 1500, "one"), (1900, 900, "two"), (3500, 300, "three")),
        chapters=((0, 1000), (1000, 4000)),
    )
    report = rewrite(source)
    assert (found(report, "subtitle tracks"), found(report, "chapters")) == ("1", "2")
    report = rewrite(source, source.with_name("part.mkv"), FrameRange(start=30, stop=60))
    assert found(report, "subtitle 1 payload").startswith("2 packets")
    assert found(report, "chapters") == "1"


def test_a_container_that_cannot_hold_a_stream_is_refused_and_names_one_that_can(make: Make, sound: Sound) -> None:
    source = make(name="in.mkv", frames=5, sounds=(sound(),), subtitles=((0, 100, "one"),))
    output = source.with_name("out.mp4")
    with pytest.raises(MediaError, match=r"\.mp4 cannot hold the subtitles .*write a \.mkv file.*--drop-unsupported"):
        plan_of(source, output)
    plan = plan_of(source, output, drop_unsupported=True)
    assert any("left out" in note for note in plan.notes)
    assert found(rewrite(source, output, drop_unsupported=True), "subtitle tracks") == "0"


def test_sound_in_a_broadcast_stream_loses_only_its_framing(make: Make, sound: Sound) -> None:
    source = make(name="in.ts", frames=40, rate=Fraction(25), sounds=(sound(),))
    for suffix in (".mp4", ".mkv"):
        report = rewrite(source, source.with_name(f"out{suffix}"))
        assert report.ok
    assert probe(source).start_pts != 0
    assert probe(source.with_name("out.mp4")).start_pts == pytest.approx(0, abs=9000)


def test_default_output(make: Make, sound: Sound) -> None:
    assert default_output(make(name="a.mkv", frames=1)).name == "a.vedit.mkv"
    assert default_output(make(name="a.ts", frames=1, sounds=(sound(),))).name == "a.vedit.mp4"
    subtitled = make(name="b.mkv", frames=1, subtitles=((0, 100, "x"),))
    odd = subtitled.rename(subtitled.with_name("b.video"))
    assert default_output(odd).name == "b.vedit.mkv"


def test_refusals(make: Make, tmp_path: Path) -> None:
    source = make(frames=2)
    linked = tmp_path / "link.mp4"
    linked.symlink_to(source)
    hard = tmp_path / "hard.mp4"
    os.link(source, hard)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"mine")
    loose = tmp_path / "loose.mp4"
    loose.symlink_to(tmp_path / "nowhere.mp4")
    cases = [
        (source, "is the source"),
        (linked, "symbolic link"),
        (loose, "symbolic link"),
        (hard, "is the source"),
        (other, "exists.*--overwrite"),
        (tmp_path, "is a folder"),
        (tmp_path / "none" / "a.mp4", "does not exist"),
        (tmp_path / "a.xyz", r"'\.xyz' is not a container"),
        (tmp_path / "a", "no extension"),
    ]
    for path, says in cases:
        with pytest.raises(MediaError, match=says):
            plan_of(source, path, overwrite=path != other)
    assert other.read_bytes() == b"mine"
    for start, stop in ((0, 3), (1, 1)):
        with pytest.raises(MediaError, match="not in the clip"):
            plan_of(source, tmp_path / "a.mp4", frames=FrameRange(start=start, stop=stop))


def test_a_failed_write_leaves_nothing(make: Make, tmp_path: Path) -> None:
    source = make(frames=6)
    output = tmp_path / "out.mp4"
    before = sorted(tmp_path.iterdir())
    with open_video(source) as reader:
        clip = reader.read(FrameRange(start=0, stop=6))
        plan = plan_output(output, reader.metadata, reader.index())
    with pytest.raises(RuntimeError), VideoWriter(plan) as writer:
        writer.write(clip.frames[:3])
        assert plan.temporary.exists() and not output.exists()
        raise RuntimeError
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(ContractError, match="3 of 6"), VideoWriter(plan) as writer:
        writer.write(clip.frames[:3])
        writer.finish()
    with pytest.raises(ValueError, match="6 frames were planned"), VideoWriter(plan) as writer:
        writer.write(cast("IntFrames", np.concatenate([clip.frames, clip.frames])))
    with pytest.raises(ValueError, match="expected"), VideoWriter(plan) as writer:
        writer.write(clip.frames[:, :, 1:])
    assert sorted(tmp_path.iterdir()) == before


def test_a_breach_of_the_contract_is_an_error_and_keeps_nothing(
    make: Make, sound: Sound, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(frames=6, sounds=(sound(),))
    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(StreamCopy, "copy_until", nothing)
    with pytest.raises(ContractError, match="audio tracks: expected 1, found 0"):
        rewrite(source, tmp_path / "out.mp4")
    assert sorted(tmp_path.iterdir()) == before


def test_an_existing_file_is_replaced_only_at_the_end(make: Make, tmp_path: Path) -> None:
    source = make(frames=4)
    output = tmp_path / "out.mp4"
    output.write_bytes(b"old")
    with open_video(source) as reader:
        plan = plan_output(output, reader.metadata, reader.index(), options=OutputOptions(overwrite=True))
        with VideoWriter(plan) as writer:
            writer.write(reader.read(plan.frames).frames)
            assert output.read_bytes() == b"old"
            writer.finish()
    assert len(output.read_bytes()) > 100
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_verify_finds_what_differs(make: Make, sound: Sound) -> None:
    base = {"frames": 24, "sounds": (sound(),), "options": {"bf": "0"}}
    source = make(name="a.mov", timecode="01:00:00:00", **base)
    changes: dict[str, dict[str, Any]] = {
        "frame count": {"frames": 23},
        "frame rate": {"rate": Fraction(24), "time_base": Fraction(1, 24000)},
        "time base": {"time_base": Fraction(1, 24)},
        "display size": {"size": (48, 64)},
        "sample aspect ratio": {"aspect": Fraction(2)},
        "rotation": {"rotation": (180, False)},
        "colour tags": {"tags": (6, 6, 6, 1)},
        "audio 1 payload": {"sounds": (sound(codec="pcm_s16le"),)},
        "audio 1 language": {"sounds": (sound(language="jpn"),)},
        "audio 1 offset to video": {"sounds": (sound(start=Fraction(1, 10)),)},
        "audio tracks": {"sounds": ()},
        "timecode": {"timecode": "01:00:00:01"},
        "frame times": {"pts": [n * 1001 + (n == 7) * 40 for n in range(24)], "time_base": Fraction(1, 24000)},
        "duration": {"last_duration": 5, "time_base": Fraction(1, 24)},
    }
    same = verify(source, make(name="b.mov", timecode="01:00:00:00", **base))
    assert same.ok and same.as_dict()["ok"] is True
    for name, change in changes.items():
        report = verify(source, make(name="c.mov", **{"timecode": "01:00:00:00", **base, **change}))
        assert name in {check.name for check in report.checks if not check.ok}, name


def test_sound_is_not_held_in_memory(make: Make, sound: Sound, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(frames=100, rate=Fraction(25), sounds=(sound(),))
    held: list[int] = []
    with open_video(source) as reader:
        plan = plan_output(source.with_name("out.mp4"), reader.metadata, reader.index())
        with VideoWriter(plan) as writer:
            mux = StreamCopy._mux  # pyright: ignore[reportPrivateUsage]
            count = [0]

            def counted(self: StreamCopy, packet: Any) -> None:
                count[0] += 1
                mux(self, packet)

            monkeypatch.setattr(StreamCopy, "_mux", counted)
            for clip in reader.chunks(plan.frames, 10):
                writer.write(clip.frames)
                held.append(count[0])
            writer.finish()
    # About 47 packets a second of sound are copied along with 25 frames a second.
    assert all(abs(packets - 1.9 * 10 * (n + 1)) < 6 for n, packets in enumerate(held))


def test_no_file_the_writer_made_is_unreadable_to_ffmpeg(make: Make, sound: Sound) -> None:
    source = make(frames=12, sounds=(sound(),))
    output = source.with_name("out.mp4")
    rewrite(source, output)
    with av.open(str(output)) as container:
        assert len(list(container.decode(audio=0))) > 10
