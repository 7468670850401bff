"""Optical flow in files: Middlebury's `.flo`, KITTI's 16-bit PNG, and OpenEXR.

    form          precision      range         what has no match
    .flo          32-bit float   any           1e10 in both components
    KITTI's PNG   1/64 pixel     -512 to 512   marked in the blue channel
    OpenEXR       32-bit float   any           0 in the blue channel, else 1

A flow is (2, H, W) float32 in pixels, x to the right then y down, from this frame to the other; its validity is
(1, H, W) bool, true where there is a match.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from vedit.errors import InputError, MediaError
from vedit.media.exr import encode_exr, read_exr

if TYPE_CHECKING:
    import numpy.typing as npt

_MAGIC = np.float32(202021.25)
"""The four bytes "PIEH" as a little-endian float (vision.middlebury.edu/flow, "flow-code": README)."""
_UNKNOWN = np.float32(1e9)
"""From here on a component of a `.flo` says that the motion is not known."""
_UNKNOWN_WRITTEN = np.float32(1e10)
_LARGEST_SIDE = 99_999
_KITTI_STEPS, _KITTI_ZERO = 64, 1 << 15
"""KITTI 2015 devkit: a component is (value - 2^15) / 64 pixels; 0 in the blue channel is no match."""


def write_flo(path: Path, flow: torch.Tensor, valid: torch.Tensor | None = None) -> None:
    """Write Middlebury's `.flo`.

    Args:
        path: the file; one of that name is replaced.
        flow: (2, H, W) pixels.
        valid: (1, H, W) bool; None is everywhere.

    Raises:
        ValueError: another shape.
        MediaError: the file cannot be written.
    """
    vectors, match = _checked(flow, valid)
    pixels = np.where(match, vectors, _UNKNOWN_WRITTEN).transpose(1, 2, 0).astype("<f4")
    height, width = match.shape
    _write(path, _MAGIC.astype("<f4").tobytes() + np.array([width, height], "<i4").tobytes() + pixels.tobytes())


def read_flo(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow and validity from a `.flo`; where it is not valid the flow is 0.

    Raises:
        MediaError: the file cannot be read, or is not whole.
    """
    data = _read(path)
    if len(data) < 12 or data[:4] != _MAGIC.astype("<f4").tobytes():
        raise MediaError(f"{path} is not a .flo file: it does not begin with PIEH", remedy="export the flow again")
    width, height = (int(side) for side in np.frombuffer(data, "<i4", 2, 4))
    if not (1 <= width <= _LARGEST_SIDE and 1 <= height <= _LARGEST_SIDE):
        raise MediaError(f"{path} says it is {width}x{height} pixels", remedy="export the flow again")
    if len(data) != 12 + 8 * width * height:
        raise MediaError(
            f"{path} holds {len(data)} bytes where {width}x{height} pixels take {12 + 8 * width * height}",
            remedy="export the flow again",
        )
    vectors = np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2).transpose(2, 0, 1).astype(np.float32)
    return _known(vectors, np.abs(vectors).max(0) < _UNKNOWN)


def write_kitti(path: Path, flow: torch.Tensor, valid: torch.Tensor | None = None) -> None:
    """Write KITTI's 16-bit PNG: steps of 1/64 pixel.

    Args:
        path: the file; one of that name is replaced.
        flow: (2, H, W) pixels, each component from -512 to below 512 where it is valid.
        valid: (1, H, W) bool; None is everywhere.

    Raises:
        ValueError: another shape.
        InputError: motion that the format cannot hold.
        MediaError: the file cannot be written.
    """
    vectors, match = _checked(flow, valid)
    steps = np.rint(np.where(match, vectors, 0).astype(np.float64) * _KITTI_STEPS) + _KITTI_ZERO
    if steps.min() < 0 or steps.max() > 65535:
        raise InputError(
            f"{path} is to hold motion of up to {np.abs(vectors[:, match]).max():.0f} pixels, and this form holds 512",
            remedy="write .flo or .exr",
        )
    levels = np.where(match, steps, 0).astype(np.uint16)
    image = np.stack([match.astype(np.uint16), levels[1], levels[0]], axis=-1)  # OpenCV's order: blue, green, red
    _, data = cv2.imencode(".png", image)
    _write(path, data.tobytes())


def read_kitti(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow and validity from KITTI's PNG; where it is not valid the flow is 0.

    Raises:
        MediaError: the file cannot be read, or is no PNG of three channels of 16 bits.
    """
    try:
        image = cv2.imdecode(np.frombuffer(_read(path), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    found: npt.NDArray[Any] = np.zeros((0, 0, 0)) if image is None else np.asarray(image)
    if found.dtype != np.uint16 or found.shape[2:] != (3,):
        raise MediaError(
            f"{path} is not KITTI's flow: a PNG of three channels of 16 bits", remedy="export the flow again"
        )
    levels = found[..., :0:-1].transpose(2, 0, 1).astype(np.float32)
    return _known((levels - np.float32(_KITTI_ZERO)) / np.float32(_KITTI_STEPS), found[..., 0] > 0)


def write_flow_exr(path: Path, flow: torch.Tensor, valid: torch.Tensor | None = None, *, half: bool = False) -> None:
    """Write OpenEXR: x in the red channel, y in the green, 1 in the blue where there is a match.

    Args:
        path: the file; one of that name is replaced.
        flow: (2, H, W) pixels.
        valid: (1, H, W) bool; None is everywhere.
        half: 16-bit floats, half the size and within 1/16 pixel up to 256; else 32-bit floats, exact.

    Raises:
        ValueError: another shape.
        MediaError: the file cannot be written.
    """
    vectors, match = _checked(flow, valid)
    planes = np.concatenate([np.where(match, vectors, 0), match[None]]).astype(np.float32)
    _write(path, encode_exr(planes, half=half))


def read_flow_exr(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow and validity from OpenEXR as `write_flow_exr` writes it.

    Raises:
        MediaError: the file cannot be read, or has not the channels R, G and B.
    """
    planes = read_exr(path)
    if len(planes) != 3:
        raise MediaError(f"{path} has no red, green and blue channels", remedy="put x in red, y in green, 1 in blue")
    return _known(planes[:2], planes[2] > 0.5)


def _checked(flow: torch.Tensor, valid: torch.Tensor | None) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Vectors (2, H, W) and where they hold, (H, W); what is not finite holds nowhere."""
    size = tuple(flow.shape[-2:])
    if flow.ndim != 3 or flow.shape[0] != 2 or 0 in size:
        raise ValueError(f"a flow is (2, H, W), got {tuple(flow.shape)}")
    if valid is not None and tuple(valid.shape) != (1, *size):
        raise ValueError(f"the validity of a flow {tuple(flow.shape)} is {(1, *size)}, got {tuple(valid.shape)}")
    vectors: npt.NDArray[np.float32] = flow.detach().float().cpu().numpy()
    match = np.isfinite(vectors[0]) & np.isfinite(vectors[1])
    if valid is not None:
        match &= valid[0].cpu().numpy().astype(np.bool_)
    return vectors, match


def _known(vectors: npt.NDArray[np.float32], match: npt.NDArray[np.bool_]) -> tuple[torch.Tensor, torch.Tensor]:
    kept = np.where(match, vectors, np.float32(0)).astype(np.float32)
    return torch.from_numpy(kept), torch.from_numpy(np.ascontiguousarray(match))[None]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MediaError(f"{path} cannot be read: {error.strerror}", remedy="check the path") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise MediaError(f"{path} cannot be written: {error.strerror}", remedy="check the folder") from error
