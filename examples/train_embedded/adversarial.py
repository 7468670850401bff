"""Teach the finished model to draw: stage d, against a critic that knows the targets of every look.

    python examples/train_embedded/adversarial.py --weights vedit/embedded --out build/adversarial --minutes 120

Needs the packed pictures that train.py leaves in its --work. Stopped and started again with the same --work it goes on
where the last saved state was; the minutes count over all runs. On a CUDA device it uses that, else the CPU.

With --looks only these are taught, to the UNet alone, and what comes out is a folder with the change of its weights, to
be laid beside the model's other parts as drawn/: the model uses it for these looks, and is what it was for all others.

    python examples/train_embedded/adversarial.py --weights vedit/embedded --out build/drawn --minutes 120 \\
        --looks "stained glass" clay --begin build/train_embedded/adversarial
"""

import argparse
import copy
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import Tensor
from train import CUDA_SCALE, place, show
from trainer.adversarial import WAYS, Players, adversarial_loss
from trainer.checkpoint import read_facts
from trainer.drawn import begin_with, write_drawn
from trainer.export import Networks, export
from trainer.form import new_autoencoder
from trainer.lessons import ALL, lesson_of
from trainer.looks import LOOKS
from trainer.loop import LoopOptions, run_loop
from trainer.starting import KEY, MisfitError, load_autoencoder, load_networks, start_of

from vedit.models.distilled import DistilledWeights, unet_digest

TAUGHT = "looks"
"""What a state says of the looks that its run teaches alone; nothing where it teaches all."""
CRITIC_TIMES = 6.0
"""How much faster than the networks the critic learns: it begins from nothing."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="the finished model, a diffusers folder")
    parser.add_argument("--out", type=Path, required=True, help="where the model goes, a folder of its own")
    parser.add_argument("--minutes", type=float, required=True, help="wall-clock budget")
    parser.add_argument("--steps", type=int, help="stop after this many steps whatever the clock says")
    parser.add_argument("--packs", type=Path, default=Path("build/train_embedded/packs"), help="train.py's pictures")
    parser.add_argument("--work", type=Path, default=Path("build/train_embedded/adversarial"), help="state and log")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that make data")
    parser.add_argument("--rate", type=float, default=4e-5, help="peak learning rate of the networks")
    parser.add_argument("--batch-scale", type=int, help=f"times the 6 pictures of a batch; on a GPU {CUDA_SCALE}")
    parser.add_argument("--looks", nargs="+", metavar="LOOK", help="teach these alone, as a change of the UNet")
    parser.add_argument(
        "--begin", type=Path, help="with --looks: the --work of a run whose UNet and critic to begin with"
    )
    parser.add_argument("--rank", type=int, default=32, help="with --looks: of the change of each layer")
    args = parser.parse_args()
    unknown = sorted(set(args.looks or ()) - {look.name for look in LOOKS})
    if unknown:
        parser.error(f"no look {unknown[0]!r}; they are {', '.join(look.name for look in LOOKS)}")
    if args.begin is not None and not args.looks:
        parser.error("--begin goes with --looks")
    if args.out.resolve() == args.weights.resolve():
        parser.error("--out is a folder of its own: the weights that are begun from stay")
    return args


def main() -> None:
    args = arguments()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        run(args, device)
    except MisfitError as error:
        raise SystemExit(f"error: {error}") from None


def run(args: argparse.Namespace, device: torch.device) -> None:
    """Train, export at every saved state and at the end. Raises MisfitError for weights or a state that do not fit."""
    if not (args.packs / "photos.json").is_file():
        raise MisfitError(f"no packed pictures in {args.packs}: run train.py first, or give its folder to --packs")
    begin, taught = start_of(args.work, args.weights), ", ".join(sorted(args.looks or ()))
    facts = read_facts(args.work)
    if facts is not None and facts.get(TAUGHT, "") != taught:
        raise MisfitError(f"{args.work} holds a run of other looks: remove it or give another --work")
    torch.manual_seed(args.seed)
    vae, networks = new_autoencoder(), Networks.new()
    load_autoencoder(vae, args.weights)
    load_networks(networks, args.weights)
    players, own = Players(networks), None
    if args.looks:
        own = copy.deepcopy(networks).requires_grad_(False)
        place(own, device)
        for part in (networks.tile, networks.soft_edge):
            part.requires_grad_(False)
        if args.begin is not None and begin.load is not None:
            begin_with(players, args.begin)
    place(vae, device)
    place(players, device)
    write = whole_writer(args, vae, networks) if own is None else drawn_writer(args, own)

    def on_save(ema: dict[str, Tensor], step: int) -> None:
        mine = {name.removeprefix("networks."): v for name, v in ema.items() if name.startswith("networks.")}
        size = write(mine)
        print(f"exported step {step} to {args.out}: {size / 1e6:.1f} MB", flush=True)
        textures: list[float] = players.texture.tolist()
        far = sorted(zip(textures, (look.name for look in LOOKS), strict=True), reverse=True)
        print("farthest: " + ", ".join(f"{name} {value:.2f}" for value, name in far[:8]), flush=True)

    scale = args.batch_scale or (CUDA_SCALE if device.type == "cuda" else 1)
    start = adversarial_loss(
        players,
        vae,
        packs=args.packs,
        seed=args.seed,
        workers=args.workers,
        scale=scale,
        lesson=lesson_of(args.looks) if args.looks else ALL,
        inverting=own,
    )
    options = LoopOptions(
        minutes=args.minutes,
        steps=args.steps,
        rate=args.rate,
        warmup=30,
        weight_decay=0.0,
        ema=0.99,
        betas=(0.5, 0.99),
        faster={"critic": CRITIC_TIMES},
        log_every=20 if device.type == "cpu" else 100,
    )
    for row in run_loop(
        players, start, folder=args.work, options=options, on_save=on_save, kept={KEY: begin.facts[KEY], TAUGHT: taught}
    ):
        show("adversarial", row)


def whole_writer(
    args: argparse.Namespace, vae: AutoencoderTiny, networks: Networks
) -> Callable[[dict[str, Tensor]], int]:
    """Writes averaged weights of the networks as a model; returns its size in bytes."""

    def write(mine: dict[str, Tensor]) -> int:
        same = new_autoencoder()
        same.load_state_dict(vae.state_dict())
        return export(same, networks.averaged(mine), args.out)

    return write


def drawn_writer(args: argparse.Namespace, own: Networks) -> Callable[[dict[str, Tensor]], int]:
    """Writes what the UNet's averaged weights differ by from the model's own; returns its size in bytes."""
    tier = DistilledWeights(
        folder=args.out, schedules=WAYS, guidance=1.0, unet=unet_digest(args.weights), looks=tuple(args.looks)
    )

    def write(mine: dict[str, Tensor]) -> int:
        unet = {name.removeprefix("unet."): value for name, value in mine.items() if name.startswith("unet.")}
        return write_drawn(tier, own.unet, unet, rank=args.rank)

    return write


if __name__ == "__main__":
    main()
