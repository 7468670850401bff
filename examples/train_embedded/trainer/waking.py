"""How the ControlNets start: seeing their picture, and heard by the UNet, from the first step.

As diffusers makes them the conditioning embedding shrinks its signal some thousandfold on the way through its seven
layers and ends in zeros. That suits a finished UNet that must not be disturbed; trained together from nothing, the UNet
learns to denoise without looking, and a thousand steps later the controls still change nothing (measured).
"""

import torch
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding
from torch import Tensor, nn

from trainer.export import Networks

CENTRE = ((1, 1),)
CELL = ((1, 1), (1, 2), (2, 1), (2, 2))
"""Taps (row, column) of a 3x3 kernel: the pixel itself, and the four pixels of a halving's cell."""


@torch.no_grad()
def wake_controlnets(networks: Networks) -> None:
    """Set the weights of both conditioning embeddings, and small outputs in place of the zero convolutions."""
    for net in (networks.tile, networks.soft_edge):
        for conv in (*net.controlnet_down_blocks, net.controlnet_mid_block):
            if isinstance(conv, nn.Conv2d):
                conv.weight.normal_(0, 0.5 / conv.weight[0].numel() ** 0.5)
    carry_colours(networks.tile.controlnet_cond_embedding)
    carry_edges(networks.soft_edge.controlnet_cond_embedding)


@torch.no_grad()
def carry_colours(embedding: ControlNetConditioningEmbedding) -> None:
    """Make the embedding the 2x2 mean colours of each latent cell, spread at random over its output channels.

    A signed value travels exactly through SiLU as the pair (x, -x): silu(x) - silu(-x) = x.
    """
    middle = [conv for conv in embedding.blocks if isinstance(conv, nn.Conv2d)]
    _clear(embedding.conv_in, 6)
    for c in range(3):
        for row, sign in ((c, 1.0), (3 + c, -1.0)):  # 2x - 1 and its negative
            embedding.conv_in.weight[row, c, 1, 1] = 2 * sign
            _bias(embedding.conv_in)[row] = -sign
    for conv in middle:
        taps = CELL if conv.stride[0] == 2 else CENTRE
        final = conv is middle[-1]
        _clear(conv, 24 if final else 6)
        for place, (y, x) in enumerate(taps):
            # The last halving keeps its four pixels apart, those before average them.
            base, gain = (6 * place, 1.0) if final else (0, 1.0 / len(taps))
            for c in range(3):
                for row, sign in ((base + c, gain), (base + 3 + c, -gain)):
                    conv.weight[row, c, y, x] = sign
                    conv.weight[row, 3 + c, y, x] = -sign
    spread = torch.randn(embedding.conv_out.out_channels, 4, 3) * 0.5
    _spread(embedding.conv_out, torch.cat([spread, -spread], 2).reshape(-1, 24))


@torch.no_grad()
def carry_edges(embedding: ControlNetConditioningEmbedding) -> None:
    """Make the embedding the 8x8 edge strengths of each latent cell, spread at random over its output channels."""
    _clear(embedding.conv_in, 1)
    embedding.conv_in.weight[0, :, 1, 1] = 0.6
    held = 1
    for conv in (conv for conv in embedding.blocks if isinstance(conv, nn.Conv2d)):
        taps = CELL if conv.stride[0] == 2 else CENTRE
        _clear(conv, held * len(taps))
        for place, (y, x) in enumerate(taps):
            for c in range(held):
                conv.weight[place * held + c, c, y, x] = 1.3  # SiLU shrinks small values; this makes up for it
        held *= len(taps)
    _spread(embedding.conv_out, torch.randn(embedding.conv_out.out_channels, held) * 0.06)


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _clear(conv: nn.Conv2d, rows: int) -> None:
    conv.weight[:rows] = 0
    _bias(conv)[:rows] = 0


def _spread(conv: nn.Conv2d, weights: Tensor) -> None:
    conv.weight.normal_(0, 0.02)
    conv.weight[:, : weights.shape[1], 1, 1] = weights
