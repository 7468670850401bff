"""What no result can keep beside the pictures is told before, and refused under --strict."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.audio.frame import AudioFrame
from av.stream import Disposition
from click.testing import CliRunner

from vedit.cli.app import main
from vedit.errors import MediaError
from vedit.media.contract.identity import identity
from vedit.media.output import OutputOptions
from vedit.media.reading.boxes import picture_boxes, picture_elements
from vedit.media.reading.extras import lost_extras
from vedit.media.reading.probe import probe
from vedit.media.writing.roles import lost_roles

Make = Callable[..., Path]
ENTRY = ("moov", "trak", "mdia", "minf", "stbl", "stsd", "avc1")
FIXED = {"stsd": 8, "avc1": 78}


def box(name: str, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), name.encode()) + body


def with_boxes(path: Path, *children: bytes) -> Path:
    """The same file with further boxes in its picture's sample entry; the index lies behind the pictures."""

    def grown(data: bytes, names: tuple[str, ...]) -> bytes:
        if not names:
            return data + b"".join(children)
        out, place = b"", 0
        while place < len(data):
            size, name = struct.unpack_from(">I4s", data, place)
            whole = data[place : place + size]
            if name == names[0].encode() and (name != b"trak" or b"vide" in whole):
                skip = FIXED.get(names[0], 0)
                whole = box(names[0], whole[8 : 8 + skip] + grown(whole[8 + skip :], names[1:]))
            out += whole
            place += size
        return out

    path.write_bytes(grown(path.read_bytes(), ENTRY))
    return path


def element(identity: int, body: bytes) -> bytes:
    """With a size of eight bytes."""
    return identity.to_bytes((identity.bit_length() + 7) // 8) + (len(body) | 1 << 56).to_bytes(8) + body


def matroska(*tracks: bytes) -> bytes:
    """The head of a file: an element to pass over, then its tracks, in a segment of unknown size."""
    head = element(0x1A45DFA3, b"\x42\x82\x88matroska") + b"\x18\x53\x80\x67\x01" + b"\xff" * 7
    return head + element(0xEC, b"\0" * 50) + element(0x1654AE6B, b"".join(element(0xAE, body) for body in tracks))


SV3D = box("sv3d", box("svhd", b"\0" * 5) + box("proj", box("prhd", b"\0" * 16) + box("equi", b"\0" * 20)))


@pytest.mark.parametrize(
    ("children", "told"),
    [
        ([box("st3d", b"\0\0\0\0\1"), SV3D], ["(st3d)", "360 degree"]),
        ([box("lhvC", b"\0" * 20), box("vexu", box("eyes"))], ["the second eye"]),
        ([box("dvvC", b"\1\0\x10\x0d" + b"\0" * 20)], ["Dolby Vision"]),
        ([box("clap", struct.pack(">8I", 32, 1, 24, 1, 0, 1, 0, 1))], ["crop that players show (clap)"]),
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_boxes_of_the_picture(make: Make, tmp_path: Path, suffix: str, children: list[bytes], told: list[str]) -> None:
    path = with_boxes(make(name=f"in{suffix}", frames=4), *children)
    assert {child[4:8].decode() for child in children} <= picture_boxes(path, 0)
    words = ["identity", str(path), "-o", str(tmp_path / f"out{suffix}")]
    done = CliRunner().invoke(main, [*words, "--strict"])
    said = " ".join(done.output.split())
    assert done.exit_code == 2 and all(what in said for what in told)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0 and all(what in " ".join(done.output.split()) for what in told)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".ts"])
def test_a_plain_clip_loses_nothing(make: Make, tmp_path: Path, suffix: str) -> None:
    codec = {"codec": "libvpx-vp9", "options": {}} if suffix == ".webm" else {}
    path = make(name=f"in{suffix}", frames=4, **codec)
    assert lost_extras(probe(path), muxer="matroska") == []
    assert identity(path, tmp_path / "out.mkv", options=OutputOptions(strict=True)).report.ok


def test_matroska_elements(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    sound = element(0x83, b"\x02") + element(0xE1, b"")
    crop = element(0x54BB, b"\x08") + element(0x54AA, b"\x00") + element(0x54CC, b"\x01\x00")
    mapped = element(0x41E4, element(0x41F0, b"\x04") + element(0x41E7, b"dvvC"))
    second = element(0x83, b"\x01") + element(0xE0, element(0xB0, b"\x40") + crop) + mapped
    path.write_bytes(matroska(element(0x83, b"\x01") + element(0xE0, element(0xB0, b"\x40")), sound, second))
    assert picture_elements(path, 0) == ({}, frozenset())
    assert picture_elements(path, 1) == ({"top": 8, "left": 256}, frozenset(["dvvC"]))
    assert picture_elements(path, 2) == ({}, frozenset())


def test_the_crop_of_a_matroska_file(make: Make, tmp_path: Path) -> None:
    path = make(name="in.mkv", frames=4)
    data = path.read_bytes()
    unit = data.index(b"\x54\xb2\x81\x04")
    # The unit of the display size, 4, becomes a crop of 4 rows: an element of the same length.
    path.write_bytes(data[:unit] + b"\x54\xbb" + data[unit + 2 :])
    with pytest.raises(MediaError, match=r"--strict: not kept: the crop that players show \(top 4\)"):
        identity(path, tmp_path / "out.mkv", options=OutputOptions(strict=True))


@pytest.mark.parametrize("damage", [b"", b"\0" * 64, b"\xff" * 64, b"\x1a\x45\xdf\xa3\x01" + b"\xff" * 40])
def test_damaged_headers_end_the_search(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "in"
    path.write_bytes(damage)
    assert picture_boxes(path, 0) == frozenset() and picture_elements(path, 0) == ({}, frozenset())
    nested = box("moov", box("trak", box("mdia", struct.pack(">I4s", 2**31, b"hdlr") + b"\0" * 8 + b"vide")))
    path.write_bytes(nested)
    assert picture_boxes(path, 0) == frozenset()


def two_sounds(path: Path, role: Disposition) -> Path:
    """A picture and two sounds, the second with a role."""
    with av.open(str(path), "w") as output:
        film: Any = output.add_stream("libx264", rate=25, options={"bf": "0"})
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        sounds: list[Any] = [output.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        sounds[1].disposition = role
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts = number
            output.mux(film.encode(frame))
        output.mux(film.encode(None))
        for stream in sounds:
            silence = AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
            silence.sample_rate = 48000
            output.mux([*stream.encode(silence), *stream.encode(None)])
    return path


@pytest.mark.parametrize("role", ["original", "comment", "hearing_impaired"])
def test_roles_are_kept_or_told(tmp_path: Path, role: str) -> None:
    path = two_sounds(tmp_path / "in.mkv", Disposition[role])
    for suffix, muxer in ((".mkv", "matroska"), (".mp4", "mp4"), (".mov", "mov")):
        lost = identity(path, tmp_path / f"out{suffix}").notes
        with av.open(str(tmp_path / f"out{suffix}")) as container:
            kept = bool(container.streams.audio[1].disposition & Disposition[role])
        told = any(f"the flag {role.replace('_', ' ')} of the sound (stream 2" in note for note in lost)
        assert kept != told
        assert lost_roles(muxer, "audio", Disposition[role]) == ([] if kept else [role.replace("_", " ")])
        if told:
            with pytest.raises(MediaError, match="--strict"):
                identity(path, tmp_path / f"strict{suffix}", options=OutputOptions(strict=True))


def test_a_360_degree_film_and_marked_tracks(tmp_path: Path, cases: Path) -> None:
    done = CliRunner().invoke(
        main, ["identity", str(cases / "media/equirect.mp4"), "-o", str(tmp_path / "a.mp4"), "--strict"]
    )
    assert done.exit_code == 2 and "sv3d" in done.output and "st3d" in done.output
    for suffix in (".mkv", ".mp4"):
        path = cases / f"media/multi{suffix}"
        identity(path, tmp_path / f"out{suffix}", options=OutputOptions(strict=True))
        with av.open(str(path)) as before, av.open(str(tmp_path / f"out{suffix}")) as after:
            assert [s.disposition for s in before.streams] == [s.disposition for s in after.streams]
    with pytest.raises(MediaError, match="the flag forced of the subtitles"):
        identity(cases / "media/multi.mp4", tmp_path / "out.mov", options=OutputOptions(strict=True))
