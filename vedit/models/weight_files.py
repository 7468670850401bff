"""The safetensors files of a part: which ones are read, whether they are whole, and how much they hold.

The layout: 8 bytes of the header's length, little-endian; the header, JSON of tensors by name; their bytes.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any, cast

from vedit.models.configs import damaged, shards

_LONGEST_HEADER = 100_000_000
"""Bytes; safetensors' own limit."""
STEMS = ("diffusion_pytorch_model", "model")
"""Names of weights without their ending, as diffusers and as transformers write them."""


def weight_files(folder: Path, stem: str) -> tuple[Path, ...]:
    """The files that a part of a model is loaded from: one, or the shards that its index names.

    Raises:
        ModelError: there are none, as safetensors, or the index is damaged.
    """
    for name in (f"{stem}.safetensors", f"{stem}.fp16.safetensors"):
        if (folder / name).exists():
            return (folder / name,)
    for name in (f"{stem}.safetensors.index.json", f"{stem}.safetensors.index.fp16.json"):
        if (folder / name).exists():
            return shards(folder / name)
    pickled = next((file for file in sorted(folder.glob("*")) if file.suffix in (".bin", ".pt", ".ckpt")), None)
    if pickled is not None:
        raise damaged(
            pickled,
            "is a pickle file, which can run code when it is opened, and there are no safetensors beside it",
            "convert it to .safetensors, or fetch those",
        )
    raise damaged(folder / f"{stem}.safetensors", "is missing")


def count_weights(path: Path) -> int:
    """How many numbers a safetensors file holds, by its header; none of them is read.

    Raises:
        ModelError: it is absent, closed to the user, cut short, or no safetensors file.
    """
    return sum(prod(cast("list[int]", entry["shape"])) for entry in header(path).values())


def header(path: Path) -> dict[str, dict[str, Any]]:
    """The header of a safetensors file: type, shape and place of each tensor, by name. Raises as `count_weights`."""
    if not path.is_file():
        raise damaged(path, "is a folder, where a file should be" if path.is_dir() else "is missing")
    try:
        size = path.stat().st_size
        if size == 0:
            raise damaged(path, "is empty")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 8 or length > min(size - 8, _LONGEST_HEADER):
                raise damaged(path, "is cut short, or is no safetensors file")
            raw = file.read(length)
    except OSError as error:
        raise damaged(path, f"cannot be read: {error.strerror or error}") from None
    try:
        told = json.loads(raw.decode("utf-8"))
        tensors = {str(name): _entry(entry) for name, entry in told.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise damaged(path, "is no safetensors file: its header cannot be read") from None
    end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    if end != size - 8 - length:
        raise damaged(path, f"is cut short or damaged: of {end} bytes of weights it holds {size - 8 - length}")
    if not tensors:
        raise damaged(path, "holds no weights")
    return tensors


def _entry(entry: Any) -> dict[str, Any]:
    """One tensor of a header. Raises ValueError, TypeError or KeyError where it makes no sense."""
    begin, end = entry["data_offsets"]
    numbers = [*entry["shape"], begin, end]
    if any(type(number) is not int or number < 0 for number in numbers) or begin > end:
        raise ValueError("numbers that cannot be")
    if type(entry["dtype"]) is not str:
        raise ValueError("no type")
    return cast("dict[str, Any]", entry)
