"""Subjects followed by a tiny random SAM 2, found by a tiny random OWLv2: the contract, and parity with the library."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from tests.support.tiny.segment import SAM_SIDE
from vedit.errors import InputError, ModelError
from vedit.preprocessors import subject as tracking
from vedit.preprocessors import subject_words as words
from vedit.preprocessors.subject import SubjectPrompt, track_subject
from vedit.preprocessors.subject_sam2 import WEIGHTS, ObjectPrompt, Tracker, picture_of, picture_side
from vedit.weights.store import load_pretrained

BOX = SubjectPrompt(boxes=((5, 5, 30, 20),))


@pytest.fixture(autouse=True)
def weights(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tiny_models))
    return tiny_models


def pictures(frames: int = 7, height: int = 45, width: int = 63) -> torch.Tensor:
    """Smooth random frames, each another one."""
    coarse = torch.rand(frames, 3, 5, 7, generator=torch.Generator().manual_seed(2))
    return F.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def follow(frames: torch.Tensor, prompt: SubjectPrompt, *cuts: int) -> torch.Tensor:
    return torch.cat(list(track_subject(lambda: frames.tensor_split(cuts), prompt)))


@pytest.mark.parametrize(
    "prompt",
    [
        BOX,
        SubjectPrompt(boxes=((5, 5, 30, 20), (30, 20, 20, 20)), frame=6),
        SubjectPrompt(points=((10, 10, True), (50, 40, False)), frame=3),
        SubjectPrompt(boxes=((-4, 5, 30, 90),), points=((10, 10, True),), frame=1),
    ],
)
def test_contract(prompt: SubjectPrompt) -> None:
    frames = pictures()
    given, state = frames.clone(), torch.get_rng_state()
    whole = follow(frames, prompt)
    assert whole.shape == (7, 1, 45, 63) and whole.dtype == frames.dtype
    assert float(whole.min()) >= 0 and float(whole.max()) <= 1 and len(whole.unique()) > 20
    assert torch.equal(frames, given) and torch.equal(torch.get_rng_state(), state)
    assert torch.equal(follow(frames, prompt, 1, 1, 4), whole)
    assert torch.equal(follow(frames, prompt, *range(7)), whole)


@pytest.mark.parametrize("size", [(33, 17), (8, 130), (64, 64)])
def test_one_frame_of_any_size(size: tuple[int, int]) -> None:
    assert follow(pictures(1, *size), SubjectPrompt(points=((4, 4, True),))).shape == (1, 1, *size)


@pytest.mark.parametrize("shown", [0, 6, 13])
def test_the_same_as_the_library_with_the_whole_video(shown: int) -> None:
    """Bounded memory changes nothing: both ways from the shown frame the masks are those of a session that keeps all,
    whose frames are numbered and prompts scaled by hand."""
    from transformers import Sam2VideoInferenceSession, Sam2VideoModel

    frames = pictures(14)
    model = load_pretrained(WEIGHTS, Sam2VideoModel)
    mean, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    video = (picture_of(frames, SAM_SIDE) / 255 - mean) / spread

    def reference(*, reverse: bool) -> dict[int, torch.Tensor]:
        session: Any = Sam2VideoInferenceSession(video=video, video_height=45, video_width=63, dtype=torch.float32)
        corners = torch.tensor([[[[9.0, 6.0], [30.0, 33.0]]]]) * torch.tensor([SAM_SIDE / 63, SAM_SIDE / 45])
        labels = torch.tensor([[[2, 3]]], dtype=torch.int32)
        session.add_point_inputs(session.obj_id_to_idx(1), shown, {"point_coords": corners, "point_labels": labels})
        session.obj_with_new_inputs = [1]
        walk = model.propagate_in_video_iterator(session, start_frame_idx=shown, reverse=reverse)
        return {found.frame_idx: found.pred_masks[0] for found in walk}

    logits = reference(reverse=True) | reference(reverse=False)
    assert len(logits) == 14
    theirs = torch.cat([F.interpolate(logits[t][None], (45, 63), mode="bilinear").sigmoid() for t in range(14)])
    mine = follow(frames, SubjectPrompt(boxes=((9, 6, 21, 27),), frame=shown))
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)
    assert float((mine[1:] - mine[:-1]).abs().amax((1, 2, 3)).max()) > 0.1  # else the test would prove little


def test_what_is_held_does_not_grow() -> None:
    tracker = Tracker((ObjectPrompt(points=((8, 8, True),)), ObjectPrompt(box=(0, 0, 9, 9))), (45, 63))
    held: list[int] = []
    for number, picture in enumerate(picture_of(pictures(30), picture_side("cpu"))):
        tracker(picture, number)
        held.append(tracker.held)
    assert max(held) == held[10] == held[-1] <= 5  # the shown frame, and as many as the model looks back at


@pytest.mark.parametrize("shown", [0, 19])
def test_frames_are_read_once_and_let_go(shown: int) -> None:
    made: list[weakref.ref[torch.Tensor]] = []
    most = 0

    def frames() -> Iterator[torch.Tensor]:
        nonlocal most
        for _ in range(20):
            frame = torch.rand(1, 3, 24, 24)
            made.append(weakref.ref(frame))
            most = max(most, sum(kept() is not None for kept in made))
            yield frame
            del frame

    masks = list(track_subject(frames, SubjectPrompt(points=((4, 4, True),), frame=shown)))
    assert len(masks) == len(made) == 20 and most <= 3


def test_several_boxes_are_a_union() -> None:
    frames, one, other = pictures(1), (2.0, 2.0, 20.0, 20.0), (30.0, 10.0, 20.0, 30.0)
    alone = [follow(frames, SubjectPrompt(boxes=(box,))) for box in (one, other)]
    both = follow(frames, SubjectPrompt(boxes=(one, other)))
    torch.testing.assert_close(both, torch.maximum(*alone), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        (SubjectPrompt(points=((70, 5, True),)), "point 70,5 lies outside the picture of 63x45"),
        (SubjectPrompt(boxes=((63, 0, 9, 9),)), "box 63,0,9,9 holds no pixel"),
        (SubjectPrompt(boxes=((3, 3, 9, 9),), frame=7), "shown on frame #7, but the shot has 7 frames"),
    ],
)
def test_prompts_beside_the_picture(prompt: SubjectPrompt, said: str) -> None:
    with pytest.raises(InputError, match=said):
        follow(pictures(), prompt)


def test_prompts_that_say_nothing() -> None:
    for text, points in ((None, ()), (" ", ()), (None, ((1.0, 1.0, False),))):
        with pytest.raises(InputError, match="nothing says what the subject is"):
            SubjectPrompt(text=text, points=points)
    with pytest.raises(InputError, match="frame -1"):
        SubjectPrompt(text="dog", frame=-1)


def test_words_become_boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def found(frame: torch.Tensor, text: str, *, threshold: float) -> Any:
        asked.append((frame.shape, text, threshold))
        return ((9.0, 6.0, 30.0, 33.0),), 0.4

    monkeypatch.setattr(tracking, "find_boxes", found)
    frames = pictures()
    by_words = follow(frames, SubjectPrompt(text="the dog", frame=4))
    assert torch.equal(by_words, follow(frames, SubjectPrompt(boxes=((9, 6, 21, 27),), frame=4)))
    assert asked == [((3, 45, 63), "the dog", tracking.THRESHOLD)]


def test_words_that_find_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "THRESHOLD", 2.0)
    with pytest.raises(InputError, match=r"no 'the dog' was found at frame #2; best score [01]\.\d\d"):
        follow(pictures(), SubjectPrompt(text="the dog", frame=2))


def test_boxes_are_those_of_the_librarys_post_processing() -> None:
    """Scores and places on a frame that is no square, as the library reads them from the model's output."""
    from transformers import Owlv2ForObjectDetection
    from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

    frame = pictures(1)[0]
    boxes, best = words.find_boxes(frame, "A  Dog", threshold=0.0)
    model = load_pretrained(words.WEIGHTS, Owlv2ForObjectDetection)
    padded = torch.full((1, 3, 63, 63), 0.5)
    padded[..., :45, :] = frame
    seen = F.interpolate(padded, (32, 32), mode="bilinear", antialias=True)
    mean, spread = (torch.tensor(v).view(1, 3, 1, 1) for v in (words._MEAN, words._SPREAD))  # pyright: ignore[reportPrivateUsage]
    with torch.no_grad():
        output = model(pixel_values=(seen - mean) / spread, **words._tokens("dog"))  # pyright: ignore[reportPrivateUsage]
    read = Owlv2ImageProcessorPil().post_process_object_detection(output, threshold=0.0, target_sizes=[(45, 63)])[0]
    top = int(read["scores"].argmax())
    assert best == pytest.approx(float(read["scores"][top]), abs=1e-5)
    left, upper, right, lower = read["boxes"][top].tolist()
    cut = (max(left, 0), max(upper, 0), min(right, 63), min(lower, 45))
    if cut[2] - cut[0] >= 1 and cut[3] - cut[1] >= 1:
        assert boxes[0] == pytest.approx(cut, abs=1e-3)
    for box in boxes:
        assert 0 <= box[0] < box[2] <= 63 and 0 <= box[1] < box[3] <= 45


def test_the_likelier_of_two_overlapping_boxes_counts() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30], [40, 40, 40.5, 50]])
    scores = torch.tensor([0.5, 0.6, 0.4, 0.9])
    kept = words._distinct(boxes, scores, 0.3)  # pyright: ignore[reportPrivateUsage]
    assert kept == ((1, 1, 10, 10), (20, 20, 30, 30))
    assert words._distinct(boxes, scores, 0.45) == ((1, 1, 10, 10),)  # pyright: ignore[reportPrivateUsage]


def test_an_article_means_nothing() -> None:
    same = [words._tokens(text)["input_ids"].tolist() for text in ("dog", "the dog", " A dog ")]  # pyright: ignore[reportPrivateUsage]
    assert same[0] == same[1] == same[2] and len(same[0]) == 2 and len(same[0][0]) == 16
    assert words._tokens("another dog")["input_ids"].tolist() != same[0]  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(("prompt", "name"), [(BOX, WEIGHTS), (SubjectPrompt(text="dog"), words.WEIGHTS)])
def test_absent_weights_are_told_in_one_line(
    prompt: SubjectPrompt, name: str, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "none"))
    for other in {WEIGHTS, words.WEIGHTS} - {name}:
        (tmp_path / other).symlink_to(tiny_models / other)
    monkeypatch.setenv("VEDIT_MODEL_DIR", str(tmp_path))
    with pytest.raises(ModelError) as told:
        follow(pictures(), prompt)
    assert "\n" not in str(told.value)
    for part in ("Apache-2.0", f"vedit models pull {name}"):
        assert part in str(told.value)


def test_nothing_of_torchvision() -> None:
    if find_spec("torchvision"):
        pytest.skip("torchvision is installed, and transformers imports it by itself")
    follow(pictures(2), SubjectPrompt(points=((4, 4, True),), frame=1))
    assert "torchvision" not in sys.modules and "timm" not in sys.modules
