"""Distil the finished model into a few-step one: a low-rank change of its UNet, for vedit's draft and standard quality.

    python examples/train_embedded/distill.py --weights vedit/embedded --minutes 60

Writes WEIGHTS/fast. Needs the packed pictures that train.py leaves in its --work. Stopped and started again with the
same --work it goes on where the last saved state was; the minutes count over all runs.
"""

import argparse
import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor
from train import show
from trainer.checkpoint import read_facts
from trainer.courses import SCHEDULES
from trainer.distillation import distillation_loss
from trainer.loop import LoopOptions, run_loop
from trainer.lora import Changes
from trainer.teacher import Teacher

from vedit.models.distilled import DistilledWeights, Schedule, unet_digest, withdraw_other, write_settings
from vedit.models.load import load_sd
from vedit.models.lora import lora_bytes, write_lora
from vedit.models.resolve import resolve
from vedit.models.source import FAST_FOLDER

LIMIT_BYTES = 550_000


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="the finished model, a diffusers folder")
    parser.add_argument("--out", type=Path, help="where the change goes; by default WEIGHTS/fast")
    parser.add_argument("--minutes", type=float, required=True, help="wall-clock budget")
    parser.add_argument("--steps", type=int, help="stop after this many steps whatever the clock says")
    parser.add_argument("--packs", type=Path, default=Path("build/train_embedded/packs"), help="train.py's pictures")
    parser.add_argument("--work", type=Path, default=Path("build/train_embedded/distillation"), help="state and log")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes that make data")
    parser.add_argument("--rank", type=int, default=3)
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate")
    for quality, schedule in SCHEDULES.items():
        parser.add_argument(
            f"--{quality}",
            type=int,
            nargs="*",
            default=schedule.sampling,
            help=f"timesteps of {quality}; none: no tier",
        )
        parser.add_argument(
            f"--{quality}-inversion", type=int, nargs="*", default=schedule.inversion, help="timesteps of its inversion"
        )
    parser.add_argument("--guidance", type=float, help="of the teacher; by default the model's own")
    parser.add_argument(
        "--span", type=int, default=100, help="about how many timesteps a guided step of the teacher takes"
    )
    parser.add_argument("--inverted", type=float, default=0.5, help="share of batches that begin at inverted sources")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tier = DistilledWeights(
            folder=args.out or args.weights / FAST_FOLDER,
            schedules=schedules_of(args),
            guidance=resolve(str(args.weights)).traits.guidance if args.guidance is None else args.guidance,
            unet=unet_digest(args.weights),
        )
    except ValueError as error:
        raise SystemExit(f"error: no fast tier of {args.weights}: {error}") from error
    for row in distil(args, tier, device):
        show("distillation", row)
    print(f"{tier.weights}: {tier.weights.stat().st_size / 1e6:.2f} MB")


def schedules_of(args: argparse.Namespace) -> dict[str, Schedule]:
    """Those that are not empty. Raises ValueError for timesteps that make no sense."""
    return {
        quality: replace(usual, sampling=tuple(taken), inversion=tuple(getattr(args, f"{quality}_inversion")))
        for quality, usual in SCHEDULES.items()
        if (taken := getattr(args, quality))
    }


def distil(args: argparse.Namespace, tier: DistilledWeights, device: torch.device) -> Iterator[dict[str, float]]:
    """Train, export at every saved state and at the end; yields rows of the log."""
    # Without a tier that is there already: it is replaced, and may be of other weights.
    model = load_sd(resolve(str(args.weights)), controls=("tile", "softedge"), fast=False)
    kept, facts = decides(args, tier, model.fingerprint), read_facts(args.work)
    other = next((name for name, value in kept.items() if facts is not None and facts.get(name) != value), None)
    if other is not None:
        raise SystemExit(f"error: {args.work} holds a run with another {other}: remove it or give another --work")
    torch.manual_seed(args.seed)
    teacher = Teacher(model, guidance=tier.guidance, device=device)
    student = copy.deepcopy(teacher.unet)
    changes = Changes(student, rank=args.rank)
    size = len(lora_bytes(changes.pairs(changes.state_dict())))
    if size > LIMIT_BYTES:
        raise SystemExit(f"error: the change has {size} bytes, {LIMIT_BYTES} are allowed: give a lower --rank")

    def on_save(ema: dict[str, Tensor], step: int) -> None:
        withdraw_other(tier)
        write_lora(tier.weights, changes.pairs(ema))
        write_settings(tier)
        print(f"exported step {step} to {tier.folder}", flush=True)

    try:
        start = distillation_loss(
            teacher,
            student,
            tier,
            span=args.span,
            inverted=args.inverted,
            packs=args.packs,
            seed=args.seed,
            workers=args.workers,
        )
    except ValueError as error:
        raise SystemExit(f"error: {args.weights} cannot be distilled: {error}") from error
    options = LoopOptions(
        minutes=args.minutes,
        steps=args.steps,
        rate=args.rate,
        warmup=30,
        weight_decay=0.0,
        ema=0.99,
        log_every=10 if device.type == "cpu" else 100,
    )
    yield from run_loop(changes, start, folder=args.work, options=options, on_save=on_save, kept=kept)


def decides(args: argparse.Namespace, tier: DistilledWeights, fingerprint: Mapping[str, str]) -> dict[str, str]:
    """What a saved state must have in common with a run that goes on from it, by name."""
    settings = {
        "schedules": {quality: asdict(schedule) for quality, schedule in tier.schedules.items()},
        "guidance": tier.guidance,
        "rank": args.rank,
        "span": args.span,
        "inverted": args.inverted,
    }
    return {"teacher": json.dumps(dict(fingerprint)), **{name: json.dumps(value) for name, value in settings.items()}}


if __name__ == "__main__":
    main()
