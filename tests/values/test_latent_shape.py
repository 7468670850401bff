"""The arithmetic between frames and latents, against counting one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedit.latent_shape import LatentShape, ScaleFactors
from vedit.types import FrameRange

FACTORS = st.builds(ScaleFactors, time=st.integers(1, 8), first_frame_alone=st.booleans())


def groups(factors: ScaleFactors, frames: int) -> list[list[int]]:
    """The frames of each latent."""
    found: list[list[int]] = []
    for frame in range(frames):
        alone = factors.first_frame_alone and frame <= 1
        if not found or alone or len(found[-1]) == factors.time:
            found.append([])
        found[-1].append(frame)
    return found


@given(FACTORS, st.integers(0, 70))
def test_latents_and_frames_are_counted_alike(factors: ScaleFactors, frames: int) -> None:
    expected = groups(factors, frames)
    assert factors.latents(frames) == len(expected)
    assert factors.first_frames(frames) == tuple(group[0] for group in expected)
    for latent, group in enumerate(expected):
        assert {factors.latent_of(frame) for frame in group} == {latent}
        span = factors.span(FrameRange(start=latent, stop=latent + 1), count=frames)
        assert list(range(span.start, span.stop)) == group
    whole = factors.frames(len(expected))
    assert frames <= whole < frames + factors.time
    assert factors.latents(whole) == len(expected)


def test_the_clips_of_causal_video_autoencoders() -> None:
    """Wan has 4n + 1 frames to n + 1 latents, LTX 8n + 1."""
    wan = ScaleFactors(time=4, first_frame_alone=True)
    assert [wan.latents(frames) for frames in (1, 2, 5, 33, 81)] == [1, 2, 2, 9, 21]
    assert [wan.frames(latents) for latents in (0, 1, 2, 21)] == [0, 1, 5, 81]
    ltx = ScaleFactors(time=8, height=32, width=32, first_frame_alone=True)
    shape = LatentShape.from_pixels(121, 512, 768, channels=128, factors=ltx)
    assert shape.axes == (16, 128, 16, 24)


def test_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        ScaleFactors(time=0)
    with pytest.raises(ValueError, match="no multiples"):
        LatentShape.from_pixels(1, 60, 64, channels=4, factors=ScaleFactors())
    with pytest.raises(ValueError, match="not square"):
        _ = ScaleFactors(height=8, width=16).cell
