"""Teach the finished model to draw: stage d, against a critic that knows the targets of every look.

    python examples/train_embedded/adversarial.py --weights vedit/embedded --out build/adversarial --minutes 120

Needs the packed pictures that train.py leaves in its --work. Stopped and started again with the same --work it goes on
where the last saved state was; the minutes count over all runs. On a CUDA device it uses that, else the CPU.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from train import CUDA_SCALE, place, show
from trainer.adversarial import Players, adversarial_loss
from trainer.export import Networks, export
from trainer.form import new_autoencoder
from trainer.looks import LOOKS
from trainer.loop import LoopOptions, run_loop
from trainer.starting import KEY, MisfitError, load_autoencoder, load_networks, start_of

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
    args = parser.parse_args()
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
    begin = start_of(args.work, args.weights)
    torch.manual_seed(args.seed)
    vae, networks = new_autoencoder(), Networks.new()
    load_autoencoder(vae, args.weights)
    load_networks(networks, args.weights)
    players = Players(networks)
    place(vae, device)
    place(players, device)

    def on_save(ema: dict[str, Tensor], step: int) -> None:
        mine = {name.removeprefix("networks."): v for name, v in ema.items() if name.startswith("networks.")}
        copy = new_autoencoder()
        copy.load_state_dict(vae.state_dict())
        size = export(copy, networks.averaged(mine), args.out)
        print(f"exported step {step} to {args.out}: {size / 1e6:.1f} MB", flush=True)
        textures: list[float] = players.texture.tolist()
        far = sorted(zip(textures, (look.name for look in LOOKS), strict=True), reverse=True)
        print("farthest: " + ", ".join(f"{name} {value:.2f}" for value, name in far[:8]), flush=True)

    scale = args.batch_scale or (CUDA_SCALE if device.type == "cuda" else 1)
    start = adversarial_loss(players, vae, packs=args.packs, seed=args.seed, workers=args.workers, scale=scale)
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
        players, start, folder=args.work, options=options, on_save=on_save, kept={KEY: begin.facts[KEY]}
    ):
        show("adversarial", row)


if __name__ == "__main__":
    main()
