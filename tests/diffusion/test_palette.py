"""The palette of a picture over latents of which it is known what is colour in them and what is not."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from vedit.diffusion.palette import Palette, palette, take_palette

CELL = 8
MIX = torch.tensor([[1.5, -0.7, 0.2], [0.3, 1.1, -1.0], [-0.4, 0.5, 1.3]])


def pictures(count: int, *, seed: int, spread: float = 0.1, mean: float = 0.5) -> torch.Tensor:
    """(T, 3, 48, 64) in [0, 1], a color for each cell."""
    noise = torch.randn(count, 3, 6, 8, generator=torch.Generator().manual_seed(seed))
    return (mean + spread * noise).clamp(0, 1).repeat_interleave(CELL, 2).repeat_interleave(CELL, 3)


def encoded(frames: torch.Tensor) -> torch.Tensor:
    """Latents (T, 4, h, w): three channels of colors, and one of strokes, which has no color in it."""
    colors = F.avg_pool2d(frames, CELL)
    cells = torch.cat([colors, torch.ones_like(colors[:, :1])], dim=1).flatten(2).transpose(1, 2)
    drawn = torch.randn(len(frames), cells.shape[1], 1, generator=torch.Generator().manual_seed(9))
    strokes = drawn - cells @ torch.linalg.lstsq(cells, drawn, driver="gelsd").solution
    mixed = torch.einsum("ij,tjhw->tihw", MIX, colors) - 0.3
    return torch.cat([mixed, strokes.transpose(1, 2).reshape_as(mixed[:, :1])], dim=1)


def seen(latents: torch.Tensor) -> torch.Tensor:
    """The colors of cells, (T, N, 3)."""
    return torch.einsum("ij,tjhw->tihw", torch.linalg.inv(MIX), latents[:, :3] + 0.3).flatten(2).transpose(1, 2)


def of(*stills: torch.Tensor, weights: tuple[float, ...] = (1.0,)) -> Palette:
    given = [
        (encoded(still), still, torch.ones_like(still[:, :1]), w) for still, w in zip(stills, weights, strict=True)
    ]
    return palette(given, CELL)


SOURCE, RESULT = pictures(3, seed=0), pictures(3, seed=1, mean=0.4)
STILL = pictures(1, seed=2, spread=0.12, mean=0.6)


def taken(colors: Palette, where: torch.Tensor | None = None, *, singly: bool = False) -> torch.Tensor:
    return take_palette(encoded(RESULT), encoded(SOURCE), SOURCE, colors, where, singly=singly)


def test_the_anchor_has_the_mean_and_the_covariance_of_the_picture() -> None:
    made, wanted = seen(taken(of(STILL)))[0], seen(encoded(STILL))[0]
    torch.testing.assert_close(made.mean(0), wanted.mean(0), rtol=0, atol=1e-4)
    torch.testing.assert_close(torch.cov(made.T), torch.cov(wanted.T), rtol=0, atol=2e-3)


def test_all_frames_go_through_the_map_of_the_anchor_and_keep_their_strokes() -> None:
    before, made = encoded(RESULT), taken(of(STILL))
    torch.testing.assert_close(made[:, 3], before[:, 3], rtol=0, atol=1e-4)
    given = torch.cat([seen(before), torch.ones(3, 48, 1)], dim=2)
    fitted = torch.linalg.lstsq(given[0], seen(made)[0]).solution
    torch.testing.assert_close(given @ fitted, seen(made), rtol=0, atol=1e-4)
    alone = take_palette(encoded(RESULT)[:1], encoded(SOURCE)[:1], SOURCE[:1], of(STILL))
    assert torch.equal(alone, made[:1]), "what is sampled beside the anchor changes nothing of it"


def test_a_weight_is_a_part_of_the_way() -> None:
    before, whole = encoded(RESULT), taken(of(STILL))
    half = taken(of(STILL, weights=(0.25,)))
    torch.testing.assert_close(half - before, 0.25 * (whole - before), rtol=0, atol=1e-5)


def test_two_pictures_count_by_their_weights() -> None:
    other = pictures(1, seed=5, mean=0.3)
    made = seen(taken(of(STILL, other, weights=(0.3, 0.9))))[0].mean(0)
    wanted = 0.25 * seen(encoded(STILL))[0].mean(0) + 0.75 * seen(encoded(other))[0].mean(0)
    torch.testing.assert_close(made, wanted, rtol=0, atol=1e-4)


def test_only_cells_that_take_the_look_change_and_count() -> None:
    where = torch.zeros(3, 1, 6, 8)
    where[:, :, :, :4] = 1
    before, made = encoded(RESULT), taken(of(STILL), where)
    assert torch.equal(made[..., 4:], before[..., 4:])
    inside = seen(made[..., :4])[0].mean(0)
    torch.testing.assert_close(inside, seen(encoded(STILL))[0].mean(0), rtol=0, atol=1e-4)


def test_where_the_anchor_has_no_such_cell_a_frame_goes_by_its_own() -> None:
    where = torch.zeros(3, 1, 6, 8)
    where[2] = 1
    made = taken(of(STILL), where)
    assert torch.equal(made[:2], encoded(RESULT)[:2])
    torch.testing.assert_close(seen(made)[2].mean(0), seen(encoded(STILL))[0].mean(0), rtol=0, atol=1e-4)


def test_frames_that_are_looks_of_one_frame_go_each_by_its_own() -> None:
    made = seen(take_palette(encoded(RESULT), encoded(SOURCE[:1]), SOURCE[:1], of(STILL), singly=True))
    torch.testing.assert_close(made.mean(1), seen(encoded(STILL)).mean(1).expand(3, -1), rtol=0, atol=1e-4)


def test_what_is_transparent_is_no_part_of_the_palette() -> None:
    opacity = torch.ones_like(STILL[:, :1])
    opacity[..., 32:] = 0
    shown = STILL.clone()
    shown[..., 32:] = 1
    made = seen(
        take_palette(encoded(RESULT), encoded(SOURCE), SOURCE, palette([(encoded(shown), shown, opacity, 1.0)], CELL))
    )
    torch.testing.assert_close(made[0].mean(0), seen(encoded(STILL[..., :32]))[0].mean(0), rtol=0, atol=1e-4)


def test_a_plain_picture_leaves_half_of_the_contrast_and_no_number_is_lost() -> None:
    plain = torch.full_like(STILL, 0.2)
    made = seen(taken(of(plain)))
    assert torch.isfinite(made).all()
    own = torch.linalg.eigvalsh(torch.cov(seen(encoded(RESULT))[0].T))
    torch.testing.assert_close(torch.linalg.eigvalsh(torch.cov(made[0].T)), own / 4, rtol=1e-2, atol=1e-4)


def test_the_digest_is_of_colors_and_weights() -> None:
    assert of(STILL).digest == of(STILL).digest
    assert len({of(STILL).digest, of(STILL, weights=(0.5,)).digest, of(pictures(1, seed=3)).digest}) == 3
