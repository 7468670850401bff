"""How a shot is looked through along its motion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.clips import CUT, two_shots
from vedit.diffusion.inversion_cache import TensorCache
from vedit.flow.motion import Pair
from vedit.keyframes import shot_motion
from vedit.media.reading.read import open_video
from vedit.media.reading.reader import VideoReader
from vedit.progress.callbacks import ignore_progress
from vedit.render.fitting import painted_fit
from vedit.render.followed import FollowedClip, FollowedShots
from vedit.store.computed import ComputedCache
from vedit.types import Bars, FrameRange, OpticalFlow, Shot

SHOT = Shot(number=1, frames=FrameRange(start=1, stop=CUT))


class NothingKept:
    """A cache on a full disk."""

    def tensors(self, facts: object) -> None:
        return None

    def keep_tensors(self, facts: object, tensors: object, *, needed_again: bool = False) -> None:
        pass


def _followed(clip: Path, kept: TensorCache) -> FollowedShots:
    followed = FollowedClip(
        source_key="clip",
        interlaced="deinterlace",
        fit=painted_fit((176, 144)),
        bars_of=lambda _: Bars(),
        frames=SHOT.frames,
        shots=[SHOT],
        reopen=lambda: open_video(clip),
    )
    return FollowedShots(followed, kept, on_progress=ignore_progress)


def looked_through(clip: Path) -> list[Pair]:
    with _followed(clip, NothingKept()) as shots:
        return [pair for _, pair in shots.frames(SHOT) if pair is not None]


def test_no_frame_is_decoded_twice_to_estimate_motion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = two_shots(tmp_path / "two shots.mov")
    at_once = looked_through(clip)
    read: dict[VideoReader, list[int]] = {}
    before = VideoReader.read

    def record(reader: VideoReader, frames: FrameRange) -> Any:
        read.setdefault(reader, []).extend(range(frames.start, frames.stop))
        return before(reader, frames)

    monkeypatch.setattr(VideoReader, "read", record)
    monkeypatch.setattr(shot_motion, "PAIRS", 2)
    in_parts = looked_through(clip)
    assert list(read.values()) == [list(range(1, CUT))]
    for one, other in zip(at_once, in_parts, strict=True):
        assert np.array_equal(one.back.to, other.back.to)
        assert np.array_equal(one.ahead.seen, other.ahead.seen)


def test_motion_is_estimated_once_even_where_nothing_outlives_the_render(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = two_shots(tmp_path / "two shots.mov")
    monkeypatch.setattr(shot_motion, "PAIRS", 2)
    estimated: list[int] = []
    estimate = shot_motion.estimate_flow

    def record(frames: torch.Tensor) -> OpticalFlow:
        estimated.append(len(frames) - 1)
        return estimate(frames)

    monkeypatch.setattr(shot_motion, "estimate_flow", record)
    with ComputedCache(tmp_path / "kept", limit_bytes=0) as kept, _followed(clip, kept) as shots:
        chosen = [pair for _, pair in shots.frames(SHOT) if pair is not None]
        again = list(shots.motion(SHOT).pairs(FrameRange(start=1, stop=CUT - 1)))
    assert sum(estimated) == len(chosen)
    for one, other in zip(chosen, again, strict=True):
        assert np.array_equal(one.ahead.to, other.ahead.to)
