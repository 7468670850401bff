"""What another tool makes of a clip: diffusers' `encode_video`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tests.media_contract.clips import measure

if TYPE_CHECKING:
    import torch

CHUNK = 256


def peer_drift(source: Path, output: Path, rate: float) -> tuple[Fraction, ...]:
    """Decode a clip, write it with `diffusers.utils.export_utils.encode_video`; its frame times after the first."""
    import torch
    from diffusers.utils import export_utils

    def frames() -> Iterator[torch.Tensor]:
        held: list[Any] = []
        with av.open(f"file:{source}") as container:
            for frame in container.decode(video=0):
                held.append(frame.to_ndarray(format="rgb24"))
                if len(held) == CHUNK:
                    yield torch.from_numpy(np.stack(held))
                    held = []
        if held:
            yield torch.from_numpy(np.stack(held))

    # It takes the rate as an int, and cuts what is not one; a caller who has 23.976 has no way to say so.
    export_utils.encode_video(frames(), fps=int(rate), output_path=str(output))
    return measure(output).video
