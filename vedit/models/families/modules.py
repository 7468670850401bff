"""What families of torch modules share: taking turns in device memory, and the digest of weights."""

from __future__ import annotations

import hashlib
from typing import Protocol

import torch

from vedit.weights.at_rest import wide_tensors


class Turns(Protocol):
    """What knows which modules are in device memory."""

    def take(self, module: torch.nn.Module) -> None:
        """Make room for a module that is about to compute, and bring it."""
        ...


class ModuleOffload:
    """Groups of modules that are in device memory one at a time; the others wait in host memory."""

    def __init__(self, device: torch.device, *groups: tuple[torch.nn.Module, ...]) -> None:
        self._device = device
        self._groups = groups

    def take(self, module: torch.nn.Module) -> None:
        """Bring the group that holds `module` to the device, after the others have left it."""
        for group in sorted(self._groups, key=lambda group: module in group):
            for member in group:
                torch.nn.Module.to(member, self._device if module in group else "cpu")


def weights_digest(module: torch.nn.Module) -> str:
    """SHA-256 over a module's tensors as they are computed with, names and types included."""
    digest = hashlib.sha256()
    for name, value in wide_tensors(module):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).cpu().numpy().data)
    return digest.hexdigest()


def usual_precision(device: str) -> torch.dtype:
    """What networks compute in on a device where nothing speaks against it.

    float16 on a GPU, in which these models are published: as fast there as bfloat16, which GPUs from before 2020 lack,
    and three bits finer.
    """
    return torch.float16 if torch.device(device).type in ("cuda", "mps") else torch.float32
