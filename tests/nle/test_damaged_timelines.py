"""Damaged timelines: whatever is wrong with a file, it ends in one line that names it, and never in another error."""

from __future__ import annotations

import random
import re
from fractions import Fraction
from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.nle.read import read_timeline

FILES = (
    "dawfilekit__25i.fcpxml",
    "otio-fcpx-xml-adapter__fcpx_example.fcpxml",
    "otio-fcp-adapter__premiere_example.xml",
    "kdenlive-test-suite__mix-luma.kdenlive",
    "otio-cmx3600-adapter__screening_example.edl",
    "python-edl__test_2997DF.edl",
    "opentimelineio__nested_example.otio",
)
WORDS = (b"", b"0", b"-1", b"x", b"1.5", b"1e400", b"null", b"99999999999999999999", b"0/0s", b"r1")


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A file cut short, with other bytes, another number, another value, or a line too few or too many."""
    kind = chance.randrange(5)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        place = chance.randrange(len(data))
        return data[:place] + bytes((chance.randrange(256),)) + data[place + 1 :]
    if kind == 4:
        lines = data.split(b"\n")
        lines.insert(chance.randrange(len(lines)), lines.pop(chance.randrange(len(lines))))
        return b"\n".join(lines)
    pattern = rb"-?\d+" if kind == 2 else rb'(?<=")[^"]*(?=")|(?<=>)[^<]+(?=<)'
    found = chance.choice(list(re.finditer(pattern, data)) or [re.match(b"", data)])
    assert found is not None
    return data[: found.start()] + chance.choice(WORDS) + data[found.end() :]


@pytest.mark.parametrize("name", FILES)
def test_damage_is_told_in_one_line(timelines: Path, tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    data = (timelines / name).read_bytes()
    path = tmp_path / f"cut{Path(name).suffix}"
    told = 0
    for _ in range(25):
        path.write_bytes(damaged(data, chance))
        try:
            document = read_timeline(path, rate=Fraction(25) if path.suffix == ".edl" else None)
            document.serialise()
            # A list holds without the one line that is damaged.
            told += any("is left out" in note for note in document.timeline.notes)
        except InputError as error:
            assert path.name in str(error) and "\n" not in str(error)
            told += 1
    assert told
