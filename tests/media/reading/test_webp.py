"""Animated WebP is a film with times of its own; a WebP of one picture is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vedit.cli.app import main
from vedit.errors import MediaError
from vedit.media.contract.identity import identity
from vedit.media.output import OutputOptions
from vedit.media.reading import webp
from vedit.media.reading.isolate import check_file
from vedit.media.reading.probe import probe
from vedit.media.reading.read import open_video
from vedit.types import FrameRange

DURATIONS = [40, 40, 120, 10, 500, 33]


def write(path: Path, *, durations: list[int] | None = None, mode: str = "RGB", clear: bool = False) -> Path:
    pictures: list[Image.Image] = []
    for number in range(len(durations or DURATIONS)):
        array = np.full((48, 64, len(mode)), 30 + 20 * number, np.uint8)
        array[:8, : 4 + number, 0] = 250
        if mode == "RGBA":
            array[..., 3] = 128 if clear and number else 255
        pictures.append(Image.fromarray(array, mode))
    first, *rest = pictures
    first.save(path, save_all=True, append_images=rest, duration=durations or DURATIONS, lossless=True, exact=True)
    return path


def test_pictures_and_times_are_exact(tmp_path: Path) -> None:
    path = write(tmp_path / "in.webp")
    with open_video(path) as reader:
        index = reader.index()
        assert [index.seconds(n) * 1000 for n in range(len(index))] == [0, 40, 80, 200, 210, 710]
        assert (index.last_duration, index.rate, reader.metadata.container) == (33, None, ("webp",))
        assert not reader.metadata.has_alpha and reader.warnings == ()
        frames = reader.read(FrameRange(start=0, stop=6)).frames
        assert [int(frame[1, 20, 40]) for frame in frames] == [30, 50, 70, 90, 110, 130]
        assert int(reader.read(FrameRange(start=4, stop=5)).frames[0, 0, 0, 7]) == 250
    assert check_file(path).metadata == probe(path)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out_%03d.png", "out.gif"])
def test_it_is_rendered_like_any_film(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "in.webp")
    assert identity(path, tmp_path / name).report.ok
    assert CliRunner().invoke(main, ["verify", str(path), str(tmp_path / name)]).exit_code == 0


def test_transparency_is_kept_where_there_is_some(tmp_path: Path) -> None:
    path = write(tmp_path / "in.webp", mode="RGBA", clear=True)
    with open_video(path) as reader:
        assert reader.metadata.has_alpha
        assert reader.read(FrameRange(start=0, stop=2)).frames[:, 3, 20, 20].tolist() == [255, 128]
    identity(path, tmp_path / "out.mkv", options=OutputOptions(codec="ffv1"))
    with open_video(tmp_path / "out.mkv") as reader:
        assert reader.read(FrameRange(start=1, stop=2)).frames[0, 3, 20, 20] == 128
    assert not probe(write(tmp_path / "opaque.webp", mode="RGBA")).has_alpha


def test_what_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still = tmp_path / "still.webp"
    Image.new("RGB", (64, 48)).save(still)
    with pytest.raises(MediaError, match="is a still image"):
        probe(still)
    path = write(tmp_path / "in.webp")
    cut = tmp_path / "cut.webp"
    cut.write_bytes(path.read_bytes()[:60])
    done = CliRunner().invoke(main, ["probe", str(cut)])
    assert done.exit_code == 2 and "not an animated WebP that can be read" in " ".join(done.output.split())
    monkeypatch.setattr(webp, "MAX_HELD", 6 * 64 * 48 - 1)
    with pytest.raises(MediaError, match="6 pictures of 64x48 are more than"):
        probe(write(tmp_path / "long.webp"))


def test_what_an_image_generator_saved(tmp_path: Path, cases: Path) -> None:
    path = cases / "media/ComfyUI_00001_.webp"
    with open_video(path) as reader:
        assert (len(reader.index()), reader.index().rate) == (10, 10)
    done = CliRunner().invoke(
        main, ["restyle", str(path), "--prompt", "night", "--dry-run", "-o", str(tmp_path / "o.mp4")]
    )
    assert done.exit_code == 0, done.output
