"""Training state on disk: tensors as safetensors, the rest as JSON; never pickle."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def save_state(
    folder: Path, *, modules: nn.Module, ema: dict[str, Tensor], optimizer: torch.optim.Optimizer, facts: dict[str, Any]
) -> None:
    """Write the state atomically: the JSON that names the tensor file is replaced last, so a kill leaves the old one.

    `facts` holds the counters (step, elapsed seconds ...) and comes back from `load_state`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": value for name, value in modules.state_dict().items()}
    tensors |= {f"ema.{name}": value for name, value in ema.items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    name = f"state-{facts['step']:07d}.safetensors"
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, folder / name)
    partial = folder / "state.json.part"
    partial.write_text(json.dumps({"tensors": name, "facts": facts}, indent=1), encoding="utf-8")
    partial.replace(folder / "state.json")
    for old in folder.glob("state-*.safetensors"):
        if old.name != name:
            old.unlink()


def load_state(
    folder: Path, *, modules: nn.Module, ema: dict[str, Tensor], optimizer: torch.optim.Optimizer | None
) -> dict[str, Any] | None:
    """Load what `save_state` wrote into the given objects; None where there is no state yet."""
    head = read_head(folder)
    if head is None:
        return None
    tensors = load_file(folder / Path(head["tensors"]).name)
    modules.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    for key, value in tensors.items():
        if key.startswith("ema."):
            ema[key.removeprefix("ema.")].copy_(value)
    if optimizer is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, index, slot = key.split(".", 2)
                state.setdefault(int(index), {})[slot] = value
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
    return head["facts"]


def read_head(folder: Path) -> dict[str, Any] | None:
    """What the state in `folder` says: the name of its file of tensors, and its facts; None where there is none."""
    head_file = folder / "state.json"
    return json.loads(head_file.read_text(encoding="utf-8")) if head_file.is_file() else None


def read_facts(folder: Path) -> dict[str, Any] | None:
    """The facts of the state in `folder`, without its tensors; None where there is none."""
    head = read_head(folder)
    return None if head is None else head["facts"]
