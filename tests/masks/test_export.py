"""`vedit mask`: mattes as files on the clip's timing, contact sheets, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from vedit.cli import main
from vedit.cli.mask_params import mask_choices, region_choices
from vedit.errors import InputError, MediaError
from vedit.masks.export import write_mattes
from vedit.media.reading.read import open_video
from vedit.media.reading.sequence import find_sequence
from vedit.options.masks import KeyedBox, KeyedFile, MaskSpec, parse_region
from vedit.options.source import SourceOptions
from vedit.types import FrameRange

TIMES = (0, 40, 80, 130, 160, 240)
BOX = MaskSpec(boxes=(KeyedBox(left=8, top=6, width=20, height=12),))


@pytest.fixture
def source(save_video: Callable[..., Path]) -> Path:
    """Six frames of 64 x 48 at a variable rate."""
    frames = np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)
    return save_video(np.stack([frames] * 6), TIMES, "source.mkv")


def read(path: Path) -> np.ndarray:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


def test_a_matte_has_the_clips_times(source: Path, tmp_path: Path) -> None:
    report = write_mattes(source, BOX, tmp_path / "matte.mkv", preset="archive")
    assert report.output is not None
    with open_video(report.output) as reader:
        assert reader.index().pts == TIMES
    frames = read(report.output)
    assert frames.shape == (6, 3, 48, 64)
    assert (frames[:, :, 6:18, 8:28] >= 254).all()
    assert frames.sum() == pytest.approx(6 * 3 * 240 * 255, rel=0.01)
    assert report.areas == pytest.approx([240 / (64 * 48)] * 6)
    again = write_mattes(source, MaskSpec(boxes=BOX.boxes, invert=True), tmp_path / "inverse.mkv")
    assert again.areas == pytest.approx([1 - 240 / (64 * 48)] * 6)


def test_pictures(source: Path, tmp_path: Path) -> None:
    write_mattes(source, BOX, tmp_path / "matte_%04d.png", frames="#2..#5")
    names = sorted(path.name for path in tmp_path.glob("matte_*.png"))
    assert len(names) == 3
    picture = cv2.imread(str(tmp_path / names[0]), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    expected = np.zeros((48, 64), np.uint8)
    expected[6:18, 8:28] = 255
    assert np.array_equal(picture, expected)


def test_alpha_keeps_the_picture(source: Path, tmp_path: Path) -> None:
    write_mattes(source, BOX, tmp_path / "clip_%04d.png", alpha=True)
    frames = read(tmp_path / "clip_%04d.png")
    assert frames.shape == (6, 4, 48, 64)
    assert np.array_equal(frames[:, :3], read(source)[:, :3])
    assert np.array_equal(np.unique(frames[:, 3]), [0, 255])
    report = write_mattes(source, BOX, tmp_path / "clip.mov", alpha=True)
    with open_video(tmp_path / "clip.mov") as reader:
        assert reader.metadata.codec == "prores" and reader.metadata.has_alpha
        assert len(reader.index()) == len(report.areas) == 6


def test_the_command(source: Path, tmp_path: Path) -> None:
    matte, sheet = tmp_path / "matte.mkv", tmp_path / "sheet.png"
    line = ["mask", str(source), "--mask-box", "8,6,20,12", "-o", str(matte), "--preview", str(sheet)]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 0, done.output
    assert "shot 1  #0..#6  area 7.8 %  (7.8 % to 7.8 %)" in done.stdout
    assert str(matte) in done.stdout
    assert cv2.imread(str(sheet)) is not None
    told = CliRunner().invoke(main, [*line, "--overwrite", "--json"])
    found = json.loads(told.stdout)
    assert found["areas"] == pytest.approx([240 / (64 * 48)] * 6)
    assert found["shots"] == [{"number": 1, "start": 0, "stop": 6}]
    assert "kept" in CliRunner().invoke(main, line).stderr, "it is there already, made alike"
    assert CliRunner().invoke(main, [*line, "--feather", "2"]).exit_code == 2, "it is there, made otherwise"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x.mkv"], "no mask is given"),
        (["--mask-box", "1,2,3,4"], "nothing is asked for"),
        (["--mask-box", "1,2,3,4", "--alpha", "--preview", "x.png"], "--alpha needs the file"),
        (["--mask-box", "1,2,3", "-o", "x.mkv"], "is not X,Y,W,H"),
        (["--mask-box", "1,2,3,4", "-o", "x.mp4", "--alpha"], ".mp4 cannot hold the mask as alpha"),
        (["--mask", "gone.png@0", "-o", "x.mkv"], "gone.png: no such file"),
        (["--subject", " ", "-o", "x.mkv"], "it names nothing"),
        (["--mask-box", "1,2,3,4", "--feather", "-1", "-o", "x.mkv"], "feather"),
    ],
)
def test_errors_are_one_line(
    options: list[str], message: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["mask", str(source), *options])
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source.mkv"]


def test_an_empty_mask_is_noted(source: Path, tmp_path: Path) -> None:
    outside = MaskSpec(boxes=(KeyedBox(left=100, top=100, width=5, height=5),))
    assert "the mask is empty on every frame" in write_mattes(source, outside, None, preview=tmp_path / "p.png").notes
    moving = tuple(KeyedBox(left=left, top=0, width=20, height=20, at=at) for left, at in ((20, "#0"), (200, "#5")))
    notes = write_mattes(source, MaskSpec(boxes=moving), None, preview=tmp_path / "q.png").notes
    assert any("the mask is empty on" in note and "of 6 frames" in note for note in notes)


def test_options_become_a_specification() -> None:
    values: dict[str, Any] = {
        "mask_texts": ("a.png@0",),
        "mask_box_texts": ("1,2,3,4",),
        "mask_point_texts": ("5,6", "!7,8"),
        "mask_point_out_texts": ("9,9",),
        "subject": None,
        "background": None,
        "invert": True,
        "grow": -2.0,
        "feather": 6.0,
        "propagate": "flow",
    }
    spec = mask_choices(**values)
    assert spec is not None
    assert [point.inside for point in spec.points] == [True, False, False]
    assert (spec.invert, spec.grow, spec.feather, spec.propagate) == (True, -2.0, 6.0, "flow")
    nothing: dict[str, Any] = {
        **values,
        "mask_texts": (),
        "mask_box_texts": (),
        "mask_point_texts": (),
        "mask_point_out_texts": (),
    }
    with pytest.raises(click.UsageError, match="no mask to invert"):
        mask_choices(**nothing)
    nothing["invert"] = False
    assert mask_choices(**nothing) is None
    (region,) = region_choices([parse_region("a.png=gold")], **values)
    assert (region.mask.feather, region.mask.grow, region.mask.invert) == (6.0, -2.0, False)


def test_the_picture_is_none_of_the_mattes(source: Path, tmp_path: Path) -> None:
    for name in ("a_01.png", "a_44.png"):
        with pytest.raises(InputError, match="is one of the mattes"):
            write_mattes(source, BOX, tmp_path / "a_%02d.png", preview=tmp_path / name)
    assert not list(tmp_path.glob("a_*"))
    # More digits with a zero in front are no number of the sequence, to the reader and to the writer.
    (tmp_path / "a_001.png").write_bytes(b"mine")
    write_mattes(source, BOX, tmp_path / "a_%02d.png", frames="#0..#2", preview=tmp_path / "sheet.png", overwrite=True)
    assert (tmp_path / "a_001.png").read_bytes() == b"mine"
    sequence = find_sequence(tmp_path / "a_%02d.png")
    assert sequence is not None and sequence.count == 2


@pytest.mark.parametrize("name", ["a.mkv", "a_%02d.png"])
def test_a_folder_that_is_not_there_is_named(source: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"the folder .*absent does not exist"):
        write_mattes(source, BOX, tmp_path / "absent" / name)


def test_mattes_of_a_mask_that_has_changed_are_not_kept(source: Path, tmp_path: Path) -> None:
    """Of a pattern, which is no file itself, it is the pictures that count."""
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"m_{number:04d}.png"), np.zeros((48, 64), np.uint8))
    spec = MaskSpec(files=(KeyedFile(path=tmp_path / "m_%04d.png"),))
    write_mattes(source, spec, tmp_path / "matte.mkv")
    again = write_mattes(source, spec, tmp_path / "matte.mkv")
    assert any("is kept" in note for note in again.notes)
    cv2.imwrite(str(tmp_path / "m_0003.png"), np.full((48, 64), 255, np.uint8))
    with pytest.raises(InputError, match=r"matte\.mkv"):
        write_mattes(source, spec, tmp_path / "matte.mkv")
    done = write_mattes(source, spec, tmp_path / "matte.mkv", overwrite=True)
    assert done.areas[3] == 1


def test_mattes_of_another_track_are_not_kept(source: Path, tmp_path: Path) -> None:
    write_mattes(source, BOX, tmp_path / "matte.mkv", reading=SourceOptions(track=0))
    with pytest.raises(InputError, match=r"matte\.mkv"):
        write_mattes(source, BOX, tmp_path / "matte.mkv")


def test_a_mask_file_that_is_not_there_is_named(source: Path, tmp_path: Path) -> None:
    for name in ("no.png", "no_%04d.png"):
        with pytest.raises((InputError, MediaError), match="no"):
            write_mattes(source, MaskSpec(files=(KeyedFile(path=tmp_path / name),)), tmp_path / "matte.mkv")
    assert not (tmp_path / "matte.mkv").exists()
