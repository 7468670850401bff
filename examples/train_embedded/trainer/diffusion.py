"""Stage b: UNet, both ControlNets and the text encoder together, by v-prediction on frozen latents.

Salimans and Ho 2022 (arXiv 2202.00512) for v; Zhang et al. 2023 (arXiv 2302.05543) for ControlNet. The ControlNets
are not added to a finished model but trained with it from the start, so their outputs do not begin at zero.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor

from trainer.batches import Batch, iterate_batches
from trainer.export import Networks
from trainer.loop import Loss
from trainer.objectives import HALF_MIN_SNR, Objective, objective_named
from trainer.pairs import make_pairs
from trainer.twins import disagreement
from vedit.models.families.sd_text import token_ids
from vedit.preprocessors.softedge import soft_edges
from vedit.preprocessors.tile import tile

INVERTED = 0.75
"""Share of the pictures whose noise leans to the source, as that of an inverted source does."""
LEAN = (0.10, 0.17)
"""How much of such noise is the source's latents, as its correlation with them: what inversions leave was measured at
0.12. A network that has only met noise of its own takes brightness from what leans, and heeds words less."""
BEGUN = 0.5
"""Share of the pictures that stand between source and target in the noise, as in a render they do (`between`)."""
ALL_SOURCE = 800
"""The timestep from which on such a picture is the source alone."""
DROP_CONTROL = 0.17
"""How often each ControlNet alone is silenced, so that either works without the other."""
FLICKER = 15.0
"""Weight of what twins disagree by, in pixel values from -1 to 1, beside the error in v."""


def predict(
    networks: Networks, noisy: Tensor, timestep: Tensor, embeds: Tensor, controls: tuple[Tensor, Tensor], keep: Tensor
) -> Tensor:
    """What the UNet says, v where nothing else was asked (N, C, h, w).

    `controls` are tile and soft edge pictures in [0, 1]; `keep` (2, N, 1, 1, 1) weighs each.
    """
    total: list[Tensor] | None = None
    for net, control, weight in zip((networks.tile, networks.soft_edge), controls, keep, strict=True):
        down, middle = net(noisy, timestep, embeds, control, return_dict=False)
        scaled = [residual * weight for residual in (*down, middle)]
        total = scaled if total is None else [a + b for a, b in zip(total, scaled, strict=True)]
    assert total is not None
    return networks.unet(
        noisy,
        timestep,
        embeds,
        down_block_additional_residuals=tuple(total[:-1]),
        mid_block_additional_residual=total[-1],
        return_dict=False,
    )[0]


@torch.no_grad()
def encoded(vae: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """(N, 3, H, W) in [-1, 1] -> scaled latents (N, C, h, w)."""
    with torch.autocast(pictures.device.type, torch.bfloat16):
        latents = vae.encoder(pictures.contiguous(memory_format=torch.channels_last))
    return latents.float() * float(vae.config["scaling_factor"])


def leaning(noise: Tensor, source: Tensor, inverted: float, generator: torch.Generator, *, twins: int = 0) -> Tensor:
    """Noise (N, C, h, w) of which a share leans to the latents of the sources, of the same shape, by `LEAN`.

    The last `twins` lean as much as the first as many.
    """
    count = len(noise) - twins
    share = LEAN[0] + (LEAN[1] - LEAN[0]) * torch.rand(count, generator=generator)
    share = (share * (torch.rand(count, generator=generator) < inverted)).to(noise)
    share = torch.cat([share, share[:twins]]).view(-1, 1, 1, 1)
    return share * source + (1 - share.square()).sqrt() * noise


def between(
    target: Tensor, source: Tensor, timestep: Tensor, begun: float, generator: torch.Generator, *, twins: int = 0
) -> Tensor:
    """What of the picture is in the noise on the way of a render: some of the source yet, in a share of the rows.

    The noisier, the more of it there may be, and where renders begin there is nothing else: then words alone say what
    is to become of it. Targets in noise give that away before a word is read.

    Args:
        target, source: latents (N, C, h, w).
        timestep: (N,), integers.
        begun: the share of such rows; the others are targets.
        generator: of the draws, on the CPU.
        twins: the last of so many rows are as the first of them.
    """
    count = len(target) - twins
    share = torch.rand(count, generator=generator) * (timestep[:count].cpu() / ALL_SOURCE)
    share = torch.where(timestep[:count].cpu() >= ALL_SOURCE, 1.0, share)
    share = (share * (torch.rand(count, generator=generator) < begun)).to(target)
    share = torch.cat([share, share[:twins]]).view(-1, 1, 1, 1)
    return share * source + (1 - share) * target


def diffusion_loss(
    networks: Networks,
    vae: AutoencoderTiny,
    *,
    packs: Path,
    seed: int,
    workers: int,
    scale: int = 1,
    pairs: Callable[..., Batch] = make_pairs,
    objective: Objective | None = None,
    drop_control: float = DROP_CONTROL,
    flicker_weight: float = FLICKER,
    inverted: float = INVERTED,
    begun: float = BEGUN,
) -> Callable[[int], Loss]:
    """For `run_loop`: pairs in, mean square of the error in v and disagreement of the twins out.

    The last six arguments are what `trainer.ablation` sets. `objective` is `HALF_MIN_SNR` where it is not given. The
    errors that are told of the cleaner and of the noisier half are not weighed.
    """
    asked = objective or objective_named(HALF_MIN_SNR)
    factor = float(vae.config["scaling_factor"])
    vae.requires_grad_(False).eval()

    def start(first: int) -> Loss:
        batches = iterate_batches(partial(pairs, seed=seed, packs=packs, scale=scale), start=first, workers=workers)
        device = next(networks.parameters()).device
        aim = asked.to(device)

        def loss(step: int) -> tuple[Tensor, dict[str, float]]:
            batch = next(batches)
            source = torch.from_numpy(batch["source"]).to(device).float() / 255
            target = torch.from_numpy(batch["target"]).to(device).float() / 127.5 - 1
            # Every draw is a function of (seed, step): a resumed run draws the same.
            generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
            motion = torch.from_numpy(batch["motion"]).to(device)
            twins = len(motion)
            count = len(source) - twins
            # Stratified over the batch: the loss of a small batch otherwise depends mostly on which levels it drew.
            place = (torch.arange(count) + torch.rand(count, generator=generator)) / count
            timestep = (place * 1000).long()[torch.randperm(count, generator=generator)]
            keep = (torch.rand(2, count, 1, 1, 1, generator=generator) > drop_control).float()
            # Twins differ in their pictures alone.
            timestep = torch.cat([timestep, timestep[:twins]]).to(device)
            keep = torch.cat([keep, keep[:, :twins]], dim=1).to(device)
            clean, filmed = encoded(vae, torch.cat([target, source * 2 - 1])).chunk(2)
            noise = torch.randn((count, *clean.shape[1:]), generator=generator)
            noise = leaning(torch.cat([noise, noise[:twins]]).to(device), filmed, inverted, generator, twins=twins)
            seen = between(clean, filmed, timestep, begun, generator, twins=twins)
            noisy = aim.noised(seen, noise, timestep).contiguous(memory_format=torch.channels_last)
            wanted = aim.towards(noisy, clean, timestep)
            controls = (tile(source), soft_edges(source))
            with torch.autocast(device.type, torch.bfloat16):
                embeds = networks.text_encoder(token_ids(networks.tokenizer, batch["prompt"].tolist()).to(device))[0]
                predicted = predict(networks, noisy, timestep, embeds, controls, keep)
            error = F.mse_loss(predicted.float(), wanted, reduction="none").mean((1, 2, 3))
            rows = torch.cat([torch.arange(twins), torch.arange(count, count + twins)])
            found = aim.clean(noisy[rows], predicted[rows].float(), timestep[rows]) / factor
            with torch.autocast(device.type, torch.bfloat16):
                shown = vae.decoder(found.contiguous(memory_format=torch.channels_last)).float()
            first, second = shown.chunk(2)
            flicker = disagreement(first, second, motion)
            noisy_end = timestep > 500
            return (error * aim.weight[timestep]).mean() + flicker_weight * flicker, {
                "low": error[~noisy_end].mean().item(),
                "high": error[noisy_end].mean().item(),
                "flicker": flicker.item(),
            }

        return loss

    return start
