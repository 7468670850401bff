"""Whether numbers are numbers: NaN and infinity are found where they come up, and never become pixels."""

from __future__ import annotations

import torch

from vedit.errors import FULL, ModelError, NotFiniteError


def precision_of(dtype: torch.dtype) -> str:
    """A number format by its name: float32, float16, bfloat16."""
    return str(dtype).removeprefix("torch.")


def is_finite(values: torch.Tensor) -> bool:
    """Whether none of the values is NaN or infinite."""
    if not values.is_floating_point():
        return True
    # One sum passes over them once and needs no memory; only one that overflows needs a closer look.
    total = float(values.sum(dtype=torch.float32 if values.element_size() < 4 else values.dtype))
    return abs(total) < float("inf") or bool(torch.isfinite(values).all())


def finite(values: torch.Tensor, stage: str, *, precision: str = FULL) -> torch.Tensor:
    """The values as they came.

    Args:
        values: of a stage.
        stage: what they are, in the plural, for the message.
        precision: what they were computed in.

    Raises:
        NotFiniteError: one is NaN or infinite.
    """
    if not is_finite(values):
        raise NotFiniteError(stage, precision=precision)
    return values


def check_weights(part: str, module: torch.nn.Module) -> None:
    """Look at every tensor of a loaded part once.

    Args:
        part: its name, for the message.
        module: on whatever device.

    Raises:
        NotFiniteError: a weight is not finite, and fewer bits than the file may have are why.
        ModelError: a weight is not finite in the file.
    """
    for name, values in module.state_dict().items():
        if not is_finite(values):
            # The first one is in what the module computes in; others may rest in fewer bits, those of their file.
            precision = precision_of(next(module.parameters()).dtype)
            if precision != FULL:
                raise NotFiniteError(f"weights of the {part} ({name})", precision=precision)
            raise ModelError(
                f"the {part} has weights that are not finite (NaN or infinite), in {name}",
                remedy="the file is damaged or its training went wrong: fetch it again, or use another model",
            )
