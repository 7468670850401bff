"""Mattes as renders use them: united, inverted, feathered, in any order, from disk, and kept apart at cuts."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from vedit.errors import InputError, ModelError
from vedit.masks import MatteSource, area, open_mattes
from vedit.options.masks import KeyedBox, KeyedFile, KeyedPoint, MaskSpec
from vedit.types import FrameRange

ALL = FrameRange(start=0, stop=12)


def box(left: float, top: float, width: float, height: float, at: str | None = None) -> KeyedBox:
    return KeyedBox(left=left, top=top, width=width, height=height, at=at)


def made(spec: MaskSpec, clip: MatteSource, frames: FrameRange = ALL, folder: Path | None = None) -> torch.Tensor:
    with open_mattes(spec, clip, folder=folder) as mattes:
        return mattes(frames)


def test_a_box_covers_fractions_of_pixels(blank: Callable[..., MatteSource]) -> None:
    found = made(MaskSpec(boxes=(box(3.25, 5.5, 10, 4),)), blank())
    assert found.shape == (12, 1, 48, 64)
    assert found.dtype == torch.float32
    assert float(found[0].sum()) == pytest.approx(40, rel=1e-6)
    assert found[0, 0, 6, 3:14].tolist() == [0.75, *[1.0] * 9, 0.25]
    assert float(found[0, 0, 5, 6]) == 0.5


def test_a_keyed_box_moves_evenly_in_time(blank: Callable[..., MatteSource]) -> None:
    pts = (0, 10, 20, 60, 70, 80, 90, 100, 110, 120, 130, 140)
    clip = blank(pts=pts, time_base=Fraction(1, 100))
    found = made(MaskSpec(boxes=(box(0, 0, 10, 48, "#1"), box(44, 0, 20, 48, "#9"))), clip)
    for frame, time in enumerate(pts):
        part = min(max((time - 10) / 110, 0), 1)
        columns = torch.arange(64.0)[found[frame, 0, 20] > 0.5]
        assert float(columns.min()) == pytest.approx(44 * part, abs=0.51)
        assert float(found[frame, 0, 20].sum()) == pytest.approx(10 + 10 * part, abs=1e-4)


def test_a_box_without_a_moment_stays_beside_one_that_moves(blank: Callable[..., MatteSource]) -> None:
    spec = MaskSpec(boxes=(box(50, 40, 8, 6), box(0, 0, 4, 4, "#0"), box(20, 0, 4, 4, "#11")))
    found = made(spec, blank())
    assert found[:, 0, 42, 52].tolist() == [1.0] * 12
    assert found[0, 0, 2, 2] == 1 and found[11, 0, 2, 2] == 0 and found[11, 0, 2, 22] == 1
    with pytest.raises(InputError, match="two boxes are keyed at frame #3"):
        made(MaskSpec(boxes=(box(0, 0, 4, 4, "#3"), box(1, 0, 4, 4, "#3"))), blank())


def test_union_then_inverse_then_growth_then_feather(blank: Callable[..., MatteSource]) -> None:
    spec = MaskSpec(boxes=(box(0, 0, 20, 48), box(40, 0, 24, 48)), invert=True, grow=2, feather=8)
    row = made(spec, blank())[0, 0, 24]
    # Inverted, 20..40 is left; grown 18..42; faded over 14..22 and 38..46.
    assert (row[22:38] == 1).all()
    assert (row[:14] == 0).all() and (row[46:] == 0).all()
    assert float(row[17]) < 0.5 < float(row[18])
    assert (row[14:22].diff() > 0).all()


@pytest.mark.parametrize("size", [(48, 64), (33, 47), (1, 64), (17, 1)])
def test_odd_sizes(size: tuple[int, int], blank: Callable[..., MatteSource]) -> None:
    found = made(MaskSpec(boxes=(box(0, 0, size[1] / 2, size[0]),), feather=4), blank(12, *size))
    assert found.shape == (12, 1, *size)
    assert float(found.max()) <= 1 and float(found.min()) >= 0


def test_a_mask_of_one_frame_is_there(blank: Callable[..., MatteSource], save_video: Callable[..., Path]) -> None:
    frames = np.zeros((12, 48, 64), np.uint8)
    frames[5, 10:20, 10:30] = 255
    path = save_video(frames, [40 * n for n in range(12)])
    found = made(MaskSpec(files=(KeyedFile(path=path),)), blank(rate=Fraction(25)))
    assert [share > 0 for share in area(found)] == [n == 5 for n in range(12)]
    assert area(found)[5] == pytest.approx(200 / (48 * 64))


def test_one_picture_on_a_clip_of_one_frame(
    blank: Callable[..., MatteSource], save_picture: Callable[..., Path]
) -> None:
    picture = np.zeros((48, 64))
    picture[10:20, 10:30] = 1
    spec = MaskSpec(files=(KeyedFile(path=save_picture(picture), at="#0"),))
    found = made(spec, blank(1), FrameRange(start=0, stop=1))
    assert torch.equal(found[0, 0], torch.from_numpy(picture).float())


def test_any_order_gives_the_same(moving: MatteSource, keyed: MaskSpec, tmp_path: Path) -> None:
    whole = made(keyed, moving)
    with open_mattes(keyed, moving, folder=tmp_path / "kept") as mattes:
        for start in (9, 0, 5, 2, 11):
            assert torch.equal(mattes(FrameRange(start=start, stop=start + 1)), whole[start : start + 1])
        assert torch.equal(mattes(FrameRange(start=3, stop=10)), whole[3:10])
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.png")}
    assert len(files) == 12
    assert torch.equal(made(keyed, moving, folder=tmp_path / "kept"), whole)
    assert {path: path.stat().st_mtime_ns for path in files} == files, "read, not made again"


def test_a_shot_without_a_key_has_no_mask(
    clip_of: Callable[..., MatteSource], moving: MatteSource, keyed: MaskSpec
) -> None:
    with moving.reopen() as reader:
        frames = reader.read(ALL).frames
    clip = clip_of(frames, 8)
    with open_mattes(keyed, clip) as mattes:
        shares = area(mattes(ALL))
        assert mattes.notes == ("no mask is keyed in shot 2: it has none",)
    assert all(share > 0 for share in shares[:8])
    assert shares[8:] == [0.0] * 4


def test_held_keys(blank: Callable[..., MatteSource], save_picture: Callable[..., Path]) -> None:
    files = tuple(
        KeyedFile(path=save_picture(np.full((48, 64), value), f"{value}.png"), at=at)
        for value, at in ((0.4, "#2"), (0.8, "#5"))
    )
    found = made(MaskSpec(files=files, propagate="none"), blank(12, 48, 64, 8))
    levels = [round(share, 2) for share in area(found)]
    assert levels == [0, 0, 0.4, 0.4, 0.4, 0.8, 0.8, 0.8, 0, 0, 0, 0]


def test_errors(blank: Callable[..., MatteSource], keyed: MaskSpec) -> None:
    with pytest.raises(InputError, match="no mask is given"):
        open_mattes(MaskSpec(), blank())
    with pytest.raises(InputError, match=r"frames 0\.\.12 have no matte; the masks cover frames 0\.\.6"):
        made(MaskSpec(boxes=(box(0, 0, 4, 4),)), blank(part=FrameRange(start=0, stop=6)))
    with pytest.raises(InputError, match=r"is keyed at #4 \(#4\), outside the part #6\.\.#12"):
        open_mattes(keyed, blank(12, 90, 120, part=FrameRange(start=6, stop=12)))
    with pytest.raises(InputError, match="outside the clip"):
        open_mattes(MaskSpec(boxes=(box(0, 0, 4, 4, "100"),)), blank())


@pytest.mark.parametrize(
    "spec",
    [
        MaskSpec(points=(KeyedPoint(x=5, y=5),)),
        MaskSpec(boxes=(box(0, 0, 4, 4),), propagate="sam2"),
        MaskSpec(subject="the dog"),
        MaskSpec(background="the dog"),
    ],
)
def test_subjects_need_weights(
    spec: MaskSpec, blank: Callable[..., MatteSource], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelError, match=r"vedit models pull .*, or draw the mask: --mask-box") as caught:
        open_mattes(spec, blank())
    assert "\n" not in str(caught.value)


def test_points_outside_alone_are_no_subject(blank: Callable[..., MatteSource]) -> None:
    with pytest.raises(InputError, match="only points outside the subject"):
        open_mattes(MaskSpec(points=(KeyedPoint(x=5, y=5, inside=False),)), blank())
