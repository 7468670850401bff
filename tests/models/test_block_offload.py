"""Blocks that wait in host memory: the numbers of the whole network, and of it little more than two on the device.

The device is played by copies; that a CUDA device does the same is in tests/gpu.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vedit.models.families.block_offload import BlockOffload, Wait, blocks_of
from vedit.models.families.sd import SDModel
from vedit.models.load import load_sd
from vedit.models.loading import Loading
from vedit.models.merging import swapped
from vedit.models.resolve import resolve
from vedit.options.request import RestyleOptions
from vedit.pipelines.restyle import own_guides, prepare, restyle_frames
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.testing.tiny_sdxl import write_tiny_sdxl
from vedit.types import ControlSpec

LOOK = RestyleOptions(prompt="night", steps=2, fixed_point=1, controls=(ControlSpec(kind="tile"),), batch=2)


class Copies:
    """A lane to a device that is the same memory: what is there are copies, and what waits is told by its place."""

    def __init__(self) -> None:
        self.sent = self.most = self.alive = 0

    def waiting(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor

    def send(self, tensors: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], Wait]:
        copies = [one.clone(memory_format=torch.preserve_format) for one in tensors]
        for copy in copies:
            self.alive += copy.nbytes
            weakref.finalize(copy.untyped_storage(), self._freed, copy.nbytes)
        self.sent, self.most = self.sent + 1, max(self.most, self.alive)
        return copies, lambda: None

    def mark(self) -> Wait:
        return lambda: None

    def _freed(self, size: int) -> None:
        self.alive -= size


@pytest.fixture(scope="module", params=["1.x", "XL"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    write = write_tiny_sd if request.param == "1.x" else write_tiny_sdxl
    return write(tmp_path_factory.mktemp("offload") / "model", controls=("tile",))


@pytest.fixture
def loaded(folder: Path) -> Iterator[tuple[SDModel, SDModel, Copies]]:
    """A model, the same one whose blocks wait, and the way to the device."""
    lane, model = Copies(), load_sd(resolve(str(folder)), controls=("tile",))
    apart = load_sd(resolve(str(folder)), controls=("tile",))
    blocks = BlockOffload(torch.device("cpu"), apart.denoiser.modules, (apart.codec.vae,), lane)
    apart = replace(apart, offload="group", blocks=blocks)
    apart.set_memory(batch=2, tiled=False, offloaded=False)
    assert apart.denoiser.turns is apart.codec.turns is blocks
    yield model, apart, lane


def pointers(model: SDModel) -> dict[str, int]:
    return {
        f"{number} {name}": parameter.data_ptr()
        for number, module in enumerate(model.denoiser.modules)
        for name, parameter in module.named_parameters()
    }


def rendered(model: SDModel, look: RestyleOptions = LOOK) -> torch.Tensor:
    frames = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    restyler = prepare(model, look)
    latents = restyle_frames(restyler, frames, range(4), own_guides(restyler)(range(4), frames))
    return model.codec.decode(latents.data)


def test_frames_are_those_of_the_whole_network_and_few_blocks_are_there_at_once(
    loaded: tuple[SDModel, SDModel, Copies],
) -> None:
    whole, apart, lane = loaded
    before = pointers(apart)
    assert torch.equal(rendered(apart), rendered(whole))
    assert pointers(apart) == before, "the very tensors lie where they lay"
    sizes = [sum(p.nbytes for p in block.parameters()) for m in apart.denoiser.modules for block in blocks_of(m)]
    calls = 2 * len(sizes)
    assert lane.sent > calls
    # The one that has run is let go of as the next but one is called.
    assert lane.most <= 3 * max(sizes)
    assert sum(sizes) > 4 * lane.most
    held = sum(p.nbytes for m in apart.denoiser.modules for p in m.parameters())
    assert sum(sizes) > 0.5 * held


def test_the_next_block_is_on_its_way_once_the_order_is_known(loaded: tuple[SDModel, SDModel, Copies]) -> None:
    _, apart, lane = loaded
    rendered(apart)
    blocks, sent, late = sum(len(blocks_of(m)) for m in apart.denoiser.modules), lane.sent, list[int]()
    (first, *_) = blocks_of(apart.denoiser.unet)
    handle = first.register_forward_pre_hook(lambda module, args: late.append(lane.sent))
    rendered(apart)
    handle.remove()
    passes = len(late)
    # Nothing is sent twice but where another network came after the last block than the time before.
    assert lane.sent - sent <= passes * (blocks + 2)


def test_weights_that_are_put_in_between_calls_are_computed_with(loaded: tuple[SDModel, SDModel, Copies]) -> None:
    """Though the copy of what was there before is on its way already."""
    whole, apart, _ = loaded
    names = [name for name, _ in whole.denoiser.unet.named_parameters() if name.endswith("conv1.weight")]
    bare = replace(LOOK, controls=())
    before = rendered(whole, bare), rendered(apart, bare)
    made: list[torch.Tensor] = []
    for model in (whole, apart):
        unet = model.denoiser.unet
        others = {name: unet.get_parameter(name).data * 1.5 for name in names}
        with swapped(unet, others):
            made.append(rendered(model, bare))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], before[0])
    assert torch.equal(rendered(apart, bare), before[1])


def test_quantised_weights_wait_too(folder: Path) -> None:
    """They lie in buffers."""
    loading, lane = Loading(quantize="int8"), Copies()
    whole, apart = (load_sd(resolve(str(folder)), loading, controls=("tile",)) for _ in range(2))
    packed = sum(one.nbytes for name, one in apart.denoiser.unet.named_buffers() if ".packed_" in name)
    assert packed
    blocks = BlockOffload(torch.device("cpu"), apart.denoiser.modules, (apart.codec.vae,), lane)
    apart = replace(apart, offload="group", blocks=blocks)
    apart.set_memory(batch=2, tiled=False, offloaded=False)
    assert torch.equal(rendered(apart), rendered(whole))
    (block, *_) = (one for one in blocks_of(apart.denoiser.unet) if any(True for _ in one.buffers()))
    held = {one.data_ptr() for one in block.buffers()}
    seen: list[set[int]] = []
    inner = next(one for one in block.modules() if any(True for _ in one.buffers(recurse=False)))
    inner.register_forward_pre_hook(lambda module, args: seen.append({one.data_ptr() for one in block.buffers()}))
    rendered(apart)
    assert seen and not held & set.union(*seen), "what computes are copies"
    assert held == {one.data_ptr() for one in block.buffers()}


def test_after_an_exception_everything_lies_where_it_lay(loaded: tuple[SDModel, SDModel, Copies]) -> None:
    whole, apart, _ = loaded
    before = pointers(apart)
    block = blocks_of(apart.denoiser.unet)[3]

    def fails(*_: object) -> None:
        raise MemoryError("no more")

    for register in (block.register_forward_pre_hook, next(block.children()).register_forward_pre_hook):
        handle = register(fails)
        with pytest.raises(MemoryError, match="no more"):
            rendered(apart)
        handle.remove()
        assert pointers(apart) == before
    assert torch.equal(rendered(apart), rendered(whole))
