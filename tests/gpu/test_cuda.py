"""On a CUDA device: the same stages, and frames that agree with the CPU's.

`make gpu` runs these and sets VEDIT_REQUIRE_GPU, under which an absent device is a failure and not a skip.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
import torch

from vedit.models.load import load
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames

OPTIONS = RestyleOptions(prompt="night", steps=4, fixed_point=2)

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("start", ["inversion", "noise"])
def test_frames_agree_with_the_cpu_s(start: Literal["inversion", "noise"]) -> None:
    """Half precision on the device, single on the CPU: the same picture within a few grey levels."""
    picture = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    frames = torch.nn.functional.interpolate(picture, (128, 128), mode="bicubic").clamp(0, 1).repeat(4, 1, 1, 1)
    decoded: list[torch.Tensor] = []
    for name in ("cpu", "cuda"):
        model = load(resolve("embedded"), Loading(device=name), controls=("tile", "softedge"))
        options = replace(OPTIONS, start=start)
        restyler = prepare(model, options)
        latents = restyle_frames(restyler, frames, range(4), own_guides(restyler)(range(4), frames))
        assert latents.data.device.type == name
        decoded.append(model.codec.decode(latents.data).cpu())
    assert float((decoded[0] - decoded[1]).abs().mean()) < 0.02


def test_the_device_s_memory_is_bounded_by_the_batch() -> None:
    model = load(resolve("embedded"), Loading(device="cuda"), controls=("tile", "softedge"))
    peaks: list[int] = []
    for count in (8, 32):
        torch.cuda.reset_peak_memory_stats()
        frames = torch.rand(count, 3, 256, 256)
        restyler = prepare(model, OPTIONS)
        restyle_frames(restyler, frames, range(count), own_guides(restyler)(range(count), frames))
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[1] < 2 * peaks[0]
