"""Units of vedit before they described themselves: what `manifest.json` said of them is written into their files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from safetensors import SafetensorError

from vedit.checks.rationals import whole
from vedit.store.unit_files import described, write_unit


def adopt(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Have the units that a manifest lists describe themselves. Those that are not what was written are left out.

    Args:
        folder: of units.
        manifest: as it was read.

    Raises:
        VeditError: the disk refuses.
    """
    from safetensors.torch import load

    listed, computed = manifest.get("units"), manifest.get("computed on")
    told = cast("dict[str, object]", computed) if isinstance(computed, dict) else {}
    for key, item in cast("dict[str, Any]", listed).items() if isinstance(listed, dict) else ():
        try:
            # The manifest is a file a user can edit: only names in the folder are opened.
            path = folder / Path(str(item["file"])).name
            data, frames = path.read_bytes(), (whole(item["frames"][0]), whole(item["frames"][1]))
            if described(path) is not None or hashlib.sha256(data).hexdigest() != item["sha256"]:
                continue
            tensors = load(data)
            latents, source = tensors["latents"], tensors.get("source")
        except (OSError, SafetensorError, ValueError, KeyError, TypeError, IndexError):
            continue
        write_unit(folder, str(key), latents, frames=frames, computed_on=told, source=source)
