"""Units as files that describe themselves: whoever sees their folder can add one, and no list has to be believed.

A unit is a safetensors file with the latents of one window of one shot, and beside them those of the source that they
were made of. Its metadata say the unit's name, its frames, what it was computed on, and a hash of the tensors.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from safetensors import SafetensorError

from vedit.checks.structured import parse_json
from vedit.errors import InputError
from vedit.media.writing.unfinished import hold, let_go, not_written, unfinished_name
from vedit.types import Latents

if TYPE_CHECKING:
    import torch

KEPT = "what is finished is kept and the same command goes on"
_LATENTS, _SOURCE = "latents", "source"
_SUFFIX = ".safetensors"


@dataclass(frozen=True, kw_only=True)
class UnitFile:
    """What a unit's file says of itself."""

    path: Path
    key: str
    """The unit's name, see `vedit.store.units.unit_key`."""
    frames: tuple[int, int]
    """The first, and the one behind the last."""
    computed_on: Mapping[str, object]
    """See `vedit.store.computed_on`."""
    sha256: str
    """Of the tensors."""


def unit_files(folder: Path) -> Iterator[UnitFile]:
    """The units in a folder, by their headers alone, the oldest first; files that say nothing of themselves, or are cut
    short, are left out."""
    found: list[tuple[int, str, Path]] = []
    for path in folder.glob(f"[!.]*{_SUFFIX}"):  # a dot's is being written
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime_ns, path.name, path))
    for _, _, path in sorted(found):
        unit = described(path)
        if unit is not None:
            yield unit


def units_folder(work: Path) -> Path:
    """Where in a work folder the units are."""
    return work / "units"


def unit_name(key: str) -> str:
    """What the name of a unit's file is behind the number of its first frame, and a hyphen."""
    return f"{key[:16]}{_SUFFIX}"


def described(path: Path) -> UnitFile | None:
    """What a file says of itself; None where it is no unit, or is not whole."""
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as file:
            told = cast("dict[str, str] | None", file.metadata()) or {}
        first, behind = told["frames"].split()
        computed = parse_json(told["computed on"], path.name)
        if not isinstance(computed, dict):
            return None
        return UnitFile(
            path=path,
            key=told["key"],
            frames=(int(first), int(behind)),
            computed_on=cast("dict[str, object]", computed),
            sha256=told["sha256"],
        )
    except (OSError, SafetensorError, KeyError, ValueError, InputError):
        return None


def read_unit(unit: UnitFile) -> Latents | None:
    """A unit's latents, with the source's where it holds them; None where the file is gone or damaged."""
    from safetensors.torch import load, save

    try:
        tensors = load(unit.path.read_bytes())
        if hashlib.sha256(save(tensors)).hexdigest() == unit.sha256:
            return Latents(data=tensors[_LATENTS], source=tensors.get(_SOURCE))
    except (OSError, SafetensorError, KeyError):
        pass  # damaged like any other: made again
    return None


def write_unit(
    folder: Path,
    key: str,
    latents: torch.Tensor,
    *,
    frames: tuple[int, int],
    computed_on: Mapping[str, object],
    source: torch.Tensor | None = None,
) -> UnitFile:
    """Write a unit to the last bit, in the place of one of its name. Its bytes are on the disk when this returns.

    Args:
        folder: of units.
        key: the unit's name.
        latents: (T, C, h, w).
        frames: the first, and the one behind the last.
        computed_on: see `vedit.store.computed_on`.
        source: the source's latents, of the same frames.

    Raises:
        VeditError: the disk refuses.
    """
    from safetensors.torch import save

    held = {_LATENTS: latents} if source is None else {_LATENTS: latents, _SOURCE: source}
    # Copies: outside a mask both are one and the same, which the format does not take.
    tensors = {name: one.contiguous().cpu().clone() for name, one in held.items()}
    unit = UnitFile(
        path=folder / f"{frames[0]:07d}-{unit_name(key)}",
        key=key,
        frames=frames,
        computed_on=dict(computed_on),
        sha256=hashlib.sha256(save(tensors)).hexdigest(),
    )
    told = {
        "key": key,
        "frames": f"{frames[0]} {frames[1]}",
        "computed on": json.dumps(unit.computed_on, sort_keys=True),
        "sha256": unit.sha256,
    }
    write_whole(unit.path, save(tensors, metadata=told))
    return unit


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut, and while others write the same.

    Raises:
        VeditError: the disk refuses.
    """
    partial = path.with_name(unfinished_name(path))
    handle = None
    try:
        with partial.open("xb") as file:
            handle = hold(partial)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise not_written(path, error, kept=KEPT) from error
    finally:
        let_go(handle)
