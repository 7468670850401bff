"""The units of a run as one of several processes sees them: it adds to them, and lists or removes none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.store.unit_files import described, read_unit, unit_name, units_folder, write_unit

if TYPE_CHECKING:
    import torch

    from vedit.store.unit_files import UnitFile
    from vedit.types import Latents

Sizes = tuple[int, int]
"""Frames sampled together, and frames of one network call: `window` and `batch`."""


class SharedUnits:
    """What a `vedit.render.sample_shot.ShotSampler` samples into; others may add to it at the same time.

    Args:
        path: the work folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = 0

    @property
    def kept(self) -> int:
        """Units that were made here."""
        return self._made

    @property
    def precision(self) -> str | None:
        """What the networks have to compute in; None is what suits the device: whoever finishes finds out otherwise."""
        return None

    @property
    def tiled(self) -> bool:
        """Whether frames are decoded in tiles, which whoever finishes does."""
        return False

    def get(self, key: str) -> torch.Tensor | None:
        """The latents of a unit; None where it is absent or its file is not what was written."""
        unit = self.unit(key)
        return None if unit is None else unit.data

    def unit(self, key: str) -> Latents | None:
        """`get`, with the source's latents where the unit holds them."""
        return self._whole(self._paths(), key)

    def has(self, key: str) -> bool:
        """Whether a unit is there, and what was written."""
        return self.unit(key) is not None

    def missing(self, keys: Iterable[str]) -> list[str]:
        """Those of some units that are absent or damaged; the folder is listed once for all of them."""
        paths = self._paths()
        return [key for key in keys if self._whole(paths, key) is None]

    def put(
        self,
        key: str,
        latents: torch.Tensor,
        *,
        frames: tuple[int, int],
        computed_on: Mapping[str, object],
        source: torch.Tensor | None = None,
    ) -> None:
        """Keep a unit; see `vedit.store.unit_files.write_unit`."""
        folder = units_folder(self.path)
        self._added(write_unit(folder, key, latents, frames=frames, computed_on=computed_on, source=source))

    def sizes(self, shot: int, asked: Sizes) -> Sizes:
        """The window and batch that frames of the shot at `shot` are sampled in: `asked`, since what does not fit is
        for whoever finishes to shrink."""
        return asked

    def set_sizes(self, shot: int, *, asked: Sizes, used: Sizes) -> None:
        """Nothing: others may sample the shot too."""

    def _added(self, unit: UnitFile) -> None:
        """A unit was written."""
        self._made += 1

    def _paths(self) -> dict[str, Path]:
        """The files of units by `unit_name`."""
        return {path.name.rpartition("-")[2]: path for path in units_folder(self.path).glob("[!.]*")}

    def _whole(self, paths: Mapping[str, Path], key: str) -> Latents | None:
        path = paths.get(unit_name(key))
        found = None if path is None else described(path)
        return read_unit(found) if found is not None and found.key == key else None
