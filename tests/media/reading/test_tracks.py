"""Files of several video streams: the film is taken, and which it is is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from click.testing import CliRunner, Result

import vedit
from tests.support.resolved import made_job
from vedit.cli.app import main
from vedit.errors import MediaError
from vedit.media.contract.verify import verify
from vedit.media.reading.isolate import check_file
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.types import FrameRange


@dataclass(frozen=True, kw_only=True)
class Track:
    """A video stream of one flat colour."""

    frames: int
    grey: int
    codec: str = "libx264"
    default: bool = False
    cover: bool = False
    width: int = 64


STILL = Track(frames=1, grey=200, codec="mjpeg", width=96)
FILM = Track(frames=30, grey=60)


def write(path: Path, tracks: Sequence[Track]) -> Path:
    with av.open(str(path), "w") as output:
        streams: list[Any] = []
        packets: list[tuple[Fraction, int, Packet]] = []
        for track in tracks:
            options = {"bf": "0", "g": "15"} if track.codec == "libx264" else {}
            stream: Any = output.add_stream(track.codec, rate=30, options=options)
            stream.width, stream.height = track.width, 48
            stream.pix_fmt = "yuvj420p" if track.codec == "mjpeg" else "yuv420p"
            stream.disposition = Disposition.attached_pic if track.cover else Disposition(int(track.default))
            streams.append(stream)
        for place, (track, stream) in enumerate(zip(tracks, streams, strict=True)):
            for number in range(track.frames):
                image = np.full((48, track.width, 3), track.grey, np.uint8)
                frame = VideoFrame.from_ndarray(image, format="rgb24").reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = number, Fraction(1, 30)
                packets += [(Fraction(number, 30), place, packet) for packet in stream.encode(frame)]
            packets += [(Fraction(track.frames, 30), place, packet) for packet in stream.encode(None)]
        for _, _, packet in sorted(packets, key=itemgetter(0, 1)):
            output.mux(packet)
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(main, list(map(str, words)))


def taken(path: Path) -> int:
    return probe(path).stream_index


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("tracks", "film"),
    [
        # A still before the film, the default one or not; one behind it; a strip of thumbnails; a cover.
        ([Track(frames=1, grey=200, codec="mjpeg", default=True), FILM], 1),
        ([STILL, FILM], 1),
        ([FILM, STILL], 0),
        ([Track(frames=1, grey=200), FILM], 1),
        ([Track(frames=3, grey=200, codec="mjpeg", default=True), FILM], 1),
        # Films: the default one; else the one of most frames; else the first.
        ([Track(frames=30, grey=9), Track(frames=20, grey=60, default=True)], 1),
        ([Track(frames=30, grey=60), Track(frames=30, grey=9)], 0),
        # Motion JPEG is a film like any other where it is one.
        ([Track(frames=30, grey=60, codec="mjpeg", default=True), Track(frames=30, grey=9)], 0),
    ],
)
def test_the_film_is_taken(tmp_path: Path, suffix: str, tracks: list[Track], film: int) -> None:
    path = write(tmp_path / f"in{suffix}", tracks)
    assert taken(path) == film
    with open_video(path) as reader:
        (said,) = reader.warnings
        assert f"track {film} (" in said and "--track takes another" in said
        assert len(reader.index()) == tracks[film].frames
        grey = reader.read(FrameRange(start=0, stop=1)).frames.mean()
        assert grey == pytest.approx(tracks[film].grey, abs=3)
    other = 1 - film
    with vedit.open_video(path, track=other) as video:
        assert len(video.index()) == tracks[other].frames and not video.warnings
        assert video.read(FrameRange(start=0, stop=1)).frames.mean() == pytest.approx(tracks[other].grey, abs=3)


def test_of_films_without_a_default_the_longer_one(tmp_path: Path) -> None:
    # Not in MP4, whose writer makes the first the default one.
    assert taken(write(tmp_path / "in.mkv", [Track(frames=20, grey=9), Track(frames=30, grey=60)])) == 1


def test_a_cover_is_no_choice(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mp4", [FILM, Track(frames=1, grey=9, codec="mjpeg", cover=True)])
    with open_video(path) as reader:
        assert reader.metadata.stream_index == 0 and not reader.warnings
    assert probe(path, track=1).codec == "mjpeg"


@pytest.mark.parametrize("command", ["restyle", "probe", "shots", "controls", "mask", "plan", "identity", "verify"])
def test_a_wrong_number_lists_the_tracks(tmp_path: Path, command: str) -> None:
    path = write(tmp_path / "in.mp4", [STILL, FILM])
    more: dict[str, list[object]] = {
        "restyle": ["--prompt", "night", "--dry-run"],
        "controls": ["--kind", "softedge", "-o", tmp_path / "maps.mp4"],
        "mask": ["--mask-box", "0,0,8,8", "-o", tmp_path / "mask.mp4"],
        "identity": ["-o", tmp_path / "same.mp4"],
        "verify": [path],
    }
    done = run(command, path, *more.get(command, []), "--track", 5)
    assert done.exit_code == 2
    told = " ".join(done.output.split())
    assert "track 5 is no video track" in told and "track 0 (mjpeg, 96x48, 1 frame), track 1 (h264, 64x48, 30" in told
    assert [entry.name for entry in tmp_path.iterdir()] == ["in.mp4"]


def test_the_probe_says_which(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mp4", [STILL, FILM])
    done = run("probe", path)
    assert done.exit_code == 0 and "track      #1" in done.output and "#0 video, mjpeg, 96x48, 1 frame" in done.output
    assert "track 1 (h264, 64x48, 30 frames) is the film" in " ".join(done.output.split())
    told = json.loads(run("probe", path, "--track", 0, "--json").stdout)
    assert (told["stream_index"], told["width"]) == (0, 96)
    assert check_file(path, track=0).metadata == probe(path, track=0)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("track", [0, 1])
def test_a_result_is_held_to_the_chosen_track(tmp_path: Path, suffix: str, track: int) -> None:
    tracks = [Track(frames=24, grey=30, default=True), Track(frames=30, grey=120)]
    path = write(tmp_path / f"in{suffix}", tracks)
    result = tmp_path / f"out{suffix}"
    assert run("identity", path, "-o", result, "--track", track).exit_code == 0
    # The other one is copied as it is, beside the new one.
    with open_video(result, track=0) as reader:
        assert len(reader.index()) == tracks[track].frames
    with open_video(result, track=1) as reader:
        assert len(reader.index()) == tracks[1 - track].frames
        assert reader.read(FrameRange(start=0, stop=1)).frames.mean() == pytest.approx(tracks[1 - track].grey, abs=3)
    # The record beside it says which it was; without it, the user.
    assert run("verify", path, result).exit_code == 0
    (tmp_path / f"out{suffix}.vedit.json").unlink()
    assert verify(path, result, track=track).ok
    assert not verify(path, result, track=1 - track).ok


def test_a_plan_names_the_track(tmp_path: Path) -> None:
    path = write(tmp_path / "in.mp4", [Track(frames=24, grey=30, default=True), Track(frames=30, grey=120)])
    assert run("plan", path, "--track", 1, "--no-thumbnails", "-p", "night").exit_code == 0
    plan = tmp_path / "in.plan.toml"
    assert "track = 1\n" in plan.read_text("utf-8")
    done = run("edit", plan, "--dry-run", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["frames"] == 30
    plan.write_text(plan.read_text("utf-8").replace("track = 1", "track = 4"), "utf-8")
    assert run("edit", plan, "--dry-run").exit_code == 2


def test_frames_of_one_track_are_never_taken_for_anothers(tmp_path: Path) -> None:
    from vedit.options.request import RenderRequest, RestyleOptions

    path = write(tmp_path / "in.mp4", [Track(frames=24, grey=30), Track(frames=24, grey=120)])
    looks = RestyleOptions(prompt="night")
    keys = {made_job(RenderRequest(source=path, options=looks, track=track)).source_key for track in (0, 1)}
    assert len(keys) == 2


def test_a_drone_film_behind_its_still(tmp_path: Path, cases: Path) -> None:
    path = cases / "media/skydio.mp4"
    done = run("restyle", path, "--prompt", "night", "--dry-run", "-o", tmp_path / "out.mp4")
    assert done.exit_code == 0 and "track 1 (h264, 160x96, 45 frames)" in " ".join(done.output.split())
    with pytest.raises(MediaError, match="track 2 is no video track"):
        open_video(path, track=2)
