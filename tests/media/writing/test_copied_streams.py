"""What survives beside picture and sound, what is said to be lost, and what the sidecar and the label say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.video.frame import VideoFrame

from vedit.errors import ContractError, MediaError
from vedit.media.output import OutputOptions
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing.label import SOURCE_TYPE, XMP_BOX
from vedit.media.writing.output_plan import plan_output, temporary_for
from vedit.media.writing.output_spec import OutputSpec
from vedit.media.writing.sidecar import sidecar_path
from vedit.media.writing.write import VideoWriter
from vedit.types import FrameRange

if TYPE_CHECKING:
    from av.video.stream import VideoStream

Make = Callable[..., Path]
Sound = Callable[..., object]
RECIPE = {"prompt": 'oil "painting" — ümlaut', "seed": 7, "steps": [1, 2]}


def write(
    source: Path, name: str, part: FrameRange | None = None, work: Path | None = None, **asked: Any
) -> OutputSpec:
    with open_video(source) as reader:
        plan = plan_output(
            source.with_name(name),
            reader.metadata,
            reader.index(),
            frames=part,
            options=OutputOptions(**asked),
            recipe=RECIPE,
        )
        plan = replace(plan, temporary=temporary_for(plan.path, work))
        with VideoWriter(plan) as writer:
            for clip in reader.chunks(plan.frames, 5):
                writer.write(clip.frames)
            writer.finish({"sample": 1.25})
    return plan


def tags(path: Path) -> dict[str, str]:
    return {key.lower(): value for key, value in probe(path).metadata.items()}


def film(path: Path, *, cover: bool = False, videos: int = 1, b_frames: int = 2) -> Path:
    """A film with a cover picture or further video tracks, and a tag that players' lists do not know."""
    # FFmpeg writes either tags of any name or covers.
    options = {} if cover else {"movflags": "use_metadata_tags"}
    with av.open(str(path), "w", options=options) as output:
        output.metadata["com.example.reel"] = "A001"
        tracks: list[VideoStream] = []
        for _ in range(videos):
            track = output.add_stream("libx264", rate=24, options={"bf": str(b_frames)})
            track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
            tracks.append(track)
        if cover:
            picture = output.add_stream("png", rate=1)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "rgb24"
            picture.disposition = Disposition.attached_pic
            drawn = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
            still = VideoFrame.from_ndarray(drawn, format="rgb24")
            still.pts, still.time_base = 0, Fraction(1)
            output.mux(picture.encode(still))
            output.mux(picture.encode(None))
        for number in range(12):
            for track in tracks:
                flat = np.full((48, 64, 3), 10 * number, np.uint8)
                output.mux(track.encode(VideoFrame.from_ndarray(flat, format="rgb24")))
        for track in tracks:
            output.mux(track.encode(None))
    return path


def covers(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        pictures = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
        return [bytes(next(p for p in container.demux(picture) if p.size)) for picture in pictures]


def test_a_cover_is_copied_where_it_can_be(tmp_path: Path) -> None:
    plain = film(tmp_path / "plain.mp4", cover=True)
    (picture,) = covers(plain)
    for name in ("o.mp4", "o.m4v", "o.mkv"):
        assert write(plain, name).lost == ()
        assert covers(tmp_path / name) == [picture]
    write(tmp_path / "o.mkv", "again.mp4")
    assert covers(tmp_path / "again.mp4") == [picture]
    plan = write(plain, "o.mov")
    assert plan.lost == ("the cover picture (stream 1, png)",)
    assert plan.notes[-1] == "not kept: the cover picture (stream 1, png)"
    with pytest.raises(MediaError, match="--strict: not kept: the cover picture"):
        write(plain, "p.mov", strict=True)


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_second_video_is_copied_where_it_can_be(tmp_path: Path, b_frames: int) -> None:
    source = film(tmp_path / "two.mov", videos=2, b_frames=b_frames)

    def second(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(p) for p in container.demux(container.streams.video[1]) if p.size]

    for name in ("o.mov", "o.mp4"):
        assert write(source, name).lost == ()
        assert second(source) == second(tmp_path / name)
        with av.open(str(tmp_path / name)) as container:
            assert sum(1 for _ in container.decode(video=1)) == 12
    assert "another video" in write(source, "o.webm").lost[0]
    assert "another video" in write(source, "part.mov", FrameRange(start=3, stop=9)).lost[0]


@pytest.mark.parametrize("name", ["o.mp4", "o.mov", "o.mkv", "o.webm"])
@pytest.mark.parametrize("preset", ["edit", "web"])
def test_label_recipe_and_tags(tmp_path: Path, name: str, preset: Any) -> None:
    source = film(tmp_path / "in.mov")
    write(source, name, preset=preset)
    found = tags(tmp_path / name)
    assert found["digitalsourcetype"] == SOURCE_TYPE
    assert json.loads(found["vedit"]) == RECIPE
    assert found["com.example.reel"] == "A001"
    data = (tmp_path / name).read_bytes()
    assert (XMP_BOX.bytes in data) == (name in ("o.mp4", "o.mov"))
    with av.open(str(tmp_path / name)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12
    # The recipe of the first edit does not outlive the second; its label is the second's source's own, and stays.
    with open_video(tmp_path / name) as reader:
        again = plan_output(tmp_path / f"2{name}", reader.metadata, reader.index(), options=OutputOptions(label=False))
        with VideoWriter(again) as writer:
            writer.write(reader.read(again.frames).frames)
            writer.finish()
    found = tags(tmp_path / f"2{name}")
    assert "vedit" not in found
    assert found["digitalsourcetype"] == SOURCE_TYPE


def test_the_label_is_left_out_on_request(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mov")
    for name in ("o.mp4", "o.mkv", "o.gif"):
        write(source, name, label=False)
        assert SOURCE_TYPE.encode() not in (tmp_path / name).read_bytes()
        assert json.loads(sidecar_path(tmp_path / name).read_text("utf-8"))["label"] is None
    write(source, "s_%02d.png", label=False)
    assert SOURCE_TYPE.encode() not in (tmp_path / "s_01.png").read_bytes()
    write(source, "t_%02d.png")
    data = (tmp_path / "t_01.png").read_bytes()
    assert b"XML:com.adobe.xmp" in data and SOURCE_TYPE.encode() in data


def test_the_sidecar(make: Make, sound: Sound) -> None:
    source = make(name="in.mov", frames=12, rate=Fraction(25), timecode="10:00:00:00", sounds=(sound(),))
    plan = write(source, "o.mkv", FrameRange(start=2, stop=8))
    assert plan.sidecar == source.with_name("o.mkv.vedit.json")
    content = json.loads(sidecar_path(plan.path).read_text("utf-8"))
    assert content["source"] == {
        "name": "in.mov",
        "sha256": sha256(source.read_bytes()).hexdigest(),
        "bytes": source.stat().st_size,
        "track": 0,
    }
    assert (content["output"], content["label"], content["recipe"]) == ("o.mkv", SOURCE_TYPE, RECIPE)
    assert content["frames"] == {"start": 2, "stop": 8, "of": 12}
    assert (content["timecode"], content["rate"]) == ("10:00:00:02", "25")
    assert content["seconds"] == {"sample": 1.25}
    assert content["contract"]["ok"] is True and content["not_kept"] == []
    assert {"vedit", "av", "numpy"} <= set(content["versions"])
    write(source, "p.mkv", sidecar=False)
    assert not sidecar_path(source.with_name("p.mkv")).exists()


def test_a_sidecar_in_the_way(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make(frames=4)
    beside = source.with_name("o.mkv.vedit.json")
    beside.write_text("mine")
    with pytest.raises(MediaError, match=r"o\.mkv\.vedit\.json exists"):
        write(source, "o.mkv")
    assert beside.read_text() == "mine"
    write(source, "o.mkv", overwrite=True)
    assert json.loads(beside.read_text("utf-8"))["output"] == "o.mkv"
    # A render that breaks the contract leaves the old pair alone.
    old = (source.with_name("o.mkv").read_bytes(), beside.read_bytes())
    monkeypatch.setattr("vedit.media.writing.muxers.TrackSink._end", 5, raising=False)
    with open_video(source) as reader:
        plan = plan_output(
            source.with_name("o.mkv"), reader.metadata, reader.index(), options=OutputOptions(overwrite=True)
        )
        with pytest.raises(ContractError), VideoWriter(plan) as writer:
            writer.write(reader.read(FrameRange(start=0, stop=3)).frames)
            writer.finish()
    assert old == (source.with_name("o.mkv").read_bytes(), beside.read_bytes())


def test_timecode_that_the_container_cannot_hold_is_in_the_sidecar(make: Make) -> None:
    source = make(name="in.mov", frames=4, rate=Fraction(25), timecode="10:00:00:00")
    plan = write(source, "o.gif")
    assert plan.timecode is None and plan.lost == ()
    assert json.loads(sidecar_path(plan.path).read_text("utf-8"))["timecode"] == "10:00:00:00"
    assert write(source, "p.gif", sidecar=False).lost == ("the timecode 10:00:00:00 (.gif has none)",)


def test_the_work_folder_takes_the_growing_file(make: Make, tmp_path: Path) -> None:
    source = make(frames=4)
    work = tmp_path / "job"
    work.mkdir()
    plan = write(source, "o.mp4", work=work)
    assert plan.temporary.parent == work and plan.path.exists()
    assert list(work.iterdir()) == []
    assert write(source, "p.mp4", work=Path("/proc")).temporary.parent == source.parent


def test_a_recipe_that_json_does_not_hold_is_found_first(make: Make, tmp_path: Path) -> None:
    source = make(frames=2)
    with open_video(source) as reader, pytest.raises(TypeError):
        plan_output(tmp_path / "o.mp4", reader.metadata, reader.index(), recipe={"path": tmp_path})
