"""On a CUDA device: what waits in host memory changes no frame, and the device holds less."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.options.request import Offload, RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec

LOOK = RestyleOptions(prompt="night", steps=3, fixed_point=1, controls=(ControlSpec(kind="tile"),), batch=2)

pytestmark = pytest.mark.gpu


def test_frames_are_the_same_whatever_waits(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model", controls=("tile",))
    frames = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def made(offload: Offload) -> tuple[torch.Tensor, int]:
        model = load_sd(resolve(str(folder)), Loading(device="cuda", offload=offload), controls=("tile",))
        torch.cuda.synchronize()
        held = torch.cuda.memory_allocated()
        restyler = prepare(model, LOOK)
        latents = restyle_frames(restyler, frames, range(4), own_guides(restyler)(range(4), frames))
        return model.codec.decode(latents.data).cpu(), held

    whole, all_of_it = made("none")
    for offload in ("model", "group"):
        apart, held = made(offload)
        assert torch.equal(apart, whole)
        assert held < all_of_it
