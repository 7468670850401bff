"""The one training loop of both stages: time budget, cosine rate, EMA, loss log, resumable state."""

import csv
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer.checkpoint import load_state, save_state

Loss = Callable[[int], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True, kw_only=True)
class LoopOptions:
    """How long and how fast.

    Attributes:
        minutes: wall-clock budget of the stage, counted over all resumed runs.
        steps: stop after this many steps whatever the clock says; None: the clock alone decides.
        rate: peak learning rate; linear warm-up over `warmup` steps, then a cosine over the budget down to 2 %.
        ema: decay of the exponential moving average that is exported.
        betas: of AdamW.
        faster: by the name of a submodule, times the rate at which it learns; its gradient is clipped on its own.
        save_every_s: seconds between saved states.
    """

    minutes: float
    steps: int | None = None
    rate: float = 1e-3
    warmup: int = 100
    weight_decay: float = 0.01
    ema: float = 0.999
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    faster: Mapping[str, float] = field(default_factory=dict[str, float])
    save_every_s: float = 300.0
    log_every: int = 20


def learning_rate(options: LoopOptions, *, step: int, progress: float) -> float:
    """Rate at `step`, `progress` in [0, 1] of the budget spent."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return options.rate * min(1.0, (step + 1) / options.warmup) * (0.02 + 0.98 * cosine)


def parameter_groups(modules: nn.Module, faster: Mapping[str, float]) -> list[dict[str, Any]]:
    """What learns, as AdamW's groups, each with `times`: the rest of the modules first, then each of `faster`."""
    learning = [(name, p) for name, p in modules.named_parameters() if p.requires_grad]
    rest = [p for name, p in learning if name.split(".")[0] not in faster]
    groups: list[dict[str, Any]] = [{"params": rest, "times": 1.0}]
    for part, times in faster.items():
        groups.append({"params": [p for name, p in learning if name.split(".")[0] == part], "times": times})
    return groups


def new_ema(modules: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights to average into."""
    return {name: value.detach().clone() for name, value in modules.state_dict().items()}


def update_ema(ema: dict[str, Tensor], modules: nn.Module, *, decay: float, step: int) -> None:
    """ema <- decay * ema + (1 - decay) * weights; the decay rises with the step so that early weights are forgotten."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in modules.state_dict().items():
            if value.is_floating_point():
                ema[name].lerp_(value, 1 - decay)
            else:
                ema[name].copy_(value)


def run_loop(
    modules: nn.Module,
    start_loss: Callable[[int], Loss],
    *,
    folder: Path,
    options: LoopOptions,
    on_save: Callable[[dict[str, Tensor], int], None] | None = None,
    kept: Mapping[str, str] | None = None,
) -> Iterator[dict[str, float]]:
    """Train `modules` and yield one row of the log every `log_every` steps.

    Args:
        modules: everything trained, on its device.
        start_loss: given the first step, returns the function step -> (loss, named parts); called once, so that the
            data workers start at the right batch.
        folder: state, `loss.csv`.
        on_save: called with (ema weights, step) after each saved state, for exports on the way.
        kept: what the state is to say of itself besides its counters.

    The caller owns progress and may stop between rows; the state is then that of the last save.
    """
    groups = parameter_groups(modules, options.faster)
    optimizer = torch.optim.AdamW(
        groups, lr=options.rate, betas=options.betas, weight_decay=options.weight_decay, foreach=True
    )
    ema = new_ema(modules)
    facts = load_state(folder, modules=modules, ema=ema, optimizer=optimizer) or {"step": 0, "elapsed_s": 0.0}
    step: int = facts["step"]
    spent: float = facts["elapsed_s"]
    loss_of = start_loss(step)
    started = saved = time.monotonic()
    rows: list[dict[str, float]] = []

    def elapsed() -> float:
        return spent + time.monotonic() - started

    def save() -> None:
        facts = {"step": step, "elapsed_s": round(elapsed(), 1), **(kept or {})}
        save_state(folder, modules=modules, ema=ema, optimizer=optimizer, facts=facts)
        if on_save is not None:
            on_save(ema, step)

    while elapsed() < options.minutes * 60 and (options.steps is None or step < options.steps):
        progress = step / options.steps if options.steps is not None else elapsed() / (options.minutes * 60)
        rate = learning_rate(options, step=step, progress=progress)
        for group in optimizer.param_groups:
            group["lr"] = rate * group["times"]
        loss, parts = loss_of(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms = [torch.nn.utils.clip_grad_norm_(group["params"], options.clip) for group in groups]
        # A step whose gradient overflowed is left out rather than allowed to poison the weights.
        if all(bool(torch.isfinite(norm)) for norm in norms):
            optimizer.step()
            update_ema(ema, modules, decay=options.ema, step=step)
        step += 1
        rows.append({"loss": loss.item(), **parts})
        if step % options.log_every == 0:
            row = mean_row(rows)
            row = {"step": float(step), "elapsed_s": round(elapsed(), 1), "rate": rate, **row}
            rows.clear()
            append_row(folder / "loss.csv", row)
            yield row
        if time.monotonic() - saved > options.save_every_s:
            save()
            saved = time.monotonic()
    save()


def mean_row(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each part over the rows that have it: a stage may take steps of several kinds."""
    names = dict.fromkeys(name for row in rows for name in row)
    values = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: sum(found) / len(found) for name, found in values.items()}


def append_row(path: Path, row: dict[str, float]) -> None:
    """Append to a CSV file, with a header where it is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists()
    names = list(row)
    if not new:
        with path.open(newline="", encoding="utf-8") as file:
            names = next(csv.reader(file))
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=names, extrasaction="ignore")
        if new:
            writer.writeheader()
        writer.writerow({key: f"{value:.6g}" for key, value in row.items()})
