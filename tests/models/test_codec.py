"""The autoencoder of the embedded model: how many frames go through it together decides no bit on a CPU."""

from __future__ import annotations

import pytest
import torch

from vedit.models.families.sd_codec import CODEC_BATCH, SDCodec
from vedit.models.load import load_sd
from vedit.models.resolve import resolve


def test_frame_by_frame_it_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    codec = load_sd(resolve("embedded"), device="cpu", controls=()).codec
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


def test_memory_that_ran_out_still_lowers_it_where_attention_mixes_pixels() -> None:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    codec = SDCodec(AutoencoderKL(block_out_channels=(32,), norm_num_groups=8, sample_size=16))
    assert codec.at_once == CODEC_BATCH
    codec.batch = 2
    assert codec.at_once == 2
