"""A subject that was named or pointed at on one frame, followed through the whole shot: soft masks, by SAM 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

import torch
from torch.nn import functional as F

from vedit.errors import InputError
from vedit.preprocessors.spool import Spool
from vedit.preprocessors.subject_sam2 import ObjectPrompt, Tracker, picture_of, picture_side
from vedit.preprocessors.subject_words import find_boxes

THRESHOLD = 0.15
"""Score from which a detection counts: OWLv2's scores are low, its finds mostly lie between 0.2 and 0.7."""


@dataclass(frozen=True, kw_only=True)
class SubjectPrompt:
    """What to follow, shown on one frame; a text, boxes and points together mean their union.

    A point on the subject that comes with exactly one box refines it; otherwise the points are one subject. Points
    outside the subject hold for every one.
    """

    text: str | None = None
    points: tuple[tuple[float, float, bool], ...] = ()
    """x, y in pixels of the frames given, and whether the subject is there."""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Left, top, width, height in pixels of the frames given."""
    frame: int = 0
    """Where it is shown, counted from the first frame of the stream."""

    def __post_init__(self) -> None:
        if not (self.text and self.text.strip()) and not self.boxes and not any(inside for *_, inside in self.points):
            raise InputError(
                "nothing says what the subject is", remedy="name it in words, or give a box or a point on it"
            )
        if self.frame < 0:
            raise InputError(f"a subject cannot be shown on frame {self.frame}", remedy="count frames from 0")


def track_subject(chunks: Callable[[], Iterable[torch.Tensor]], prompt: SubjectPrompt) -> Iterator[torch.Tensor]:
    """Masks of a subject on every frame of a shot.

    From the frame where it is shown the subject is followed to the end, and before that back to the beginning: the
    frames up to there wait in a temporary file at the model's size (3 MB each), and so do their masks, so that memory
    does not grow with the shot. The frames are read once.

    Args:
        chunks: called once; the frames of one shot, float (T, 3, H, W) in [0, 1], in chunks of any lengths.
        prompt: what to follow.

    Yields:
        Float (1, 1, H, W) in [0, 1], in order, 1 on the subject; as many as frames came. All 0 on a frame where the
        model finds the subject hidden.

    Raises:
        InputError: the words find nothing on the frame, a point or box lies outside the picture, or the stream ends
            before the frame.
        ModelError: the weights `sam2.1-hiera-tiny`, or for words `owlv2-base-patch16`, are absent or damaged.
    """
    frames = (frame for chunk in chunks() if len(chunk) for frame in chunk.split(1))
    with Spool(torch.uint8) as earlier:
        for frame in islice(frames, prompt.frame):
            earlier.append(_picture(frame)[None])
        shown = next(frames, None)
        if shown is None:
            raise InputError(
                f"the subject is shown on frame #{prompt.frame}, but the shot has {len(earlier)} frames",
                remedy="count frames from 0, the first of the shot",
            )
        objects = _objects(prompt, shown[0])
        yield from _backwards(earlier, shown, objects)
    tracker = Tracker(objects, (shown.shape[-2], shown.shape[-1]), device=str(shown.device))
    for number, frame in enumerate(chain([shown], frames), start=prompt.frame):
        yield _matte(tracker(_picture(frame), number), frame)


def _backwards(earlier: Spool, shown: torch.Tensor, objects: tuple[ObjectPrompt, ...]) -> Iterator[torch.Tensor]:
    """The masks of the frames before the one shown: made from the last to the first, given from the first on."""
    if not len(earlier):
        return
    tracker = Tracker(objects, (shown.shape[-2], shown.shape[-1]), device=str(shown.device), backwards=True)
    tracker(_picture(shown), len(earlier))
    with Spool() as masks:
        for number in reversed(range(len(earlier))):
            masks.append(tracker(earlier[number], number)[None])
        for number in reversed(range(len(masks))):
            yield _matte(masks[number], shown)


def _picture(frame: torch.Tensor) -> torch.Tensor:
    return picture_of(frame, picture_side(str(frame.device)))[0]


def _matte(logits: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """(N, h, w) logits of N objects -> (1, 1, H, W) in [0, 1], their union.

    Grown before they are squashed, which keeps the edge where it is, and united after, so that none grows a seam.
    """
    return F.interpolate(logits[None], frame.shape[-2:], mode="bilinear").amax(1, keepdim=True).sigmoid().to(frame)


def _objects(prompt: SubjectPrompt, frame: torch.Tensor) -> tuple[ObjectPrompt, ...]:
    """What the prompt shows on its frame, (3, H, W), each as the tracker wants it."""
    height, width = frame.shape[-2:]
    for x, y, _ in prompt.points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise InputError(f"the point {x:g},{y:g} lies outside the picture of {width}x{height} pixels")
    boxes = [_inside(box, (height, width)) for box in prompt.boxes]
    if prompt.text and prompt.text.strip():
        found, best = find_boxes(frame, prompt.text, threshold=THRESHOLD)
        if not found:
            raise InputError(
                f"no {prompt.text.strip()!r} was found at frame #{prompt.frame}; best score {best:.2f}",
                remedy="name it in other words, take a frame where it is well seen, or give a box or a point",
            )
        boxes += found
    on = tuple(point for point in prompt.points if point[2])
    off = tuple(point for point in prompt.points if not point[2])
    if len(boxes) == 1:
        return (ObjectPrompt(box=boxes[0], points=on + off),)
    of_boxes = tuple(ObjectPrompt(box=box, points=off) for box in boxes)
    return (*of_boxes, ObjectPrompt(points=on + off)) if on else of_boxes


def _inside(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, width, height -> left, top, right, bottom, cut to the picture."""
    left, top, width, height = box
    right, bottom = min(left + width, size[1]), min(top + height, size[0])
    left, top = max(left, 0.0), max(top, 0.0)
    if not (right > left and bottom > top):
        raise InputError(
            f"the box {','.join(f'{v:g}' for v in box)} holds no pixel of the picture of {size[1]}x{size[0]}",
            remedy="write it as LEFT,TOP,WIDTH,HEIGHT in pixels",
        )
    return left, top, right, bottom
