"""The units of a run as one of several processes sees them: it adds to them, and lists or removes none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vedit.store.unit_files import described, read_unit, unit_name, write_unit
from vedit.store.units import UnitStore, units_folder, work_folder

if TYPE_CHECKING:
    import torch

    from vedit.store.units import Sizes
    from vedit.types import Latents


class SharedUnits:
    """What a `vedit.render.sample_shot.ShotSampler` samples into beside others; whoever finishes the run has its lock.

    Args:
        output: the file that is rendered; its work folder is there.
    """

    precision: str | None = None
    """What suits the device: only who finishes a run finds out otherwise."""
    tiled = False

    def __init__(self, output: Path) -> None:
        self.path = work_folder(output)
        self.kept = 0
        """Units that this process has made."""

    def unit(self, key: str) -> Latents | None:
        """A unit, whoever made it; None where it is absent or damaged."""
        for path in units_folder(self.path).glob(f"[!.]*{unit_name(key)}"):
            found = described(path)
            if found is not None and found.key == key:
                return read_unit(found)
        return None

    def get(self, key: str) -> torch.Tensor | None:
        """Its latents."""
        found = self.unit(key)
        return None if found is None else found.data

    def has(self, key: str) -> bool:
        """Whether it is there and whole."""
        return self.unit(key) is not None

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
        write_unit(units_folder(self.path), key, latents, frames=frames, computed_on=computed_on, source=source)
        self.kept += 1

    def sizes(self, shot: int, asked: Sizes) -> Sizes:
        """The window and batch that were asked for: what does not fit is for whoever finishes to shrink."""
        return asked

    def set_sizes(self, shot: int, *, asked: Sizes, used: Sizes) -> None:
        """Nothing: others may sample the shot too."""


Units = UnitStore | SharedUnits
"""Where units are sampled into: by the one process that holds the work folder, or by one of several."""
