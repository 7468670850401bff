"""Damage to the bytes of a file, decided by a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

HEADER = 4096
"""Bytes at either end where containers keep what they say of themselves."""
TELLING = tuple(value.to_bytes(4) for value in (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 1, 0x10000, 0xFFFF))
"""Words at which sizes and counts overflow."""
BOXES = b"stsz stco co64 stsc stts ctts stsd elst tkhd mdhd mvhd avcC trun".split()
"""Tables of the mov family: damage there goes deepest."""


def mutate(seed: int, sources: Sequence[Path]) -> tuple[bytes, str]:
    """The bytes of one of the sources, damaged in one to four ways, and what was done in words."""
    chance = random.Random(seed)
    path = chance.choice(list(sources))
    data = bytearray(path.read_bytes())
    done: list[str] = []
    for _ in range(chance.choice((1, 1, 2, 4))):
        kind = chance.choices(("flip", "word", "cut", "repeat", "remove", "splice"), (40, 25, 10, 8, 8, 9))[0]
        done.append(kind)
        _damage(kind, data, chance, sources)
    return bytes(data), f"{path.name}: {', '.join(done)}"


def _damage(kind: str, data: bytearray, chance: random.Random, sources: Sequence[Path]) -> None:
    if not data:
        return
    if kind == "flip":
        for _ in range(chance.choice((1, 2, 8, 32))):
            data[_place(data, chance)] ^= 1 << chance.randrange(8)
    elif kind == "word":
        at = _place(data, chance)
        word = chance.choice(TELLING)
        data[at : at + 4] = word[: len(data) - at]
    elif kind == "cut":
        del data[chance.randrange(len(data)) :]
    elif kind == "repeat":
        at, length = chance.randrange(len(data)), chance.choice((1, 16, 512, 4096))
        data[at:at] = data[at : at + length]
    elif kind == "remove":
        at, length = chance.randrange(len(data)), chance.choice((1, 4, 64, 4096))
        del data[at : at + length]
    else:
        other = chance.choice(list(sources)).read_bytes()
        length = chance.choice((8, 256, 4096))
        start, at = chance.randrange(len(other)), _place(data, chance)
        data[at : at + length] = other[start : start + length]


def _place(data: bytearray, chance: random.Random) -> int:
    """A position, mostly where the container describes itself."""
    where = chance.random()
    if where < 0.45:
        names = [found for name in BOXES if (found := data.find(name)) >= 0]
        if names:
            return min(len(data) - 1, max(0, chance.choice(names) + chance.randrange(-4, 48)))
    if where < 0.7:
        return chance.randrange(min(HEADER, len(data)))
    if where < 0.85:
        return len(data) - 1 - chance.randrange(min(HEADER, len(data)))
    return chance.randrange(len(data))
