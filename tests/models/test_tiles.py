"""Autoencoders in bands of rows: the numbers of the whole, with less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from vedit.models.families import bands
from vedit.models.families.bands import Convolved, Edged, Enlarged, Held, Normalised, Rows, Summed, held
from vedit.models.families.sd_codec import SDCodec
from vedit.models.families.sd_tiles import tiled_decode, tiled_encode
from vedit.models.tracing import MemoryTrace

LAYERS = {
    "3x3": lambda: torch.nn.Conv2d(3, 4, 3, padding=1),
    "1x1": lambda: torch.nn.Conv2d(3, 4, 1),
    "half": lambda: torch.nn.Conv2d(3, 4, 3, stride=2, padding=1),
    "half, no padding": lambda: torch.nn.Conv2d(3, 4, 3, stride=2),
    "5x5": lambda: torch.nn.Conv2d(3, 4, 5, padding=2),
}


@pytest.fixture(autouse=True)
def smallest_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "BAND_BYTES", 1)


@pytest.fixture(autouse=True)
def same_numbers() -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def kl(**settings: Any) -> AutoencoderKL:
    """Of the layout of Stable Diffusion's, narrow; its numbers are large enough to tell statistics apart."""
    usual = {
        "block_out_channels": (16, 32, 32),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "layers_per_block": 2,
        "norm_num_groups": 8,
        "latent_channels": 4,
    }
    vae = cast("Any", AutoencoderKL)(**{**usual, **settings})
    return vae.eval().requires_grad_(False)


def tiny() -> AutoencoderTiny:
    sizes: dict[str, Any] = {"encoder_block_out_channels": (16,) * 3, "decoder_block_out_channels": (16,) * 3}
    counts: dict[str, Any] = {"num_encoder_blocks": (1, 2, 2), "num_decoder_blocks": (2, 2, 1)}
    return AutoencoderTiny(**sizes, **counts).eval().requires_grad_(False)


def picture(height: int, width: int, channels: int = 3) -> torch.Tensor:
    """Darker on one side than on the other: statistics of a part are not those of the whole."""
    return torch.randn(1, channels, height, width) * 0.5 + torch.linspace(-1, 1, height)[:, None]


def decoded_by(vae: AutoencoderKL | AutoencoderTiny, latents: torch.Tensor) -> torch.Tensor:
    return cast("Any", vae).decode(latents, return_dict=False)[0]


def mode_of(vae: AutoencoderKL | AutoencoderTiny, frames: torch.Tensor) -> torch.Tensor:
    made = vae.encode(frames, return_dict=False)[0]
    return made if isinstance(made, torch.Tensor) else made.mode()


@pytest.mark.parametrize("height", [9, 16, 23, 64])
@pytest.mark.parametrize("name", LAYERS)
@torch.inference_mode()
def test_a_convolution_in_bands_is_that_of_the_whole(name: str, height: int) -> None:
    x, conv = picture(height, 11), LAYERS[name]()
    torch.testing.assert_close(held(Convolved(Held(x), conv)).map, conv(x), rtol=0, atol=1e-6)


@torch.inference_mode()
def test_what_stands_between_convolutions_is_that_of_the_whole() -> None:
    x, conv, norm = picture(40, 12), torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.GroupNorm(3, 6)
    _ = norm.weight.normal_(), norm.bias.normal_()
    large: Rows = Convolved(Enlarged(Held(x), 2), conv)
    wanted = conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
    torch.testing.assert_close(held(large).map, wanted, rtol=0, atol=1e-6)
    normed = held(Normalised(large, norm, F.silu)).map
    torch.testing.assert_close(normed, F.silu(norm(wanted)), rtol=0, atol=2e-6)
    torch.testing.assert_close(held(Edged(Held(x))).map, F.pad(x, (0, 1, 0, 1)))
    torch.testing.assert_close(held(Summed(Held(x), Held(2 * x), by=4)).map, 0.75 * x)


@torch.inference_mode()
def test_a_map_is_written_over_by_what_is_made_of_it() -> None:
    x = picture(50, 7)
    convs = [torch.nn.Conv2d(3, 3, 3, padding=1) for _ in range(3)]
    wanted = x + convs[2](convs[1](convs[0](x)))
    source = Held(x.clone())
    inner: Rows = source
    for conv in convs:
        inner = Convolved(inner, conv)
    assert held(Summed(source, inner), over=source) is source
    torch.testing.assert_close(source.map, wanted, rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="cannot be written over"):
        held(Held(x), over=Held(x[:, :1]))


MADE: dict[str, Callable[[], AutoencoderKL | AutoencoderTiny]] = {
    "kl": kl,
    "kl without outer convolutions": lambda: kl(use_quant_conv=False, use_post_quant_conv=False),
    "kl without attention": lambda: kl(mid_block_add_attention=False),
    "kl of one block": lambda: kl(
        block_out_channels=(16,), down_block_types=("DownEncoderBlock2D",), up_block_types=("UpDecoderBlock2D",)
    ),
    "kl with attention in its blocks": lambda: kl(
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
    ),
    "tiny": tiny,
}


@pytest.mark.parametrize("name", MADE)
@torch.inference_mode()
def test_an_autoencoder_in_bands_gives_what_the_whole_gives(name: str) -> None:
    vae = MADE[name]()
    latents, frames = picture(23, 15, channels=4), picture(116, 60)
    decoded, encoded = decoded_by(vae, latents), mode_of(vae, frames)
    assert decoded.std() > 0.05 and encoded.std() > 0.05
    torch.testing.assert_close(tiled_decode(vae, latents), decoded, rtol=0, atol=1e-5)
    torch.testing.assert_close(tiled_encode(vae, frames), encoded, rtol=0, atol=1e-5)
    # It is gone through once more: nothing was left behind.
    torch.testing.assert_close(decoded_by(vae, latents), decoded, rtol=0, atol=0)


@torch.inference_mode()
def test_tiles_that_are_normalised_each_by_itself_do_show() -> None:
    """What this is made for: diffusers' tiles differ from the whole a thousand times as much."""
    vae, latents = kl(sample_size=32), picture(24, 24, channels=4)
    whole, ours = decoded_by(vae, latents), tiled_decode(vae, latents)
    vae.enable_tiling()
    theirs = decoded_by(vae, latents)
    assert (theirs - whole).abs().max() > 1000 * (ours - whole).abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.inference_mode()
def test_in_half_precision_it_is_as_near_to_the_whole_as_that_allows(dtype: torch.dtype) -> None:
    vae, latents = kl(), picture(23, 15, channels=4)
    exact = decoded_by(vae, latents)
    half = cast("AutoencoderKL", torch.nn.Module.to(vae, dtype))
    usual = (decoded_by(half, latents.to(dtype)) - exact).abs().mean()
    tiled = tiled_decode(half, latents.to(dtype))
    assert tiled.dtype is dtype
    assert (tiled - exact).abs().mean() < 1.2 * usual


def test_a_tiled_codec_takes_frames_one_by_one_both_ways() -> None:
    codec = SDCodec(kl(), batch=8)
    frames = torch.rand(3, 3, 64, 48)
    latents = codec.encode(frames)
    pictures = codec.decode(latents)
    codec.tiled = True
    assert codec.at_once == 1
    torch.testing.assert_close(codec.encode(frames), latents, rtol=0, atol=1e-5)
    torch.testing.assert_close(codec.decode(latents), pictures, rtol=0, atol=1e-5)


@pytest.mark.parametrize("decodes", [True, False])
def test_of_the_layout_of_stable_diffusion_it_takes_a_part_of_the_memory(
    decodes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with torch.device("meta"):
        vae = kl(
            block_out_channels=(128, 256, 512, 512),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            norm_num_groups=32,
        )
        x = torch.empty((1, 4, 128, 128) if decodes else (1, 3, 1024, 1024))
    usual, banded = (vae.decode, tiled_decode) if decodes else (vae.encode, tiled_encode)
    runs: list[Callable[[], object]] = [lambda: cast("Any", usual)(x), lambda: banded(vae, x)]
    peaks: list[int] = []
    for run in runs:
        with torch.inference_mode(), MemoryTrace("cpu") as trace:
            _ = run()
        peaks.append(trace.take().peak)
    whole, tiled = peaks
    assert tiled < 0.4 * whole
    assert tiled < 0.9e9
