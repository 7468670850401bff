"""The change of the anchor's colours, carried to other frames: on paper first."""

from __future__ import annotations

import torch

from vedit.diffusion.color_match import match_to_anchor


def latents(seed: int, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    level = torch.randn(count, 4, 1, 1, generator=generator)
    return level + torch.randn(count, 4, 8, 12, generator=generator)


def test_frames_that_changed_as_the_anchor_did_stay() -> None:
    """A gain and an offset for each channel, the same in every frame: there is nothing to share."""
    source = latents(0)
    gain, offset = torch.tensor([0.5, 1.0, 1.5, 0.8]).view(1, 4, 1, 1), torch.tensor([1.0, 0, -1, 0.3]).view(1, 4, 1, 1)
    result = source * gain + offset
    # The deviation of a channel is held against a small one of its own, so the gain is found but for a few per cent.
    torch.testing.assert_close(match_to_anchor(result, source), result, rtol=0, atol=0.1)


def test_a_frame_of_another_palette_gets_the_anchors() -> None:
    """Its mean lands where the anchor's line takes the mean of its source; what lies around the mean stays."""
    source = latents(1)
    result = source * 0.5 + 1
    strange = torch.tensor([2.0, -3, 1, 0.5]).view(1, 4, 1, 1)
    result[1:] += strange
    shared = match_to_anchor(result, source)
    assert torch.equal(shared[0], result[0])
    torch.testing.assert_close(shared, source * 0.5 + 1, rtol=0, atol=0.15)
    torch.testing.assert_close(shared - shared.mean((2, 3), keepdim=True), result - result.mean((2, 3), keepdim=True))


def test_each_frame_is_moved_by_itself() -> None:
    source, result = latents(2, 5), latents(3, 5)
    whole = match_to_anchor(result, source)
    part = match_to_anchor(result[[0, 3]], source[[0, 3]])
    torch.testing.assert_close(part[1], whole[3], rtol=0, atol=1e-6)


def test_cells_that_take_no_look_stay_and_say_nothing() -> None:
    source, result = latents(4), latents(5)
    where = torch.zeros(3, 1, 8, 12)
    where[:, :, :, :6] = 1
    shared = match_to_anchor(result, source, where)
    assert torch.equal(shared[..., 6:], result[..., 6:])
    torch.testing.assert_close(shared[..., :6], match_to_anchor(result[..., :6], source[..., :6]), rtol=0, atol=1e-5)
    nothing = where.clone()
    nothing[0] = 0
    assert torch.equal(match_to_anchor(result, source, nothing), result)
    nothing = where.clone()
    nothing[1] = 0
    assert torch.equal(match_to_anchor(result, source, nothing)[1], result[1])


def test_a_flat_anchor_gives_an_offset() -> None:
    """No line can be laid through one point: brighter by one is brighter by one, however dark the other frame is."""
    source = latents(6)
    source[0] = 0.4
    result = source.clone()
    result[0] += 1
    torch.testing.assert_close(match_to_anchor(result, source)[1:], source[1:] + 1)
