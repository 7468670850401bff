"""Painted frames of a render: at which frames of the clip they stand, that they fit it, and their pixels."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vedit.errors import InputError
from vedit.geometry import resize
from vedit.keyframes.painted import Painting
from vedit.media.reading.still import Still, read_still
from vedit.media.timecode import parse_moment
from vedit.media.writing.sidecar import source_hash
from vedit.ranges import full_scale
from vedit.render.evaluations import steps_taken
from vedit.types import FrameRange

if TYPE_CHECKING:
    from vedit.models.ref import ModelRef
    from vedit.options.painted import PaintedSpec
    from vedit.options.request import RenderRequest, RestyleOptions
    from vedit.protocols import Reader
    from vedit.types import Shot

_HELD = 2
"""Paintings in memory at once: a frame and what is finished beside it."""


class Paintings(Mapping[int, Painting]):
    """Frame -> its painting, read as it is asked for.

    Args:
        files: frame -> its picture, which was seen to fit.
        size: (H, W) of the clip's frames.
    """

    def __init__(self, files: Mapping[int, Path], size: tuple[int, int]) -> None:
        self._files, self._size = dict(sorted(files.items())), size
        self._digests = {number: source_hash(path)[0] for number, path in self._files.items()}
        self._whole: dict[int, bool] = {}
        self._held: OrderedDict[int, Painting] = OrderedDict()

    def __getitem__(self, frame: int) -> Painting:
        if frame not in self._held:
            still = read_still(self._files[frame])
            self._held[frame] = _painting(still, self._size)
            self._whole[frame] = self._held[frame].whole
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(frame)
        return self._held[frame]

    def __iter__(self) -> Iterator[int]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, frame: object) -> bool:
        return frame in self._files

    def within(self, frames: FrameRange) -> tuple[int, ...]:
        """The painted frames of a range, in order."""
        return tuple(number for number in self._files if number in frames)

    def whole(self, frame: int) -> bool:
        """Whether a painting leaves nothing of its frame to anyone else."""
        return self[frame].whole if frame not in self._whole else self._whole[frame]

    def digests(self, frames: FrameRange) -> dict[str, str]:
        """Frame -> SHA-256 of its picture, of a range, JSON-able."""
        return {str(number): self._digests[number] for number in self.within(frames)}


@dataclass(frozen=True, kw_only=True)
class _Rendered:
    """What painted frames are for."""

    reader: Reader
    frames: FrameRange
    """That are rendered."""
    shots: Sequence[Shot]
    """Of these."""


def with_painted(
    request: RenderRequest, reader: Reader, frames: FrameRange, shots: Sequence[Shot]
) -> tuple[RenderRequest, tuple[str, ...]]:
    """The request with its painted frames by number, those that nobody has painted yet left out; and what to tell.

    Args:
        request: as a caller states it.
        reader: of the source.
        frames: that are rendered.
        shots: of these.

    Raises:
        InputError: one is outside the part, in a shot without its look, there twice, or of another aspect.
    """
    clip = _Rendered(reader=reader, frames=frames, shots=shots)
    notes: dict[str, None] = {}

    def settled(look: RestyleOptions) -> RestyleOptions:
        if not look.keyframe:
            return look
        found = tuple(_kept(_numbered(look.keyframe, clip), clip, notes))
        if not found and not look.says_prompts:
            raise InputError(
                "no frame is painted: every picture is still the frame itself", remedy="paint one, or give a --prompt"
            )
        if found and look.keyframes is None:
            notes["the frames between painted ones are chosen and carried as by --keyframes auto"] = None
        return replace(look, keyframe=found)

    if request.looks is None:
        _check_within(_numbered(request.options.keyframe, clip), clip)
        request = replace(request, options=settled(request.options))
    else:
        _check_owned(request.looks, clip)
        # One painting is read once, however many shots have its look.
        by_look = {look: settled(look) for look in dict.fromkeys(request.looks.values())}
        request = replace(request, looks={number: by_look[look] for number, look in request.looks.items()})
    return request, (*notes, *_unpainted(request, shots))


def check_regenerated(looks: Iterable[RestyleOptions], model: ModelRef) -> None:
    """Raises InputError for painted frames under a settled look whose prompt changes nothing."""
    if any(look.keyframe and look.says_prompts and not steps_taken(model, look) for look in looks):
        raise InputError(
            "there are painted frames and a prompt, of which nothing is regenerated",
            remedy="give more --strength, or leave the prompt out",
        )


def _unpainted(request: RenderRequest, shots: Sequence[Shot]) -> tuple[str, ...]:
    """A line on shots that pass through, since nothing is drawn in them and nothing is painted."""
    if request.looks is None:
        looks = {shot.number: request.options for shot in shots}
    else:
        looks = {number: look for number, look in request.looks.items() if number not in request.locked}
    silent = [shot for shot in shots if shot.number in looks and looks[shot.number].only_painted]
    bare = [shot for shot in silent if not _painted_in(looks[shot.number], shot)]
    if not bare:
        return ()
    return (f"{len(bare)} of {len(shots)} shots have neither a prompt nor a painted frame, and pass through",)


def _painted_in(look: RestyleOptions, shot: Shot) -> bool:
    return any(spec.frame in shot.frames for spec in look.keyframe if spec.frame is not None)


def _numbered(specs: Sequence[PaintedSpec], clip: _Rendered) -> list[PaintedSpec]:
    """The painted frames by number, in order. Raises InputError for a moment outside the clip, or said twice."""
    found: dict[int, PaintedSpec] = {}
    for spec in specs:
        try:
            frame = parse_moment(spec.time, clip.reader.index(), clip.reader.metadata.timecode)
        except InputError as error:
            raise InputError(f"the keyframe {spec}: {error.message}", remedy=error.remedy) from None
        if frame in found:
            raise InputError(
                f"frame #{frame} is painted twice: {found[frame].path} and {spec.path}", remedy="leave one of them out"
            )
        found[frame] = replace(spec, moment=f"#{frame}")
    return [spec for _, spec in sorted(found.items())]


def _check_within(specs: Sequence[PaintedSpec], clip: _Rendered) -> None:
    """Raises InputError where a frame is outside the part."""
    for spec in specs:
        if spec.frame not in clip.frames:
            raise InputError(
                f"the keyframe {spec} is outside the part that is rendered, #{clip.frames.start}..#{clip.frames.stop}",
                remedy="widen --range, or leave it out",
            )


def _check_owned(looks: Mapping[int, RestyleOptions], clip: _Rendered) -> None:
    """Raises InputError where a frame lies in a shot under another look, or under none; outside the part none does."""
    for look in dict.fromkeys(looks.values()):
        for spec in _numbered(look.keyframe, clip):
            shot = next((shot for shot in clip.shots if spec.frame in shot.frames), None)
            if shot is None or look == looks.get(shot.number):
                continue
            other = looks.get(shot.number)
            if other is None or spec.frame not in {one.frame for one in _numbered(other.keyframe, clip)}:
                passes = "which passes through" if other is None else "whose look does not name it"
                raise InputError(
                    f"the keyframe {spec} lies in shot {shot.number}, {passes}",
                    remedy=f"name it in the look of shot {shot.number}, or leave it out",
                )


def _kept(specs: Sequence[PaintedSpec], clip: _Rendered, notes: dict[str, None]) -> Iterator[PaintedSpec]:
    """Those that fit and are painted. Raises InputError where one does not fit."""
    metadata, as_they_are = clip.reader.metadata, list[str]()
    size = (metadata.height, metadata.width)
    for spec in specs:
        still = read_still(spec.path)
        _check_fits(spec, still, size)
        if spec.of_folder and still.picture.shape[:2] == size and _is_frame(still, spec, clip.reader):
            as_they_are.append(spec.path.name)
            continue
        if still.picture.shape[:2] != size:
            height, width = still.picture.shape[:2]
            told = f"{spec.path.name} has {width}x{height} pixels, and is resampled to the clip's {size[1]}x{size[0]}"
            notes[told] = None
        for warning in still.warnings:
            notes[f"{spec.path.name}: {warning}"] = None
        yield spec
    if as_they_are:
        notes[f"not painted yet, and left out: {', '.join(as_they_are)}"] = None


def _check_fits(spec: PaintedSpec, still: Still, size: tuple[int, int]) -> None:
    """Raises InputError where a painting is of another aspect, or its colours cannot be known."""
    (height, width), (high, wide) = still.picture.shape[:2], size
    if abs(width - height * wide / high) > 1 and abs(height - width * high / wide) > 1:
        raise InputError(
            f"{spec.path} has {width}x{height} pixels, and the clip {wide}x{high}: the aspect is another",
            remedy="paint over the frame that `vedit keys export` writes, without cropping it",
        )
    if spec.path.suffix.lower() == ".exr" and float(still.opacity.min()) < 1:
        raise InputError(f"{spec.path} is an EXR with transparency", remedy="save it as a PNG of 16 bits")


def _is_frame(still: Still, spec: PaintedSpec, reader: Reader) -> bool:
    """Whether a picture is still the frame itself, as it was exported."""
    assert spec.frame is not None
    clip = reader.read(FrameRange(start=spec.frame, stop=spec.frame + 1))
    if float(still.opacity.min()) < 1:
        return False
    codes = np.rint(still.colours * full_scale(clip.bit_depth)).astype(clip.frames.dtype)
    return bool(np.array_equal(codes, clip.frames[0, :3].transpose(1, 2, 0)))


def _painting(still: Still, size: tuple[int, int]) -> Painting:
    """A picture as a painting of frames of a size; in part transparent ones are resampled by how opaque they are."""
    if still.picture.shape[:2] == size:
        return Painting(picture=still.colours, opacity=still.opacity)
    weighed = resize(np.concatenate([still.colours * still.opacity, still.opacity], axis=2), size).clip(0, 1)
    opacity = weighed[..., 3:]
    picture = (weighed[..., :3] / np.maximum(opacity, 1e-4)).clip(0, 1)
    return Painting(picture=np.asarray(picture, np.float32), opacity=np.asarray(opacity, np.float32))
