"""Dense optical flow between neighbouring frames, where it fails to match, and warping by it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol, cast

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from vedit.flow.planes import grid
from vedit.progress.spent import spent_on
from vedit.threads import each_on_a_thread
from vedit.types import OpticalFlow

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.protocols import FlowMatcher

    Floats = npt.NDArray[np.float32]
    Bytes = npt.NDArray[np.uint8]
    Size = tuple[int, int]

Backend = Literal["dis", "raft"]

FLOW_SIDE = 360
"""The default flow size: the shorter side, in pixels, above which frames are matched at this size and the flow scaled
back up. Below it they are matched as they are."""
UNMATCHED = 0.25
"""A pair of which no more than this share is matched, both ways, is taken for two shots. On real clips neighbours match
by 0.75 and more and frames on either side of a cut by at most 0.1."""

_SMALLEST = 64
"""DIS fails on pyramids of tiny frames; smaller ones are padded by repeating their edge."""
_REACH = 6
_STEPS = tuple((dx * far, dy * far) for far in (_REACH, 3) for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)))
"""Pixels, x then y, at which `_sharpened` looks for a flow that fits better."""
_MARGIN_LEVELS = 1
"""Grey levels by which it has to fit better, so that flat areas keep theirs."""
_LUMA = torch.tensor([[0.299, 0.587, 0.114]])
_CELL, _BAND = 4, 32
"""Pixels: the grid on which motion edges are looked for, and the height of the bands that are then worked on."""


@spent_on("flow")
def estimate_flow(frames: torch.Tensor, *, short_side: int | None = FLOW_SIDE, backend: Backend = "dis") -> OpticalFlow:
    """Motion between neighbours, both ways, with occlusions.

    By default DIS at its medium preset (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016) on luma,
    then sharpened at motion edges; see `find_occlusion` for the second part. Each pair is computed alone. In a pair of
    which hardly anything is matched (`matched_share`), as across a cut that no one has marked, every pixel is
    occluded, so that nothing is carried over.

    Args:
        frames: one shot, float (T, 3, h, w) in [0, 1].
        short_side: larger frames are matched at this size, in pixels of the shorter side; None matches them as they
            are.
        backend: "dis" needs no weights; "raft" needs torchvision and local weights, see `vedit.flow.raft`.

    Returns:
        Flow of T - 1 pairs, float32, in pixels of these frames; on the CPU.

    Raises:
        ValueError: frames of another shape.
        ModelError: RAFT without a working torchvision, or without weights.
    """
    flows = list(flow_pairs([frames], short_side=short_side, backend=backend))
    return flows[0] if flows else _empty(0, (frames.shape[-2], frames.shape[-1]))


def flow_pairs(
    chunks: Iterable[torch.Tensor], *, short_side: int | None = FLOW_SIDE, backend: Backend = "dis"
) -> Iterator[OpticalFlow]:
    """`estimate_flow` of a shot that comes in chunks: the same pairs, however it is cut.

    One frame is kept between chunks, in grey at the flow's size, so memory does not grow with the shot. A chunk yields
    its own pairs and the one that leads into it: T - 1 of the first chunk of T frames, T of any other; a chunk that
    ends no pair yields nothing.

    Args:
        chunks: float (T, 3, h, w) in [0, 1], in order, all of one size.
        short_side: as `estimate_flow`.
        backend: as `estimate_flow`.

    Raises:
        ValueError: frames of another shape, or of another size than those before.
        ModelError: as `estimate_flow`.
    """
    if short_side is not None and short_side < 1:
        raise ValueError(f"the flow's shorter side is {short_side}; at least 1 pixel is needed")
    pair = _dis_pair() if backend == "dis" else _matcher_pair(_load_raft())
    before: Bytes | torch.Tensor | None = None
    size: Size | None = None
    for chunk in chunks:
        if chunk.ndim != 4 or chunk.shape[1] != 3:
            raise ValueError(f"flow needs frames (T, 3, h, w), got {tuple(chunk.shape)}")
        height, width = chunk.shape[-2:]
        if size not in (None, (height, width)):
            raise ValueError(f"flow needs frames of one size, got {width}x{height} after {size[1]}x{size[0]}")
        size = (height, width)
        work = _working_size(size, short_side)
        prepared = [_grey(frame, work) if backend == "dis" else _small(frame, work) for frame in chunk]
        matched = prepared if before is None else [before, *prepared]
        before = matched[-1] if matched else None
        if len(matched) > 1:
            # RAFT's network takes all threads for a pair, and much memory.
            yield _flow(matched, pair, size, work, alone=backend == "raft")


def matched_share(flow: OpticalFlow) -> torch.Tensor:
    """(T-1,) in [0, 1]: the part of each pair that is matched, the larger of both ways.

    Two frames of one shot lose what is covered or leaves the picture; two frames of different shots match nowhere but
    by chance. `estimate_flow` marks everything of a pair at or below `UNMATCHED` as occluded: its share is 0.
    """
    seen = [1 - hidden.float().mean((1, 2, 3)) for hidden in (flow.forward_occlusion, flow.backward_occlusion)]
    return torch.maximum(*seen)


def find_occlusion(flow: torch.Tensor, reverse: torch.Tensor, *, boundaries: bool = False) -> torch.Tensor:
    """Where a flow has no match: (N, 1, H, W) bool.

    The way there and back does not close, |F + R o F|^2 > 0.01 (|F|^2 + |R o F|^2) + 0.5 (UnFlow, Meister et al.,
    2018, equation 2); or no pixel of the other frame comes from here (the range map of Wang et al., "Occlusion Aware
    Unsupervised Learning of Optical Flow", 2018, section 3.2); single pixels of both are outvoted by their
    neighbours; or the target lies outside the frame. On a moving square the closing alone finds an F1 of 0.75, both
    together of 0.89.

    Args:
        flow: (N, 2, H, W) pixels, x then y, from this frame to the other.
        reverse: the same from the other frame to this one.
        boundaries: count motion boundaries too, |grad F|^2 > 0.01 |F|^2 + 0.002, as the warping error of Lai et al.
            does ("Learning Blind Video Temporal Consistency", 2018): safe for a metric, but most of them are visible
            in both frames.
    """
    hidden = torch.empty((len(flow), 1, *flow.shape[-2:]), dtype=torch.bool)
    for number, (there, back) in enumerate(zip(flow, reverse, strict=True)):
        planes = [one.detach().float().cpu().contiguous().numpy() for one in (there, back)]
        hidden[number, 0] = torch.from_numpy(_hidden(*planes) > 0)
    hidden = hidden.to(flow.device)
    if not boundaries:
        return hidden
    along_x = F.pad(flow.diff(dim=-1), (0, 1)).square().sum(1, keepdim=True)
    along_y = F.pad(flow.diff(dim=-2), (0, 0, 0, 1)).square().sum(1, keepdim=True)
    return hidden | (along_x + along_y > 0.01 * flow.square().sum(1, keepdim=True) + 0.002)


def warp(
    frames: torch.Tensor, flow: torch.Tensor, *, mode: Literal["bilinear", "bicubic"] = "bilinear"
) -> torch.Tensor:
    """Backward warping: out(x) = frames(x + flow(x)); outside the frame its edge is repeated.

    `warp(frames[1:], flow.forward)` lays each next frame over its predecessor; `warp(frames[:-1], flow.backward)` lays
    each frame over its successor.

    Args:
        frames: float (N, C, H, W).
        flow: (N, 2, H, W) pixels, x then y.
        mode: "bicubic" keeps fine detail through many warps, and overshoots at edges.

    Returns:
        (N, C, H, W).
    """
    height, width = flow.shape[-2:]
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    extent = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=flow.device).view(1, 2, 1, 1)
    grid = ((torch.stack([x, y]) + flow) / extent * 2 - 1).permute(0, 2, 3, 1).to(frames.dtype)
    return F.grid_sample(frames, grid, mode=mode, padding_mode="border", align_corners=True)


def grey_levels(frame: torch.Tensor, size: Size | None = None, *, work: torch.Tensor | None = None) -> Bytes:
    """Luma (ITU-R BT.601) of one frame, (3, H, W) in [0, 1], as 8-bit levels (H, W); `size` (h, w) shrinks it first.

    `work` is a tensor that is written over, of any size to begin with: a caller with many frames keeps one.
    """
    # One product over the planes reads them once; it is several times faster than weighing them one by one.
    planes = frame.detach().float().cpu().reshape(3, -1)
    work = torch.empty(0) if work is None else work
    luma = torch.mm(_LUMA, planes, out=work.resize_(1, planes.shape[1])).view(frame.shape[-2:]).numpy()
    if size not in (None, luma.shape):
        luma = cv2.resize(luma, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return cast("Bytes", cv2.convertScaleAbs(luma, alpha=255))


def _flow(frames: Sequence[Bytes | torch.Tensor], pair: _Pair, size: Size, work: Size, *, alone: bool) -> OpticalFlow:
    """The flow between prepared frames, at the size of the frames that they were made of."""
    flow = _empty(len(frames) - 1, size)

    def put(number: int) -> None:
        _put(flow, number, pair(frames[number], frames[number + 1]), work)

    list(each_on_a_thread(put, range(len(frames) - 1), alone=alone))
    return flow


def _empty(pairs: int, size: Size) -> OpticalFlow:
    vectors, marks = (pairs, 2, *size), (pairs, 1, *size)
    return OpticalFlow(
        forward=torch.zeros(vectors),
        backward=torch.zeros(vectors),
        forward_occlusion=torch.zeros(marks, dtype=torch.bool),
        backward_occlusion=torch.zeros(marks, dtype=torch.bool),
    )


def _working_size(size: Size, short_side: int | None) -> Size:
    """(height, width) at which frames are matched."""
    if short_side is None or min(size) <= short_side:
        return size
    scale = short_side / min(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _grey(frame: torch.Tensor, work: Size) -> Bytes:
    """(3, H, W) in [0, 1] -> grey at the working size, padded to what DIS can take."""
    grey = grey_levels(frame, work)
    missing = [max(0, _SMALLEST - side) for side in work]
    if not any(missing):
        return grey
    return cast("Bytes", cv2.copyMakeBorder(grey, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE))


def _small(frame: torch.Tensor, work: Size) -> torch.Tensor:
    """(3, H, W) at the working size."""
    if frame.shape[-2:] == work:
        return frame.float()
    return F.interpolate(frame[None].float(), work, mode="bicubic", antialias=True)[0].clamp(0, 1)


class _Pair(Protocol):
    """Both ways of one pair of prepared frames, (h, w, 2) each."""

    def __call__(self, first: Bytes | torch.Tensor, second: Bytes | torch.Tensor) -> tuple[Floats, Floats]: ...


def _dis_pair() -> _Pair:
    kept = threading.local()

    def both(first: Bytes | torch.Tensor, second: Bytes | torch.Tensor) -> tuple[Floats, Floats]:
        here, there = cast("Bytes", first), cast("Bytes", second)
        # Its memory is its own, so each thread has one.
        dis = kept.dis = getattr(kept, "dis", None) or cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        # A new start each time: the result must not depend on which pair came before.
        start = cast("cv2.typing.MatLike", None)
        forward, backward = dis.calc(here, there, start), dis.calc(there, here, start)
        return (
            _sharpened(here, there, cast("Floats", forward)),
            _sharpened(there, here, cast("Floats", backward)),
        )

    return both


def _matcher_pair(match: FlowMatcher) -> _Pair:
    def both(first: Bytes | torch.Tensor, second: Bytes | torch.Tensor) -> tuple[Floats, Floats]:
        here, there = cast("torch.Tensor", first), cast("torch.Tensor", second)
        return match(here, there), match(there, here)

    return both


def _load_raft() -> FlowMatcher:
    from vedit.flow.raft import load_raft

    return load_raft()


def _put(flow: OpticalFlow, number: int, pair: tuple[Floats, Floats], work: Size) -> None:
    """Write both ways of a pair and their occlusions, at the frames' size."""
    height, width = flow.forward.shape[-2:]
    targets = [whole[number].numpy() for whole in (flow.forward, flow.backward)]
    there, back = targets if (height, width) == work else (np.empty((2, *work), np.float32) for _ in pair)
    for vectors, planes in zip(pair, (there, back), strict=True):
        for axis, plane in enumerate(planes):
            np.copyto(plane, vectors[: work[0], : work[1], axis])
    hidden = _hidden(there, back), _hidden(back, there)
    if all(cv2.countNonZero(one) >= (1 - UNMATCHED) * one.size for one in hidden):
        hidden = np.full_like(hidden[0], 255), np.full_like(hidden[1], 255)
    if (height, width) != work:
        scales = width / work[1], height / work[0]
        for planes, target in zip((there, back), targets, strict=True):
            for plane, scale, out in zip(planes, scales, target, strict=True):
                cv2.resize(plane, (width, height), dst=out, interpolation=cv2.INTER_LINEAR)
                out *= np.float32(scale)
    for marks, target in zip(hidden, (flow.forward_occlusion, flow.backward_occlusion), strict=True):
        if (height, width) != work:
            marks = cv2.resize(marks, (width, height), interpolation=cv2.INTER_LINEAR)
        target[number, 0] = torch.from_numpy(marks) > 127


@lru_cache(maxsize=4)
def _positions(height: int, width: int) -> tuple[Floats, Floats]:
    """Columns (1, width) and rows (height, 1)."""
    return np.arange(width, dtype=np.float32)[None], np.arange(height, dtype=np.float32)[:, None]


def _at(image: cv2.typing.MatLike, position: cv2.typing.MatLike) -> cv2.typing.MatLike:
    """The image at positions (h, w, 2), bilinear, its edge repeated outside."""
    empty = cast("cv2.typing.MatLike", None)
    return cv2.remap(image, position, empty, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _sharpened(first: Bytes, second: Bytes, flow: Floats) -> Floats:
    """The flow with sharper motion edges: a pixel takes the flow of one some pixels away where that fits better.

    The fit is the mean difference of grey over 3 x 3 pixels. The candidates are those of the propagation of PatchMatch
    (Barnes et al., 2009), at two distances because DIS blurs a motion edge over several pixels. Only parts of the
    picture whose neighbourhood moves in more than one way are looked at.
    """
    height, width = first.shape
    bands = list(_uneven(flow))
    if not bands:
        return flow
    padded = cv2.copyMakeBorder(flow, _REACH, _REACH, _REACH, _REACH, cv2.BORDER_REPLICATE)
    places = grid(height, width)
    for rows, columns in bands:
        here, position = first[rows, columns], places[rows, columns]
        best = padded[_moved(rows, _REACH), _moved(columns, _REACH)]
        least = cv2.blur(cv2.absdiff(here, _at(second, cv2.add(position, best))), (3, 3))
        for dx, dy in _STEPS:
            candidate = padded[_moved(rows, _REACH + dy), _moved(columns, _REACH + dx)].copy()
            fit = cv2.blur(cv2.absdiff(here, _at(second, cv2.add(position, candidate))), (3, 3))
            better = cv2.compare(cv2.add(fit, cast("cv2.typing.MatLike", _MARGIN_LEVELS)), least, cv2.CMP_LT)
            cv2.copyTo(candidate, better, best)
            cv2.copyTo(fit, better, least)
    return cast("Floats", padded[_REACH:-_REACH, _REACH:-_REACH])


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _uneven(flow: Floats) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of the parts of bands in which the flow differs by more than two pixels within reach."""
    height, width = flow.shape[:2]
    coarse = np.ascontiguousarray(flow[::_CELL, ::_CELL])
    around = np.ones((5, 5), np.uint8)
    spread = (cv2.dilate(coarse, around) - cv2.erode(coarse, around)).max(-1) > 2
    step = _BAND // _CELL
    for top in range(0, len(spread), step):
        found = np.flatnonzero(spread[top : top + step].any(0))
        rows = slice(top * _CELL, min(top * _CELL + _BAND, height))
        for run in np.split(found, np.flatnonzero(np.diff(found) > step) + 1):
            if len(run):
                yield rows, slice(int(run[0]) * _CELL, min(int(run[-1] + 1) * _CELL, width))


def _hidden(flow: Floats, reverse: Floats) -> Bytes:
    """`find_occlusion` of one pair, (2, H, W) each: (H, W), 255 where a pixel has no match.

    In bands of rows, which stay in the processor's cache and in memory that is used again.
    """
    height, width = flow.shape[1:]
    reverse_x, reverse_y = reverse[0].reshape(-1), reverse[1].reshape(-1)
    lost, outside = np.empty((height, width), np.bool_), np.empty((height, width), np.bool_)
    unreached = np.full(height * width + 1, 255, np.uint8)
    for top in range(0, height, _BAND):
        rows = slice(top, min(top + _BAND, height))
        x, y = flow[0, rows], flow[1, rows]
        cells, outside[rows] = _cells(flow, rows)
        # The nearest vector, not a mixture of four: at a motion edge a mixture is no one's motion.
        back_x, back_y = reverse_x[cells], reverse_y[cells]
        allowed = x * x + y * y + back_x * back_x + back_y * back_y
        allowed *= np.float32(0.01)
        allowed += np.float32(0.5)
        back_x += x
        back_y += y
        np.greater(back_x * back_x + back_y * back_y, allowed, out=lost[rows])
        cells, away = _cells(reverse, rows)
        np.copyto(cells, height * width, where=away)
        unreached[cells] = 0
    marks = cv2.bitwise_or(unreached[:-1].reshape(height, width), np.negative(lost.view(np.int8)).view(np.uint8))
    hidden = cv2.medianBlur(marks, 3)
    return cast("Bytes", cv2.bitwise_or(hidden, np.negative(outside.view(np.int8)).view(np.uint8)))


def _cells(flow: Floats, rows: slice) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Of some rows of a flow (2, H, W): the pixel each leads to, counted row by row, and whether it leads outside."""
    height, width = flow.shape[1:]
    columns, lines = _positions(height, width)
    column, left_right = _nearest(flow[0, rows] + columns, width)
    row, up_down = _nearest(flow[1, rows] + lines[rows], height)
    cells = row * np.int64(width)
    cells += column
    left_right |= up_down
    return cells, left_right


def _nearest(position: Floats, side: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """The nearest of the pixels 0 ... side - 1, and whether the position is beyond the outer edge of the last."""
    position += np.float32(0.5)
    kept = position.clip(0, np.nextafter(np.float32(side), np.float32(0)))
    return kept.astype(np.int32), position != kept
