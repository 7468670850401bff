"""Control maps as numbers: raw depth and other floats for OpenEXR, optical flow for `.flo`, KITTI's PNG and OpenEXR."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from torch.nn import functional as F

from vedit.control_maps.export_paths import FLOW, Format, MapOutput
from vedit.control_maps.maps import control_stream
from vedit.control_maps.numbered_data import DataFiles
from vedit.errors import InputError
from vedit.flow.estimate import FLOW_SIDE, flow_pairs
from vedit.flow.files import write_flo, write_kitti
from vedit.geometry import unfit
from vedit.media.exr import encode_exr
from vedit.media.writing.atomic import Stamp
from vedit.media.writing.label import with_attributes, with_text
from vedit.media.writing.numbered import first_number
from vedit.types import Fit, FrameRange, Shot

DEPTHS = "depth"
"""Kinds of this name, and of this name with a model behind it, have depth as numbers."""


class DataMaps:
    """Writes the maps of one kind as numbered files of data; use it as a context manager.

    There is one file for each frame, or of optical flow one for each pair of frames within a shot, with the number of
    its first frame; frames are numbered from 1, or as an image sequence's own are.

    Args:
        output: kind, format and pattern.
        source: the clip.
        part: the frames that are written.
        shots: of the part.
        overwrite: files of the pattern may be replaced.
        tags: are written into each file, where its format has a place for them.
        replaces: files of the pattern that may be replaced in any case.
        side: pixels of the shorter side at which frames are matched; None is the default flow size.

    Raises:
        InputError: no shot has two frames, and flow is asked for.
        MediaError: see `DataFiles`.
    """

    def __init__(
        self,
        output: MapOutput,
        source: Path,
        part: FrameRange,
        shots: Sequence[Shot],
        *,
        overwrite: bool,
        tags: Mapping[str, str],
        replaces: Collection[Stamp] = (),
        side: int | None = None,
    ) -> None:
        self._output = output
        self._tags = tags
        self._side = side
        pairs = output.kind == FLOW
        first = first_number(source, part.start) - part.start
        frames = [first + n for shot in shots for n in range(shot.frames.start, shot.frames.stop - pairs)]
        if not frames:
            raise InputError("no shot has two frames: there is no motion to write", remedy="name a longer clip")
        self._files = DataFiles(output.path, frames, source, overwrite=overwrite, replaces=replaces)
        self.whole = self._files.whole
        self.notes: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._files.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.__exit__(kind, error, trace)

    def write_shot(self, chunks: Iterable[torch.Tensor], place: Fit) -> Iterator[torch.Tensor]:
        """Write the maps of the next shot and yield them at the source's size: values (T, 1 or 3, H, W), or motion.

        Args:
            chunks: the shot, float (T, 3, h, w) in [0, 1] of `place.outer`.
            place: how the source's frames lie in those.
        """
        if self._output.kind == FLOW:
            for motion, valid in source_flow(chunks, place, self._side):
                for vectors, match in zip(motion, valid, strict=True):
                    save = partial(_save_flow, form=self._output.format, motion=vectors, valid=match)
                    self._files.write(self._tagged(save))
                yield motion
            return
        for values in _values(self._output.kind, chunks):
            sized = _sized(unfit(values, place), place.source)
            for image in sized:
                data = encode_exr(image.float().cpu().numpy())
                self._files.write(self._tagged(lambda path, data=data: path.write_bytes(data)))
            yield sized

    def _tagged(self, save: Callable[[Path], object]) -> Callable[[Path], object]:
        """The same, and the tags behind it; Middlebury's .flo has no place for any."""
        add = {".exr": with_attributes, ".png": with_text}.get(self._output.path.suffix.lower())
        if add is None:
            return save

        def both(path: Path) -> None:
            save(path)
            path.write_bytes(add(path.read_bytes(), self._tags))

        return both

    def finish(self) -> None:
        """Give the files their names."""
        self._files.finish()


def source_flow(
    chunks: Iterable[torch.Tensor], place: Fit, side: int | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Forward flow of each pair of one shot, one pair fewer than frames.

    Args:
        chunks: one shot, float (T, 3, h, w) in [0, 1] of `place.outer`.
        place: how the source's frames lie in those.
        side: pixels of the shorter side at which they are matched; None is the default flow size.

    Yields:
        Motion (N, 2, H, W) in pixels of the source, x then y; and (N, 1, H, W) bool, true where a pixel has a match.
    """
    (height, width), (inner_height, inner_width) = place.source, place.inner
    scale = torch.tensor([width / inner_width, height / inner_height]).view(1, 2, 1, 1)
    for flow in flow_pairs(chunks, short_side=side or FLOW_SIDE):
        matched = F.interpolate((~unfit(flow.forward_occlusion, place)).float(), place.source, mode="nearest")
        yield _sized(unfit(flow.forward, place), place.source) * scale, matched > 0.5


def _save_flow(path: Path, *, form: Format, motion: torch.Tensor, valid: torch.Tensor) -> None:
    """Motion (2, H, W) with its validity (1, H, W) in one of the formats of flow.

    Only KITTI's leaves motion out where it is not valid; the others keep what was found, as warping wants it.
    """
    if form == "flo":
        write_flo(path, motion)
    elif form == "png16":
        write_kitti(path, motion, valid)
    else:
        path.write_bytes(encode_exr(torch.cat([motion, valid.to(motion)]).cpu().numpy()))


def _values(kind: str, chunks: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """A kind's maps of one shot as floats, (T, 1 or 3, h, w).

    Depth is the model's own inverse depth: near is larger, no end is fixed, the scale holds within a shot. Other kinds
    are their maps in [0, 1].
    """
    if kind.partition("-")[0] == DEPTHS:
        from vedit.preprocessors.depth import MODELS, depth_values

        if kind in MODELS:
            return depth_values(chunks, kind=kind)
    return control_stream(kind, chunks)


def _sized(values: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if (int(values.shape[-2]), int(values.shape[-1])) == size:
        return values
    return F.interpolate(values, size, mode="bilinear", align_corners=False)
