"""Boxes and joints against the image processors of transformers, and the decoding against peaks in known places."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import RTDetrForObjectDetection
from transformers.models.rt_detr.image_processing_pil_rt_detr import RTDetrImageProcessorPil
from transformers.models.vitpose.image_processing_pil_vitpose import VitPoseImageProcessorPil

from tests.support.tiny.pose import save_pose
from vedit.errors import ModelError
from vedit.preprocessors.pose_people import (
    Boxes,
    crop,
    crop_areas,
    decode,
    detect_people,
    find_joints,
    overlap,
)

BOXES = torch.tensor([[20.0, 10.0, 60.0, 90.0], [70.0, 30.0, 125.0, 60.0], [-5.0, 50.0, 30.0, 97.0]])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    save_pose(folder)
    return folder


@pytest.fixture
def _at(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(weights))


def picture() -> torch.Tensor:
    """Smooth, in whole levels of 255, so that bytes and floats are the same picture."""
    rough = torch.rand(1, 3, 9, 13, generator=torch.Generator().manual_seed(0))
    return (torch.nn.functional.interpolate(rough, (97, 131), mode="bicubic").clamp(0, 1) * 255).round() / 255


def coco(boxes: torch.Tensor) -> list[list[float]]:
    return [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes.tolist()]


def test_crops_are_those_of_the_image_processor() -> None:
    image = (picture()[0] * 255).byte().permute(1, 2, 0).numpy()
    processor: Any = VitPoseImageProcessorPil(do_normalize=False)
    made = processor(Image.fromarray(image), boxes=[coco(BOXES)], return_tensors="pt")
    own = crop(picture().expand(3, -1, -1, -1), crop_areas(BOXES, aspect=192 / 256), (256, 192))
    difference = (made["pixel_values"] - own).abs().amax(1)
    # Theirs has bytes; and beyond the frame's last pixel it is black at once, where OpenCV and torch fade.
    assert float((difference > 0.01).float().mean()) < 0.03
    within = (made["pixel_values"].sum(1) > 0) & (own.sum(1) > 0)
    assert float(within.float().mean()) > 0.5 and float(difference[within].quantile(0.98)) < 0.005


def heatmaps(peaks: torch.Tensor, size: tuple[int, int] = (64, 48), sigma: float = 2.0) -> torch.Tensor:
    rows, columns = (torch.arange(side, dtype=torch.float32) for side in size)
    far = (columns - peaks[..., 0, None, None]) ** 2 + (rows[:, None] - peaks[..., 1, None, None]) ** 2
    return torch.exp(-far / (2 * sigma**2))


def test_joints_are_those_of_the_image_processor() -> None:
    generator = torch.Generator().manual_seed(1)
    peaks = torch.rand(3, 17, 2, generator=generator) * torch.tensor([40.0, 56.0]) + 4
    maps = heatmaps(peaks) * (0.3 + 0.6 * torch.rand(3, 17, 1, 1, generator=generator))
    processor: Any = VitPoseImageProcessorPil()
    told = processor.post_process_pose_estimation(SimpleNamespace(heatmaps=maps), boxes=[coco(BOXES)])
    joints, confidence = decode(maps, crop_areas(BOXES, aspect=192 / 256))
    for n, theirs in enumerate(told[0]):
        torch.testing.assert_close(joints[n], torch.as_tensor(theirs["keypoints"]).float(), atol=0.02, rtol=0)
        torch.testing.assert_close(confidence[n], torch.as_tensor(theirs["scores"]).flatten().float())


def test_a_peak_is_found_between_the_cells() -> None:
    areas = torch.tensor([[100.0, 80.0, 94.0, 126.0]])  # two pixels to a cell
    peaks = torch.tensor([[[10.3, 20.0], [30.0, 40.6], [25.45, 31.55]]])
    joints, _ = decode(heatmaps(peaks), areas)
    wanted = torch.tensor([100.0 - 47, 80 - 63]) + 2 * peaks
    torch.testing.assert_close(joints, wanted, atol=0.05, rtol=0)


@pytest.mark.parametrize("maps", [torch.zeros(1, 2, 8, 6), torch.ones(1, 2, 8, 6), -torch.ones(1, 2, 8, 6)])
def test_a_map_without_a_peak_moves_nothing(maps: torch.Tensor) -> None:
    joints, confidence = decode(maps, torch.tensor([[10.0, 10.0, 12.0, 16.0]]))
    assert joints.isfinite().all() and float(joints.min()) >= 2 and (confidence == maps.clamp(0, 1).amax((2, 3))).all()


@pytest.mark.usefixtures("_at")
def test_boxes_are_those_of_the_image_processor(weights: Path) -> None:
    model = RTDetrForObjectDetection.from_pretrained(weights / "rtdetr-r18").eval()
    processor = RTDetrImageProcessorPil.from_pretrained(weights / "rtdetr-r18")
    image = Image.fromarray((picture()[0] * 255).byte().permute(1, 2, 0).numpy())
    with torch.inference_mode():
        out = model(**processor(image, return_tensors="pt"))
    told = processor.post_process_object_detection(out, threshold=0.0, target_sizes=[(97, 131)])[0]
    person = told["labels"] == 0
    assert person.any()
    own = detect_people(picture(), threshold=0.0)[0]
    best = told["scores"][person].argmax()
    assert float(own.scores[0]) == pytest.approx(float(told["scores"][person][best]), abs=1e-3)
    theirs = told["boxes"][person][best].clamp(min=0)
    torch.testing.assert_close(
        own.corners[0], torch.minimum(theirs, torch.tensor([131.0, 97, 131, 97])), atol=0.3, rtol=0
    )


@pytest.mark.usefixtures("_at")
def test_nobody_is_found_below_the_threshold() -> None:
    found = detect_people(picture().expand(2, -1, -1, -1), threshold=0.9)
    assert [len(boxes.scores) for boxes in found] == [0, 0]
    people = find_joints(picture().expand(2, -1, -1, -1), found)
    assert [tuple(one.joints.shape) for one in people] == [(0, 17, 2), (0, 17, 2)]


@pytest.mark.usefixtures("_at")
def test_joints_of_planted_boxes() -> None:
    """Each of the frames has its own people, in the order given, and each joint lies in its person's crop."""
    frames = torch.cat([picture(), 1 - picture()])
    scores = torch.tensor([0.9, 0.8, 0.7])
    planted = [Boxes(corners=BOXES, scores=scores), Boxes(corners=BOXES[1:2], scores=scores[1:2])]
    people = find_joints(frames, planted)
    assert [len(one) for one in people] == [3, 1]
    area = crop_areas(BOXES, aspect=48 / 64)
    inside = (people[0].joints - area[:, None, :2]).abs() <= area[:, None, 2:] / 2 * 1.2
    assert inside.all() and float(people[0].joints.std()) > 5
    again = find_joints(frames[1:], planted[1:])[0]
    torch.testing.assert_close(people[1].joints, again.joints, atol=1e-2, rtol=0)


def test_overlap() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]])
    wanted = torch.tensor([[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])
    torch.testing.assert_close(overlap(boxes, boxes), wanted)


def test_one_person_in_two_queries_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The surer of two boxes that are nearly the same stays; one that only overlaps is someone else."""
    centres = torch.tensor([[0.3, 0.5, 0.2, 0.6], [0.3, 0.5, 0.21, 0.6], [0.42, 0.5, 0.2, 0.6], [0.3, 0.5, 0.0, 0.6]])
    logits = torch.full((1, 4, 80), -9.0)
    logits[0, :, 0] = torch.tensor([1.0, 2.0, 1.5, 3.0])
    fake = SimpleNamespace(logits=logits, pred_boxes=centres[None])
    monkeypatch.setattr("vedit.preprocessors.pose_people.local", Path)

    def model(pixel_values: torch.Tensor) -> SimpleNamespace:
        assert tuple(pixel_values.shape) == (1, 3, 640, 640)
        return fake

    def detector(folder: Path, device: str) -> tuple[object, int]:
        return model, 0

    monkeypatch.setattr("vedit.preprocessors.pose_people._detector", detector)
    found = detect_people(torch.zeros(1, 3, 100, 200))[0]
    np.testing.assert_allclose(found.corners.numpy(), [[39, 20, 81, 80], [64, 20, 104, 80]], atol=1e-3)
    assert len(detect_people(torch.zeros(1, 3, 100, 200), most=1)[0].scores) == 1


@pytest.mark.parametrize("lacking", ["rtdetr-r18", "vitpose-base"])
def test_absent_weights_are_told_in_one_line(
    lacking: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "vitpose-base" if lacking == "rtdetr-r18" else "rtdetr-r18"
    (tmp_path / other).symlink_to(weights / other)
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError) as told:
        find_joints(picture(), [Boxes(corners=BOXES, scores=torch.ones(3))])
        detect_people(picture())
    message = str(told.value)
    assert "\n" not in message and "Apache-2.0" in message and f"vedit models pull {lacking}" in message
