"""The autoencoder of the embedded model: how many frames go through it together decides no bit on a CPU."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from vedit.models.families.sd_codec import CODEC_BATCH, SDCodec, frames_at_once
from vedit.models.load import load_sd
from vedit.models.resolve import resolve


def test_frame_by_frame_it_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = load_sd(resolve("embedded"), controls=()).codec
    noise = torch.rand(5, 3, 9, 11, generator=torch.Generator().manual_seed(0))
    frames = torch.nn.functional.interpolate(noise, (144, 176), mode="bicubic").clamp(0, 1)
    assert codec.at_once == 1
    latents = codec.encode(frames)
    pictures = codec.decode(latents)
    monkeypatch.setattr(SDCodec, "at_once", CODEC_BATCH)
    assert torch.equal(codec.encode(frames), latents)
    assert torch.equal(codec.decode(latents), pictures)
    # As units give them back: whole in memory, a channel after the other.
    assert torch.equal(codec.decode(latents.contiguous()), pictures)


def test_a_gpu_takes_as_many_frames_together_as_memory_has_left_and_a_cpu_one_alone() -> None:
    assert [frames_at_once("cuda", batch) for batch in (100, 8, 2)] == [CODEC_BATCH, 8, 2]
    assert {frames_at_once("cpu", batch) for batch in (100, 8, 2)} == {1}


def test_attention_in_the_autoencoder_sees_the_same_in_frames_that_go_through_it_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        vae = cast("Any", AutoencoderKL)(
            block_out_channels=(32, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=8,
            sample_size=32,
        )
    codec = SDCodec(vae.eval().requires_grad_(False))
    frames = torch.rand(5, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    alone = codec.encode(frames)
    monkeypatch.setattr(SDCodec, "at_once", CODEC_BATCH)
    together = codec.encode(frames)
    assert torch.allclose(alone, together, atol=1e-6)
    assert not torch.allclose(alone[:1], alone[1:2], atol=1e-2)
