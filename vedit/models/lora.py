"""Low-rank changes of a UNet's weights (LoRA, Hu et al. 2021): read from a file, merged, and taken out without a trace.

W' = W + scale B A. Of a convolution, A has the kernel and B is 1x1, as in PEFT: B A is then the product of the two as
matrices, each output channel against all its inputs. Files have the keys that diffusers writes and reads:
`unet.MODULE.lora_A.weight` and `unet.MODULE.lora_B.weight`. Beside alpha, which they do not hold, PEFT's scale is 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from vedit.checks.finite import is_finite
from vedit.errors import ModelError
from vedit.weights.at_rest import computed_in

PREFIX, DOWN, UP = "unet.", ".lora_A.weight", ".lora_B.weight"


@dataclass(frozen=True, kw_only=True)
class Lora:
    """Changes by the module whose weight they change."""

    pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]
    """A (r, I, ...) and B (O, r, ...) for a weight (O, I, ...)."""
    scale: float = 1.0

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tensors, their names and the scale."""
        told = hashlib.sha256(f"scale {self.scale!r}".encode())
        for name, tensor in sorted(_as_file(self.pairs).items()):
            told.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            told.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).cpu().numpy().data)
        return told.hexdigest()

    @contextmanager
    def merged(self, module: torch.nn.Module) -> Generator[None]:
        """The changes in the weights for as long as the context lasts; the very tensors from before then return.

        They are put aside rather than computed back, so that nothing is left of the change, not even in the last bit.
        """
        weights = {name: module.get_parameter(f"{name}.weight") for name in self.pairs}
        before = {name: weight.data for name, weight in weights.items()}
        try:
            for name, (down, up) in self.pairs.items():
                wide = before[name].to(computed_in(module, f"{name}.weight"))
                weights[name].data = merged_weight(wide, down, up, self.scale)
            yield
        finally:
            for name, weight in weights.items():
                weight.data = before[name]


def low_rank(down: torch.Tensor, up: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """B A as a change of a weight of this shape, (O, I) or (O, I, kh, kw)."""
    return (up.flatten(1) @ down.flatten(1)).view(shape)


def merged_weight(weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor, scale: float) -> torch.Tensor:
    """W + scale B A, summed in float32; type, device and layout in memory are those of `weight`."""
    change = low_rank(down.to(weight.device, torch.float32), up.to(weight.device, torch.float32), weight.shape)
    # An empty tensor like it keeps channels last, on which the speed of convolutions depends.
    return torch.empty_like(weight).copy_(weight.float() + scale * change)


def read_lora(path: Path, module: torch.nn.Module, *, scale: float = 1.0) -> Lora:
    """The changes in a file, all of which must fit the module.

    Raises:
        ModelError: the file is absent, damaged, or of another network.
    """
    remedy = f"fetch the model again, or remove its folder {path.parent.name}/"
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {str(error).splitlines()[0]}", remedy=remedy) from error
    weights = {name.removesuffix(".weight"): value for name, value in module.named_parameters()}
    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for key in found:
        name = key.removeprefix(PREFIX).removesuffix(DOWN).removesuffix(UP)
        down, up = found.get(f"{PREFIX}{name}{DOWN}"), found.get(f"{PREFIX}{name}{UP}")
        if down is None or up is None or name not in weights:
            raise ModelError(f"{path} does not fit the model: {key} has no place or no counterpart", remedy=remedy)
        wanted = weights[name].shape
        if not _fits(down.shape, up.shape, wanted):
            shapes = " and ".join(str(tuple(part.shape)) for part in (down, up))
            raise ModelError(f"{path} does not fit the model: {name} is {tuple(wanted)}, not {shapes}", remedy=remedy)
        if not (is_finite(down) and is_finite(up) and isfinite(scale)):
            raise ModelError(f"{path} has numbers that are not finite, in {name}", remedy=remedy)
        pairs[name] = (down, up)
    if not pairs:
        raise ModelError(f"{path} changes nothing", remedy=remedy)
    return Lora(pairs=pairs, scale=scale)


def write_lora(path: Path, pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> int:
    """Write the changes in float16; returns the file's size in bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(lora_bytes(pairs))
    part.chmod(0o644)
    part.replace(path)
    return path.stat().st_size


def lora_bytes(pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> bytes:
    """What `write_lora` writes; how much it is depends on the shapes alone."""
    tensors = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in _as_file(pairs).items()}
    return save(tensors, metadata={"format": "pt"})


def _as_file(pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
    both = {f"{PREFIX}{name}{DOWN}": down for name, (down, _) in pairs.items()}
    return {**both, **{f"{PREFIX}{name}{UP}": up for name, (_, up) in pairs.items()}}


def _fits(down: torch.Size, up: torch.Size, weight: torch.Size) -> bool:
    kernels = all(size == 1 for size in up[2:]) and len(up) == len(weight) == len(down)
    return kernels and up[0] == weight[0] and down[0] == up[1] and down[1:] == weight[1:]
