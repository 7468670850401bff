"""What the tensors of a LoRA file make of a weight, each kind by its paper's sum, in float32.

    LoRA (Hu et al. 2021)                W + a/r B A;  of a convolution with a kernel between the two: LoCon
    LoHa (Hyeon-Woo et al. 2022)         W + a/r (B1 A1) * (B2 A2), element by element
    LoKr (Edalati et al. 2022)           W + a/r (C kron B A)
    DoRA (Liu et al. 2024)               m (W + dW) / |W + dW|, dW of any of these
    full                                 W + dW

a is the file's alpha, r the rank; without an alpha the factor is 1, as PEFT has it. The layouts of LoHa and LoKr are
those of LyCORIS, whose factors of convolutions may be in Tucker's form.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch

from vedit.models.lora import low_rank

Parts = Mapping[str, torch.Tensor]
"""What a tensor is, by `vedit.models.lora_layout.Change.keys` -> the tensor."""


def change_of(parts: Parts, weight: torch.Tensor, *, factor: float | None = None, thirds: int = 1) -> torch.Tensor:
    """What a module's tensors add to its weight at the full weight of the LoRA.

    Args:
        parts: of the module, in float32; on "meta" their shapes are held against the weight's alone.
        weight: of the module, (O, I) or (O, I, kh, kw), or (C) of a norm, in float32.
        factor: alpha by rank, where the file tells it for all; an alpha among the parts comes before it.
        thirds: how many modules the parts are for, one after the other in O.

    Returns:
        A tensor like the weight, or (thirds O, I) of several.

    Raises:
        ValueError: the parts are of another shape than the weight.
    """
    shape = torch.Size((weight.shape[0] * thirds, *weight.shape[1:]))
    try:
        change, rank = _plain(parts, shape)
        change = _like(change, shape)
    except (RuntimeError, IndexError) as error:  # what torch says of factors that do not meet
        raise ValueError(f"tensors of {_shapes(parts)} for {tuple(shape)}") from error
    if "alpha" in parts and rank:
        change = change * (parts["alpha"].reshape(()) / rank)
    elif factor is not None and rank:
        change = change * factor
    magnitude = parts.get("magnitude", parts.get("row_magnitude"))
    if magnitude is None:
        return change
    if thirds != 1:
        raise ValueError("DoRA of several modules in one")
    # PEFT has lengths of rows alone, under shapes that others have for columns.
    by_row = "row_magnitude" in parts or magnitude.ndim == 1 or magnitude.shape[0] == weight.shape[0]
    return _directed(weight, change, magnitude, by_row=by_row) - weight


def bias_change_of(parts: Parts, bias: torch.Tensor, *, factor: float | None = None) -> torch.Tensor:
    """What a module's tensors add to its bias; see `change_of`."""
    told = parts["diff_b"] if "diff_b" in parts else parts["bias"]
    if told.numel() != bias.numel():
        raise ValueError(f"a bias of {tuple(told.shape)} for {tuple(bias.shape)}")
    scale = 1.0 if "diff_b" in parts or factor is None else factor
    return told.reshape(bias.shape) * scale


def _plain(parts: Parts, shape: torch.Size) -> tuple[torch.Tensor, int]:
    """The change without its factor, and the rank; 0 where there is none to divide by."""
    if "down" in parts:
        down, up = parts["down"], parts["up"]
        if "mid" in parts:
            middle = parts["mid"]
            return torch.einsum("op,pq...,qi->oi...", up.flatten(1), middle, down.flatten(1)), len(down)
        if prod(up.shape[2:]) != 1:
            raise IndexError("the second factor has a kernel")
        made = torch.Size((len(up), *down.shape[1:]))
        return low_rank(down, up, made), len(down)
    if "hada_w1_a" in parts:
        one, other = (_factors(parts[f"hada_w{n}_a"], parts[f"hada_w{n}_b"], parts.get(f"hada_t{n}")) for n in (1, 2))
        return _rows(one * other, shape), len(parts["hada_w1_b"])
    if "lokr_w1" in parts or "lokr_w1_a" in parts:
        return _kronecker(parts, shape)
    if "diff" in parts:
        return parts["diff"], 0
    return torch.zeros(shape, device=next(iter(parts.values())).device), 0  # of the bias alone


def _factors(first: torch.Tensor, second: torch.Tensor, core: torch.Tensor | None) -> torch.Tensor:
    """A product of two factors, or of three where a core has the kernel between them (Tucker)."""
    if core is None:
        return first @ second
    return torch.einsum("ijkl,jr,ip->prkl", core, second, first)


def _kronecker(parts: Parts, shape: torch.Size) -> tuple[torch.Tensor, int]:
    rank = 0
    blocks: list[torch.Tensor] = []
    for n in (1, 2):
        whole = parts.get(f"lokr_w{n}")
        if whole is None:
            first, second = parts[f"lokr_w{n}_a"], parts[f"lokr_w{n}_b"]
            whole, rank = _factors(first, second, parts.get("lokr_t2") if n == 2 else None), len(second)
        blocks.append(whole)
    one, other = blocks
    if other.ndim == 4 and one.ndim == 2:
        one = one[:, :, None, None]
    return _rows(torch.kron(one, other), shape), rank


def _rows(matrix: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """A matrix (O, I kh kw), or what has its rows, as a weight of a shape."""
    if matrix.flatten(1).shape != (shape[0], prod(shape[1:])):
        raise IndexError("another shape")
    return matrix.reshape(shape)


def _directed(weight: torch.Tensor, change: torch.Tensor, magnitude: torch.Tensor, *, by_row: bool) -> torch.Tensor:
    """Weights of a direction and a length, which is each row's, or each column's."""
    moved = weight + change
    kept = 0 if by_row else 1
    if magnitude.numel() != weight.shape[kept]:
        raise ValueError(f"lengths of {tuple(magnitude.shape)} for {tuple(weight.shape)}")
    over = [axis for axis in range(weight.ndim) if axis != kept]
    along = [len(magnitude.flatten()) if axis == kept else 1 for axis in range(weight.ndim)]
    length = torch.linalg.vector_norm(moved, dim=over, keepdim=True)
    return moved * (magnitude.reshape(along) / length.clamp_min(torch.finfo(torch.float32).eps))


def _like(change: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """A change in a weight's shape: a convolution of one pixel is a linear layer."""
    if change.shape != shape and change.numel() == shape.numel() and change.shape[:2] == shape[:2]:
        change = change.reshape(shape)
    if change.shape != shape:
        raise IndexError("another shape")
    return change


def _shapes(parts: Parts) -> str:
    return " and ".join(str(tuple(part.shape)) for part in parts.values() if part.ndim)
