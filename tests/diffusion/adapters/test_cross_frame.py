"""Cross-frame attention: what it sees, that batches do not matter, and that it leaves no trace."""

from __future__ import annotations

import pytest
import torch

from vedit.diffusion.adapters.cross_frame import cross_frame_attention
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.resolve import resolve
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl


@pytest.fixture(scope="module", params=[write_tiny_sd, write_tiny_sdxl], ids=["sd15", "sdxl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    return load_sd(resolve(str(request.param(tmp_path_factory.mktemp("model") / "tiny"))))


@pytest.fixture(scope="module")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> SDModel:
    """Attention at the top level, of cells that look like their neighbours."""
    return load_sd(resolve(str(write_tiny_sd(tmp_path_factory.mktemp("shallow") / "tiny"))))


@pytest.fixture
def latents() -> torch.Tensor:
    return torch.randn(5, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def run(model: SDModel, x: torch.Tensor) -> torch.Tensor:
    return model.denoiser(x, 400, model.text("a photograph"), ())


def test_the_anchor_sees_itself_alone(model: SDModel, latents: torch.Tensor) -> None:
    alone = run(model, latents)
    with model.cross_frame():
        together = run(model, latents)
    torch.testing.assert_close(together[0], alone[0], rtol=0, atol=1e-5)
    assert all(float((together[t] - alone[t]).abs().max()) > 1e-4 for t in range(1, 5))


def test_a_frame_sees_the_anchor_and_the_one_before(model: SDModel, latents: torch.Tensor) -> None:
    changed = latents.clone()
    changed[2] += 1.0
    with model.cross_frame() as memory:
        before = run(model, latents)
        memory.clear()
        after = run(model, changed)
    moved = (after - before).abs().amax(dim=(1, 2, 3))
    assert float(moved[2]) > 1e-2
    assert float(moved[:2].max()) == 0.0
    # Frame 4 is reached too, through frame 3's deeper layers, but less.
    assert float(moved[3]) > float(moved[4]) > 0.0


def test_a_third_of_the_neighbours_stands_for_all(
    shallow: SDModel, latents: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What large layers do, on a small one: the anchor is untouched, the others hardly moved, no batch matters."""
    model = shallow
    smooth = torch.nn.functional.interpolate(latents, scale_factor=2, mode="bicubic")
    with model.cross_frame() as memory:
        whole = run(model, smooth)
        monkeypatch.setattr("vedit.diffusion.adapters.self_attention.LARGE", 16)
        memory.clear()
        sparse = run(model, smooth)
        memory.clear()
        pieces = torch.cat([run(model, part) for part in smooth.split(2)])
    alone = run(model, smooth)
    torch.testing.assert_close(sparse[0], alone[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(pieces, sparse, rtol=0, atol=1e-5)
    kept = float((sparse - whole)[1:].square().mean()) / float((alone - whole)[1:].square().mean())
    assert 0 < kept < 0.25


@pytest.mark.parametrize("batch", [1, 2, 4])
def test_batches_do_not_matter(model: SDModel, latents: torch.Tensor, batch: int) -> None:
    with model.cross_frame() as memory:
        whole = run(model, latents)
        memory.clear()
        pieces = torch.cat([run(model, part) for part in latents.split(batch)])
    torch.testing.assert_close(pieces, whole, rtol=0, atol=1e-5)


def test_it_leaves_no_trace(model: SDModel, latents: torch.Tensor) -> None:
    unet = model.denoiser.unet
    processors, before = dict(unet.attn_processors), run(model, latents)
    with pytest.raises(RuntimeError, match="stop"), cross_frame_attention(unet) as memory:
        run(model, latents)
        assert memory.anchor
        raise RuntimeError("stop")
    assert not memory.anchor
    assert not memory.previous
    assert dict(unet.attn_processors) == processors
    assert torch.equal(run(model, latents), before)
