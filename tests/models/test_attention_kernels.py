"""The kernel that is asked for computes attention in every network, and torch chooses again afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend
from torch.profiler import ProfilerActivity, profile

from tests.support.tiny.ip_adapter import write_encoder, write_ip_adapter
from vedit.models.attention_kernels import attending_by, can_attend_by
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.options.references import ReferenceSpec
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.types import ControlSpec

FUSED, TABLE = "aten::_scaled_dot_product_flash_attention_for_cpu", "aten::_scaled_dot_product_attention_math"
LOOK = RestyleOptions(prompt="night", steps=2, fixed_point=1, controls=(ControlSpec(kind="tile"),), batch=2)


@pytest.fixture(scope="module", params=["1.x", "XL"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write = write_tiny_sd if request.param == "1.x" else write_tiny_sdxl
    return write(tmp_path_factory.mktemp("kernels") / "model", controls=("tile",))


def kernels_of(run: Callable[[], object]) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run()
    return {event.key for event in seen.key_averages()} & {FUSED, TABLE}


def attend() -> torch.Tensor:
    query = torch.ones(1, 2, 16, 8)
    return F.scaled_dot_product_attention(query, query, query)


def rendered(model: SDModel, look: RestyleOptions = LOOK) -> torch.Tensor:
    frames = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    restyler = prepare(model, look)
    latents = restyle_frames(restyler, frames, range(4), own_guides(restyler)(range(4), frames))
    return model.codec.decode(latents.data)


@pytest.mark.parametrize(("name", "kernel"), [("auto", FUSED), ("flash", FUSED), ("math", TABLE), ("cudnn", FUSED)])
def test_a_kernel_computes_within_the_context_alone(name: str, kernel: str) -> None:
    """One that a CPU has not leaves it to the next."""

    def run() -> None:
        with attending_by(name):
            attend()

    assert kernels_of(run) == {kernel}
    assert kernels_of(attend) == {FUSED}


def test_torch_chooses_again_after_an_exception_and_in_any_nesting() -> None:
    before = torch._C._get_sdp_priority_order()  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType, reportUnknownMemberType, reportAttributeAccessIssue]
    with pytest.raises(KeyboardInterrupt), attending_by("math"):
        with attending_by("cudnn"):
            assert kernels_of(attend) == {FUSED}
        assert kernels_of(attend) == {TABLE}
        raise KeyboardInterrupt
    assert kernels_of(attend) == {FUSED}
    assert torch._C._get_sdp_priority_order() == before  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType, reportAttributeAccessIssue]


def test_what_a_device_has_is_found_by_trying() -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        there = {name for name in ("flash", "efficient", "cudnn", "math") if can_attend_by(name, "cpu", dtype)}
        assert there == {"flash", "math"}
    assert not can_attend_by("math", "mps", torch.float16), "torch has one kernel there, whatever is chosen"
    assert kernels_of(attend) == {FUSED}


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What torch takes for each attention, in order: `SDPBackend`."""
    own, seen = F.scaled_dot_product_attention, list[int]()

    def told(*parts: Any, **given: Any) -> torch.Tensor:
        seen.append(torch._fused_sdp_choice(*parts, **given))  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        return own(*parts, **given)

    monkeypatch.setattr(F, "scaled_dot_product_attention", told)
    return seen


def test_every_network_attends_by_it(folder: Path, chosen: list[int]) -> None:
    """Text encoders, UNet, ControlNet and autoencoder, with masks and without: none is left to another kernel."""
    usual, table = (
        load_sd(resolve(str(folder)), Loading(attention_backend=a), controls=("tile",)) for a in ("auto", "math")
    )
    made = rendered(usual)
    calls = len(chosen)
    assert set(chosen) == {SDPBackend.FLASH_ATTENTION.value}
    near = rendered(table)
    assert set(chosen[calls:]) == {SDPBackend.MATH.value}
    assert len(chosen) == 2 * calls > 0
    assert not torch.equal(made, near)
    torch.testing.assert_close(near, made, atol=1e-4, rtol=0)
    assert kernels_of(attend) == {FUSED}


def test_what_looks_at_pictures_attends_by_it(tmp_path: Path, chosen: list[int]) -> None:
    """The image encoder and the resampler of an IP-Adapter, which are called apart from the rest."""
    write_tiny_sd(tmp_path / "model", controls=())
    write_encoder(tmp_path / "models" / "image_encoder")
    adapter = tmp_path / "models" / "plus.safetensors"
    write_ip_adapter(adapter, tmp_path / "model", "plus")
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "still.png"), picture)
    look = RestyleOptions(prompt="oil", references=(ReferenceSpec(path=tmp_path / "still.png"),))
    model = load_sd(resolve(str(tmp_path / "model"), ip_adapter=str(adapter)), Loading(attention_backend="math"))
    assert model.pictures is not None
    model.pictures.read(look)
    assert chosen
    assert set(chosen) == {SDPBackend.MATH.value}


def test_the_usual_kernel_of_a_cpu_makes_the_same_frames_by_name(folder: Path) -> None:
    usual, flash = (
        load_sd(resolve(str(folder)), Loading(attention_backend=a), controls=("tile",)) for a in ("auto", "flash")
    )
    assert torch.equal(rendered(usual), rendered(flash))


def test_it_tells_results_apart_and_only_where_it_was_asked_for(folder: Path) -> None:
    usual, table = (
        load_sd(resolve(str(folder)), Loading(attention_backend=a), controls=("tile",)) for a in ("auto", "math")
    )
    assert table.fingerprint == {**usual.fingerprint, "attention_backend": "math"}
    assert "attention_backend" not in usual.fingerprint
    # Of which the kept inversions go.
    first, second = (prepare(one, LOOK).inversion_fingerprint for one in (usual, table))
    assert first != second
