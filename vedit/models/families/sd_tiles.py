"""The autoencoders of Stable Diffusion run in bands of rows, with the result of the whole and a part of its memory.

Between two normalisations one map is there, and bands of those that it is made into. Of a residual block that changes
nothing but numbers the first convolution is made twice, once to be measured, and the sum is written over what went in.
The last enlargement of a decoder, the largest map of all, is never there as a whole: it is made three times.
At 1024x1024 the decoder of Stable Diffusion holds 0.9 GB and not 3.2 GB, and takes about twice the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock, DownEncoderBlock2D, UpDecoderBlock2D
from diffusers.models.upsampling import Upsample2D

from vedit.models.families.bands import (
    Applied,
    Convolved,
    Edged,
    Enlarged,
    Held,
    Normalised,
    Rows,
    Summed,
    held,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    Autoencoder = AutoencoderKL | AutoencoderTiny


def tiled_decode(vae: Autoencoder, latents: torch.Tensor) -> torch.Tensor:
    """What the autoencoder decodes latents (T, C, h, w) to, (T, 3, H, W) in about [-1, 1]."""
    decoder = cast("Any", vae.decoder)
    if isinstance(vae, AutoencoderTiny):
        return _layers(Held(torch.tanh(latents / 3) * 3), decoder.layers).map.mul(2).sub(1)
    whole = latents if vae.post_quant_conv is None else vae.post_quant_conv(latents)
    source: Rows = Held(decoder.mid_block(decoder.conv_in(whole)))
    blocks = list(decoder.up_blocks)
    for number, block in enumerate(blocks):
        source = _up_block(source, block, holds=number != len(blocks) - 2)
    return _out(source, decoder)


def tiled_encode(vae: Autoencoder, frames: torch.Tensor) -> torch.Tensor:
    """The latents (T, C, h, w) of frames (T, 3, H, W) in [-1, 1]; the mode, where the encoder gives a distribution."""
    encoder = cast("Any", vae.encoder)
    if isinstance(vae, AutoencoderTiny):
        return _layers(Held(frames.add(1).div(2)), encoder.layers).map
    source = held(Convolved(Held(frames), encoder.conv_in))
    for block in encoder.down_blocks:
        source = _down_block(source, block)
    moments = _out(Held(encoder.mid_block(source.map)), encoder)
    if vae.quant_conv is not None:
        moments = vae.quant_conv(moments)
    return moments.chunk(2, dim=1)[0]


def _out(source: Rows, part: Any) -> torch.Tensor:
    return held(Convolved(Normalised(source, part.conv_norm_out, part.conv_act), part.conv_out)).map


def _up_block(source: Rows, block: torch.nn.Module, *, holds: bool) -> Rows:
    if type(block) is not UpDecoderBlock2D:
        return Held(block(_whole(source)))
    for resnet in block.resnets:
        source = _residual(source, resnet)
    for upsampler in block.upsamplers or ():
        if not _enlarges(upsampler):
            source = Held(upsampler(_whole(source)))
            continue
        large = Convolved(Enlarged(source, 2), cast("torch.nn.Conv2d", cast("Any", upsampler).conv))
        source = held(large) if holds else large
    return source


def _down_block(source: Held, block: torch.nn.Module) -> Held:
    if type(block) is not DownEncoderBlock2D:
        return Held(block(source.map))
    for resnet in block.resnets:
        source = _residual(source, resnet)
    for downsampler in block.downsamplers or ():
        if not _shrinks(downsampler):
            source = Held(downsampler(source.map))
            continue
        conv = cast("torch.nn.Conv2d", cast("Any", downsampler).conv)
        source = held(Convolved(Edged(source) if downsampler.padding == 0 else source, conv))
    return source


def _residual(source: Rows, resnet: torch.nn.Module) -> Held:
    """A residual block without a time embedding."""
    if type(resnet) is not ResnetBlock2D or resnet.upsample is not None or resnet.downsample is not None:
        return Held(cast("Any", resnet)(_whole(source), None))
    inner: Rows = Convolved(Normalised(source, resnet.norm1, resnet.nonlinearity), resnet.conv1)
    shortcut = source if resnet.conv_shortcut is None else Convolved(source, resnet.conv_shortcut)
    if isinstance(shortcut, Held):
        over = shortcut
    else:
        # There has to be memory for what comes out: it holds the inner map until then.
        inner = over = held(inner)
    outer = Convolved(Normalised(inner, resnet.norm2, resnet.nonlinearity), resnet.conv2)
    return held(Summed(shortcut, outer, by=resnet.output_scale_factor), over=over)


def _enlarges(module: torch.nn.Module) -> bool:
    """Whether an upsampler repeats numbers and convolves, no more."""
    return (
        type(module) is Upsample2D
        and module.norm is None
        and module.interpolate
        and isinstance(getattr(module, "conv", None), torch.nn.Conv2d)
    )


def _shrinks(module: torch.nn.Module) -> bool:
    """Whether a downsampler convolves, no more."""
    return type(module) is Downsample2D and module.norm is None and isinstance(module.conv, torch.nn.Conv2d)


def _layers(source: Held, layers: Sequence[torch.nn.Module]) -> Held:
    """The layers of an `AutoencoderTiny`, which has no normalisation."""
    made: Rows = source
    for layer in layers:
        if isinstance(layer, torch.nn.Conv2d):
            made = held(Convolved(made, layer))
        elif isinstance(layer, AutoencoderTinyBlock):
            made = _tiny_block(held(made) if not isinstance(made, Held) else made, layer)
        elif isinstance(layer, torch.nn.Upsample) and layer.mode == "nearest":
            made = Enlarged(made, int(cast("float", layer.scale_factor)))
        else:
            made = Held(layer(_whole(made)))
    return held(made) if not isinstance(made, Held) else made


def _tiny_block(source: Held, block: AutoencoderTinyBlock) -> Held:
    inner: Rows = source
    for layer in block.conv:
        inner = Convolved(inner, layer) if isinstance(layer, torch.nn.Conv2d) else Applied(inner, layer)
    same = isinstance(block.skip, torch.nn.Identity)
    skip: Rows = source if same else Convolved(source, cast("torch.nn.Conv2d", block.skip))
    return held(Applied(Summed(skip, inner), block.fuse), over=source if same else None)


def _whole(source: Rows) -> torch.Tensor:
    return (source if isinstance(source, Held) else held(source)).map
