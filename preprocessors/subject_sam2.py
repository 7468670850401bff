"""SAM 2 (Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024), frame by frame, in bounded memory.

The model is that of transformers. Its processors need torchvision, and its video session keeps every frame and every
result, so what they do to pictures and prompts is done here, and the session is cleared behind the frame in work.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from vedit.preprocessors.segment_models import PictureFormat
from vedit.weights.store import load_pretrained, local

WEIGHTS = "sam2.1-hiera-tiny"

_FORMAT = PictureFormat(short_side=1024)
_BOX_CORNERS = (2, 3)
"""Labels of a box's first and last corner among the points (section D.1); 1 is a point inside, 0 one outside."""


@dataclass(frozen=True, kw_only=True)
class ObjectPrompt:
    """One object on one frame, in pixels of the source: a box, points, or a box with points that refine it."""

    box: tuple[float, float, float, float] | None = None
    """Left, top, right, bottom."""
    points: tuple[tuple[float, float, bool], ...] = ()
    """x, y, and whether the object is there."""


class Tracker:
    """Follows objects from the frame where they were shown, forwards or backwards, one frame at a time.

    What it holds does not grow: the shown frame's memory, and those of as many frames as the model looks back at.

    Args:
        objects: what to follow; at least one.
        size: (height, width) of the source's frames.
        device: where the model runs.
        backwards: the frames come in falling order.

    Raises:
        ModelError: the weights `sam2.1-hiera-tiny` are absent or damaged.
    """

    def __init__(
        self, objects: tuple[ObjectPrompt, ...], size: tuple[int, int], *, device: str = "cpu", backwards: bool = False
    ) -> None:
        from transformers import Sam2VideoInferenceSession

        self._model = _load(local(WEIGHTS), device)
        self._backwards = backwards
        self._session: Any = Sam2VideoInferenceSession(
            video_height=size[0],
            video_width=size[1],
            inference_device=device,
            inference_state_device=device,
            video_storage_device=device,
            dtype=torch.float32,
        )
        self._prompts = [_encode(shown, size, self._model.config.image_size) for shown in objects]

    @torch.inference_mode()
    def __call__(self, picture: torch.Tensor, frame: int) -> torch.Tensor:
        """One frame's masks, as logits.

        Args:
            picture: uint8 (3, s, s), made by `picture_of`.
            frame: its number. The first call is for the frame where the objects were shown; from then on by 1 up, or
                down where the tracker goes backwards.

        Returns:
            Float32 (objects, s / 4, s / 4) on the CPU; positive where an object is.
        """
        session = self._session
        first = not session.obj_ids
        if first:
            for number, (coordinates, labels) in enumerate(self._prompts):
                inputs = {"point_coords": coordinates, "point_labels": labels}
                session.add_point_inputs(session.obj_id_to_idx(number), frame, inputs)
            session.obj_with_new_inputs = list(range(len(self._prompts)))
        seen = _FORMAT.normalise(picture[None].to(session.inference_device) / 255)
        found = self._model(
            inference_session=session, frame=seen, frame_idx=frame, reverse=self._backwards and not first
        )
        self._forget(frame)
        return found.pred_masks[:, 0].float().cpu()

    def _forget(self, frame: int) -> None:
        """Drop what no later frame looks at."""
        config = self._model.config
        reach = max(config.num_maskmem, config.max_object_pointers_in_encoder)
        self._session.processed_frames.pop(frame, None)
        for kept, tracked in zip(
            self._session.output_dict_per_obj.values(), self._session.frames_tracked_per_obj.values(), strict=True
        ):
            for outputs in kept.values():
                if frame in outputs:
                    outputs[frame].pop("high_res_masks", None)  # used for the memory that is made by now
            for past in [number for number in kept["non_cond_frame_outputs"] if abs(number - frame) >= reach]:
                del kept["non_cond_frame_outputs"][past]
                tracked.pop(past, None)

    @property
    def held(self) -> int:
        """How many results of frames the session holds, the most of any object's; for tests of memory."""
        return max(sum(len(o) for o in kept.values()) for kept in self._session.output_dict_per_obj.values())


def picture_of(frames: torch.Tensor, side: int) -> torch.Tensor:
    """Float (T, 3, H, W) in [0, 1] -> uint8 (T, 3, side, side): squeezed to a square, as the model was trained."""
    square = F.interpolate(frames.float(), (side, side), mode="bilinear", antialias=True)
    return (square.clamp(0, 1) * 255).round().to(torch.uint8)


def picture_side(device: str) -> int:
    """Pixels of a side of the square that the model sees. Raises ModelError as `Tracker` does."""
    return int(_load(local(WEIGHTS), device).config.image_size)


def _encode(shown: ObjectPrompt, size: tuple[int, int], side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (1, 1, N, 2), x then y in pixels of the square, and their labels (1, 1, N); a box's corners come first."""
    corners = () if shown.box is None else (shown.box[:2], shown.box[2:])
    places = [*corners, *((x, y) for x, y, _ in shown.points)]
    labels = [*_BOX_CORNERS[: len(corners)], *(int(inside) for *_, inside in shown.points)]
    scale = torch.tensor([side / size[1], side / size[0]])
    return torch.tensor(places, dtype=torch.float32)[None, None] * scale, torch.tensor(labels)[None, None].int()


@lru_cache(maxsize=1)
def _load(folder: Path, device: str) -> Any:
    """The model; `folder` is only there to tell one copy of the weights from another."""
    from transformers import Sam2VideoModel

    return load_pretrained(WEIGHTS, Sam2VideoModel).to(device)
