"""Stage a: the autoencoder. It starts as the PCA of 8x8 patches, carried exactly through the ReLU network.

An f8 code of 16 numbers per patch that starts from random weights needs thousands of steps to find what the principal
components give at once; from there the nonlinear paths (small random weights beside the linear ones) add the rest.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor, nn

from trainer.batches import iterate_batches
from trainer.crops import make_crops
from trainer.form import CELL, LATENT_CHANNELS
from trainer.loop import Loss
from trainer.shards import Shard

TEMPER = 0.8
"""Latent channels are scaled by std**-TEMPER: 1 would whiten them (detail as loud as brightness, which noise then
drowns at the same time), 0 would leave brightness alone in the code."""

CRISPNESS = 0.03
"""Weight of the absolute differences of pixels and of their gradients, beside 10 of the squares: enough for edges, and
little against the fidelity that squares measure."""
STEADINESS = 0.12
"""Weight of `steadiness_loss`: of an f8 code, what is lost of fine detail depends on where the grid lies."""


def patch_statistics(
    photos: Shard, *, seed: int, count: int = 60_000, latents: int = LATENT_CHANNELS
) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (192,), principal components (K, 192) and their standard deviations (K,) of 8x8 RGB patches in [0, 1].

    Patches are flattened in the order the encoder below builds: (y4, x4, y2, x2, y1, x1, RGB) of its three halvings.
    """
    rng = np.random.default_rng([seed, 7])
    per_photo = max(1, count // len(photos))
    patches: list[np.ndarray] = []
    for index in range(len(photos)):
        picture = photos[index]
        for _ in range(per_photo):
            y, x = (int(rng.integers(0, side - 7)) for side in picture.shape[:2])
            patches.append(picture[y : y + 8, x : x + 8])
    flat = torch.from_numpy(np.stack(patches)).double() / 255
    flat = flat.reshape(-1, 2, 2, 2, 2, 2, 2, 3).permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(-1, 192)
    mean = flat.mean(0)
    values, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))
    return mean.float(), vectors.T.flip(0)[:latents].float(), values.flip(0)[:latents].sqrt().float()


@torch.no_grad()
def start_from_pca(vae: AutoencoderTiny, mean: Tensor, components: Tensor, deviations: Tensor) -> None:
    """Set the weights so that encode(x) is the PCA code exactly and decode(code) is close to the patch means.

    The ReLUs do no harm: pixels are positive, and signed components travel as the pair (relu(c), relu(-c)). The K of
    them thus need 2 K channels.
    """
    count = len(components)
    for block in (m for m in vae.modules() if type(m).__name__ == "AutoencoderTinyBlock"):
        block.conv[-1].weight.mul_(0.1)  # type: ignore[union-attr, operator]
        block.conv[-1].bias.zero_()  # type: ignore[union-attr, operator]
    convs = [m for m in vae.encoder.layers if isinstance(m, nn.Conv2d)]
    first, halvings, last = convs[0], convs[1:4], convs[4]
    carried = 3
    first.weight[:carried] = 0
    first.bias[:carried] = 0  # type: ignore[index]
    for c in range(carried):
        first.weight[c, c, 1, 1] = 1
    for level, conv in enumerate(halvings):
        final = level == 2
        rows = 2 * count if final else carried * 4
        conv.weight[:rows] = 0
        for dy in range(2):
            for dx in range(2):
                part = slice((dy * 2 + dx) * carried, (dy * 2 + dx + 1) * carried)
                if final:
                    block = components[:, part]
                    conv.weight[:count, :carried, 1 + dy, 1 + dx] = block
                    conv.weight[count : 2 * count, :carried, 1 + dy, 1 + dx] = -block
                else:
                    conv.weight[part, :carried, 1 + dy, 1 + dx] = torch.eye(carried)
        carried *= 4
    gain = deviations**-TEMPER
    gain = gain / (deviations * gain).square().mean().sqrt()  # unit variance over all channels
    scaled_mean = (components @ mean) * gain
    last.weight.mul_(0.1)
    last.weight[:, : 2 * count] = 0
    for k in range(count):
        # The halvings have no bias, so the mean is subtracted here.
        last.weight[k, k, 1, 1] = gain[k]
        last.weight[k, count + k, 1, 1] = -gain[k]
    last.bias.copy_(-scaled_mean)  # type: ignore[union-attr]
    layers = [m for m in vae.decoder.layers if isinstance(m, nn.Conv2d)]
    layers[0].weight[: 2 * count] = 0
    layers[0].bias[: 2 * count] = 0  # type: ignore[index]
    for k in range(count):
        layers[0].weight[k, k, 1, 1] = 1
        layers[0].weight[count + k, k, 1, 1] = -1
    for conv in layers[1:-1]:  # carry the components up through nearest-neighbour doubling
        conv.weight[: 2 * count] = 0
        for k in range(2 * count):
            conv.weight[k, k, 1, 1] = 1
    out = layers[-1]
    colour = components.reshape(count, 64, 3).mean(1) / gain[:, None]  # (K, RGB): each component's patch mean
    out.weight.mul_(0.1)
    out.weight[:, : 2 * count] = 0
    out.weight[:, :count, 1, 1] = colour.T
    out.weight[:, count : 2 * count, 1, 1] = -colour.T
    out.bias.copy_(mean.reshape(64, 3).mean(0))  # type: ignore[union-attr]


def gradients(x: Tensor) -> tuple[Tensor, Tensor]:
    """Forward differences along y and x."""
    return x[..., 1:, :] - x[..., :-1, :], x[..., 1:] - x[..., :-1]


def reconstruction_loss(decoded: Tensor, pixels: Tensor) -> tuple[Tensor, dict[str, float]]:
    """L2 for fidelity, L1 of pixels and of their gradients for crisp edges; both in [-1, 1]."""
    square = F.mse_loss(decoded, pixels)
    edges = sum(F.l1_loss(a, b) for a, b in zip(gradients(decoded), gradients(pixels), strict=True))
    loss = 10 * square + CRISPNESS * (F.l1_loss(decoded, pixels) + edges)
    return loss, {"psnr": float(10 * torch.log10(4 / square.detach()))}


def two_views(pixels: Tensor, dy: int, dx: int) -> tuple[Tensor, Tensor]:
    """The same pictures (N, 3, S + CELL, S + CELL) seen twice (N, 3, S, S), the second time (dy, dx) further on."""
    side = pixels.shape[-1] - CELL
    return pixels[..., :side, :side], pixels[..., dy : dy + side, dx : dx + side]


def steadiness_loss(first: Tensor, second: Tensor, dy: int, dx: int) -> Tensor:
    """How much two decoded views of `two_views` disagree where both see the same: that is what flickers in a pan."""
    height, width = first.shape[-2:]
    here, there = first[..., dy:, dx:], second[..., : height - dy, : width - dx]
    return F.l1_loss(here, there) + 4 * F.mse_loss(here, there)


def autoencoder_loss(
    vae: AutoencoderTiny, *, packs: Path, seed: int, workers: int, scale: int = 1
) -> Callable[[int], Loss]:
    """For `run_loop`: crops in, reconstruction and steadiness loss out."""

    def start(first: int) -> Loss:
        batches = iterate_batches(
            partial(make_crops, seed=seed, packs=packs, scale=scale), start=first, workers=workers
        )
        device = next(vae.parameters()).device

        def loss(step: int) -> tuple[Tensor, dict[str, float]]:
            batch = next(batches)
            dy, dx = (int(n) for n in batch["shift"])
            pictures = torch.from_numpy(batch["pixels"]).to(device).float() / 127.5 - 1
            pixels = torch.cat(two_views(pictures, dy, dx)).contiguous(memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16):
                latents = vae.encoder(pixels)
                decoded = vae.decoder(latents)
            # Noise of a code is worth nothing beyond +-3, where the decoder's tanh clamp flattens.
            stray = (latents.float().abs() - 2.5).clamp(min=0).square().mean()
            value, parts = reconstruction_loss(decoded.float(), pixels)
            one, other = decoded.float().chunk(2)
            moved = steadiness_loss(one, other, dy, dx)
            return value + 0.1 * stray + STEADINESS * moved, {**parts, "steadiness": moved.item()}

        return loss

    return start
