"""Where each pixel of a frame was some frames before, and will be some frames on: flows between neighbours, chained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from vedit.flow.moved import moved

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.flow.confidence import ConfidentFlow

    Plane = npt.NDArray[np.float32]
    Step = npt.NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class Path:
    """The way from each pixel of a frame to another frame of its shot."""

    flow: Plane
    """(h, w, 2) pixels, x then y, as `vedit.flow.moved.moved` takes them."""
    trust: Plane
    """(h, w) in [0, 1]: the confidence of the least certain step."""


def step(flow: ConfidentFlow, way: Literal["forward", "backward"]) -> Step:
    """(h, w, 4): motion x, y and confidence of one pair, as `paths` takes them, and nothing.

    In half precision, as many are held: a motion of up to 16 pixels is right to a 128th of one.
    """
    vectors, confidence = getattr(flow, way)[0].numpy(), getattr(flow, f"{way}_confidence")[0].numpy()
    # Of four channels, three times as fast to sample as of three.
    planes = [*vectors, *confidence, np.zeros_like(confidence[0])]
    return np.stack(planes, axis=-1).astype(np.float16)


def paths(steps: Iterable[Step]) -> Iterator[Path]:
    """The paths of a frame outwards in one direction, the nearest frame's first.

    Args:
        steps: of the frame itself, of its neighbour in that direction, and so on; see `step`.
    """
    path: Path | None = None
    for one in steps:
        here = one.astype(np.float32)
        if path is None:
            path = Path(flow=here[..., :2].copy(), trust=here[..., 2].copy())
        else:
            there = moved(here, path.flow)
            path = Path(flow=path.flow + there[..., :2], trust=np.minimum(path.trust, there[..., 2]))
        yield path
