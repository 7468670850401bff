"""LoRA files in the weights of networks: summed once, put in by pointer, and taken out without a trace.

What was there is put aside rather than computed back, so that nothing of a change is left, not even in the last bit.
A weight that rests or is packed (`vedit.weights`) is summed each time that it is widened instead: no second network
stands in memory.
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
from vedit.weights.at_rest import changed, rests
from vedit.weights.packed import shape_of, weight_names

if TYPE_CHECKING:
    from pathlib import Path

    from vedit.models.families.sd_lora_names import Names, Place
    from vedit.models.lora_file import LoraFile
    from vedit.models.lora_layout import Change

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


@dataclass(kw_only=True)
class Sum:
    """A resting weight with the changes of LoRAs in it; see `vedit.weights.at_rest.Change`."""

    name: str
    added: Sequence[_Added]
    tensors: Mapping[Path, Mapping[str, torch.Tensor]]
    """What is added, as the files have it."""
    _is_checked: bool = False
    _device: torch.device | None = None
    """That the tensors were brought to: they stay there for the calls to come."""

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        """The sum for a weight, which is written to. Raises ModelError, the first time, where it is not finite."""
        if self._device != weight.device:
            self.tensors = {
                file: {key: one.to(weight.device) for key, one in held.items()} for file, held in self.tensors.items()
            }
            self._device = weight.device
        added = [(one, self.tensors[one.lora.file.path].__getitem__) for one in self.added]
        if all(one.is_low_rank for one in self.added):
            for one, tensors in added:
                one.add_to(weight, tensors)
            total = weight
        else:
            total = _total(weight.float(), added).to(weight.dtype)
        if not self._is_checked:
            _check_finite(total, self.name, self.added)
            self._is_checked = True
        return total


Weights = Mapping[str, torch.Tensor | Sum]
"""By the names of parameters, what stands in for them."""


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
    tensors = {name: given for name, given in weights.items() if isinstance(given, torch.Tensor)}
    parameters = {name: module.get_parameter(name) for name in tensors}
    before = {name: parameter.data for name, parameter in parameters.items()}
    try:
        for name, parameter in parameters.items():
            parameter.data = tensors[name].to(before[name].device)
        with changed(module, {name: given for name, given in weights.items() if isinstance(given, Sum)}):
            yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = before[name]


@torch.no_grad()
def merged(target: Target, loras: Sequence[Weighted]) -> Weights:
    """A network's tensors with the changes of all LoRAs in them, of those that are changed.

    Each sum is made in float32 from the tensors as they are; type, device and layout in memory are theirs. Those of
    weights that rest are made where they are widened, in what is computed in.

    Raises:
        ModelError: a change has no place in the network or is of another shape, or a sum is not finite.
    """
    made: dict[str, torch.Tensor | Sum] = {}
    with ExitStack() as files:
        opened = {one.file.path: _opened(one.file, files) for one in loras}
        for name, added in _by_parameter(target, loras).items():
            if rests(target.module, name):
                _check_shapes(added, shape_of(target.module, name))
                made[name] = Sum(name=name, added=added, tensors=_copied(added, opened))
                continue
            before = target.module.get_parameter(name).data
            total = _total(before.float(), [(one, opened[one.lora.file.path]) for one in added])
            # An empty tensor like it keeps channels last, on which the speed of convolutions depends.
            total = made[name] = torch.empty_like(before).copy_(total)
            _check_finite(total, name, added)
    return made


def _total(before: torch.Tensor, added: Sequence[tuple[_Added, Tensors]]) -> torch.Tensor:
    """A weight in float32 with what is added to it."""
    total = before
    for one, tensors in added:
        total = total + one.lora.weight * one.of(tensors, before)
    return total


def _check_finite(total: torch.Tensor, name: str, added: Sequence[_Added]) -> None:
    if not is_finite(total):
        told = ", ".join(str(one.lora.file.path) for one in added)
        raise ModelError(f"with {told} numbers of {name} are not finite", remedy="lower the weight of the LoRA")


def _copied(added: Sequence[_Added], opened: Mapping[Path, Tensors]) -> Mapping[Path, Mapping[str, torch.Tensor]]:
    """What is added, read: the files can be written to while it is in use."""
    found: dict[Path, dict[str, torch.Tensor]] = defaultdict(dict)
    for one in added:
        path = one.lora.file.path
        found[path] |= {key: opened[path](key).clone() for key in one.change.keys.values()}
    return found


def check_fits(target: Target, lora: LoraFile) -> None:
    """Hold a file's shapes against a network's, either without numbers. Raises ModelError as `merged`."""
    for name, added in _by_parameter(target, [Weighted(file=lora, weight=1.0)]).items():
        _check_shapes(added, shape_of(target.module, name))


def _check_shapes(added: Sequence[_Added], shape: torch.Size) -> None:
    blank = torch.empty(shape, device="meta")
    for one in added:
        shapes = one.lora.file.header.shapes
        one.of(lambda key, shapes=shapes: torch.empty(shapes[key], device="meta"), blank)


@dataclass(frozen=True, kw_only=True)
class _Added:
    """What one module's tensors add to one parameter."""

    lora: Weighted
    change: Change
    third: int | None
    is_bias: bool

    @property
    def is_low_rank(self) -> bool:
        """Whether it is two factors and nothing else: what most files have of most modules."""
        return self.third is None and {"down", "up"} <= self.change.keys.keys() <= {"down", "up", "alpha"}

    def add_to(self, weight: torch.Tensor, tensors: Tensors) -> None:
        """Add two factors to a weight where it lies; `of` holds their shapes against it beforehand."""
        down, up = (tensors(self.change.keys[role]).to(weight.device, weight.dtype) for role in ("down", "up"))
        factor = self.lora.file.factor(self.change)
        if "alpha" in self.change.keys:
            factor = float(tensors(self.change.keys["alpha"])) / len(down)
        if not weight.is_contiguous():  # a convolution whose channels lie last
            weight, down = weight.permute(0, 2, 3, 1), down.permute(0, 2, 3, 1)
        rows = weight.view(len(weight), -1)
        rows.addmm_(up.flatten(1), down.flatten(1), alpha=self.lora.weight * (1.0 if factor is None else factor))

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
    known = set(weight_names(target.module))
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
