"""The contracts for authors of plug-ins: vedit's own parts keep them, and what breaks one is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import pytest
import torch

from vedit.errors import InputError
from vedit.registry import shot_detectors as listing
from vedit.registry.entry import Entry, Registry
from vedit.registry.shot_detectors import shot_detectors
from vedit.shots.corrections import ShotChoices, find_shots
from vedit.shots.detect import detect_shots, make_detector
from vedit.shots.transitions import Transition
from vedit.testing.contracts import check_maps, check_preprocessor, check_shot_detector, shifted
from vedit.testing.fakes import FakeReader, moving_frames
from vedit.types import Clip, FrameRange, Shot


@pytest.mark.parametrize("name", [entry.name for entry in shot_detectors()])
def test_own_detectors_keep_the_contract(name: str) -> None:
    check_shot_detector(name)


@pytest.mark.parametrize("name", ["luma", "softedge", "flow"])
def test_own_preprocessors_keep_the_contract(name: str) -> None:
    check_preprocessor(name)


def passed_on(frames: torch.Tensor) -> torch.Tensor:
    return frames.add_(0)


def doubled(frames: torch.Tensor) -> torch.Tensor:
    return frames * 2


def of_one_channel(frames: torch.Tensor) -> torch.Tensor:
    return frames[:, :1].clone()


def halved_in_place(frames: torch.Tensor) -> torch.Tensor:
    return frames.mul_(0.5).clone()


def drawn_by_chance(frames: torch.Tensor) -> torch.Tensor:
    return torch.rand_like(frames)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (passed_on, "own memory"),
        (doubled, r"in \[0, 1\]"),
        (of_one_channel, "48, 64"),
        (halved_in_place, "input was changed"),
        (drawn_by_chance, "changed the world"),
    ],
)
def test_maps_that_break_the_protocol_are_told(broken: Callable[[torch.Tensor], torch.Tensor], told: str) -> None:
    def make(chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        return (broken(chunk) for chunk in chunks)

    with pytest.raises(AssertionError, match=told):
        check_maps(make, shifted((48, 64), 2))


class Halves:
    """A detector of one cut in the middle, with a gap of `gap` frames behind it."""

    gap = 0

    def __init__(self, *, threshold: float | None, minimum_seconds: Fraction) -> None:
        self.first, self.count = 0, 0

    def push(self, clip: Clip) -> None:
        self.first = self.first if self.count else clip.start
        self.count += len(clip)

    def finish(self) -> Sequence[Shot]:
        if not self.count:
            return ()
        if self.count == 1:
            return (Shot(number=1, frames=FrameRange(start=self.first, stop=self.first + 1)),)
        half, end = self.first + self.count // 2, self.first + self.count
        return (
            Shot(number=1, frames=FrameRange(start=self.first, stop=half)),
            Shot(number=2, frames=FrameRange(start=half + self.gap, stop=end)),
        )


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Plugs a class in as the detector `halves` of a distribution `vedit-halves`."""

    def plug(made: Any) -> None:
        registry = Registry("shot detector")
        registry.add(Entry(name="halves", summary="", target="none:none", origin="vedit-halves"))
        monkeypatch.setattr(Entry, "load", lambda self: made)  # pyright: ignore[reportUnknownLambdaType]
        for place in ("vedit.shots.detect.shot_detectors", f"{listing.__name__}.shot_detectors"):
            monkeypatch.setattr(place, lambda: registry)

    return plug


def test_a_detector_from_elsewhere_finds_the_shots(plugged: Callable[[Any], None]) -> None:
    plugged(Halves)
    check_shot_detector("halves")
    reader = FakeReader(frames=moving_frames(9))
    assert [shot.frames.start for shot in detect_shots(reader, detector="halves")] == [0, 4]
    found = find_shots(reader, ShotChoices(detector="halves", add=("#6",)))
    assert [shot.frames.start for shot in found.shots] == [0, 4, 6]
    assert found.transitions == ()


def test_its_transitions_are_listed_where_it_finds_some(plugged: Callable[[Any], None]) -> None:
    fade = Transition(kind="dissolve", frames=FrameRange(start=2, stop=5))
    plugged(type("Fading", (Halves,), {"transitions": lambda self: [fade]}))  # pyright: ignore[reportUnknownLambdaType]
    found = find_shots(FakeReader(frames=moving_frames(9)), ShotChoices(detector="halves"))
    assert found.transitions == (fade,)


def test_a_gap_is_told_with_who_left_it(plugged: Callable[[Any], None]) -> None:
    plugged(type("Gap", (Halves,), {"gap": 2}))
    told = "'halves' of vedit-halves has shot 2 begin at #6 behind shot 1, which ends before #4; mend or uninstall"
    with pytest.raises(InputError, match=told):
        detect_shots(FakeReader(frames=moving_frames(9)), detector="halves")
    with pytest.raises(AssertionError, match="gap or overlap"):
        check_shot_detector("halves")


def test_what_is_no_detector_is_told(plugged: Callable[[Any], None]) -> None:
    plugged(lambda **_: "x")  # pyright: ignore[reportUnknownLambdaType]
    with pytest.raises(InputError, match="'halves' of vedit-halves makes no shot detector but str"):
        make_detector("halves")


def test_an_unknown_detector_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no shot detector is named 'adaptiv'; did you mean 'adaptive'"):
        detect_shots(FakeReader(frames=moving_frames(4)), detector="adaptiv")
