"""Batches that do not depend on how frames came."""

import pytest
import torch

from vedit.preprocessors.batches import rebatch


@pytest.mark.parametrize("cut", [[11], [1] * 11, [7, 4], [0, 3, 0, 8]])
def test_rebatching(cut: list[int]) -> None:
    frames = torch.arange(11.0).view(11, 1, 1, 1)
    made = list(rebatch(frames.split(cut), 4))
    assert [len(batch) for batch in made] == [4, 4, 3]
    assert torch.equal(torch.cat(made), frames)


def test_nothing_comes_of_nothing() -> None:
    assert list(rebatch([], 4)) == list(rebatch([torch.zeros(0, 3, 4, 4)], 4)) == []
