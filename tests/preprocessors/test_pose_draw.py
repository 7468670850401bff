"""The OpenPose figure: every joint's and limb's colour against the table as ControlNet's authors published it."""

from __future__ import annotations

import math

import pytest
import torch

from vedit.preprocessors.pose_draw import COLORS, JOINT_NAMES, LIMBS, draw_people, to_openpose

# ControlNet 1.1's drawing counts joints from 1: limb n joins these two and has colour n, at 0.6 of its brightness.
PUBLISHED_LIMBS = [
    "2-3", "2-6", "3-4", "4-5", "6-7", "7-8", "2-9", "9-10", "10-11",
    "2-12", "12-13", "13-14", "2-1", "1-15", "15-17", "1-16", "16-18",
]  # fmt: skip
PUBLISHED_COLORS = [
    "255,0,0", "255,85,0", "255,170,0", "255,255,0", "170,255,0", "85,255,0", "0,255,0", "0,255,85",
    "0,255,170", "0,255,255", "0,170,255", "0,85,255", "0,0,255", "85,0,255", "170,0,255", "255,0,255",
    "255,0,170", "255,0,85",
]  # fmt: skip
# x, y of a figure, arms and legs spread, so that no joint and no limb's middle lies under another limb or joint.
FIGURE = {
    "nose": (256, 100), "neck": (256, 180), "right shoulder": (180, 190), "right elbow": (120, 250),
    "right wrist": (60, 320), "left shoulder": (332, 190), "left elbow": (392, 250), "left wrist": (452, 320),
    "right hip": (210, 330), "right knee": (180, 410), "right ankle": (150, 490), "left hip": (302, 330),
    "left knee": (332, 410), "left ankle": (362, 490), "right eye": (230, 70), "left eye": (282, 70),
    "right ear": (190, 80), "left ear": (322, 80),
}  # fmt: skip


def figure(scale: float = 1.0) -> torch.Tensor:
    return torch.tensor([FIGURE[name] for name in JOINT_NAMES], dtype=torch.float32) * scale


def pixel(picture: torch.Tensor, x: float, y: float) -> tuple[int, ...]:
    return tuple((picture[:, round(y), round(x)] * 255).round().int().tolist())


ALL = torch.ones(18, dtype=torch.bool)
DRAWN = draw_people([(figure(), ALL)], 512, 512)


def test_the_tables_are_as_published() -> None:
    assert [f"{a + 1}-{b + 1}" for a, b in LIMBS] == PUBLISHED_LIMBS and len(LIMBS) == 17
    assert [",".join(map(str, color)) for color in COLORS] == PUBLISHED_COLORS and len(COLORS) == 18


@pytest.mark.parametrize("index", range(18), ids=list(JOINT_NAMES))
def test_joint(index: int) -> None:
    wanted = tuple(int(part) for part in PUBLISHED_COLORS[index].split(","))
    x, y = FIGURE[JOINT_NAMES[index]]
    assert pixel(DRAWN, x, y) == wanted
    for dx, dy in ((3, 0), (-3, 0), (0, 3), (0, -3)):  # its radius is 4 at a short side of 512
        assert pixel(DRAWN, x + dx, y + dy) == wanted
    assert pixel(DRAWN, x, y - 6) != wanted


@pytest.mark.parametrize("index", range(17), ids=PUBLISHED_LIMBS)
def test_limb_midpoint(index: int) -> None:
    first, second = (int(part) - 1 for part in PUBLISHED_LIMBS[index].split("-"))
    (x0, y0), (x1, y1) = figure()[first].tolist(), figure()[second].tolist()
    wanted = tuple(int(int(part) * 0.6) for part in PUBLISHED_COLORS[index].split(","))
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    assert pixel(DRAWN, x, y) == wanted
    length = math.hypot(x1 - x0, y1 - y0)
    nx, ny = (y1 - y0) / length, (x0 - x1) / length
    assert pixel(DRAWN, x + 3 * nx, y + 3 * ny) == wanted
    assert pixel(DRAWN, x + 6.5 * nx, y + 6.5 * ny) == (0, 0, 0)
    # An ellipse, not a bar: a quarter of the way to a joint it is narrower than in the middle.
    x, y = x0 + (x1 - x0) * 0.06, y0 + (y1 - y0) * 0.06
    assert pixel(DRAWN, x + 3.9 * nx, y + 3.9 * ny) != wanted


def test_every_pixel_is_black_or_of_the_table() -> None:
    joints = {tuple(int(part) for part in color.split(",")) for color in PUBLISHED_COLORS}
    limbs = {tuple(int(part * 0.6) for part in color) for color in joints}
    found = {tuple(color) for color in (DRAWN * 255).round().int().flatten(1).T.unique(dim=0).tolist()}
    assert found <= joints | limbs | {(0, 0, 0)} and joints <= found


def test_limbs_lie_under_the_joints_and_later_limbs_over_earlier_ones() -> None:
    points = figure()
    wrist, neck_to_nose = JOINT_NAMES.index("left wrist"), JOINT_NAMES.index("nose")
    points[wrist] = (points[1] + points[neck_to_nose]) / 2
    drawn = draw_people([(points, ALL)], 512, 512)
    assert pixel(drawn, *points[wrist].tolist()) == COLORS[wrist]
    # The upper arm, limb 4, crosses the shoulder, limb 1: what was painted later is seen.
    points = figure()
    points[JOINT_NAMES.index("right elbow")] = torch.tensor((256.0, 90.0))
    points[JOINT_NAMES.index("right shoulder")] = torch.tensor((200.0, 186.0))
    crossing = draw_people([(points, ALL)], 512, 512)
    seen = {tuple(c) for c in (crossing * 255).round().int().flatten(1).T.unique(dim=0).tolist()}
    assert tuple(int(c * 0.6) for c in COLORS[12]) in seen


@pytest.mark.parametrize(("height", "width", "half"), [(512, 512, 4), (1024, 1920, 8), (256, 300, 2), (64, 64, 1)])
def test_the_stick_grows_with_the_frame(height: int, width: int, half: int) -> None:
    points = torch.zeros(18, 2)
    points[1], points[2] = torch.tensor([width * 0.1, height * 0.5]), torch.tensor([width * 0.9, height * 0.5])
    seen = torch.zeros(18, dtype=torch.bool)
    seen[1:3] = True
    middle = draw_people([(points, seen)], height, width)[0, :, width // 2]
    assert abs(int((middle > 0).sum()) - (2 * half + 1)) <= 1


def test_from_coco() -> None:
    """Each joint goes to its place; the neck is the middle of the shoulders, and unseen where one of them is."""
    coco = "nose,left eye,right eye,left ear,right ear,left shoulder,right shoulder,left elbow,right elbow,left wrist,"
    coco += "right wrist,left hip,right hip,left knee,right knee,left ankle,right ankle"
    given = torch.arange(34, dtype=torch.float32).view(17, 2)
    joints, seen = to_openpose(given, torch.ones(17, dtype=torch.bool))
    for name, point in zip(JOINT_NAMES, joints, strict=True):
        if name == "neck":
            assert point.tolist() == ((given[5] + given[6]) / 2).tolist()
        else:
            assert point.tolist() == given[coco.split(",").index(name)].tolist()
    assert seen.all()
    for shoulder in (5, 6):
        half = torch.ones(17, dtype=torch.bool)
        half[shoulder] = False
        shown = to_openpose(given, half)[1]
        assert not shown[1] and int(shown.sum()) == 16


def test_unseen_joints_take_their_limbs_along() -> None:
    seen = ALL.clone()
    seen[JOINT_NAMES.index("right elbow")] = False
    drawn = draw_people([(figure(), seen)], 512, 512)
    for x, y in ((120, 250), (150, 220), (90, 285)):
        assert pixel(drawn, x, y) == (0, 0, 0)
    assert pixel(drawn, 60, 320) == COLORS[4]


def test_wild_places_do_no_harm() -> None:
    points = figure()
    points[4], points[7], points[10] = (
        torch.tensor([1e12, 5.0]),
        torch.tensor([math.nan, 1.0]),
        torch.tensor([-30, 500]),
    )
    points[3] = points[2]  # a limb without length
    drawn = draw_people([(points, ALL)], 512, 512)
    assert drawn.isfinite().all() and pixel(drawn, 392, 250) == COLORS[6]
    assert draw_people([], 5, 7).sum() == 0
