"""Numbers that stay with their people, and joints that neither tremble nor lag."""

from __future__ import annotations

import pytest
import torch

from vedit.preprocessors.pose_people import Boxes, People
from vedit.preprocessors.pose_track import SIGMAS, Tracked, TrackSettings, similarity, track

SHAPE = torch.rand(17, 2, generator=torch.Generator().manual_seed(3)) * torch.tensor([40.0, 100.0])


def people(*places: tuple[float, float], score: float = 0.9, confidence: float = 0.9) -> People:
    """Figures of one shape whose top left corners lie at these places."""
    where = torch.tensor(places).view(-1, 1, 2)
    joints = SHAPE + where
    corners = torch.cat([joints.amin(1), joints.amax(1)], 1) if places else torch.zeros(0, 4)
    return People(
        boxes=Boxes(corners=corners, scores=torch.full((len(places),), score)),
        joints=joints,
        confidence=torch.full((len(places), 17), confidence),
    )


def left(person: Tracked) -> float:
    return float((person.joints - SHAPE)[:, 0].mean())


def numbers(frames: list[list[Tracked]]) -> list[list[int]]:
    return [[person.number for person in frame] for frame in frames]


def test_similarity_is_coco_s() -> None:
    one = torch.zeros(17, 2)
    both = torch.zeros(17, dtype=torch.bool)
    both[[0, 9]] = True
    other = one.clone()
    other[9] = torch.tensor([3.0, 4.0])
    variance = (2 * SIGMAS[9]) ** 2
    wanted = (1 + float(torch.exp(torch.tensor(-25 / (2 * 400 * variance))))) / 2
    assert similarity(one, other, both=both, area=400.0) == pytest.approx(wanted, rel=1e-5)
    assert similarity(one, other, both=torch.zeros_like(both), area=400.0) == 0


def test_numbers_do_not_follow_the_detector_s_order() -> None:
    """The surer box comes first, and who is surer changes from frame to frame."""
    frames = [people((t * 2.0, 0), (200 - t, 5)) if t % 2 else people((200 - t, 5), (t * 2.0, 0)) for t in range(20)]
    tracked = list(track(frames))
    assert numbers(tracked) == [[0, 1]] * 20
    assert [left(frame[0]) > left(frame[1]) for frame in tracked] == [True] * 20


def test_people_who_walk_past_each_other_keep_their_numbers() -> None:
    """They meet half-way, one a little lower; by where each was going they are told apart."""
    tracked = list(track([people((t * 8.0, 0), (240 - t * 8.0, 12)) for t in range(31)]))
    assert numbers(tracked) == [[0, 1]] * 31
    first, last = tracked[0], tracked[-1]
    assert left(first[0]) < left(first[1]) and left(last[0]) > left(last[1])


def test_a_gap_is_bridged_in_a_straight_line() -> None:
    frames = [people((t * 10.0, 0)) for t in range(12)]
    frames[5] = frames[6] = people()
    tracked = list(track(frames, TrackSettings(steady=0.5)))
    assert numbers(tracked) == [[0]] * 12
    assert [left(frame[0]) for frame in tracked] == pytest.approx([t * 10.0 for t in range(12)], abs=1e-3)


def test_a_longer_absence_is_left_empty_but_the_number_waits() -> None:
    frames = [people((t * 2.0, 0)) for t in range(30)]
    frames[5:13] = [people()] * 8
    tracked = list(track(frames))
    assert numbers(tracked) == [[0]] * 5 + [[]] * 8 + [[0]] * 17
    frames[5:28] = [people()] * 23
    assert numbers(list(track(frames)))[-1] == [1]


def test_a_doubtful_detection_goes_on_with_someone_but_begins_nobody() -> None:
    doubtful = [people((t * 2.0, 0), score=0.35) for t in range(6)]
    assert numbers(list(track(doubtful))) == [[]] * 6
    assert numbers(list(track([people((0, 0)), *doubtful[1:]]))) == [[0]] * 6


def test_a_number_is_never_given_twice() -> None:
    jumps = [people((k * 300.0, 0)) for k in range(5)]
    assert numbers(list(track(jumps))) == [[k] for k in range(5)]


def test_trembling_is_halved() -> None:
    noise = torch.Generator().manual_seed(0)
    still = people((50, 50))
    frames = [
        People(
            boxes=still.boxes,
            joints=still.joints + torch.randn(1, 17, 2, generator=noise) * 0.5,
            confidence=still.confidence,
        )
        for _ in range(200)
    ]
    found = torch.stack([frame[0].joints for frame in track(frames)])[20:]
    raw = torch.stack([frame.joints[0] for frame in frames])[20:]
    assert float(found.diff(dim=0).std() / raw.diff(dim=0).std()) < 0.5
    assert float(found.std(0).mean() / raw.std(0).mean()) < 0.7
    assert float((found.mean((0,)) - still.joints[0]).abs().max()) < 0.25


@pytest.mark.parametrize("speed", [2.0, 6.0, 12.0])
def test_fast_motion_is_not_dragged_behind(speed: float) -> None:
    """Someone about 60 pixels large sets off at once: never more than half a frame behind, soon within a fifth."""
    frames = [people((max(0, t - 10) * speed, 0)) for t in range(40)]
    behind = torch.tensor([max(0, t - 10) * speed - left(f[0]) for t, f in enumerate(track(frames))])
    assert float(behind.max()) <= 0.5 * speed
    assert float(behind[14:].abs().max()) <= 0.2 * speed


def test_a_joint_does_not_flicker_at_the_threshold() -> None:
    """It appears at 0.3 and goes under 0.2; what comes between changes nothing."""
    course = [0.25, 0.28, 0.32, 0.28, 0.22, 0.28, 0.19, 0.25, 0.31]
    tracked = list(track([people((0, 0), confidence=c) for c in course]))
    assert [bool(frame[0].seen.all()) for frame in tracked] == [False] * 2 + [True] * 4 + [False] * 2 + [True]
    assert [bool(frame[0].seen.any()) for frame in tracked] == [bool(frame[0].seen.all()) for frame in tracked]


def test_a_joint_that_comes_back_starts_where_it_is() -> None:
    frames = [people((0, 0), confidence=0.9), people((0, 0), confidence=0.1), people((30, 0), confidence=0.9)]
    assert left(list(track(frames))[2][0]) == pytest.approx(30)


def test_it_streams() -> None:
    """A frame is given out after `bridge` more at the latest, and what is given out is final."""
    taken = 0

    def coming() -> object:
        nonlocal taken
        for t in range(50):
            taken += 1
            yield people((t, 0))

    for given, frame in enumerate(track(coming()), start=1):  # pyright: ignore[reportArgumentType]
        assert numbers([frame]) == [[0]]
        assert taken - given <= 4
