"""One contract over every listed preprocessor; those with weights run on tiny random ones of true class and layout."""

from __future__ import annotations

import importlib.util
import socket
import weakref
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.support.motion import as_frames, texture
from vedit.registry.entry import Entry
from vedit.registry.preprocessors import load_preprocessor, preprocessors
from vedit.testing import contracts
from vedit.testing.contracts import NETWORK_TOLERANCE, SIZES
from vedit.weights.store import find

ENTRIES = tuple(preprocessors())


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tiny_models: Path) -> None:
    """Tiny weights are where real ones would be, and a network connection is an error."""

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError(f"a preprocessor reached for the network: {arguments[1:]}")

    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tiny_models))
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(params=ENTRIES, ids=[entry.name for entry in ENTRIES])
def entry(request: pytest.FixtureRequest, offline: None) -> Entry:
    found: Entry = request.param
    if found.needs.extra == "controlnet-aux" and importlib.util.find_spec("controlnet_aux") is None:
        pytest.skip("controlnet-aux is not installed; see CONTRIBUTING.md")
    absent = [name for name in found.needs.weights if find(name) is None]
    if absent:
        pytest.skip(f"tests/support/tiny saves no tiny weights for {', '.join(absent)}")
    return found


def moving(size: tuple[int, int], count: int) -> torch.Tensor:
    """(count, 3, *size): a textured picture under a camera that goes two pixels to the right with each frame."""
    picture = texture(size[0], size[1] + 2 * count, seed=3)
    return as_frames(*(picture[:, 2 * number : 2 * number + size[1]] for number in range(count)))


def maps(entry: Entry, chunks: Iterable[torch.Tensor]) -> torch.Tensor:
    return contracts.maps(load_preprocessor(entry.name), chunks)


def same(entry: Entry, found: torch.Tensor, expected: torch.Tensor) -> None:
    contracts.check_same(found, expected, NETWORK_TOLERANCE if entry.needs.weights else 0.0)


@cache
def made_at_once(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames of an odd size, and their maps made as one chunk."""
    entry = preprocessors()[name]
    frames = moving(SIZES[1], 3 if entry.needs.weights else 5)
    return frames, maps(entry, [frames])


def test_maps_are_as_the_protocol_says(entry: Entry) -> None:
    for size in SIZES[1:] if entry.needs.weights else SIZES:
        contracts.check_maps(load_preprocessor(entry.name), moving(size, 3))


def test_the_same_twice(entry: Entry) -> None:
    frames, made = made_at_once(entry.name)
    assert torch.equal(maps(entry, [frames]), made)


def test_chunks_make_no_difference(entry: Entry) -> None:
    frames, made = made_at_once(entry.name)
    for lengths in ((1, 2),) if entry.needs.weights else ((1, 1, 1, 1, 1), (2, 3), (3, 1, 1)):
        same(entry, maps(entry, frames.split(list(lengths))), made)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_shot_of_one_flat_frame(entry: Entry, level: float) -> None:
    contracts.check_maps(load_preprocessor(entry.name), torch.full((1, 3, *SIZES[0]), level))


def test_no_frames(entry: Entry) -> None:
    assert list(load_preprocessor(entry.name)(iter([]))) == []


def test_frames_are_not_kept(entry: Entry) -> None:
    """Of a long shot only a few frames are alive at a time, whatever the preprocessor does with it."""
    count, few = (6, 5) if entry.needs.weights else (40, 3)
    alive: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def chunks() -> Iterator[torch.Tensor]:
        nonlocal most
        for frame in moving(SIZES[0], count).split(1):
            chunk = frame.clone()
            alive.append(weakref.ref(chunk))
            yield chunk
            del chunk
            most = max(most, sum(reference() is not None for reference in alive))

    assert sum(len(made) for made in load_preprocessor(entry.name)(chunks())) == count
    assert most <= few


@pytest.mark.parametrize("name", [e.name for e in ENTRIES if not e.needs.weights])
def test_output_begins_before_the_input_ends(name: str) -> None:
    """A map of a frame needs that frame alone, or of motion the next one too."""
    read = 0

    def chunks() -> Iterator[torch.Tensor]:
        nonlocal read
        for chunk in moving(SIZES[0], 6).split(1):
            read += 1
            yield chunk

    stream = iter(load_preprocessor(name)(chunks()))
    assert read == 0
    next(stream)
    assert read == (2 if preprocessors()[name].needs.whole_shot else 1)


@pytest.mark.parametrize("name", [e.name for e in ENTRIES if not e.needs.weights and not e.needs.whole_shot])
def test_a_frame_does_not_depend_on_the_others(name: str) -> None:
    frames = torch.cat([moving(SIZES[0], 1), torch.ones(1, 3, *SIZES[0]), moving(SIZES[0], 3)[2:]])
    make = preprocessors()[name]
    assert torch.equal(maps(make, [frames])[2:], maps(make, [frames[2:]]))


def test_every_weightless_control_is_listed() -> None:
    names = {entry.name for entry in ENTRIES if not entry.needs.weights}
    assert {"canny", "softedge", "lineart", "scribble", "tile", "luma", "shuffle", "flow"} <= names


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_needs_are_sane(entry: Entry) -> None:
    needs = entry.needs
    assert needs.multiple_of >= 1 and needs.minimum >= 1 and needs.memory_per_megapixel > 0
    assert needs.short_side is None or needs.short_side >= needs.minimum
    assert entry.summary and "\n" not in entry.summary
