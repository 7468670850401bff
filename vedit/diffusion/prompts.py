"""Prompts that meet in one look: brought to one length, and led from one to the next over the frames."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from vedit.types import PromptEmbeds


def equally_long(prompts: Sequence[PromptEmbeds], empty: Callable[[], PromptEmbeds]) -> tuple[PromptEmbeds, ...]:
    """Prompts with states of one length, the shorter ones filled up with those of an empty text; one that was left
    out, whose states are zeros, with zeros.

    Args:
        prompts: with states (1, L, D); of encoders whose text has no fixed number of tokens they stay as they are.
        empty: the same encoder's states of an empty text, asked for where there is something to fill.
    """
    longest = max(one.states.shape[1] for one in prompts)
    if all(one.states.shape[1] == longest for one in prompts):
        return tuple(prompts)
    filler = empty().states
    if any((longest - one.states.shape[1]) % filler.shape[1] for one in prompts):
        return tuple(prompts)

    def filled(states: torch.Tensor) -> torch.Tensor:
        more = filler if states.any() else torch.zeros_like(filler)
        return torch.cat([states, *[more] * ((longest - states.shape[1]) // filler.shape[1])], 1)

    return tuple(replace(one, states=filled(one.states)) for one in prompts)


def side_by_side(prompts: Sequence[PromptEmbeds]) -> PromptEmbeds:
    """Prompts (1, L, D) as those of as many frames, (T, L, D)."""
    if len(prompts) == 1:
        return prompts[0]
    return PromptEmbeds(
        states=torch.cat([one.states for one in prompts]),
        others={name: torch.cat([one.others[name] for one in prompts]) for name in prompts[0].others},
    )


def led(prompt: PromptEmbeds, at: Sequence[int], numbers: Sequence[int]) -> PromptEmbeds:
    """The prompt of each of some frames, on the straight way from one to the next.

    A frame's prompt goes by its number alone, so windows and batches do not change it.

    Args:
        prompt: (K, L, D), those that hold at the frames `at`; (1, L, D) without `at`: of all frames.
        at: K frames of the source, rising.
        numbers: of the frames, T of them.

    Returns:
        (T, L, D); without `at` the prompt itself.
    """
    if not at:
        return prompt
    if len(at) == 1:
        return _each(prompt, lambda values: values.expand(len(numbers), *values.shape[1:]))
    before = [max(0, min(bisect_right(at, number) - 1, len(at) - 2)) for number in numbers]
    parts = [
        min(1.0, max(0.0, (number - at[i]) / (at[i + 1] - at[i]))) for number, i in zip(numbers, before, strict=True)
    ]

    def between(values: torch.Tensor) -> torch.Tensor:
        part = torch.tensor(parts, dtype=values.dtype, device=values.device).view(-1, *[1] * (values.ndim - 1))
        first = torch.tensor(before, device=values.device)
        return torch.lerp(values[first], values[first + 1], part)

    return _each(prompt, between)


def _each(prompt: PromptEmbeds, change: Callable[[torch.Tensor], torch.Tensor]) -> PromptEmbeds:
    return PromptEmbeds(
        states=change(prompt.states), others={name: change(values) for name, values in prompt.others.items()}
    )
