"""What units were computed on: in their keys and files, held to when a render goes on, and told where it cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from tests.support.clips import FRAMES, two_shots
from vedit.errors import Interrupted
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines import restyle_pipeline as sampling
from vedit.render.run import restyle
from vedit.store.computed_on import computed_on, threads_of, with_threads
from vedit.store.units import work_folder
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import FrameRange

OPTIONS = RestyleOptions(prompt="night", steps=1, fixed_point=1, short_side=128, window=4, batch=2)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("model"))


@pytest.fixture
def render(clip: Path, model: Path) -> Callable[..., Any]:
    def run(output: Path, *, threads: int, options: RestyleOptions = OPTIONS, **more: Any) -> Any:
        fields = {key: more.pop(key) for key in ("fresh", "keep_work") if key in more}
        writing = OutputOptions(codec="ffv1", overwrite=True)
        request = RenderRequest(source=clip, options=options, model=str(model), output=output, writing=writing)
        with with_threads(threads):
            try:
                return restyle(replace(request, **fields), **more)
            finally:
                assert torch.get_num_threads() == threads, "the caller's thread count comes back"

    return run


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(threads, batch) of every unit that is sampled."""
    found: list[tuple[int, int]] = []
    before = sampling.restyle_window

    def record(restyler: Any, *rest: Any) -> Any:
        found.append((torch.get_num_threads(), restyler.options.batch))
        return before(restyler, *rest)

    monkeypatch.setattr(sampling, "restyle_window", record)
    return found


def pixels(path: Path) -> Any:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=FRAMES)).frames


def after(output: Path, units: int) -> Callable[[], bool]:
    folder = work_folder(output) / "units"
    return lambda: folder.is_dir() and len(list(folder.iterdir())) >= units


def told_in(output: Path) -> Iterator[dict[str, Any]]:
    for path in (work_folder(output) / "units").iterdir():
        with safe_open(path, "pt") as unit:
            yield json.loads(unit.metadata()["computed on"])


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1), (3, 1)])
def test_a_render_goes_on_with_the_threads_that_it_was_begun_with(
    tmp_path: Path, render: Callable[..., Any], seen: list[tuple[int, int]], first: int, second: int
) -> None:
    whole, output, said = tmp_path / "whole.mkv", tmp_path / "out.mkv", list[str]()
    render(whole, threads=first)
    units = len(seen)
    seen.clear()
    with pytest.raises(Interrupted):
        render(output, threads=first, stop=after(output, 1))
    assert [kind["threads"] for kind in told_in(output)] == [first]
    result = render(output, threads=second, on_note=said.append)
    assert seen == [(first, OPTIONS.batch)] * units, "each unit once, all on as many threads"
    assert result.units_kept == 1
    note = f"CPU threads: {first}, as the units in out.mkv.vedit were computed, not {second}; --fresh begins anew"
    assert note in said
    assert note in result.notes
    assert np.array_equal(pixels(output), pixels(whole)), "to the last bit"
    (kind,) = json.loads(sidecar_path(output).read_text("utf-8"))["used"]["computed on"]
    assert kind == computed_on(torch.device("cpu"), "float32") | {"threads": first}


def test_begun_anew_it_has_its_own_threads(
    tmp_path: Path, render: Callable[..., Any], seen: list[tuple[int, int]]
) -> None:
    output, said = tmp_path / "out.mkv", list[str]()
    with pytest.raises(Interrupted):
        render(output, threads=2, stop=after(output, 1))
    seen.clear()
    assert render(output, threads=1, fresh=True, on_note=said.append).units_kept == 0
    assert {threads for threads, _ in seen} == {1}
    assert not any("CPU threads" in line for line in said)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"torch": "1.0"}, "torch 1.0"),
        ({"instructions": "NO AVX"}, "instructions NO AVX"),
        ({"device": "cuda", "name": "a GPU", "precision": "float16"}, "device cuda"),
    ],
)
def test_units_of_another_kind_of_machine_are_told_and_not_joined(
    tmp_path: Path,
    render: Callable[..., Any],
    seen: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
    other: dict[str, str],
    words: str,
) -> None:
    output, said = tmp_path / "out.mkv", list[str]()

    def elsewhere(device: torch.device, precision: str) -> dict[str, object]:
        return {**computed_on(device, precision), **other}

    with monkeypatch.context() as there:
        there.setattr("vedit.render.sample_shot.computed_on", elsewhere)
        with pytest.raises(Interrupted):
            render(output, threads=1, stop=after(output, 1))
    seen.clear()
    result = render(output, threads=1, on_note=said.append)
    assert result.units_kept == 0
    (line,) = [line for line in said if line.endswith("beginning anew")]
    assert words in line
    assert "device cpu" in line


def test_the_batch_is_in_the_key(tmp_path: Path, render: Callable[..., Any], seen: list[tuple[int, int]]) -> None:
    output = tmp_path / "out.mkv"
    render(output, threads=1, keep_work=True)
    units = len(seen)
    seen.clear()
    assert render(output, threads=1, keep_work=True).units_kept == units
    assert not seen
    assert render(output, threads=1, options=replace(OPTIONS, batch=3)).units_kept == 0
    assert seen == [(1, 3)] * units


@pytest.mark.parametrize("told", [None, {}, {"device": "cpu"}, {"device": "cuda", "threads": 2}])
@pytest.mark.parametrize("threads", [0, -1, True, "2", 2.0, 10**9, None])
def test_a_thread_count_that_cannot_be_is_not_believed(told: dict[str, object] | None, threads: object) -> None:
    assert threads_of(told) is None
    assert threads_of({"device": "cpu", "threads": threads}) is None
    assert threads_of({"device": "cpu", "threads": 2}) == 2
