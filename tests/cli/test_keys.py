"""`vedit keys export`: the frames that are worth painting, as files that a render reads back."""

from __future__ import annotations

import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.support.clips import CUT, FRAMES, two_shots
from vedit.cli.app import main
from vedit.media.reading.read import open_video
from vedit.options.painted import in_folder
from vedit.render.proposed_keys import export_keys
from vedit.types import FrameRange


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def vedit(*words: object) -> int:
    return main.main([str(word) for word in words], standalone_mode=False)


def test_frames_are_written_as_they_are_under_names_that_tell_them(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vedit("keys", "export", clip, tmp_path / "keys", "--keyframes", 4, "--json") == 0
    told = json.loads(capsys.readouterr().out)["keys"]
    assert [one["frame"] for one in told] == [0, 4, CUT], "the last frame of a shot says nothing new"
    assert [one["shot"] for one in told] == [1, 1, 2]
    assert told[0]["new"] == told[2]["new"] == 1
    assert told[1]["new"] < 0.2
    specs = in_folder(tmp_path / "keys")
    assert [spec.frame for spec in specs] == [0, 4, CUT]
    with open_video(clip) as reader:
        for spec in specs:
            assert spec.frame is not None
            picture = cv2.imread(str(spec.path), cv2.IMREAD_UNCHANGED)
            assert picture is not None
            frame = reader.read(FrameRange(start=spec.frame, stop=spec.frame + 1)).frames[0]
            assert np.array_equal(picture[..., ::-1].transpose(2, 0, 1), frame)


def test_a_table_is_printed_and_nothing_that_is_there_is_replaced(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert vedit("keys", "export", clip, tmp_path / "keys") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["frame", "time", "shot", "new", "file"]
    assert [line.split()[0] for line in lines[1:]] == ["#0", f"#{CUT}"]
    (file, *_) = sorted((tmp_path / "keys").iterdir())
    file.write_bytes(b"painted")
    assert vedit("keys", "export", clip, tmp_path / "keys") == 2
    assert "perhaps painted" in capsys.readouterr().err
    assert file.read_bytes() == b"painted"
    assert vedit("keys", "export", clip, tmp_path / "keys", "--overwrite", "--quiet") == 0
    assert file.read_bytes() != b"painted"


def test_a_part_and_some_shots(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit("keys", "export", clip, tmp_path / "a", "--range", f"#2..#{FRAMES}", "--json") == 0
    told = json.loads(capsys.readouterr().out)["keys"]
    assert [(one["frame"], one["shot"]) for one in told] == [(2, 1), (CUT, 2)]
    assert [key.frame for key in export_keys(clip, tmp_path / "b", shots=[2]).keys] == [CUT]
    for words, message in (
        (("--shots", "3"), "there is no shot 3"),
        (("--shots", "one"), "--shots is 'one'"),
        (("--shots", "2", "--range", "#0..#3"), "none of the shots lies in the part"),
        (("--keyframes", "often"), "keyframes is"),
    ):
        assert vedit("keys", "export", clip, tmp_path / "c", *words) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
    assert vedit("keys", "export", clip, clip) == 2
    assert "is a file" in capsys.readouterr().err


def test_frames_of_more_bits_come_back_to_the_last(tmp_path: Path) -> None:
    deep = tmp_path / "deep.mkv"
    drawn = np.random.default_rng(0).integers(0, 1024, (2, 3, 48, 64)).astype(np.uint16)
    with av.open(str(deep), "w") as container:
        video = container.add_stream("ffv1", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "gbrp10le"
        for frame in drawn:
            made = av.VideoFrame(64, 48, "gbrp10le")
            for plane, channel in zip(made.planes, frame[[1, 2, 0]], strict=True):
                rows = np.zeros((48, plane.line_size // 2), np.uint16)
                rows[:, :64] = channel
                plane.update(rows.tobytes())
            container.mux(video.encode(made))
        container.mux(video.encode(None))
    (file, *_) = export_keys(deep, tmp_path / "keys").files
    picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.dtype == np.uint16
    with open_video(deep) as reader:
        clip = reader.read(FrameRange(start=0, stop=1))
    back = np.rint(picture[..., ::-1].transpose(2, 0, 1) * (1023 / 65535)).astype(np.uint16)
    assert np.array_equal(back, clip.frames[0])
