"""Arrays of different shapes in one flat file with a JSON index: workers map it into memory and share its pages."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_shard(path: Path, items: Iterable[tuple[NDArray[Any], dict[str, Any]]]) -> int:
    """Write arrays of one dtype, each with a JSON-able note, to `path` (.bin) and its index; returns how many.

    The index appears last and by rename, so a shard with an index is whole.
    """
    index: list[dict[str, Any]] = []
    offset = 0
    dtype = ""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for array, note in items:
            dtype = dtype or str(array.dtype)
            if str(array.dtype) != dtype:
                raise ValueError(f"a shard holds one dtype: {dtype}, got {array.dtype}")
            file.write(np.ascontiguousarray(array).tobytes())
            index.append({"offset": offset, "shape": list(array.shape), "note": note})
            offset += array.size
    partial = path.with_suffix(".json.part")
    partial.write_text(json.dumps({"dtype": dtype, "items": index}), encoding="utf-8")
    partial.replace(path.with_suffix(".json"))
    return len(index)


class Shard:
    """Read access to one shard; items are read-only views of the mapped file."""

    def __init__(self, path: Path) -> None:
        head = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        self.items: list[dict[str, Any]] = head["items"]
        self._data = np.memmap(path, dtype=np.dtype(head["dtype"]), mode="r")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> NDArray[Any]:
        item = self.items[index]
        start = item["offset"]
        return self._data[start : start + int(np.prod(item["shape"]))].reshape(item["shape"])

    def note(self, index: int) -> dict[str, Any]:
        """The note written with item `index`."""
        return self.items[index]["note"]


@lru_cache(maxsize=4096)
def open_shard(path: Path) -> Shard:
    """Open once per process."""
    return Shard(path)


def whole_shards(folder: Path, pattern: str) -> tuple[Path, ...]:
    """The shards of `folder` whose index is there, in a fixed order."""
    return tuple(sorted(path for path in folder.glob(pattern) if path.with_suffix(".json").is_file()))
