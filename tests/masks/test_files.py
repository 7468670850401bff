"""Mask videos, image sequences and pictures: which frame, which channel, what size."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vedit.errors import InputError, MediaError
from vedit.masks import MatteSource, open_mattes
from vedit.options.masks import KeyedFile, MaskSpec
from vedit.types import FrameRange

MILLISECONDS = Fraction(1, 1000)
VARIABLE = (0, 40, 50, 120, 160, 300)
ALL = FrameRange(start=0, stop=6)


def steps(count: int, height: int = 48, width: int = 64) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Frames of one grey each, which names the frame."""
    return np.stack([np.full((height, width), (40 * n + 20) % 256, np.uint8) for n in range(count)])


def greys(path: Path, clip: MatteSource, frames: FrameRange = ALL) -> list[int]:
    with open_mattes(MaskSpec(files=(KeyedFile(path=path),)), clip) as mattes:
        found = mattes(frames)
        assert found.shape == (len(frames), 1, *clip.size)
        return [round(float(plane.mean()) * 255) for plane in found]


def test_by_time_at_a_variable_rate_from_another_start(
    blank: Callable[..., MatteSource], save_video: Callable[..., Path]
) -> None:
    clip = blank(6, pts=tuple(90 * time + 7 for time in VARIABLE), time_base=Fraction(1, 90000))
    path = save_video(steps(6), [time + 1000 for time in VARIABLE])
    assert greys(path, clip) == [20, 60, 100, 140, 180, 220]
    assert greys(path, clip, FrameRange(start=3, stop=5)) == [140, 180]


def test_a_mask_of_twice_the_rate_gives_the_frames_of_the_clips_times(
    blank: Callable[..., MatteSource], save_video: Callable[..., Path]
) -> None:
    clip = blank(3, rate=Fraction(25))
    path = save_video(steps(6), [20 * n for n in range(6)])
    assert greys(path, clip, FrameRange(start=0, stop=3)) == [20, 100, 180]


@pytest.mark.parametrize("count", [5, 7])
def test_another_length_says_both(
    count: int, blank: Callable[..., MatteSource], save_video: Callable[..., Path]
) -> None:
    clip = blank(6, rate=Fraction(25))
    path = save_video(steps(count), [40 * n for n in range(count)])
    with pytest.raises(MediaError, match=rf"mask.mkv has {count} frames \(0.\d+ s\), the source 6 frames \(0.240 s\)"):
        greys(path, clip)


def test_a_mask_of_the_part_alone(blank: Callable[..., MatteSource], save_video: Callable[..., Path]) -> None:
    part = FrameRange(start=4, stop=9)
    clip = blank(12, rate=Fraction(25), part=part)
    path = save_video(steps(5), [40 * n for n in range(5)])
    assert greys(path, clip, part) == [20, 60, 100, 140, 180]
    assert greys(path, clip, FrameRange(start=6, stop=8)) == [100, 140]


def test_alpha_is_the_mask_where_it_shows_anything_through(
    blank: Callable[..., MatteSource], save_video: Callable[..., Path]
) -> None:
    clip = blank(6, rate=Fraction(25))
    times = [40 * n for n in range(6)]
    picture = np.full((6, 48, 64, 4), 200, np.uint8)
    picture[..., 3] = steps(6)
    path = save_video(picture, times)
    assert greys(path, clip) == [20, 60, 100, 140, 180, 220]
    picture[..., 3], picture[..., :3] = 255, steps(6)[..., None]
    opaque = save_video(picture, times, "opaque.mkv")
    assert greys(opaque, clip) == [20, 60, 100, 140, 180, 220]
    for file, said in ((path, "its alpha channel is the mask"), (opaque, r"its brightness is the mask (its alpha")):
        with open_mattes(MaskSpec(files=(KeyedFile(path=file),)), clip) as mattes:
            assert any(said in note for note in mattes.notes)


def test_a_lossy_codec_leaves_black_black(blank: Callable[..., MatteSource], save_video: Callable[..., Path]) -> None:
    frames = np.zeros((6, 48, 64), np.uint8)
    frames[:, 10:30, 10:40] = 255
    path = save_video(frames, [40 * n for n in range(6)], "mask.mp4", codec="libx264", pixels="yuv420p")
    with open_mattes(MaskSpec(files=(KeyedFile(path=path),)), blank(6, rate=Fraction(25))) as mattes:
        found = mattes(ALL)
    assert float(found[..., 40:, 45:].max()) == 0
    assert float(found[..., 15:25, 15:35].min()) == 1


def test_an_image_sequence_goes_by_number(
    blank: Callable[..., MatteSource], save_picture: Callable[..., Path], tmp_path: Path
) -> None:
    clip = blank(6, pts=VARIABLE, time_base=MILLISECONDS)
    for number, picture in enumerate(steps(6), 1):
        save_picture(picture, f"seq/m_{number:04d}.png")
    assert greys(tmp_path / "seq" / "m_%04d.png", clip) == [20, 60, 100, 140, 180, 220]
    save_picture(steps(1)[0], "seq/m_0007.png")
    with pytest.raises(MediaError, match="7 frames, the source 6 frames"):
        greys(tmp_path / "seq", clip)


def test_pictures(blank: Callable[..., MatteSource], save_picture: Callable[..., Path]) -> None:
    clip = blank(6, 33, 47)
    rgba = np.zeros((33, 47, 4), np.uint8)
    rgba[..., 3] = 51
    for picture, expected in (
        (np.full((33, 47), 128 / 255), 128),
        (rgba, 51),
        (np.full((33, 47, 3), 99, np.uint8), 99),
        (np.full((66, 94), 0.2), 51),
    ):
        assert greys(save_picture(picture), clip) == [expected] * 6
    deep = save_picture(np.full((33, 47), 1000 / 65535), depth=16)
    with open_mattes(MaskSpec(files=(KeyedFile(path=deep),)), clip) as mattes:
        assert float(mattes(ALL).max()) == pytest.approx(1000 / 65535, abs=1e-6)


def test_a_thin_line_survives_scaling_down(
    blank: Callable[..., MatteSource], save_picture: Callable[..., Path]
) -> None:
    picture = np.zeros((480, 640))
    picture[100, :] = 1
    with open_mattes(MaskSpec(files=(KeyedFile(path=save_picture(picture)),)), blank(6)) as mattes:
        found = mattes(ALL)
    assert float(found.sum()) == pytest.approx(6 * 64 / 10, rel=1e-3)


def test_another_aspect_is_refused(
    blank: Callable[..., MatteSource], save_picture: Callable[..., Path], save_video: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match=r"mask.png is 64x64, the clip is 64x48; export"):
        greys(save_picture(np.zeros((64, 64))), blank(6))
    with pytest.raises(InputError, match=r"mask.mkv is 64x64, the clip is 64x48"):
        greys(save_video(steps(6, 64, 64), [40 * n for n in range(6)]), blank(6, rate=Fraction(25)))


def test_what_is_no_picture(blank: Callable[..., MatteSource], tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        greys(tmp_path / "mask.png", blank(6))
    (tmp_path / "mask.png").write_bytes(b"not a picture")
    with pytest.raises(MediaError, match="is not a picture that can be read"):
        greys(tmp_path / "mask.png", blank(6))
    (tmp_path / "mask.png").write_bytes(b"")
    with pytest.raises(MediaError, match="is not a picture that can be read"):
        greys(tmp_path / "mask.png", blank(6))


def test_a_video_has_no_moment(blank: Callable[..., MatteSource], save_video: Callable[..., Path]) -> None:
    path = save_video(steps(6), [40 * n for n in range(6)])
    with pytest.raises(InputError, match="is a video, it cannot be keyed at 0"):
        open_mattes(MaskSpec(files=(KeyedFile(path=path, at="0"),)), blank(6, rate=Fraction(25)))
