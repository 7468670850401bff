"""Units on processes of their own: the pixels are those of one, and what dies loses only the unit in hand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.clips import two_shots
from vedit.errors import DoesNotFitError, InputError, Interrupted, VeditError
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.render import workers
from vedit.render.by_unit import finish, make_units, prepare
from vedit.render.run import restyle
from vedit.render.run_folder import Run
from vedit.render.workers import make_on_workers, restyle_on_workers
from vedit.store.computed_on import with_threads
from vedit.store.units import work_folder
from vedit.testing.tiny_sd import write_tiny_sd
from vedit.types import FrameRange

OPTIONS = RestyleOptions(prompt="woodcut", quality="draft", steps=1, window=4, overlap=1, anchor="#7", short_side=64)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> RenderRequest:
    """Of a model on the disk, since another process has to load it too."""
    folder = tmp_path_factory.mktemp("workers")
    model = write_tiny_sd(folder / "tiny")
    return RenderRequest(
        source=two_shots(folder / "two shots.mov"),
        options=OPTIONS,
        model=str(model),
        writing=OutputOptions(codec="ffv1", drop_unsupported=True),
    )


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


@pytest.fixture(scope="module")
def alone(asked: RenderRequest, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray[Any, Any]:
    """The frames of one process on one thread."""
    output = tmp_path_factory.mktemp("alone") / "out.mkv"
    with with_threads(1):
        restyle(replace(asked, output=output))
    return pixels(output)


@pytest.fixture
def run(asked: RenderRequest, tmp_path: Path) -> Run:
    with with_threads(1):
        return prepare(replace(asked, output=tmp_path / "out.mkv"))


def _kill_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill the first worker as soon as it has a unit."""
    killed: list[int] = []
    before = workers._tell  # pyright: ignore[reportPrivateUsage]

    def tell(worker: Any) -> None:
        before(worker)
        if not killed:
            killed.append(worker.process.pid)
            os.kill(worker.process.pid, signal.SIGKILL)

    monkeypatch.setattr(workers, "_tell", tell)


def test_two_workers_make_the_pixels_of_one_process(
    asked: RenderRequest, alone: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    with with_threads(2):
        result = restyle_on_workers(replace(asked, output=output), 2)
    assert result.units_kept == 0
    assert result.timings["sample"] < result.seconds
    assert np.array_equal(pixels(output), alone)
    assert not work_folder(output).exists()


def test_a_worker_that_is_killed_is_replaced(
    run: Run, alone: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    _kill_once(run, monkeypatch)
    assert make_on_workers(run.folder, 1, on_note=told.append) == len(run.units)
    assert told == ["worker 0 was ended by signal 9 over unit 0: another one makes it"]
    finish(run.folder)
    assert np.array_equal(pixels(run.output), alone)


def test_a_unit_over_which_workers_die_ends_it_and_names_the_unit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = workers._tell  # pyright: ignore[reportPrivateUsage]

    def tell(worker: Any) -> None:
        before(worker)
        os.kill(worker.process.pid, signal.SIGKILL)

    monkeypatch.setattr(workers, "_tell", tell)
    with pytest.raises(VeditError, match="3 workers died over unit 0, the last was ended by signal 9"):
        make_on_workers(run.folder, 1)


def test_what_a_worker_refuses_is_told_as_it_is(run: Run) -> None:
    source = run.request.source
    moved = source.rename(source.with_name("elsewhere.mov"))
    try:
        with pytest.raises(VeditError, match="is not there") as error:
            make_on_workers(run.folder, 2)
        assert isinstance(error.value, InputError)
    finally:
        moved.rename(source)


def test_what_no_worker_can_decide_one_process_does(
    asked: RenderRequest, alone: np.ndarray[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the units that are there, and as much memory as the machine has."""

    def tight(folder: Path, *_: Any, **__: Any) -> int:
        make_units(folder, 0)
        raise DoesNotFitError("out of memory with batch 8, window 4")

    monkeypatch.setattr(workers, "make_on_workers", tight)
    output, told = tmp_path / "out.mkv", list[str]()
    with with_threads(2):
        restyle_on_workers(replace(asked, output=output), 2, on_note=told.append)
    assert told[0] == "out of memory with batch 8, window 4: going on in one process"
    assert told[1].startswith("going on: 1 of 3 units are finished")
    assert np.array_equal(pixels(output), alone)


def test_workers_do_not_hear_ctrl_c(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal sends it to all of them; the process that began them lets them finish."""
    before = workers._tell  # pyright: ignore[reportPrivateUsage]

    def tell(worker: Any) -> None:
        before(worker)
        os.kill(worker.process.pid, signal.SIGINT)

    told: list[str] = []
    monkeypatch.setattr(workers, "_tell", tell)
    assert make_on_workers(run.folder, 1, on_note=told.append) == len(run.units)
    assert told == []


def test_a_stop_lets_units_in_hand_be_finished(run: Run) -> None:
    asked_to = iter([False, True])
    with pytest.raises(Interrupted, match="finished units are kept"):
        make_on_workers(run.folder, 1, stop=lambda: next(asked_to, True))
    assert len(list((run.folder / "units").glob("*.safetensors"))) == 1


def test_workers_do_not_outlive_the_process_that_began_them(run: Run) -> None:
    code = (
        "import sys, pathlib\nfrom vedit.render import workers\nbefore = workers._begin\n"
        "def begin(*told):\n    worker = before(*told)\n    print(worker.process.pid, flush=True)\n    return worker\n"
        "workers._begin = begin\n"
        "if __name__ == '__main__':\n    workers.make_on_workers(pathlib.Path(sys.argv[1]), 1)\n"
    )
    script = run.folder.parent / "coordinator.py"
    script.write_text(code, "utf-8")
    with subprocess.Popen([sys.executable, str(script), str(run.folder)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        worker = int(holder.stdout.readline())
        holder.kill()
        holder.wait()
    until = time.monotonic() + 30
    while _lives(worker):
        assert time.monotonic() < until
        time.sleep(0.1)


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
