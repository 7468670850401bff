"""Timelines of the test data, and small ones written on the spot."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from vedit.nle.model import NewMedia, TimelineClip


@pytest.fixture(scope="session")
def timelines(clips_dir: Path) -> Path:
    """The folder of real timelines; skips where it is absent."""
    folder = clips_dir / "nle"
    if not folder.is_dir():
        pytest.skip(f"no timelines at {folder}")
    return folder


def media_for(clip: TimelineClip, path: Path, *, handles: int = 8) -> NewMedia:
    """New media on the frame grid of a clip's own, with handles where the old media has them."""
    assert clip.media is not None and clip.source is not None
    rate = clip.media.rate or Fraction(24)
    origin = clip.media.start if clip.media.start is not None else Fraction(0)
    first = max(0, int((clip.source.start - clip.head - origin) * rate) - handles)
    last = int((clip.source.stop + clip.tail - origin) * rate) + 1 + handles
    return NewMedia(path=path, name=path.name, start=origin + first / rate, frames=last - first, rate=rate)


@pytest.fixture
def new_media() -> Callable[..., NewMedia]:
    """`media_for`, for test modules."""
    return media_for
