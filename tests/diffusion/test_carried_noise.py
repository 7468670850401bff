"""Carried noise: white and standard normal in every frame, it moves as the scene does, and splits where that grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vedit.diffusion.carried_noise import Carried, SceneNoise, carried_on, first_noise
from vedit.diffusion.noise import Drawn
from vedit.types import FrameRange, OpticalFlow

DRAWN = Drawn(seed=7, channels=4, cell=8)
SIZE = (96, 128)


def flow_of(backward: torch.Tensor, *, hidden: torch.Tensor | None = None) -> OpticalFlow:
    """A pair whose way there is the way back reversed, near enough."""
    marks = torch.zeros(1, 1, *SIZE, dtype=torch.bool)
    return OpticalFlow(
        forward=-backward,
        backward=backward,
        forward_occlusion=marks,
        backward_occlusion=marks if hidden is None else hidden,
    )


def moved(x: float, y: float = 0.0) -> torch.Tensor:
    """The backward flow of a picture that moves right and down."""
    return torch.tensor([-x, -y]).view(1, 2, 1, 1).expand(1, 2, *SIZE).contiguous()


def zoomed(factor: float) -> torch.Tensor:
    """The backward flow of a picture that grows about its middle."""
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]) - 47.5, torch.arange(SIZE[1]) - 63.5, indexing="ij")
    return torch.stack([columns, rows])[None] * (1 / factor - 1)


def chain(backward: torch.Tensor, steps: int) -> list[Carried]:
    found = [first_noise(DRAWN, SIZE, 0)]
    for number in range(1, steps + 1):
        found.append(carried_on(found[-1], flow_of(backward), DRAWN, number))
    return found


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one * other).mean() / (one.square().mean() * other.square().mean()).sqrt())


def pixels(carried: Carried) -> torch.Tensor:
    return torch.from_numpy(carried.noise).view(-1, *SIZE)


@pytest.mark.parametrize("backward", [moved(0), moved(3, 2), moved(0.3, -0.4), zoomed(1.03), zoomed(0.97)], ids=str)
def test_it_stays_white_and_standard_normal(backward: torch.Tensor) -> None:
    last = chain(backward, 12)[-1]
    noise = pixels(last)
    assert abs(float(noise.mean())) < 0.03
    assert float(noise.std()) == pytest.approx(1, abs=0.02)
    # Kurtosis: of a mixture of few values, or of sums, it would not be a normal one's.
    assert float((noise / noise.std()).pow(4).mean()) == pytest.approx(3, abs=0.15)
    for down, right in ((0, 1), (1, 0), (1, 1), (2, 0), (0, 2)):
        assert abs(correlation(noise[:, down:, right:], noise[:, : SIZE[0] - down, : SIZE[1] - right])) < 0.03
    cells = last.cells(8)
    assert float(cells.std()) == pytest.approx(1, abs=0.08)
    assert abs(correlation(cells[:, :, 1:], cells[:, :, :-1])) < 0.1


@pytest.mark.parametrize("by", [1.0, 0.5, 0.3, 0.1, 2.7])
def test_it_moves_as_the_scene_does_however_slowly(by: float) -> None:
    """Motion below a pixel adds up: rounded in each frame it would be none, or twice as much."""
    steps = 10
    first, last = chain(moved(by), steps)[::steps]
    whole = round(by * steps)
    shown = pixels(last)[:, 8:-8, 40:-8]
    came = pixels(first)[:, 8:-8, 40 - whole : SIZE[1] - 8 - whole]
    assert correlation(shown, came) > 0.95


def test_where_the_scene_stands_still_nothing_changes() -> None:
    first, last = chain(moved(0), 5)[::5]
    assert np.array_equal(first.noise, last.noise)


def test_what_grows_keeps_the_sum_of_its_noise() -> None:
    """Twice as large, a pixel is four: their sum over 2 is the pixel they come from, and they differ."""
    first = first_noise(DRAWN, SIZE, 0)
    whole = torch.stack(torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")[::-1]).float()[None]
    backward = torch.floor(whole / 2) - whole
    second = pixels(carried_on(first, replace(flow_of(backward), forward=whole), DRAWN, 1))
    summed = F.avg_pool2d(second[None], 2)[0] * 2
    torch.testing.assert_close(summed, pixels(first)[:, : SIZE[0] // 2, : SIZE[1] // 2], rtol=0, atol=1e-5)
    assert float((second[:, ::2] - second[:, 1::2]).abs().mean()) > 0.5


def test_what_shrinks_adds_up() -> None:
    """Halved, four pixels fall on one, and all four count."""
    first = first_noise(DRAWN, SIZE, 0)
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    whole = torch.stack([columns, rows]).float()[None]
    backward = whole.clone()
    flow = replace(flow_of(backward), forward=torch.floor(whole / 2) - whole)
    second = pixels(carried_on(first, flow, DRAWN, 1))[:, : SIZE[0] // 2, : SIZE[1] // 2]
    summed = F.avg_pool2d(pixels(first)[None], 2)[0] * 2
    torch.testing.assert_close(second, summed, rtol=0, atol=1e-5)


def test_what_comes_into_sight_is_drawn_by_seed_and_frame() -> None:
    hidden = torch.zeros(1, 1, *SIZE, dtype=torch.bool)
    hidden[..., :40] = True
    first = first_noise(DRAWN, SIZE, 0)
    found = pixels(carried_on(first, flow_of(moved(0), hidden=hidden), DRAWN, 5))
    assert torch.equal(found[..., :40], pixels(first_noise(DRAWN, SIZE, 5))[..., :40])
    assert torch.equal(found[..., 40:], pixels(first)[..., 40:])
    other = pixels(carried_on(first, flow_of(moved(0), hidden=hidden), replace(DRAWN, seed=8), 5))
    assert not torch.equal(found[..., :40], other[..., :40])


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    """(12, 3, 64, 96) in [0, 1]: a picture of fine detail that pans by a pixel and a half."""
    picture = torch.rand(1, 3, 40, 80, generator=torch.Generator().manual_seed(0))
    picture = F.interpolate(picture, (160, 320), mode="bicubic").clamp(0, 1)
    panned = [F.interpolate(picture[..., 8:136, 3 * t : 3 * t + 192], (64, 96), mode="area") for t in range(12)]
    return torch.cat(panned)


def reading(frames: torch.Tensor, chunk: int, seen: list[int] | None = None) -> Callable[[], Iterator[torch.Tensor]]:
    def read() -> Iterator[torch.Tensor]:
        for part in frames.split(chunk):
            if seen is not None:
                seen.append(len(part))
            yield part

    return read


def test_a_frame_has_the_same_noise_whichever_are_asked_for(frames: torch.Tensor) -> None:
    shot = FrameRange(start=20, stop=32)
    whole = SceneNoise(DRAWN, shot, reading(frames, 12))(range(20, 32))
    assert whole.shape == (12, 4, 8, 12)
    for chunk, asked in ((1, [[31], [20, 25], [24]]), (5, [[20, 21, 22], [20, 22, 23], [20, 30]]), (12, [[20]])):
        scene = SceneNoise(DRAWN, shot, reading(frames, chunk))
        for numbers in asked:
            assert torch.equal(scene(numbers), whole[[number - 20 for number in numbers]]), (chunk, numbers)
    assert torch.equal(SceneNoise(DRAWN, FrameRange(start=20, stop=26), reading(frames, 3))([25]), whole[5:6])


def test_windows_in_order_read_the_shot_once(frames: torch.Tensor) -> None:
    seen: list[int] = []
    scene = SceneNoise(DRAWN, FrameRange(start=0, stop=12), reading(frames, 1, seen))
    for numbers in ([0, 1, 2, 3], [0, 3, 4, 5], [0, 5, 6]):
        scene(numbers)
    assert len(seen) == 7, "no further than is asked for, and nothing twice"


def test_it_follows_a_real_motion_and_not_the_screen(frames: torch.Tensor) -> None:
    """Six frames later the picture has moved by nine pixels, in the noise as in the source."""
    drawn = replace(DRAWN, cell=1)
    noise = SceneNoise(drawn, FrameRange(start=0, stop=12), reading(frames, 4))([0, 6])
    # Of cells: what is lost below a pixel is made good by the pixels around.
    first, later = F.avg_pool2d(noise, 4, stride=1)
    later = later[:, 8:-8, 8:-24]
    assert correlation(later, first[:, 8:-8, 17:-15]) > 0.7
    assert abs(correlation(later, first[:, 8:-8, 8:-24])) < 0.2
