"""Still pictures as numbers: turned, on white where they are transparent, and nothing but one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.clips import two_shots
from vedit.errors import InputError, MediaError
from vedit.media.reading.still import check_still, read_still


def test_the_same_picture_in_each_depth(tmp_path: Path) -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "eight.png"), drawn)
    cv2.imwrite(str(tmp_path / "sixteen.png"), drawn.astype(np.uint16) * 257)
    for name in ("eight.png", "sixteen.png"):
        still = read_still(tmp_path / name)
        np.testing.assert_allclose(still.picture, drawn[..., ::-1] / np.float32(255), atol=1e-6)
        assert still.picture.dtype == np.float32
        assert still.opacity.shape == (24, 32, 1)
        assert (still.opacity == 1).all()


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    drawn = np.full((8, 8, 4), (0, 0, 200, 255), np.uint8)
    drawn[:, :4, 3] = 0
    cv2.imwrite(str(tmp_path / "cut.png"), drawn)
    still = read_still(tmp_path / "cut.png")
    np.testing.assert_allclose(still.picture[0, 0], (1, 1, 1))
    np.testing.assert_allclose(still.picture[0, 7], (200 / 255, 0, 0), atol=1e-6)
    assert still.opacity[0, :, 0].tolist() == [0] * 4 + [1] * 4


@pytest.mark.parametrize("look", [read_still, check_still])
def test_what_is_not_one_picture_is_refused(look: object, tmp_path: Path) -> None:
    assert callable(look)
    with pytest.raises(InputError, match="is a video of 10 frames"):
        look(two_shots(tmp_path / "clip.mov"))
    for number in range(2):
        cv2.imwrite(str(tmp_path / f"run_{number:02d}.png"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(InputError, match="is an image sequence"):
        look(tmp_path / "run_%02d.png")
    (tmp_path / "text.png").write_text("no picture")
    for name in ("absent.png", "text.png"):
        with pytest.raises(MediaError):
            look(tmp_path / name)
