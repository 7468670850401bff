"""Prompts that meet in one look: brought to one length, and led from one to the next over the frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from vedit.types import PromptEmbeds


def equally_long(prompts: Sequence[PromptEmbeds], empty: Callable[[], PromptEmbeds]) -> tuple[PromptEmbeds, ...]:
    """Prompts with states of one length, the shorter ones filled up with those of an empty text.

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
    return tuple(
        replace(
            one, states=torch.cat([one.states, *[filler] * ((longest - one.states.shape[1]) // filler.shape[1])], 1)
        )
        for one in prompts
    )
