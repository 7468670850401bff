"""Mattes of a clip: every mask that was asked for, united, inverted, grown and feathered, frame by frame."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from vedit.errors import InputError
from vedit.masks.boxes import BoxLayer
from vedit.masks.edges import shape_edge
from vedit.masks.files import PictureLayer, VideoLayer, is_picture, read_picture
from vedit.masks.propagated import Key, PropagatedLayer
from vedit.masks.subjects import SubjectLayer

if TYPE_CHECKING:
    from vedit.masks.source import Layer, MatteSource
    from vedit.options.masks import MaskSpec
    from vedit.types import FrameRange


class SourceMattes:
    """`vedit.protocols.Mattes` of one clip; use it as a context manager, or close it.

    Args:
        spec: how the united mask is finished.
        source: the clip.
        layers: the masks that are united.
        kept: what is closed with them.
    """

    def __init__(self, spec: MaskSpec, source: MatteSource, layers: Sequence[Layer], kept: ExitStack) -> None:
        self._spec = spec
        self._source = source
        self._layers = tuple(layers)
        self._kept = kept

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close readers and remove temporary files; may be called twice."""
        self._kept.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the masks, one line each; complete once every frame was asked for."""
        return tuple(dict.fromkeys(note for layer in self._layers for note in layer.notes))

    @property
    def made_by(self) -> tuple[object, ...]:
        """Of the weights that find subjects, JSON-able; none where no mask needs them."""
        return tuple(found for layer in self._layers if isinstance(layer, SubjectLayer) for found in layer.made_by)

    @property
    def by_part(self) -> bool:
        """Another part would have other mattes: a file fits it, or a subject is pointed out in its first frame."""
        told = (*self._spec.points, *(self._spec.boxes if self._spec.propagate == "sam2" else ()))
        fits = any(isinstance(layer, VideoLayer) and layer.by_part for layer in self._layers)
        return fits or any(one.at is None for one in told)

    def __call__(self, frames: FrameRange) -> torch.Tensor:
        """Mattes of any range inside `source.frames`, in any order, always the same.

        Returns:
            Float32 (T, 1, H, W) in [0, 1], 1 = edit, at the clip's display size.

        Raises:
            InputError: the range goes beyond the masked part, or a mask cannot be read or tracked.
        """
        part = self._source.frames
        if frames.start < part.start or frames.stop > part.stop:
            raise InputError(
                f"frames {frames.start}..{frames.stop} have no matte",
                remedy=f"the masks cover frames {part.start}..{part.stop}",
            )
        union = np.zeros((len(frames), *self._source.size), np.float32)
        for layer in self._layers:
            np.maximum(union, layer(frames), out=union)
        if self._spec.invert:
            np.subtract(1, union, out=union)
        if self._spec.grow or self._spec.feather:
            for number in range(len(union)):
                union[number] = shape_edge(union[number], grow=self._spec.grow, feather=self._spec.feather)
        return torch.from_numpy(union)[:, None]


def open_mattes(spec: MaskSpec, source: MatteSource, *, folder: Path | None = None) -> SourceMattes:
    """The mattes that a mask specification stands for.

    Files are opened and checked here; what has to be computed (propagation, tracking) is computed when its shot is
    first asked for, and kept on disk.

    Args:
        spec: what the user said.
        source: the clip.
        folder: where computed mattes are kept, under names that tell all they depend on; None is a temporary folder,
            which goes when the mattes are closed.

    Raises:
        InputError: no mask is given, a moment is outside the masked part, a file cannot be read, or does not match the
            clip in length, times or aspect.
        ModelError: a subject is asked for, and the weights that find it are absent.
    """
    if not spec:
        raise InputError("no mask is given", remedy="use --mask FILE, --mask-box X,Y,W,H or --subject WORDS")
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vedit-mattes-")))
        layers: list[Layer] = []

        def add(layer: Layer) -> None:
            stack.callback(layer.close)
            layers.append(layer)

        keyed: list[Key] = []
        for file in spec.files:
            if is_picture(file.path):
                picture = read_picture(file.path, source.size, allow_huge=source.allow_huge)
                if file.at is None:
                    add(PictureLayer(picture, source))
                else:
                    keyed.append(Key(frame=source.inside(file.at, file.path.name), picture=picture))
            elif file.at is not None:
                raise InputError(
                    f"{file.path.name} is a video, it cannot be keyed at {file.at}",
                    remedy="leave out the moment, or give a picture",
                )
            else:
                add(VideoLayer(file.path, source))
        tracked = spec.propagate == "sam2"
        if keyed:
            if tracked:
                add(SubjectLayer.of_pictures(keyed, source, folder))
            else:
                add(PropagatedLayer(keyed, source, folder, follow=spec.propagate != "none"))
        if spec.boxes and not tracked:
            add(BoxLayer(spec.boxes, source))
        if spec.points or (spec.boxes and tracked):
            add(SubjectLayer.of_prompts(spec.points, spec.boxes if tracked else (), source, folder))
        if spec.subject:
            add(SubjectLayer.of_words(spec.subject, source, folder))
        if spec.background:
            add(SubjectLayer.of_words(spec.background, source, folder, outside=True))
        return SourceMattes(spec, source, layers, stack.pop_all())


def area(mattes: torch.Tensor) -> list[float]:
    """The share of the picture that each matte (T, 1, H, W) covers, in [0, 1]."""
    return [float(value) for value in mattes.double().mean(dim=(1, 2, 3))]
