"""Train the embedded model from a folder of photographs, and write it as a diffusers folder.

    python examples/train_embedded/train.py --photos DIR --out vedit/embedded --minutes 120

Stopped and started again with the same --work it goes on where the last saved state was; the minutes count over all
runs. --start-from begins from finished weights instead of nothing. On a CUDA device it uses that, else the CPU.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor, nn
from trainer.autoencoder import autoencoder_loss, patch_statistics, start_from_pca
from trainer.checkpoint import read_facts
from trainer.diffusion import diffusion_loss
from trainer.export import Networks, export
from trainer.finishing import SQUARES, finishing_loss
from trainer.form import new_autoencoder
from trainer.loop import LoopOptions, Loss, run_loop
from trainer.objectives import HALF_MIN_SNR
from trainer.pairs import SIZES
from trainer.photos import Image, Photo, find_photos, read_photo
from trainer.plots import plot_losses
from trainer.shards import open_shard, write_shard
from trainer.starting import MisfitError, Start, load_autoencoder, load_networks, start_of
from trainer.styled import make_styled
from trainer.waking import wake_controlnets

AUTOENCODER = LoopOptions(minutes=0, rate=1e-3, warmup=200, ema=0.999)
CUDA_SCALE = 16
"""Batches are small for a CPU, where a step is a second however it is filled; a GPU would wait for the next one."""
DIFFUSION = LoopOptions(minutes=0, rate=1e-3, warmup=150, ema=0.998)
FINISHING = LoopOptions(minutes=0, rate=4e-4, warmup=30, ema=0.99)
"""It begins where stage b ends, so at a lower rate."""

KEPT = "keep_latents"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("VEDIT_TEST_DATA")
    photos = Path(data) / "photos" if data else None
    parser.add_argument("--photos", type=Path, default=photos, required=photos is None, help="folder of photographs")
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint goes")
    parser.add_argument("--minutes", type=float, required=True, help="wall-clock budget of all training stages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("build/train_embedded"), help="data, states and logs")
    parser.add_argument("--workers", type=int, default=1, help="processes that make data")
    parser.add_argument("--pictures", type=int, default=8000, help="styled pictures to make ahead of training")
    parser.add_argument("--autoencoder-share", type=float, default=0.35, help="part of the minutes for the autoencoder")
    parser.add_argument("--finishing-share", type=float, default=0.2, help="part of the minutes for the last stage")
    parser.add_argument(
        "--squares",
        type=float,
        default=SQUARES,
        help=f"weight of squared error in the last stage; by default {SQUARES:g}, for sharp strokes; 1 learns shapes",
    )
    parser.add_argument(
        "--start-from", type=Path, help="diffusers folder whose weights to begin from, such as vedit/embedded"
    )
    parser.add_argument(
        "--keep-latents",
        action="store_true",
        help="train the decoder alone: what the encoder says stays, so that networks that know it still fit",
    )
    parser.add_argument(
        "--batch-scale", type=int, help=f"times the pictures of a batch; 1 on a CPU, {CUDA_SCALE} on a GPU by default"
    )
    args = parser.parse_args()
    if min(args.autoencoder_share, args.finishing_share) < 0 or args.autoencoder_share + args.finishing_share > 1:
        parser.error(
            "--autoencoder-share and --finishing-share are parts of the minutes: at least 0, together at most 1"
        )
    if args.squares < 0:
        parser.error("--squares is a weight: 0 or more")
    return args


def main() -> None:
    args = arguments()
    packs: Path = args.work / "packs"
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        check_start(args)
    except MisfitError as error:
        raise SystemExit(f"error: {error}") from None
    args.batch_scale = args.batch_scale or (CUDA_SCALE if device.type == "cuda" else 1)
    make_data(args.photos, packs, pictures=args.pictures, seed=args.seed, workers=args.workers)
    vae = train_autoencoder(args, packs, device)
    networks = train_diffusion(args, packs, device, vae)
    if args.finishing_share > 0:
        finish(args, packs, device, vae, networks)


def check_start(args: argparse.Namespace) -> None:
    """Try --start-from before data is made, which takes minutes. Raises MisfitError."""
    facts = read_facts(args.work / "autoencoder")
    if facts is not None and facts.get(KEPT, "") != kept_latents(args):
        raise MisfitError(
            f"{args.work}/autoencoder holds a run {'without' if args.keep_latents else 'with'} --keep-latents: "
            "remove it or give another --work"
        )
    if (folder := start_of(args.work / "autoencoder", args.start_from).load) is not None:
        load_autoencoder(new_autoencoder(), folder)
    if (folder := start_of(args.work / "diffusion", args.start_from, objective=HALF_MIN_SNR).load) is not None:
        load_networks(Networks.new(), folder)


def kept_latents(args: argparse.Namespace) -> str:
    """What the autoencoder's state says of --keep-latents, which decides what its optimiser has learnt of."""
    return "yes" if args.keep_latents else ""


def make_data(photos: Path, packs: Path, *, pictures: int, seed: int, workers: int) -> None:
    """Whatever is missing of the packed photographs and their styled versions."""
    if not (packs / "photos.json").is_file():
        found = find_photos(photos)
        count = write_shard(packs / "photos.bin", large_enough(found))
        print(f"packed {count} of {len(found)} photographs")
        if count == 0:
            raise SystemExit(f"no photograph in {photos} is at least 192x256 pixels")
    for done in make_styled(packs, count=pictures, seed=seed, workers=workers):
        print(f"styled pictures: shard {done}", flush=True)


def large_enough(photos: tuple[Photo, ...]) -> Iterator[tuple[Image, dict[str, object]]]:
    """The decoded photographs that hold the largest crop, either way up."""
    short, long = sorted((max(s[0] for s in SIZES), max(s[1] for s in SIZES)))
    for photo in photos:
        picture = read_photo(photo.path)
        if min(picture.shape[:2]) >= short and max(picture.shape[:2]) >= long:
            yield picture, {"file": photo.path.name, "weight": photo.weight}


def options_for(base: LoopOptions, *, minutes: float, device: torch.device, begin: Start) -> LoopOptions:
    """`base` with its budget; logged more rarely where steps are fast, half as fast where the weights are finished."""
    rate = base.rate / 2 if begin.finished else base.rate
    return replace(base, minutes=minutes, rate=rate, log_every=20 if device.type == "cpu" else 100)


def place(module: nn.Module, device: torch.device) -> None:
    """Move to the device, with convolution weights in the layout that is fastest there."""
    module.to(device)
    module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def show(stage: str, row: dict[str, float]) -> None:
    parts = "  ".join(f"{key} {value:.4g}" for key, value in row.items() if key not in {"step", "elapsed_s"})
    print(
        f"{time.strftime('%H:%M:%S')} {stage} step {row['step']:.0f} after {row['elapsed_s'] / 60:.1f} min: {parts}",
        flush=True,
    )


def train_autoencoder(args: argparse.Namespace, packs: Path, device: torch.device) -> AutoencoderTiny:
    """Stage a; returns the averaged autoencoder."""
    torch.manual_seed(args.seed)
    vae = new_autoencoder()
    folder: Path = args.work / "autoencoder"
    begin = start_of(folder, args.start_from)
    if begin.load is not None:
        load_autoencoder(vae, begin.load)
        print(f"the autoencoder begins from {begin.load}")
    elif not (folder / "state.json").is_file():
        start_from_pca(vae, *patch_statistics(open_shard(packs / "photos.bin"), seed=args.seed))
    place(vae, device)
    vae.encoder.requires_grad_(not args.keep_latents)
    averaged: dict[str, Tensor] = {}
    options = options_for(AUTOENCODER, minutes=args.minutes * args.autoencoder_share, device=device, begin=begin)
    start = autoencoder_loss(vae, packs=packs, seed=args.seed, workers=args.workers, scale=args.batch_scale)
    rows = run_loop(
        vae,
        start,
        folder=folder,
        options=options,
        on_save=lambda ema, _: averaged.update(ema),
        kept={**begin.facts, KEPT: kept_latents(args)},
    )
    for row in rows:
        show("autoencoder", row)
    vae.load_state_dict(averaged)
    plot_losses(folder / "loss.csv", folder / "loss.png")
    return vae


def train_diffusion(args: argparse.Namespace, packs: Path, device: torch.device, vae: AutoencoderTiny) -> Networks:
    """Stage b; returns the averaged networks. It is over once stage c has begun from it."""
    torch.manual_seed(args.seed + 1)
    networks = Networks.new()
    folder: Path = args.work / "diffusion"
    begin = start_of(folder, args.start_from, objective=HALF_MIN_SNR)
    if begin.load is not None:
        new = load_networks(networks, begin.load)
        print(f"the diffusion stage begins from {begin.load}; {new} of {len(networks.tokenizer)} tokens are new")
    else:
        wake_controlnets(networks)
    place(networks, device)
    if (args.work / "finishing" / "state.json").is_file():
        return networks
    share = 1 - args.autoencoder_share - args.finishing_share
    options = options_for(DIFFUSION, minutes=args.minutes * share, device=device, begin=begin)
    start = diffusion_loss(networks, vae, packs=packs, seed=args.seed, workers=args.workers, scale=args.batch_scale)
    run_stage("diffusion", networks, start, args=args, vae=vae, options=options, kept=begin.facts)
    return networks


def finish(
    args: argparse.Namespace, packs: Path, device: torch.device, vae: AutoencoderTiny, networks: Networks
) -> None:
    """Stage c, of the networks that stage b leaves; a state that is there goes on."""
    options = replace(FINISHING, minutes=args.minutes * args.finishing_share)
    start = finishing_loss(
        networks,
        vae,
        packs=packs,
        seed=args.seed,
        workers=args.workers,
        scale=args.batch_scale,
        squares=args.squares,
    )
    run_stage("finishing", networks, start, args=args, vae=vae, options=options, kept={})


def run_stage(
    stage: str,
    networks: Networks,
    start: Callable[[int], Loss],
    *,
    args: argparse.Namespace,
    vae: AutoencoderTiny,
    options: LoopOptions,
    kept: Mapping[str, str],
) -> None:
    """Train the networks, export at every saved state and at the end; they are left with their averaged weights."""
    averaged: dict[str, Tensor] = {}

    def on_save(ema: dict[str, Tensor], step: int) -> None:
        averaged.update(ema)
        copy = new_autoencoder()
        copy.load_state_dict(vae.state_dict())
        size = export(copy, networks.averaged(ema), args.out)
        print(f"exported step {step} to {args.out}: {size / 1e6:.1f} MB", flush=True)

    folder: Path = args.work / stage
    for row in run_loop(networks, start, folder=folder, options=options, on_save=on_save, kept=kept):
        show(stage, row)
    networks.load_state_dict(averaged)
    plot_losses(folder / "loss.csv", folder / "loss.png")


if __name__ == "__main__":
    main()
