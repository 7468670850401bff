"""An ablation: small models that differ from one base in one choice each, on the same pictures for as many steps.

The variants are data (`trainer.variants`); what they vary is passed to the trainer of the embedded model. Batch n of
all variants with the same seed holds the same pictures, except where words are dropped at another rate: crops after a
prompt that only one of them drops are then others.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.controlnets.controlnet import ControlNetModel
from torch import Tensor, nn

from trainer.autoencoder import autoencoder_loss, patch_statistics, start_from_pca
from trainer.diffusion import diffusion_loss
from trainer.export import Networks
from trainer.form import new_autoencoder, new_controlnet
from trainer.loop import LoopOptions, run_loop
from trainer.objectives import Objective, objective_named
from trainer.pairs import make_pairs
from trainer.prompts import PLAIN_SHARE, Outfit
from trainer.shards import open_shard, whole_shards, write_shard
from trainer.variants import Settings, Variant
from trainer.waking import wake_controlnets

NORM_GROUPS = 8
AUTOENCODER_RATE = 5e-4
"""Half of the shipped trainer's, at which thirty steps end below where they began (21.1 dB, from 22.9)."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A variant, ready to be measured."""

    vae: AutoencoderTiny
    networks: Networks
    objective: Objective


def pack_looks(packs: Path, out: Path, looks: Sequence[str], *, count: int) -> int:
    """Make `out` a folder of packs of single looks as they are, evenly, and of plain photographs.

    Returns how many styled pictures it holds; photographs are linked to.

    Raises:
        ValueError: there is none of one of the looks.
    """
    wanted = {name: round(count * (1 - PLAIN_SHARE) / len(looks)) for name in looks}
    wanted["photograph"] = round(count * PLAIN_SHARE)
    found: dict[str, list[tuple[Path, int]]] = {name: [] for name in wanted}
    for path in whole_shards(packs / "styled", "*.bin"):
        for index in range(len(open_shard(path))):
            outfit = Outfit.of_note(open_shard(path).note(index))
            name = outfit.looks[0].name
            alone = len(outfit.looks) == 1 and outfit.strength is None and outfit.palette is None
            if alone and len(found.get(name, ())) < wanted.get(name, 0):
                found[name].append((path, index))
    if missing := [name for name in looks if not found[name]]:
        raise ValueError(f"no picture of {missing[0]!r} alone in {packs}: name other --looks or make more pictures")
    out.mkdir(parents=True, exist_ok=True)
    for name in ("photos.bin", "photos.json"):
        (out / name).unlink(missing_ok=True)
        (out / name).symlink_to((packs / name).resolve())
    taken = [place for places in found.values() for place in places]
    return write_shard(
        out / "styled" / "00000.bin", ((open_shard(path)[i], open_shard(path).note(i)) for path, i in taken)
    )


def train_variant(
    variant: Variant, vae: AutoencoderTiny, settings: Settings, *, packs: Path, work: Path, workers: int
) -> Trained:
    """UNet, ControlNets and text encoder on the device of their autoencoder; `work` keeps their state until then."""
    device = next(vae.parameters()).device
    torch.manual_seed(variant.seed)
    networks = networks_of(variant, settings)
    networks.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    objective = objective_named(variant.objective)
    sizes = ((settings.crop, settings.crop, settings.batch),)
    start = diffusion_loss(
        networks,
        vae,
        packs=packs,
        seed=variant.seed,
        workers=workers,
        pairs=partial(make_pairs, sizes=sizes, drop_words=variant.drop_words),
        objective=objective,
        inverted=0.0,
        begun=0.0,
        drop_control=variant.drop_control,
        flicker_weight=variant.flicker,
    )
    folder = work / variant.name.replace(" ", "-").replace(",", "").replace("%", "pc")
    averaged = _run(networks, start, folder=folder, steps=settings.steps, rate=settings.rate)
    networks.load_state_dict(averaged)
    shutil.rmtree(folder)
    return Trained(vae=vae, networks=networks.eval(), objective=objective.to(device))


def trained_autoencoder(
    latents: int, settings: Settings, *, packs: Path, work: Path, workers: int, device: torch.device
) -> AutoencoderTiny:
    """From its principal components; of the shipped width, since those need it. `work` keeps its state."""
    torch.manual_seed(0)
    vae = new_autoencoder(latents=latents)
    start_from_pca(vae, *patch_statistics(open_shard(packs / "photos.bin"), seed=0, latents=latents))
    vae.to(device=device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    start = autoencoder_loss(vae, packs=packs, seed=0, workers=workers)
    folder = work / f"autoencoder-{latents}"
    vae.load_state_dict(_run(vae, start, folder=folder, steps=settings.autoencoder_steps, rate=AUTOENCODER_RATE))
    vae.register_to_config(scaling_factor=1 / latent_deviation(vae, packs, side=settings.crop))
    return vae.requires_grad_(False).eval()


@torch.no_grad()
def latent_deviation(vae: AutoencoderTiny, packs: Path, *, side: int, count: int = 64) -> float:
    """Standard deviation of the code of styled pictures, over all channels."""
    shard = open_shard(whole_shards(packs / "styled", "*.bin")[0])
    places = np.linspace(0, len(shard) - 1, min(count, len(shard))).round().astype(int)
    corners = np.stack([shard[int(place)][:side, :side] for place in places])
    pixels = torch.from_numpy(corners).permute(0, 3, 1, 2).float() / 127.5 - 1
    return float(vae.encoder(pixels.to(next(vae.parameters()).device)).std())


def networks_of(variant: Variant, settings: Settings) -> Networks:
    """With fresh weights, drawn from torch's global generator."""
    unet, control = (_scaled(settings.widths, by) for by in variant.widths)
    networks = Networks.new(widths=unet, norm_groups=NORM_GROUPS, latents=variant.latents)
    if control != unet:
        for name in ("tile", "soft_edge"):
            own = new_controlnet(widths=control, norm_groups=NORM_GROUPS, latents=variant.latents)
            setattr(networks, name, speaking_to(own, getattr(networks, name)))
    wake_controlnets(networks)
    return networks


def speaking_to(net: ControlNetModel, fitting: ControlNetModel) -> ControlNetModel:
    """`net` with outputs as wide as those of `fitting`, a ControlNet of the UNet's widths.

    A diffusers config cannot say this: it is for comparisons only.
    """

    def widened(own: nn.Module, other: nn.Module) -> nn.Conv2d:
        assert isinstance(own, nn.Conv2d)
        assert isinstance(other, nn.Conv2d)
        conv = nn.Conv2d(own.in_channels, other.out_channels, 1)
        assert conv.bias is not None
        nn.init.zeros_(conv.bias)
        return conv

    pairs = zip(net.controlnet_down_blocks, fitting.controlnet_down_blocks, strict=True)
    net.controlnet_down_blocks = nn.ModuleList([widened(own, other) for own, other in pairs])
    net.controlnet_mid_block = widened(net.controlnet_mid_block, fitting.controlnet_mid_block)
    return net


def _scaled(widths: tuple[int, int, int], by: float) -> tuple[int, int, int]:
    """To whole norm groups."""
    first, second, third = (NORM_GROUPS * max(1, round(width * by / NORM_GROUPS)) for width in widths)
    return first, second, third


def _run(modules: nn.Module, start: Any, *, folder: Path, steps: int, rate: float) -> dict[str, Tensor]:
    """Train for a number of steps, or what is left of it; returns the averaged weights."""
    averaged: dict[str, Tensor] = {}
    options = LoopOptions(
        minutes=math.inf, steps=steps, rate=rate, warmup=max(1, min(50, steps // 8)), ema=0.98, log_every=50
    )
    for row in run_loop(modules, start, folder=folder, options=options, on_save=lambda ema, _: averaged.update(ema)):
        parts = "  ".join(f"{key} {value:.4g}" for key, value in row.items() if key not in ("step", "elapsed_s"))
        print(f"  {folder.name} step {row['step']:.0f} after {row['elapsed_s']:.0f} s: {parts}", flush=True)
    return averaged
