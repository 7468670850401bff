"""On a CUDA device: the kernel that is asked for computes attention, and torch's own order is as it was afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend

from vedit.models.attention_kernels import attending_by, can_attend_by
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import ControlSpec

LOOK = RestyleOptions(prompt="night", steps=3, fixed_point=1, controls=(ControlSpec(kind="tile"),), batch=2)
KERNELS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "math": SDPBackend.MATH,
}

pytestmark = pytest.mark.gpu


def choice(dtype: torch.dtype = torch.float16) -> int:
    """What torch takes for a call that every kernel can compute in float16."""
    query = torch.ones(1, 2, 64, 64, device="cuda", dtype=dtype)
    F.scaled_dot_product_attention(query, query, query)
    return torch._fused_sdp_choice(query, query, query)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_that_is_there_is_taken_within_the_context_alone(name: str) -> None:
    before = choice()
    if not can_attend_by(name, "cuda", torch.float16):
        pytest.skip(f"this device or this torch has no {name}")
    assert choice() == before, "trying it leaves torch's own order alone"
    with attending_by(name):
        assert choice() == KERNELS[name].value
    assert choice() == before


@pytest.mark.parametrize("name", ["flash", "cudnn"])
def test_what_computes_in_half_precision_alone_is_known(name: str) -> None:
    assert not can_attend_by(name, "cuda", torch.float32)
    with attending_by(name):
        assert choice(torch.float32) in (KERNELS["efficient"].value, KERNELS["math"].value)


def test_frames_are_near_those_of_torchs_choice(tmp_path: Path) -> None:
    folder = write_tiny_sd(tmp_path / "model", controls=("tile",))
    frames = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def made(name: str) -> torch.Tensor:
        loading = Loading(device="cuda", precision="float32", attention_backend=name)
        model = load_sd(resolve(str(folder)), loading, controls=("tile",))
        restyler = prepare(model, LOOK)
        latents = restyle_frames(restyler, frames, range(4), own_guides(restyler)(range(4), frames))
        return model.codec.decode(latents.data).cpu()

    usual = made("auto")
    for name in KERNELS:
        torch.testing.assert_close(made(name), usual, atol=2e-3, rtol=0)
