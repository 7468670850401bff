"""Subjects found by points, boxes or words, and followed through their shots by `vedit.preprocessors.subject`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from vedit.errors import InputError, MediaError, ModelError
from vedit.masks.store import ShotStore, name_of
from vedit.ranges import to_unit
from vedit.weights.store import find, identity, local

if TYPE_CHECKING:
    import torch

    from vedit.masks.propagated import Key
    from vedit.masks.source import MatteSource, Plane
    from vedit.options.masks import KeyedBox, KeyedPoint, MaskSpec
    from vedit.preprocessors.subject import SubjectPrompt
    from vedit.types import FrameRange, Shot


def segmenters(*masks: MaskSpec) -> tuple[str, ...]:
    """The weights that find and follow the subjects of masks, by name; none where no mask has a subject."""
    worded = any(mask.subject or mask.background for mask in masks)
    if not worded and not any(mask.points for mask in masks):
        return ()
    from vedit.preprocessors import subject_sam2, subject_words

    return (subject_sam2.WEIGHTS, *([subject_words.WEIGHTS] if worded else []))


class SubjectLayer:
    """Subjects followed through the shots in which they are pointed out; a shot without a prompt has no mask.

    Args:
        prompts: by the number of the shot; several in one shot are several subjects.
        source: the clip.
        folder: where the mattes are kept.
        outside: everything but the subjects is the mask; a shot without a prompt is all mask then.

    Raises:
        ModelError: the weights that find subjects are absent.
    """

    def __init__(
        self,
        prompts: Mapping[int, Sequence[SubjectPrompt]],
        source: MatteSource,
        folder: Path,
        *,
        outside: bool = False,
    ) -> None:
        self._prompts = prompts
        self._source = source
        self._outside = outside
        told = sorted((number, tuple(given)) for number, given in prompts.items())
        missing = [str(shot.number) for shot in source.shots if shot.number not in prompts]
        self.notes: tuple[str, ...] = ()
        if missing:
            self.notes = (f"no subject is pointed out in shot {', '.join(missing[:8])}: there is no mask there",)
        self.made_by = [identity(name) for name in self._checked_weights()]
        """Tells these weights from others of the same names."""
        self._store = ShotStore(folder / name_of("subject", source, told, self.made_by), source, self._through)

    @classmethod
    def of_words(cls, words: str, source: MatteSource, folder: Path, *, outside: bool = False) -> Self:
        """What words name, found anew in each shot."""
        from vedit.preprocessors.subject import SubjectPrompt

        prompts = {shot.number: [SubjectPrompt(text=words)] for shot in source.shots}
        return cls(prompts, source, folder, outside=outside)

    @classmethod
    def of_prompts(
        cls, points: Sequence[KeyedPoint], boxes: Sequence[KeyedBox], source: MatteSource, folder: Path
    ) -> Self:
        """One subject for each moment at which points or boxes are given; without a moment it is the first frame.

        Raises:
            InputError: a moment is outside the masked part, or has only points that the subject does not reach.
        """
        from vedit.preprocessors.subject import SubjectPrompt

        height, width = source.size
        inside: dict[int, list[tuple[float, float, bool]]] = defaultdict(list)
        around: dict[int, list[tuple[float, float, float, float]]] = defaultdict(list)
        for point in points:
            inside[_frame(source, point.at)].append((*point.pixels(width, height), point.inside))
        for box in boxes:
            around[_frame(source, box.at)].append(box.pixels(width, height))
        prompts: dict[int, list[SubjectPrompt]] = defaultdict(list)
        for frame in sorted({*inside, *around}):
            if not around[frame] and not any(within for _, _, within in inside[frame]):
                raise InputError(
                    f"at frame #{frame} there are only points outside the subject",
                    remedy="give one inside it with --mask-point X,Y",
                )
            shot = source.shot_of(frame)
            assert shot is not None
            prompts[shot.number].append(
                SubjectPrompt(points=tuple(inside[frame]), boxes=tuple(around[frame]), frame=frame - shot.frames.start)
            )
        return cls(prompts, source, folder)

    @classmethod
    def of_pictures(cls, keys: Sequence[Key], source: MatteSource, folder: Path) -> Self:
        """What keyed pictures show, each told by the box around it and its innermost point."""
        from vedit.masks.edges import signed_distance
        from vedit.preprocessors.subject import SubjectPrompt

        prompts: dict[int, list[SubjectPrompt]] = defaultdict(list)
        for key in keys:
            rows, columns = np.nonzero(key.picture >= 0.5)
            shot = source.shot_of(key.frame)
            if not len(rows) or shot is None:
                raise InputError(f"the mask keyed at #{key.frame} is empty", remedy="draw the subject white")
            left, top = float(columns.min()), float(rows.min())
            box = (left, top, float(columns.max()) + 1 - left, float(rows.max()) + 1 - top)
            y, x = np.unravel_index(int(signed_distance(key.picture).argmax()), key.picture.shape)
            prompts[shot.number].append(
                SubjectPrompt(points=((float(x), float(y), True),), boxes=(box,), frame=key.frame - shot.frames.start)
            )
        return cls(prompts, source, folder)

    def __call__(self, frames: FrameRange) -> Plane:
        planes = self._store(frames)
        return 1 - planes if self._outside else planes

    def close(self) -> None:
        """Nothing stays open between calls."""

    def _checked_weights(self) -> tuple[str, ...]:
        """The weights that are used; raises what the tracker would raise later for want of them, before all else."""
        from vedit.preprocessors import subject_sam2, subject_words

        worded = any(prompt.text for prompts in self._prompts.values() for prompt in prompts)
        names = (subject_sam2.WEIGHTS, *([subject_words.WEIGHTS] if worded else []))
        absent = [name for name in names if find(name) is None]
        try:
            for name in names:
                local(name)
        except ModelError as error:
            raise _with_ways_out(error, absent) from error
        return names

    def _through(self, shot: Shot) -> Iterable[tuple[int, Plane]] | None:
        prompts = self._prompts.get(shot.number)
        if not prompts:
            return None
        if prompts[0].text is None:
            return self._tracked(shot, prompts)
        # A subject may come into the shot late, or leave it early: it is looked for on three frames.
        last = len(shot.frames) - 1
        for frame in dict.fromkeys((0, last // 2, last)):
            tracks = self._tracked(shot, [replace(prompt, frame=frame) for prompt in prompts])
            try:
                first = next(tracks)
            except (ModelError, MediaError):
                raise
            except InputError:
                continue
            return chain([first], tracks)
        self.notes = (*self.notes, f"no {prompts[0].text!r} was found in shot {shot.number}: there is no subject there")
        return None

    def _tracked(self, shot: Shot, prompts: Sequence[SubjectPrompt]) -> Iterator[tuple[int, Plane]]:
        """The union of the subjects of a shot; each subject's track runs beside the others."""
        from vedit.preprocessors.subject import track_subject

        tracks = [_planes(track_subject(lambda: self._chunks(shot), prompt)) for prompt in prompts]
        numbers = range(shot.frames.start, shot.frames.stop)
        for frame, planes in zip(numbers, zip(*tracks, strict=True), strict=True):
            yield frame, np.maximum.reduce(planes)

    def _chunks(self, shot: Shot) -> Iterator[torch.Tensor]:
        with self._source.reopen() as reader:
            for clip in reader.chunks(shot.frames, min(8, self._source.chunk)):
                yield to_unit(clip.frames[:, :3], clip.bit_depth)


def _planes(chunks: Iterable[torch.Tensor]) -> Iterator[Plane]:
    for chunk in chunks:
        yield from chunk[:, 0].float().cpu().numpy()


def _frame(source: MatteSource, at: str | None) -> int:
    return source.frames.start if at is None else source.inside(at, "the subject")


def _with_ways_out(error: ModelError, absent: Sequence[str]) -> ModelError:
    ways = "or draw the mask: --mask-box X,Y,W,H[@TIME] or --mask FILE[@TIME]"
    remedy = f"run: vedit models pull {' '.join(absent)}" if len(absent) > 1 else error.remedy
    return ModelError(error.message, remedy=f"{remedy}, {ways}" if remedy else ways)
