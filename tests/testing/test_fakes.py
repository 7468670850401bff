"""The fakes keep the contracts of the seams, and compute what their docstrings say."""

from dataclasses import replace
from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from vedit.protocols import Denoiser, Preprocessor, Reader, TextEncoder, VideoCodec
from vedit.testing.fakes import (
    ConstantPreprocessor,
    FakeCodec,
    FakeDenoiser,
    FakeReader,
    FakeTextEncoder,
    moving_frames,
)
from vedit.types import ControlInput, FrameRange, PromptEmbeds

SILENT = PromptEmbeds(states=torch.zeros(1, 4, 8))


def test_every_seam_is_met() -> None:
    """The type checker reads this test; at run time it only builds the fakes."""
    reader: Reader = FakeReader()
    denoiser: Denoiser = FakeDenoiser()
    codec: VideoCodec = FakeCodec()
    text: TextEncoder = FakeTextEncoder()
    preprocessor: Preprocessor = ConstantPreprocessor()
    assert all((reader, denoiser, codec, text, preprocessor))


def test_reader() -> None:
    with FakeReader(frames=moving_frames(10), rate=Fraction(24000, 1001)) as reader:
        assert reader.index().rate == reader.metadata.average_rate == Fraction(24000, 1001)
        clips = list(reader.chunks(FrameRange(start=2, stop=9), 3))
        assert [len(clip) for clip in clips] == [3, 3, 1] and clips[1].start == 5
        assert np.array_equal(np.concatenate([clip.frames for clip in clips]), reader.frames[2:9])
        assert clips[1].pts == (5, 6, 7)
        with pytest.raises(IndexError, match=r"8\.\.11 of a clip of 10"):
            reader.read(FrameRange(start=8, stop=11))


def test_moving_frames_pan_by_a_pixel() -> None:
    frames = moving_frames(4, 20, 30)
    assert frames.shape == (4, 3, 20, 30) and frames.dtype == np.uint8
    assert np.array_equal(frames[0, :, :, 1:], frames[1, :, :, :-1])
    assert not np.array_equal(frames, moving_frames(4, 20, 30, seed=1))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_denoiser_is_the_exact_expectation(prediction: str) -> None:
    """Linear regression of the true noise on x, over many samples, gives the same function of x."""
    denoiser = FakeDenoiser(mean=0.7, spread=0.5, prediction=prediction)  # pyright: ignore[reportArgumentType]
    generator = torch.Generator().manual_seed(0)
    clean = 0.7 + 0.5 * torch.randn(64, 4, 32, 32, generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    a = denoiser.alpha(400)
    x = sqrt(a) * clean + sqrt(1 - a) * noise
    truth = noise if prediction == "epsilon" else sqrt(a) * noise - sqrt(1 - a) * clean
    slope = float(((x - x.mean()) * (truth - truth.mean())).mean() / x.var())
    fitted = slope * (x - x.mean()) + truth.mean()
    assert_close(denoiser(x, 400, SILENT, ()), fitted, atol=0.02, rtol=0)


def test_denoiser_follows_prompt_and_controls() -> None:
    denoiser, x = FakeDenoiser(), torch.zeros(2, 4, 4, 4)
    plain = denoiser(x, 500, SILENT, ())
    assert not torch.equal(denoiser(x, 500, PromptEmbeds(states=torch.ones(1, 4, 8)), ()), plain)
    white = ControlInput(branch="tile", frames=torch.ones(2, 3, 32, 32))
    moved = denoiser(x, 500, SILENT, [white])
    assert moved.mean() < plain.mean()
    assert torch.equal(denoiser(x, 500, SILENT, [replace(white, scale=0.0)]), plain)
    assert_close(denoiser(x, 500, SILENT, [replace(white, scale=0.5)] * 2), moved)
    left = torch.ones(2, 1, 32, 32)
    left[..., 16:] = 0
    half = denoiser(x, 500, SILENT, [replace(white, mask=left)])
    assert torch.equal(half[..., :2], moved[..., :2])
    assert torch.equal(half[..., 2:], plain[..., 2:])
    with pytest.raises(ValueError, match="no control 'depth', only tile, softedge"):
        denoiser(x, 500, SILENT, [replace(white, branch="depth")])
    with pytest.raises(ValueError, match="3 frames of the control 'tile' for 2 latents"):
        denoiser(x, 500, SILENT, [replace(white, frames=torch.ones(3, 3, 32, 32))])
    assert torch.equal(denoiser(x, 500, SILENT, [replace(white, frames=white.frames[:1])]), moved)


def test_codec() -> None:
    codec, frames = FakeCodec(), torch.rand(2, 3, 16, 24)
    latents = codec.encode(frames)
    assert latents.shape == (2, 4, 2, 3)
    assert_close(codec.encode(codec.decode(latents)), latents)
    assert codec.decode(latents).shape == frames.shape
    with pytest.raises(ValueError, match="multiples of 8"):
        codec.encode(frames[..., 1:])


def test_text_encoder() -> None:
    encoder = FakeTextEncoder(words=frozenset({"ink"}))
    assert torch.equal(encoder("ink").states, encoder("ink").states)
    assert not torch.equal(encoder("ink").states, encoder("oil").states)
    assert encoder("").states.count_nonzero() == 0
    assert encoder.unknown_words("ink on paper") == ("on", "paper")
    assert FakeTextEncoder().unknown_words("anything") == ()


def test_preprocessor() -> None:
    made = list(ConstantPreprocessor(value=0.25)([torch.rand(1, 3, 2, 2), torch.rand(2, 3, 2, 2)]))
    assert [len(maps) for maps in made] == [1, 2]
    assert torch.equal(torch.cat(made), torch.full((3, 3, 2, 2), 0.25))
