"""The pose control as a stream: the contract, with tiny random networks and with planted people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
import torch

from tests.support.tiny.pose import save_pose
from vedit.preprocessors.pose import pose, pose_confidence
from vedit.preprocessors.pose_draw import COLORS
from vedit.preprocessors.pose_people import Boxes, People, detect_people
from vedit.preprocessors.pose_track import TrackSettings
from vedit.registry.preprocessors import load_preprocessor

ANYBODY = TrackSettings(begin=0.0, show=-1.0, hide=-1.0)


@pytest.fixture(scope="module", autouse=True)
def _weights(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("weights")
    save_pose(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VEDIT_MODEL_DIR", str(folder))
        yield


def clip(count: int, height: int, width: int) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def planted(frames: torch.Tensor) -> Sequence[Boxes]:
    """Two people in every frame, the second one surer."""
    height, width = frames.shape[-2:]
    corners = torch.tensor([[0.1, 0.2, 0.45, 0.9], [0.5, 0.1, 0.95, 0.95]]) * torch.tensor([width, height] * 2)
    return [Boxes(corners=corners, scores=torch.tensor([0.6, 0.9]))] * len(frames)


@pytest.mark.parametrize("size", [(64, 96), (97, 131), (33, 47)])
@pytest.mark.parametrize("count", [1, 6])
def test_contract(size: tuple[int, int], count: int) -> None:
    frames = clip(count, *size)
    before, state = frames.clone(), torch.get_rng_state()
    made = torch.cat(list(pose([frames], boxes=planted, settings=ANYBODY)))
    assert made.shape == frames.shape and made.dtype == frames.dtype
    assert float(made.min()) == 0 and 0.5 < float(made.max()) <= 1
    assert torch.equal(frames, before) and torch.equal(torch.get_rng_state(), state)
    for chunks in (frames.split(1), frames.split(4), [frames[:0], frames]):
        assert torch.equal(torch.cat(list(pose(chunks, boxes=planted, settings=ANYBODY))), made)


def test_listed_and_nobody_there() -> None:
    """Random networks are sure of nobody: black frames, as many as came."""
    made = torch.cat(list(load_preprocessor("pose")(clip(5, 48, 64).split(2))))
    assert made.shape == (5, 3, 48, 64) and float(made.sum()) == 0
    assert list(load_preprocessor("pose")([])) == []


def test_the_real_detector_and_the_drawing_meet() -> None:
    """With the threshold out of the way, whoever the random detector names is drawn."""
    frames = clip(3, 64, 80)
    boxes = partial(detect_people, threshold=0.0, most=2)
    made = torch.cat(list(pose([frames], boxes=boxes, settings=ANYBODY)))
    assert float(made.flatten(1).amax(1).min()) > 0.5


def figure(frames: torch.Tensor, found: Sequence[Boxes]) -> Sequence[People]:
    """Joints in a row over each box, told apart by the frame's brightness: the brighter, the further right."""
    made: list[People] = []
    for frame, boxes in zip(frames, found, strict=True):
        steps = torch.linspace(0, 1, 17)[:, None]
        joints = boxes.corners[:, None, :2] + steps * (boxes.corners[:, 2:] - boxes.corners[:, :2])[:, None]
        joints = joints + torch.tensor([float(frame.mean()) * 10, 0])
        made.append(People(boxes=boxes, joints=joints, confidence=torch.full((len(joints), 17), 0.8)))
    return made


def test_figures_are_where_the_joints_are() -> None:
    frames = torch.zeros(5, 3, 128, 160)
    frames[2:] = 1
    made = torch.cat(list(pose([frames], boxes=planted, joints=figure, settings=TrackSettings(steady=0.5))))
    corner = planted(frames)[0].corners
    for t, shift in ((0, 0), (4, 10)):
        for left, top, *_ in corner.tolist():
            nose = made[t, :, round(top), round(left + shift)]
            assert torch.equal((nose * 255).round().int(), torch.tensor(COLORS[0], dtype=torch.int32))


def test_confidence_says_who_is_there() -> None:
    """Lazily, one statement for each frame."""
    frames = clip(9, 32, 40)
    taken: list[int] = []

    def boxes(part: torch.Tensor) -> Sequence[Boxes]:
        taken.append(len(part))
        empty = Boxes(corners=torch.zeros(0, 4), scores=torch.zeros(0))
        start = sum(taken[:-1])
        return [planted(part)[0] if start + k < 5 else empty for k in range(len(part))]

    told = pose_confidence(frames.split(2), boxes=boxes, joints=figure)
    first = next(told)
    assert sum(taken) < 9
    everything = [first, *told]
    assert [one.people for one in everything] == [2] * 5 + [0] * 4
    assert [one.confidence for one in everything] == pytest.approx([0.8] * 5 + [0.0] * 4)
