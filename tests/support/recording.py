"""What a render does, written down as it happens."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

from vedit.cli.app import main
from vedit.media.writing.write import VideoWriter
from vedit.pipelines import restyle_pipeline as sampling

if TYPE_CHECKING:
    import numpy.typing as npt

    from vedit.types import FrameRange, IntFrames

    Frames = npt.NDArray[np.int64]


@contextmanager
def frames_written() -> Generator[list[IntFrames]]:
    """The frames that go to the encoder, in the parts in which they come."""
    seen: list[IntFrames] = []
    write = VideoWriter.write

    def record(self: VideoWriter, frames: IntFrames) -> None:
        seen.append(frames.copy())
        write(self, frames)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(VideoWriter, "write", record)
        yield seen


def restyled_by(*words: object) -> tuple[str, Frames]:
    """What `vedit restyle` said, and the frames that it wrote, (T, C, H, W) as int64."""
    with frames_written() as seen:
        found = CliRunner().invoke(main, ["restyle", *map(str, words)])
    assert found.exit_code == 0, found.output
    return found.output, np.concatenate(seen).astype(np.int64)


@contextmanager
def shots_sampled() -> Generator[list[int]]:
    """The first frames of the shots that are sampled, in order, once for each window."""
    seen: list[int] = []
    before = sampling.restyle_window

    def record(restyler: Any, shot: FrameRange, *rest: Any, **more: Any) -> Any:
        seen.append(shot.start)
        return before(restyler, shot, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampling, "restyle_window", record)
        yield seen
