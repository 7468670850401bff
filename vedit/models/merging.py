"""LoRA files in the weights of networks: summed once, put in by pointer, and taken out without a trace.

What was there is put aside rather than computed back, so that nothing of a change is left, not even in the last bit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open

from vedit.checks.finite import is_finite
from vedit.errors import ModelError
from vedit.models.headers import FETCH_AGAIN
from vedit.models.lora_changes import bias_change_of, change_of

if TYPE_CHECKING:
    from vedit.models.families.sd_lora_names import Names, Place
    from vedit.models.lora_file import LoraFile
    from vedit.models.lora_layout import Change

Weights = Mapping[str, torch.Tensor]
"""Tensors by the names of the parameters that they stand in for."""
Tensors = Callable[[str], torch.Tensor]
"""Key in a file -> its tensor."""


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """A LoRA and how strongly it acts."""

    file: LoraFile
    weight: float

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from others."""
        status = self.file.path.stat()
        return (self.file.path, status.st_size, status.st_mtime_ns, self.weight)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A network that LoRAs change."""

    part: str
    """Which of a model's, as `vedit.models.lora_layout` calls them."""
    module: torch.nn.Module
    names: Names
    called: str
    """What a message calls it."""


@contextmanager
def swapped(module: torch.nn.Module, weights: Weights) -> Generator[None]:
    """Other tensors in the place of a module's for as long as the context lasts; the very ones from before return."""
    parameters = {name: module.get_parameter(name) for name in weights}
    before = {name: parameter.data for name, parameter in parameters.items()}
    try:
        for name, parameter in parameters.items():
            parameter.data = weights[name].to(before[name].device)
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = before[name]


@torch.no_grad()
def merged(target: Target, loras: Sequence[Weighted]) -> Weights:
    """A network's tensors with the changes of all LoRAs in them, of those that are changed.

    Each sum is made in float32 from the tensors as they are; type, device and layout in memory are theirs.

    Raises:
        ModelError: a change has no place in the network or is of another shape, or a sum is not finite.
    """
    made: dict[str, torch.Tensor] = {}
    with ExitStack() as files:
        opened = {one.file.path: _opened(one.file, files) for one in loras}
        for name, added in _by_parameter(target, loras).items():
            before = target.module.get_parameter(name).data
            total = before.float()
            for one in added:
                change = one.of(opened[one.lora.file.path], before.float())
                total = total + one.lora.weight * change
            # An empty tensor like it keeps channels last, on which the speed of convolutions depends.
            made[name] = torch.empty_like(before).copy_(total)
            if not is_finite(made[name]):
                told = ", ".join(str(one.lora.file.path) for one in added)
                raise ModelError(f"with {told} numbers of {name} are not finite", remedy="lower the weight of the LoRA")
    return made


def check_fits(target: Target, lora: LoraFile) -> None:
    """Hold a file's shapes against a network's, either without numbers. Raises ModelError as `merged`."""
    shapes = lora.header.shapes
    for name, added in _by_parameter(target, [Weighted(file=lora, weight=1.0)]).items():
        parameter = target.module.get_parameter(name)
        blank = torch.empty(parameter.shape, device="meta")
        for one in added:
            one.of(lambda key: torch.empty(shapes[key], device="meta"), blank)


@dataclass(frozen=True, kw_only=True)
class _Added:
    """What one module's tensors add to one parameter."""

    lora: Weighted
    change: Change
    third: int | None
    is_bias: bool

    def of(self, tensors: Tensors, before: torch.Tensor) -> torch.Tensor:
        """Raises ModelError where the shapes do not fit."""
        parts = {
            role: tensors(key).to(before.device, torch.float32)
            for role, key in self.change.keys.items()
            if _is_of_bias(role) == self.is_bias
        }
        factor = self.lora.file.factor(self.change)
        try:
            if self.is_bias:
                return bias_change_of(parts, before, factor=factor)
            if self.third is None:
                return change_of(parts, before, factor=factor)
            return change_of(parts, before, factor=factor, thirds=3).chunk(3)[self.third]
        except ValueError as error:
            raise ModelError(
                f"{self.lora.file.path} does not fit the model: {self.change.first} has {error}",
                remedy="give one that was trained for this model",
            ) from None


def _by_parameter(target: Target, loras: Sequence[Weighted]) -> Mapping[str, Sequence[_Added]]:
    """What is added to each parameter that is changed. Raises ModelError for a change without a place."""
    known = {name for name, _ in target.module.named_parameters()}
    found: dict[str, list[_Added]] = defaultdict(list)
    for lora in loras:
        for change in lora.file.changes:
            if change.part != target.part:
                continue
            for place, is_bias in _wanted(target, lora, change):
                name = f"{place.module}.{'bias' if is_bias else 'weight'}"
                if name not in known:
                    raise _no_place(target, lora, change)
                found[name].append(_Added(lora=lora, change=change, third=place.third, is_bias=is_bias))
    return found


def _wanted(target: Target, lora: Weighted, change: Change) -> Sequence[tuple[Place, bool]]:
    """Each parameter that a change is for, by its module and whether it is the bias."""
    places = target.names.places(change)
    if not places:
        raise _no_place(target, lora, change)
    of_bias = [role for role in change.keys if _is_of_bias(role)]
    kinds = [True] * bool(of_bias) + [False] * (len(of_bias) < len(change.keys))
    if of_bias and places[0].third is not None:
        raise _no_place(target, lora, change)
    return [(place, is_bias) for place in places for is_bias in kinds]


def _is_of_bias(role: str) -> bool:
    return role in ("bias", "diff_b")


def _no_place(target: Target, lora: Weighted, change: Change) -> ModelError:
    return ModelError(
        f"{lora.file.path} does not fit the model: {change.first!r} has no place in its {target.called}",
        remedy="give one that was trained for this model",
    )


def _opened(lora: LoraFile, files: ExitStack) -> Tensors:
    """A file's tensors, read as they are asked for. Raises ModelError where it cannot be read."""
    try:
        return files.enter_context(safe_open(lora.path, framework="pt")).get_tensor
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{lora.path} cannot be read: {str(error).splitlines()[0]}", remedy=FETCH_AGAIN) from error
