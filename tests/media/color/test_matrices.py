"""Matrices that swscale lacks: converted by their own equations both ways, or said and refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame
from click.testing import CliRunner

from vedit.cli.app import main
from vedit.errors import MediaError
from vedit.media.color.convert import matrix_note
from vedit.media.color.exact import codes_of, signal
from vedit.media.color.matrices import own_matrix
from vedit.media.color.planes import plane_of
from vedit.media.contract.identity import identity
from vedit.media.output import OutputOptions
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.media.writing.containers import CONTAINERS
from vedit.media.writing.encode import choose_encoding
from vedit.types import ColorTags, FrameRange

PATCH = (200, 60, 30)
TAGS = {
    "YCgCo": ColorTags(primaries=1, transfer=1, matrix=8),
    "BT.2020 CL": ColorTags(primaries=9, transfer=14, matrix=10),
    "YDzDx": ColorTags(primaries=1, transfer=1, matrix=11),
    "derived": ColorTags(primaries=12, transfer=1, matrix=12),
    "derived CL": ColorTags(primaries=9, transfer=14, matrix=13),
    "ICtCp PQ": ColorTags(primaries=9, transfer=16, matrix=14),
    "ICtCp HLG": ColorTags(primaries=9, transfer=18, matrix=14),
}


def column(*values: float) -> npt.NDArray[np.float64]:
    return np.array(values, np.float64)[:, np.newaxis, np.newaxis]


def converted(name: str, *rgb: float) -> list[float]:
    matrix = own_matrix(TAGS[name])
    assert matrix is not None
    return [float(value) for value in matrix.from_rgb(column(*rgb)).ravel()]


def test_known_values() -> None:
    assert np.array(converted("YCgCo", 200, 60, 30)) == pytest.approx([87.5, -27.5, 85])
    # ITU-R BT.2020-2, table 4: full steps of blue and red.
    assert converted("BT.2020 CL", 0, 0, 1)[1] == pytest.approx(0.5) == converted("BT.2020 CL", 1, 0, 0)[2]
    assert converted("BT.2020 CL", 1, 1, 0)[1] == pytest.approx(-0.9702 / 1.9404, abs=1e-4)
    # BT.709's primaries give BT.709's weights.
    weights = own_matrix(ColorTags(primaries=1, matrix=12))
    assert weights is not None and float(weights.from_rgb(column(0, 1, 0))[0, 0, 0]) == pytest.approx(0.7152, abs=1e-4)
    # Of 0.456, 0.031 and 0.041 cd/m2 by the equations of BT.2100 in colour-science's documentation.
    pq = own_matrix(TAGS["ICtCp PQ"])
    assert pq is not None
    light = np.array([0.45620519, 0.03081071, 0.04091952]) / 10000
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    coded = ((c1 + c2 * light**m1) / (1 + c3 * light**m1)) ** m2
    assert pq.from_rgb(column(*coded)).ravel() == pytest.approx([0.07351364, 0.00475253, 0.09351596], abs=1e-6)


@pytest.mark.parametrize("name", TAGS)
def test_there_and_back(name: str) -> None:
    matrix = own_matrix(TAGS[name])
    assert matrix is not None
    rgb = np.random.default_rng(0).random((3, 20, 30))
    assert np.abs(matrix.to_rgb(matrix.from_rgb(rgb)) - rgb).max() < 1e-3
    grey = matrix.from_rgb(column(0.4, 0.4, 0.4)).ravel()
    if name != "YDzDx":  # its chroma is of another white
        assert grey == pytest.approx([0.4, 0, 0], abs=2e-4)
    for bits, full in ((8, False), (8, True), (10, False), (12, True)):
        codes = codes_of(column(0.4, 0.1, -0.2), bits, full=full)
        assert signal(codes.astype(np.float64), bits, full=full).ravel() == pytest.approx([0.4, 0.1, -0.2], abs=0.003)


@dataclass(frozen=True, kw_only=True)
class Flat:
    """A file of one colour, its samples computed here."""

    tags: ColorTags
    pixel_format: str = "yuv444p"
    full: bool = False
    codec: str = "libx264"

    def write(self, folder: Path, rgb: tuple[int, int, int] = PATCH) -> Path:
        path = folder / ("in.mp4" if self.codec == "libx264" else "in.mkv")
        bits = 10 if "10" in self.pixel_format else 8
        matrix = own_matrix(self.tags)
        values = column(0.4, 0.1, 0.2) if matrix is None else matrix.from_rgb(column(*(value / 255 for value in rgb)))
        codes = [int(code) for code in codes_of(values, bits, full=self.full).ravel()]
        with av.open(str(path), "w") as output:
            options = {"qp": "0", "bf": "0"} if self.codec == "libx264" else {}
            stream: Any = output.add_stream(self.codec, rate=25, options=options)
            stream.width, stream.height, stream.pix_fmt = 64, 48, self.pixel_format
            context = stream.codec_context
            context.color_primaries, context.color_trc = self.tags.primaries, self.tags.transfer
            context.colorspace, context.color_range = self.tags.matrix, 2 if self.full else 1
            for number in range(2):
                frame = VideoFrame(64, 48, self.pixel_format)
                for index, code in enumerate(codes):
                    plane = plane_of(frame, index, np.uint8) if bits == 8 else plane_of(frame, index, np.uint16)
                    plane[:] = code
                frame.pts = number
                frame.color_primaries, frame.color_trc = self.tags.primaries, self.tags.transfer
                frame.colorspace = self.tags.matrix
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path


def colour(path: Path) -> npt.NDArray[np.float64]:
    """Of the middle of the first frame, in 8-bit values."""
    with open_video(path) as reader:
        clip = reader.read(FrameRange(start=0, stop=1))
    return clip.frames[0, :, 24, 32] / ((1 << clip.bit_depth) - 1) * 255


@pytest.mark.parametrize("name", TAGS)
@pytest.mark.parametrize(
    ("pixel_format", "full"),
    [("yuv444p", False), ("yuv420p", False), ("yuv420p", True), ("yuv422p10le", False), ("yuv444p10le", True)],
)
def test_the_colour_is_seen_and_written_again(tmp_path: Path, name: str, pixel_format: str, full: bool) -> None:
    path = Flat(tags=TAGS[name], pixel_format=pixel_format, full=full).write(tmp_path)
    # A code of chroma is worth more where luma's curve is steep.
    slack = 4 if "10" in pixel_format else 12 if "PQ" in name else 6
    slack = 2 if name in ("YCgCo", "YDzDx", "derived") else slack
    seen = colour(path)
    assert seen == pytest.approx(PATCH, abs=slack)
    result = identity(path, tmp_path / "out.mp4", options=OutputOptions(preset="archive", strict=True))
    assert result.report.ok
    assert probe(tmp_path / "out.mp4").color.matrix == TAGS[name].matrix
    assert colour(tmp_path / "out.mp4") == pytest.approx(seen, abs=2 * slack)
    # The samples themselves are the source's, to a rounding.
    for before, after in zip(samples(path), samples(tmp_path / "out.mp4"), strict=True):
        assert abs(before - after) <= 2


def samples(path: Path) -> list[float]:
    """In 8-bit steps: HDR of 8 bits is written with 10."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    bits = max(part.bits for part in frame.format.components)
    planes = [plane_of(frame, n, np.uint16) if bits > 8 else plane_of(frame, n, np.uint8) for n in range(3)]
    return [int(plane[plane.shape[0] // 2, plane.shape[1] // 2]) / (1 << (bits - 8)) for plane in planes]


@pytest.mark.parametrize(("codec", "suffix"), [("prores", ".mov"), ("vp9", ".webm"), ("ffv1", ".mkv")])
def test_a_codec_without_the_tag_gets_the_usual_matrix(tmp_path: Path, codec: Any, suffix: str) -> None:
    path = Flat(tags=TAGS["YCgCo"], full=True).write(tmp_path)
    result = identity(path, tmp_path / f"out{suffix}", options=OutputOptions(codec=codec))
    assert colour(tmp_path / f"out{suffix}") == pytest.approx(PATCH, abs=2)
    if codec == "ffv1":
        assert result.notes == ()
        return
    assert any("the matrix 8 (YCgCo) (written as 1" in note for note in result.notes)
    with pytest.raises(MediaError, match=r"--strict: not kept: .*YCgCo"):
        identity(path, tmp_path / f"strict{suffix}", options=OutputOptions(codec=codec, strict=True))


@pytest.mark.parametrize(
    ("flat", "name"),
    [
        # Green, blue and red cannot have halved planes.
        (Flat(tags=ColorTags(primaries=1, transfer=1, matrix=0), pixel_format="yuv420p", codec="ffv1"), "0 (RGB)"),
        # ICtCp of a curve that it is not defined for; primaries that are not told.
        (Flat(tags=ColorTags(primaries=9, transfer=1, matrix=14)), "14 (ICtCp)"),
        (Flat(tags=ColorTags(primaries=2, transfer=1, matrix=12)), "12 (derived from the primaries)"),
    ],
)
def test_what_is_not_converted_is_said_and_refused(tmp_path: Path, flat: Flat, name: str) -> None:
    path = flat.write(tmp_path)
    assert probe(path).color.matrix == flat.tags.matrix
    with open_video(path) as reader:
        (warning,) = reader.warnings
    assert f"matrix {name}, which is not converted: they are read as BT." in warning
    done = CliRunner().invoke(main, ["identity", str(path), "-o", str(tmp_path / "out.mkv")])
    assert done.exit_code == 0 and name in done.output
    done = CliRunner().invoke(main, ["identity", str(path), "-o", str(tmp_path / "strict.mkv"), "--strict"])
    assert done.exit_code == 2 and name in done.output and not (tmp_path / "strict.mkv").exists()


@pytest.mark.parametrize(("matrix", "name"), [(15, "IPT-PQ-C2"), (16, "YCgCo-Re"), (17, "YCgCo-Ro"), (99, "not known")])
def test_matrices_that_few_files_can_say(tmp_path: Path, matrix: int, name: str) -> None:
    found = replace(probe(Flat(tags=TAGS["YCgCo"]).write(tmp_path)), color=ColorTags(matrix=matrix))
    assert f"matrix {matrix} ({name})" in (matrix_note(found) or "")
    assert any(name in lost for lost in choose_encoding(found, CONTAINERS[".mp4"], OutputOptions()).lost)
    assert matrix_note(replace(found, color=ColorTags())) is None
    assert matrix_note(replace(found, pixel_format="gbrp")) is None


@pytest.mark.parametrize("full", [False, True])
def test_planes_of_green_blue_and_red_by_their_tag(tmp_path: Path, full: bool) -> None:
    path = tmp_path / "in.mkv"
    levels = [(16 + round(value * 219 / 255)) if not full else value for value in (PATCH[1], PATCH[2], PATCH[0])]
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 0, 2 if full else 1
        frame = VideoFrame(64, 48, "yuv444p")
        for index, level in enumerate(levels):
            plane_of(frame, index, np.uint8)[:] = level
        frame.pts, frame.colorspace = 0, 0
        output.mux([*stream.encode(frame), *stream.encode(None)])
    with open_video(path) as reader:
        assert reader.warnings == ()
    assert colour(path) == pytest.approx(PATCH, abs=1)
    assert identity(path, tmp_path / "out.mp4", options=OutputOptions(preset="archive")).report.ok
    assert colour(tmp_path / "out.mp4") == pytest.approx(PATCH, abs=2)


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_full_range_in_prores_is_told(tmp_path: Path, suffix: str) -> None:
    path = Flat(tags=TAGS["YCgCo"], full=True).write(tmp_path)
    result = identity(path, tmp_path / f"out{suffix}", options=OutputOptions(codec="prores"))
    assert any("full range (written as limited" in note for note in result.notes)
    assert probe(tmp_path / f"out{suffix}").color.full_range is False


def test_a_phone_clip_in_ycgco(tmp_path: Path, cases: Path) -> None:
    path = cases / "media/ycgco.mp4"
    with open_video(path) as reader:
        patch = reader.read(FrameRange(start=0, stop=1)).frames[0, :, 20, 16]
        assert reader.warnings == ()
    assert patch.astype(int) == pytest.approx(PATCH, abs=1)
    identity(path, tmp_path / "out.mp4", options=OutputOptions(strict=True))
    assert probe(tmp_path / "out.mp4").color.matrix == 8
    with open_video(tmp_path / "out.mp4") as reader:
        again = reader.read(FrameRange(start=0, stop=1)).frames[0, :, 20, 16]
    assert again.astype(int) == pytest.approx(PATCH, abs=3)
