"""The sample clip is what it says, and its motion truth holds against the pixels."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from vedit.errors import InputError
from vedit.flow.estimate import estimate_flow, warp
from vedit.sample_clip.clip import HEIGHT, WIDTH, motion, sample_frames, true_flow, write_sample

COUNT = 4


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """(T, 3, H, W) in [0, 1], before encoding."""
    return torch.from_numpy(np.stack(list(sample_frames(COUNT)))).float() / 255


def test_the_file(tmp_path: Path, frames: torch.Tensor) -> None:
    written = write_sample(tmp_path / "sample.mp4", frames=COUNT)
    assert [entry.name for entry in tmp_path.iterdir()] == ["sample.mp4"]
    assert written.motions.shape == (COUNT, len(motion(0)), 2, 3)
    with av.open(str(written.path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert video.average_rate == Fraction(24000, 1001) and video.metadata["timecode"] == "01:00:00:00"
        assert (sound.codec_context.name, sound.channels, sound.rate) == ("aac", 2, 48000)
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video)]
    assert len(decoded) == COUNT and decoded[0].shape == (HEIGHT, WIDTH, 3)
    loss = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).float() / 255 - frames
    assert loss.abs().mean() < 0.03  # the drawing is crisp, its chroma is halved


def test_the_picture_is_worth_restyling(frames: torch.Tensor) -> None:
    first = frames[0]
    assert first.std() > 0.15 and 0.3 < first.mean() < 0.65
    assert (first.amax(0) - first.amin(0)).mean() > 0.08  # colour
    assert ((first <= 0) | (first >= 1)).float().mean() < 0.05  # neither crushed nor clipped


def test_the_truth_lays_the_next_frame_over_this_one(frames: torch.Tensor) -> None:
    flow, visible = true_flow(0)
    assert flow.shape == (2, HEIGHT, WIDTH) and visible.shape == (HEIGHT, WIDTH)
    assert visible.mean() > 0.8
    seen = torch.from_numpy(visible)
    over = (warp(frames[1:2], torch.from_numpy(flow)[None])[0] - frames[0]).abs().mean(0)[seen].mean()
    still = (frames[1] - frames[0]).abs().mean(0)[seen].mean()
    assert over < 0.3 * still


def test_estimated_flow_agrees_with_the_truth(frames: torch.Tensor) -> None:
    flow, visible = true_flow(1)
    error = torch.hypot(*(estimate_flow(frames[1:3]).forward[0] - torch.from_numpy(flow)))[torch.from_numpy(visible)]
    assert error.mean() < 0.2 and error.median() < 0.1


def test_near_cards_move_more_than_far_ones() -> None:
    step = motion(1)[..., 2] - motion(0)[..., 2]
    sky, mountains, hills, tree = step[0, 0], step[1, 0], step[2, 0], step[-1, 0]
    assert tree < hills < mountains < sky < 0


def test_it_is_the_same_on_every_call(frames: torch.Tensor) -> None:
    again = torch.from_numpy(np.stack(list(sample_frames(2)))).float() / 255
    assert torch.equal(again, frames[:2])


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 1 frame"):
        write_sample(tmp_path / "a.mp4", frames=0)
    with pytest.raises(InputError, match=r"cannot write .*name a \.mp4, \.mov or \.mkv"):
        write_sample(tmp_path / "a.unknown", frames=1)
    assert list(tmp_path.iterdir()) == []
