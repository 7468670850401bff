"""The change of the anchor's colours, carried to other frames: on paper first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vedit.diffusion.color_match import ALIKE, FEW, FLAT, match_to_anchor

HEIGHT, WIDTH = 24, 36
THINGS = 2 * torch.eye(4)[:3]
"""(3, 4): the source of ground, of a face, of a sky."""


def latents(seed: int, count: int = 3) -> torch.Tensor:
    """Smooth random frames, alike in kind."""
    noise = torch.randn(count, 4, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed))
    return 3 * F.avg_pool2d(F.pad(noise, (2, 2, 2, 2), mode="circular"), 5, stride=1)


def scene(edges: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, 4, h, w) of three things side by side, up to columns and to the end, and which of them is where (h, w)."""
    which = (torch.arange(WIDTH)[None] >= torch.tensor(edges)[:, None]).sum(0).expand(HEIGHT, WIDTH)
    return THINGS[which].permute(2, 0, 1)[None].clone(), which


def test_frames_that_changed_as_the_anchor_did_stay() -> None:
    """A gain and an offset for each channel, the same in every frame: there is nothing to share."""
    source = latents(0)
    gain, offset = torch.tensor([0.5, 1.0, 1.5, 0.8]).view(1, 4, 1, 1), torch.tensor([1.0, 0, -1, 0.3]).view(1, 4, 1, 1)
    result = source * gain + offset
    # The deviation of a channel is held against a small one of its own, so the gain is found but for a few per cent.
    torch.testing.assert_close(match_to_anchor(result, source), result, rtol=0, atol=0.1)


def test_a_frame_of_another_palette_gets_the_anchors() -> None:
    """The same scene, drawn in other colours, is moved nearly all the way; its texture stays."""
    source = latents(1, 1).expand(3, -1, -1, -1).clone()
    source[1:] += 0.1 * latents(2, 2)
    result = source * 0.5 + 1
    strange = torch.tensor([2.0, -3, 1, 0.5]).view(1, 4, 1, 1)
    result[1:] += strange
    shared = match_to_anchor(result, source)
    assert torch.equal(shared[0], result[0])
    left = (shared - source * 0.5 - 1)[1:].mean((2, 3), keepdim=True) / strange
    assert float(left.abs().max()) < 0.25
    texture = torch.randn(result.shape, generator=torch.Generator().manual_seed(9))
    rough = match_to_anchor(result + texture, source) - shared
    torch.testing.assert_close(rough.std(), texture.std(), rtol=0.02, atol=0)


def test_each_thing_gets_the_change_that_the_anchor_makes_of_it() -> None:
    """A look that no line describes: it lifts ground and sky and lowers a face. Another shot, with more of the face,
    drew it by other amounts. One move of the whole frame, the best there is, leaves every thing off by 0.3 or more."""
    (first, there), (second, which) = scene((12, 24)), scene((6, 30))
    look, own = torch.tensor([1.0, -1.0, 1.0]), torch.tensor([1.4, -1.6, 1.2])
    source, result = torch.cat([first, second]), torch.cat([first, second])
    result[0] += look[there]
    result[1] += own[which]
    shared = match_to_anchor(result, source)
    off = [float((shared - source)[1, :, which == thing].mean() - look[thing]) for thing in range(3)]
    single = result[1] - source[1] - (result[1] - source[1]).mean() + look[which].mean()
    line = [float(single[:, which == thing].mean() - look[thing]) for thing in range(3)]
    assert max(map(abs, off)) < 0.2 < 0.29 < min(map(abs, line))


def test_what_the_anchor_lacks_stays_as_it_is() -> None:
    """All of a frame was drawn lower by 1 than the anchor; of its things one is not in the anchor."""
    (first, _), (second, which) = scene((18, 36)), scene((12, 24))
    source = torch.cat([first, second])
    result = source.clone()
    result[1] -= 1
    moved = (match_to_anchor(result, source) - result)[1, 0]
    in_common, apart = (float(moved[which == thing].mean()) for thing in (0, 2))
    assert in_common == pytest.approx(1, abs=0.15)
    assert apart == pytest.approx(0, abs=0.15)


def test_an_anchor_of_nothing_like_the_frame_leaves_it_as_it_is() -> None:
    source = latents(6)
    source[0] = 9 + 0.1 * source[0]
    result = source + torch.tensor([1.0, 0, 0]).view(3, 1, 1, 1)
    torch.testing.assert_close(match_to_anchor(result, source), result, rtol=0, atol=1e-4)


def test_a_flat_anchor_gives_an_offset() -> None:
    """No line can be laid through one point: brighter by one is brighter by one."""
    source = torch.full((2, 4, HEIGHT, WIDTH), 0.4)
    result = source.clone()
    result[0] += 1
    moved = match_to_anchor(result, source)[1] - source[1]
    torch.testing.assert_close(moved, torch.full_like(moved, 1), rtol=0, atol=0.06)


def test_each_frame_is_moved_by_itself() -> None:
    source, result = latents(2, 5), latents(3, 5)
    whole = match_to_anchor(result, source)
    part = match_to_anchor(result[[0, 3]], source[[0, 3]])
    assert torch.equal(part[1], whole[3])


def test_cells_that_take_no_look_stay_and_say_nothing() -> None:
    source, result = latents(4), latents(5)
    where = torch.zeros(3, 1, HEIGHT, WIDTH)
    where[:, :, :, : WIDTH // 2] = 1
    shared = match_to_anchor(result, source, where)
    assert torch.equal(shared[..., WIDTH // 2 :], result[..., WIDTH // 2 :])
    other = result.clone()
    other[..., WIDTH // 2 :] = 7
    assert torch.equal(match_to_anchor(other, source, where)[..., : WIDTH // 2], shared[..., : WIDTH // 2])
    nothing = where.clone()
    nothing[0] = 0
    assert torch.equal(match_to_anchor(result, source, nothing), result)
    nothing = where.clone()
    nothing[1] = 0
    assert torch.equal(match_to_anchor(result, source, nothing)[1], result[1])


def test_a_frame_changes_as_little_as_its_source_does() -> None:
    """Nothing is sorted into classes: what is a little brighter is moved a little otherwise."""
    source, result = latents(7, 2), latents(8, 2)
    before = match_to_anchor(result, source)[1]
    source[1] += 1e-3
    result[1] += 1e-3
    assert float((match_to_anchor(result, source)[1] - before).abs().max()) < 5e-3


@pytest.mark.parametrize("masked", [False, True])
def test_the_change_is_that_of_the_formula_cell_by_cell(masked: bool) -> None:
    """Against loops in float64, where no cells are averaged into one (h w is near 1024)."""
    source, result = latents(10, 2), latents(11, 2)
    where = torch.rand(2, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(12)) if masked else None
    weight = np.ones((2, 1, HEIGHT, WIDTH)) if where is None else where.double().numpy()
    shared = match_to_anchor(result, source, where)[1].double().numpy()
    expected = _reference(result.double().numpy(), source.double().numpy(), weight)
    np.testing.assert_allclose(shared, expected, rtol=0, atol=2e-4)


def _reference(result: np.ndarray, source: np.ndarray, weight: np.ndarray) -> np.ndarray:
    share = [one[0].ravel() / one[0].sum() for one in weight]
    before, after = (values.reshape(2, 4, -1) for values in (source, result))
    around = before[0] - before[0] @ share[0][:, None]
    slope = ((share[0] * around * after[0]).sum(1) + FLAT) / ((share[0] * around**2).sum(1) + FLAT)
    off = after - slope[:, None] * before
    seen = np.empty_like(before)
    for frame in range(2):
        for place in range(HEIGHT * WIDTH):
            y, x = divmod(place, WIDTH)
            near = np.s_[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
            counts = weight[frame, 0][near]
            seen[frame, :, place] = (source[frame][:, *near] * counts).sum((1, 2)) / counts.sum()
    spread = max(FLAT, float((share[0] * (seen[0] - seen[0] @ share[0][:, None]) ** 2).sum(1).mean()))
    count = HEIGHT * WIDTH

    def alike(place: int, frame: int) -> np.ndarray:
        distance = ((seen[frame] - seen[1][:, place : place + 1]) ** 2).mean(0)
        return np.exp(-distance / (2 * ALIKE**2 * spread)) * share[frame]

    missing, known, moved = np.zeros((4, count)), np.zeros(count), np.zeros((4, count))
    for place in range(count):
        counted = alike(place, 0)
        known[place] = counted.sum() / (counted.sum() + FEW)
        missing[:, place] = (off[0] * counted).sum(1) / counted.sum() - off[1][:, place]
    for place in range(count):
        counted = known * alike(place, 1)
        certain = known[place] * counted.sum() / (counted.sum() + FEW)
        moved[:, place] = certain * (missing * counted).sum(1) / counted.sum()
    return result[1] + weight[1] * moved.reshape(4, HEIGHT, WIDTH)
