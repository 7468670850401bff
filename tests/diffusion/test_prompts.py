"""Prompts of different lengths in one look, and prompts that lead from one to the next."""

from __future__ import annotations

import torch

from vedit.diffusion.prompts import equally_long, led, side_by_side
from vedit.types import PromptEmbeds


def prompt(length: int, value: float) -> PromptEmbeds:
    return PromptEmbeds(
        states=torch.full((1, length, 2), float(value)), others={"pooled": torch.full((1, 3), float(value))}
    )


def no_text() -> PromptEmbeds:
    return prompt(4, 9.0)


def test_shorter_prompts_end_in_empty_ones() -> None:
    made = equally_long([prompt(4, 1), prompt(12, 2), prompt(8, 3)], no_text)
    assert [one.states[0, :, 0].tolist() for one in made] == [[1] * 4 + [9] * 8, [2] * 12, [3] * 8 + [9] * 4]
    assert [float(one.others["pooled"][0, 0]) for one in made] == [1, 2, 3], "the text as a whole is its own"


def test_a_prompt_that_was_left_out_stays_so() -> None:
    left_out, longer = equally_long([prompt(4, 0), prompt(8, 2)], no_text)
    assert left_out.states.shape == longer.states.shape
    assert not left_out.states.any()


def test_prompts_of_one_length_are_themselves() -> None:
    given = [prompt(4, 1), prompt(4, 2)]

    def never() -> PromptEmbeds:
        raise AssertionError("an empty text is read for nothing")

    assert all(a is b for a, b in zip(equally_long(given, never), given, strict=True))


def test_lengths_that_no_empty_text_fills_stay() -> None:
    assert [one.states.shape[1] for one in equally_long([prompt(4, 1), prompt(7, 2)], no_text)] == [4, 7]


def test_a_prompt_is_led_from_moment_to_moment_and_held_outside() -> None:
    keys = side_by_side([prompt(4, 0), prompt(4, 8), prompt(4, 4)])
    numbers = [3, 10, 11, 12, 14, 15, 16, 18, 99]
    made = led(keys, (10, 14, 18), numbers)
    assert made.states.shape == (9, 4, 2)
    expected = [0, 0, 2, 4, 8, 7, 6, 4, 4]
    assert made.states[:, 0, 0].tolist() == expected
    assert made.others["pooled"][:, 0].tolist() == expected
    for place, number in enumerate(numbers):
        (alone,) = led(keys, (10, 14, 18), [number]).states
        assert torch.equal(alone, made.states[place]), "a frame's prompt goes by its number alone"


def test_a_prompt_at_its_moment_is_itself_to_the_last_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(3, 4, 8, generator=generator)
    made = led(PromptEmbeds(states=states), (0, 7, 9), [0, 7, 9, 100])
    assert torch.equal(made.states, states[[0, 1, 2, 2]])


def test_one_moment_and_none() -> None:
    one = prompt(4, 3)
    assert led(one, (), [1, 2]) is one
    assert led(one, (5,), [1, 9]).states.shape == (2, 4, 2)
    assert side_by_side([one]) is one
