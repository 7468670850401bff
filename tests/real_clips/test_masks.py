"""A masked render of every real clip: outside the moving mask the frames that go to the encoder are the source's own.

`make test-real` takes every clip and prints a table; `make test` takes one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import pytest

from tests.real_clips.test_render import real_clips
from tests.support.recording import frames_written
from vedit import api
from vedit.media.reading.read import open_video
from vedit.options.masks import KeyedBox, KeyedFile, MaskSpec
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.types import IntFrames

PART = FrameRange(start=7, stop=11)
ONE = 9
"""The frame of the mask that is on one frame alone."""
FEATHER = 9
LOOK = "night"
QUICK = "learning-area__elf.webm"


def rendered(source: Path, output: Path, mask: MaskSpec) -> IntFrames:
    """The frames of `PART` that went to the encoder."""
    with frames_written() as seen:
        api.restyle(
            source, output=output, prompt=LOOK, quality="draft", mask=mask, frames=f"#{PART.start}..#{PART.stop}"
        )
    return cast("IntFrames", np.concatenate(seen))


def check_masks(source: Path, folder: Path) -> tuple[float, float]:
    """Render with a moving box and with a mask on one frame. Returns the mean change inside, in levels of 255."""
    with open_video(source) as reader:
        clip = reader.read(PART)
        width, height = reader.metadata.width, reader.metadata.height
    scale = 255 / (2**clip.bit_depth - 1)
    side = (width // 3, height // 3)
    places = [(width // 8 + t * width // 16, height // 8 + t * height // 16) for t in range(len(PART))]
    box = MaskSpec(
        boxes=tuple(
            KeyedBox(left=left, top=top, width=side[0], height=side[1], at=f"#{PART.start + t}")
            for t, (left, top) in enumerate(places)
        ),
        feather=FEATHER,
    )
    moving = rendered(source, folder / f"box{source.suffix}", box)
    changes: list[float] = []
    for t, (left, top) in enumerate(places):
        change = np.abs(moving[t, :3].astype(int) - clip.frames[t, :3].astype(int)).max(0)
        near = np.zeros((height, width), bool)
        reach = FEATHER // 2 + 1
        near[max(0, top - reach) : top + side[1] + reach, max(0, left - reach) : left + side[0] + reach] = True
        assert change[~near].max() == 0, f"frame {PART.start + t}: a pixel outside the mask changed"
        inside = change[top + reach : top + side[1] - reach, left + reach : left + side[0] - reach]
        changes.append(float(inside.mean()) * scale)
        assert changes[-1] > 1, f"frame {PART.start + t}: nothing changed inside"
    for number in range(PART.start, PART.stop):
        picture = np.zeros((height, width), np.uint8)
        if number == ONE:
            picture[height // 2 : height // 2 + 12, width // 2 : width // 2 + 12] = 255
        cv2.imwrite(str(folder / f"mask_{number:04d}.png"), picture)
    spot = MaskSpec(files=(KeyedFile(path=folder / "mask_%04d.png"),))
    once = rendered(source, folder / f"once{source.suffix}", spot)
    change = np.abs(once.astype(int) - clip.frames.astype(int)).max(axis=(1, 2, 3))
    assert [PART.start + t for t in range(len(PART)) if change[t]] == [ONE]
    return min(changes), max(changes)


@pytest.mark.parametrize("source", real_clips(), ids=lambda path: path.stem)
@pytest.mark.real
def test_masks_on_every_clip(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    low, high = check_masks(source, tmp_path)
    with capsys.disabled():
        print(f"\n{source.name[:48]:<50}outside 0   inside {low:5.1f} to {high:5.1f} levels   one frame's mask ok")


@pytest.mark.parametrize("source", [path for path in real_clips() if path.name == QUICK], ids=lambda path: path.stem)
def test_masks_on_one_clip(source: Path, tmp_path: Path) -> None:
    check_masks(source, tmp_path)
