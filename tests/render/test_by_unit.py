"""A render by several processes: whoever makes a unit, in whatever order, the pixels are those of one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from tests.support.clips import HEIGHT, WIDTH, two_shots
from tests.support.loaded import small_renders
from vedit.cli.app import main
from vedit.errors import DoesNotFitError, InputError
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.options.masks import KeyedFile, MaskSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines import restyle_pipeline as sampling
from vedit.render.by_unit import finish, make_units, prepare
from vedit.render.run import restyle
from vedit.render.run_folder import Run, read_run
from vedit.store.units import RUN, work_folder
from vedit.types import FrameRange

pytestmark = pytest.mark.usefixtures("small")

OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft", steps=1, window=4, overlap=1, anchor="#7")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


@pytest.fixture(scope="module")
def mask(clip: Path) -> Path:
    path = clip.parent / "mask.png"
    shape = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    shape[:, : WIDTH // 2] = 255
    cv2.imwrite(str(path), shape)
    return path


def request(clip: Path, mask: Path, output: Path, **changes: Any) -> RenderRequest:
    options = replace(OPTIONS, mask=MaskSpec(files=(KeyedFile(path=mask),)))
    writing = OutputOptions(codec="ffv1", drop_unsupported=True)
    return replace(RenderRequest(source=clip, output=output, options=options, writing=writing), **changes)


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


@pytest.fixture(scope="module")
def at_once(clip: Path, mask: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray[Any, Any]:
    """The frames of one process."""
    output = tmp_path_factory.mktemp("at once") / "out.mkv"
    with small_renders():
        restyle(request(clip, mask, output))
    return pixels(output)


@pytest.fixture
def run(clip: Path, mask: Path, tmp_path: Path) -> Run:
    return prepare(request(clip, mask, tmp_path / "out.mkv"))


def command(*words: str) -> Result:
    return CliRunner().invoke(main, words, env={"SLURM_ARRAY_TASK_ID": None})


def test_units_in_reverse_order_and_twice_are_the_render_of_one_process(
    run: Run, at_once: np.ndarray[Any, Any], tmp_path: Path
) -> None:
    assert [unit.shot for unit in run.units] == [1, 1, 2]
    for number in reversed(range(len(run.units))):
        assert (make_units(run.folder, number).made, make_units(run.folder, number).made) == (1, 0)
    result = finish(run.folder)
    assert result.units_kept == len(run.units)
    assert np.array_equal(pixels(tmp_path / "out.mkv"), at_once)
    assert not run.folder.exists()


def test_the_commands_do_it_too(clip: Path, mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, at_once = tmp_path / "out.mkv", tmp_path / "at once.mkv"
    look = ["--prompt", OPTIONS.prompt, "--quality", "draft", "--steps", "1", "--window", "4", "--anchor", "#7"]
    look += ["--mask", str(mask), "--codec", "ffv1", "--drop-unsupported", "--quiet"]
    assert command("restyle", str(clip), *look, "-o", str(at_once)).exit_code == 0
    told = command("restyle", str(clip), *look, "-o", str(output), "--prepare-only", "--json")
    assert told.exit_code == 0, told.output
    units = json.loads(told.stdout)["units"]
    folder = str(work_folder(output))
    assert command("unit", folder).exit_code == 2
    monkeypatch.setenv("AWS_BATCH_JOB_ARRAY_INDEX", "1")
    assert json.loads(command("unit", folder, "--count", "2", "--json").stdout) == {"made": 1, "there": 0}
    early = command("finish", folder)
    assert early.exit_code == 2
    assert f"2 of {len(units)} units are missing: 0, 1" in early.stderr
    assert command("unit", folder, "--index", "0", "--count", "64").exit_code == 0
    assert command("finish", str(output)).exit_code == 0
    assert np.array_equal(pixels(output), pixels(at_once))


def test_another_count_of_threads_is_not_taken(run: Run, at_once: np.ndarray[Any, Any], tmp_path: Path) -> None:
    """The run says how many: sums are cut by them."""
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        make_units(run.folder, 0, len(run.units))
        finish(run.folder)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    assert np.array_equal(pixels(tmp_path / "out.mkv"), at_once)


def test_a_unit_that_is_damaged_is_missing(run: Run) -> None:
    make_units(run.folder, 0, len(run.units))
    path = sorted((run.folder / "units").iterdir())[1]
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"1 of {len(run.units)} units are missing"):
        finish(run.folder)


def _other_source(run: Run) -> None:
    two_shots(run.request.source, frames=5)


def _other_version(run: Run) -> None:
    _edit(run, lambda told: told.update(format=99))


def _damaged(run: Run) -> None:
    _edit(run, lambda told: told.pop("units"))


def _other_machine(run: Run) -> None:
    def change(told: dict[str, Any]) -> None:
        told["computed on"]["instructions"] = "AVX2048"
        told["units"] = [[*unit[:3], "0" * 64] for unit in told["units"]]

    _edit(run, change)


def _gone(run: Run) -> None:
    run.request.source.unlink()


def _edit(run: Run, change: Callable[[dict[str, Any]], object]) -> None:
    path = run.folder / RUN
    told = json.loads(path.read_text("utf-8"))
    change(told)
    path.write_text(json.dumps(told), "utf-8")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_other_source, "is not the source that the run was prepared of"),
        (_other_version, "and this is"),
        (_damaged, "cannot be read as a run"),
        (_other_machine, "prepared for instructions AVX2048"),
        (_gone, "is not there"),
    ],
)
def test_what_would_be_another_unit_is_refused(
    tmp_path: Path, mask: Path, harm: Callable[[Run], None], said: str
) -> None:
    clip = two_shots(tmp_path / "clip.mov")
    run = prepare(request(clip, mask, tmp_path / "out.mkv"))
    harm(run)
    done = command("unit", str(run.folder), "--index", "0")
    assert done.exit_code == 2
    assert said in done.stderr
    assert list((run.folder / "units").iterdir()) == []


def test_a_number_beyond_the_last_unit_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has no unit {len(run.units)}; they go from 0 to {len(run.units) - 1}"):
        make_units(run.folder, len(run.units))
    with pytest.raises(InputError, match="holds no prepared run"):
        read_run(tmp_path)


def test_memory_that_runs_out_has_an_exit_code_of_its_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window is for whoever prepares the run to shrink: of one shot there are no units of two."""

    def tight(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(sampling, "restyle_window", tight)
    with pytest.raises(DoesNotFitError):
        make_units(run.folder, 0)
    assert command("unit", str(run.folder), "--index", "0").exit_code == 4


def test_a_disk_that_is_full_may_be_tried_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("vedit.store.unit_files.os.fsync", full)
    done = command("unit", str(run.folder), "--index", "0")
    assert done.exit_code == 75
    assert "No space left on device; free some space" in done.stderr
    assert list((run.folder / "units").iterdir()) == []
