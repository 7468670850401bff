"""Renders and previews that differ in the prompt alone: the source is inverted once, and the frames are the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.recording import frames_written
from tests.support.resolved import made_job
from vedit.media.output import OutputOptions
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines import inverting as pipeline
from vedit.render import run as render
from vedit.render.preview import middle_of, stills_of
from vedit.testing.fakes import moving_frames
from vedit.types import FrameRange, Shot

pytestmark = pytest.mark.usefixtures("small")

OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft", steps=2, window=3, overlap=1, controls=())
WINDOWS = 2


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> RenderRequest:
    """A render of a clip of one shot, in two windows."""
    folder = tmp_path_factory.mktemp("again")
    with av.open(str(folder / "clip.mkv"), "w") as container:
        video = container.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = 160, 128, "bgr0"
        for image in moving_frames(5, 128, 160).transpose(0, 2, 3, 1):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(video.encode(picture.reformat(format="bgr0")))
        container.mux(video.encode(None))
    return RenderRequest(
        source=folder / "clip.mkv",
        output=folder / "out.mkv",
        options=OPTIONS,
        shots=(Shot(number=1, frames=FrameRange(start=0, stop=5)),),
        writing=OutputOptions(overwrite=True),
    )


@pytest.fixture
def inverted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shapes of what is inverted in a test."""
    seen: list[tuple[int, ...]] = []
    invert = pipeline.invert

    def record(denoise: Any, latents: Any, path: Any, *, fixed_point: int) -> Any:
        seen.append(tuple(latents.data.shape))
        return invert(denoise, latents, path, fixed_point=fixed_point)

    monkeypatch.setattr(pipeline, "invert", record)
    return seen


@pytest.fixture
def written() -> Callable[[RenderRequest], np.ndarray[Any, Any]]:
    """Renders, and returns the frames that went to the encoder."""

    def run(request: RenderRequest) -> np.ndarray[Any, Any]:
        with frames_written() as frames:
            render.restyle(request)
        return np.concatenate(frames)

    return run


def test_another_prompt_inverts_nothing_and_gives_the_same_frames(
    wanted: RenderRequest,
    inverted: list[tuple[int, ...]],
    written: Callable[[RenderRequest], np.ndarray[Any, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))
    written(wanted)
    assert len(inverted) == WINDOWS
    other = replace(wanted, options=replace(OPTIONS, prompt="night", guidance=3.0))
    found = written(other)
    assert len(inverted) == WINDOWS
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    assert np.array_equal(written(other), found)
    assert len(inverted) == 2 * WINDOWS


def test_a_preview_inverts_its_own_frames_and_those_once(
    wanted: RenderRequest, inverted: list[tuple[int, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One frame sampled alone is not the window it lies in; the next preview finds it, one of other steps does not."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path))
    for prompt, changes, expected in (
        ("watercolor painting", {}, 1),
        ("night", {}, 1),
        ("night", {"steps": 1}, 2),
        ("comic", {"steps": 1}, 2),
    ):
        options = replace(OPTIONS, prompt=prompt, **changes)
        list(stills_of(made_job(replace(wanted, options=options)), numbers_of=middle_of))
        assert len(inverted) == expected, (prompt, changes)
