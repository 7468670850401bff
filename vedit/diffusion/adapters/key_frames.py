"""Key frames of those that are sampled together: they go through the network first, and the others are made after them.

Each key sees the keys before it, and every other frame sees all of them. So what a frame sees does not depend on how
frames are cut into network calls, and a frame that is a key is made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import torch

from vedit.diffusion.nearest import around

APART = 8
"""Frames from one key to the next at most: a third of a second of film."""


def key_places(numbers: Sequence[int], *, apart: int = APART) -> tuple[int, ...]:
    """The places of keys among frames that are sampled together: the first, the last, and evenly between them.

    The first may be an anchor that lies elsewhere; then the frame after it is a key too.

    Args:
        numbers: of the frames in the source.
        apart: frames from one key to the next at most.
    """
    count = len(numbers)
    start = int(count > 1 and numbers[1] != numbers[0] + 1)
    last = count - 1
    parts = -(-(last - start) // apart)
    evenly = (start + (2 * number * (last - start) + parts) // (2 * parts) for number in range(1, parts))
    return tuple(sorted({0, start, *evenly, last}))


def keys_around(numbers: Sequence[int], places: Sequence[int]) -> dict[int, tuple[tuple[int, float], ...]]:
    """For every frame that is no key the keys around it, by their places among the keys, with weights that sum to 1.

    Args:
        numbers: of all frames in the source.
        places: of the keys among them.
    """
    rising = sorted(range(len(places)), key=lambda key: numbers[places[key]])
    counted = [numbers[places[key]] for key in rising]
    return {
        place: tuple((rising[which], weight) for which, weight in around(number, counted))
        for place, number in enumerate(numbers)
        if place not in places
    }


@dataclass(kw_only=True)
class KeyMemory:
    """What is kept of key frames, by layer, between network calls (`vedit.diffusion.conditioning.KeysFirst`).

    The network is called with the keys, in parts of any lengths, and then with the others.
    """

    places: tuple[int, ...]
    """Of the keys among all frames, in order."""
    count: int
    """Of all frames."""
    kept: dict[int, tuple[torch.Tensor, ...]] = field(default_factory=dict[int, "tuple[torch.Tensor, ...]"])
    """What others see of the keys so far, (K, L, D) each, by layer."""
    made: dict[int, torch.Tensor] = field(default_factory=dict[int, torch.Tensor])
    """What the layers have made of the keys so far, (K, L, D), where others take it."""
    _done: dict[int, int] = field(default_factory=dict[int, int])

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Self:
        """Of frames that are sampled together, by their numbers in the source."""
        return cls(places=key_places(numbers), count=len(numbers))

    @cached_property
    def order(self) -> tuple[int, ...]:
        """See `KeysFirst`."""
        return (*self.places, *(place for place in range(self.count) if place not in self.places))

    @property
    def keys(self) -> int:
        """See `KeysFirst`."""
        return len(self.places)

    def clear(self) -> None:
        """Forget: the next call begins with the first key."""
        self.kept.clear()
        self.made.clear()
        self._done.clear()

    def turn(self, layer: int, frames: int) -> tuple[int, ...]:
        """The places of the frames that a layer is called with now; to be asked once for each call."""
        start = self._done.get(layer, 0)
        self._done[layer] = start + frames
        return self.order[start : start + frames]

    def is_key(self, place: int) -> bool:
        """Whether the frame of a place is one."""
        return place in self.places

    def keep_made(self, layer: int, output: torch.Tensor) -> None:
        """Keep what a layer has made of further keys, (k, L, D)."""
        before = self.made.get(layer)
        self.made[layer] = output.clone() if before is None else torch.cat([before, output])

    def keep(self, layer: int, *states: torch.Tensor) -> None:
        """Keep what further keys leave, (k, L, D) each, behind what those before them have left."""
        before = self.kept.get(layer)
        self.kept[layer] = tuple(
            one.clone() if before is None else torch.cat([before[number], one]) for number, one in enumerate(states)
        )
