"""Prompts of different lengths in one look."""

from __future__ import annotations

import torch

from vedit.diffusion.prompts import equally_long
from vedit.types import PromptEmbeds


def prompt(length: int, value: float) -> PromptEmbeds:
    return PromptEmbeds(states=torch.full((1, length, 2), value), others={"pooled": torch.full((1, 3), value)})


def no_text() -> PromptEmbeds:
    return prompt(4, 9.0)


def test_shorter_prompts_end_in_empty_ones() -> None:
    made = equally_long([prompt(4, 1), prompt(12, 2), prompt(8, 3)], no_text)
    assert [one.states[0, :, 0].tolist() for one in made] == [[1] * 4 + [9] * 8, [2] * 12, [3] * 8 + [9] * 4]
    assert [float(one.others["pooled"][0, 0]) for one in made] == [1, 2, 3], "the text as a whole is its own"


def test_prompts_of_one_length_are_themselves() -> None:
    given = [prompt(4, 1), prompt(4, 2)]

    def never() -> PromptEmbeds:
        raise AssertionError("an empty text is read for nothing")

    assert all(a is b for a, b in zip(equally_long(given, never), given, strict=True))


def test_lengths_that_no_empty_text_fills_stay() -> None:
    assert [one.states.shape[1] for one in equally_long([prompt(4, 1), prompt(7, 2)], no_text)] == [4, 7]
