"""Renders that survive: what is finished is kept, only what is missing is made, and the pixels are the same."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.support.clips import FRAMES, HEIGHT, WIDTH, two_shots
from tests.support.loaded import load_once, small_renders
from tests.support.resolved import made_job
from vedit.errors import InputError, Interrupted, VeditError
from vedit.media.contract.verify import verify
from vedit.media.output import OutputOptions
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.memory import MemoryBudget, MemoryLadder
from vedit.options.masks import KeyedFile, MaskSpec, RegionSpec
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.pipelines import restyle_pipeline as sampling
from vedit.progress.callbacks import ignore_progress
from vedit.render import finish_shot as finishing
from vedit.render.conditioning import ConditioningSource
from vedit.render.job import conditioning_of
from vedit.render.prepare import load_prepared
from vedit.render.run import restyle
from vedit.render.sample_shot import ShotSampler, ignore_note, never
from vedit.store.computed import ComputedCache
from vedit.store.units import UnitStore, work_folder
from vedit.types import ControlSpec, FrameRange, Shot

pytestmark = pytest.mark.usefixtures("small")

OPTIONS = RestyleOptions(prompt="watercolor painting", quality="draft", steps=1, window=4, overlap=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_shots(tmp_path_factory.mktemp("clip") / "two shots.mov")


def request(clip: Path, output: Path, **changes: Any) -> RenderRequest:
    return replace(RenderRequest(source=clip, output=output, options=OPTIONS), **changes)


def pixels(path: Path) -> np.ndarray[Any, Any]:
    with open_video(path) as reader:
        return reader.read(FrameRange(start=0, stop=len(reader.index()))).frames


@pytest.fixture(scope="module")
def undisturbed(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray[Any, Any]:
    output = tmp_path_factory.mktemp("undisturbed") / "out.mov"
    with small_renders():
        assert restyle(request(clip, output)).units_kept == 0
    return pixels(output)


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The windows that are sampled in a test."""
    seen: list[tuple[int, int]] = []
    before = sampling.restyle_window

    def record(restyler: Any, shot: FrameRange, window: FrameRange, *rest: Any) -> Any:
        seen.append((window.start, window.stop))
        return before(restyler, shot, window, *rest)

    monkeypatch.setattr(sampling, "restyle_window", record)
    return seen


def after(output: Path, units: int) -> Callable[[], bool]:
    """Says stop once that many units are on the disk."""
    folder = work_folder(output) / "units"
    return lambda: folder.is_dir() and len(list(folder.iterdir())) >= units


def test_a_stopped_render_goes_on_where_it_was(
    clip: Path, tmp_path: Path, sampled: list[tuple[int, int]], undisturbed: np.ndarray[Any, Any]
) -> None:
    output = tmp_path / "out.mov"
    told: list[str] = []
    with pytest.raises(Interrupted, match="1 finished units are kept"):
        restyle(request(clip, output), stop=after(output, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["out.mov.vedit"]
    first = list(sampled)
    result = restyle(request(clip, output), on_note=told.append)
    assert len(sampled) == len(set(sampled)), "no window is sampled twice"
    assert set(first) < set(sampled)
    assert result.units_kept == 1
    assert told[0].startswith("going on: 1 of")
    assert np.array_equal(pixels(output), undisturbed)
    assert verify(clip, output).ok
    assert not work_folder(output).exists()


def test_a_stop_is_heard_while_frames_are_finished(clip: Path, tmp_path: Path) -> None:
    stages: list[str] = []
    with pytest.raises(Interrupted, match="finished units are kept"):
        restyle(
            request(clip, tmp_path / "out.mov"),
            on_progress=lambda progress: stages.append(progress.stage),
            stop=lambda: "write" in stages,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["out.mov.vedit"]


def test_the_pair_does_not_take_the_result_s_name(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="named twice"):
        restyle(request(clip, tmp_path / "out.mov"), side_by_side=tmp_path / "out.mov")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_finishes_the_unit_in_hand(clip: Path, tmp_path: Path, undisturbed: np.ndarray[Any, Any]) -> None:
    output = tmp_path / "out.mov"
    # It presses Ctrl-C itself, once a unit is kept: from outside, a busy machine would let it end before.
    code = (
        f"import os, signal, sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from tests.support.loaded import small_renders\n"
        "from vedit.cli import main\nfrom vedit.store.units import UnitStore\n"
        "put = UnitStore.put\n"
        "def keep(*args, **named):\n    put(*args, **named)\n"
        "    UnitStore.put = put\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "UnitStore.put = keep\nwith small_renders():\n    main()\n"
    )
    command = [sys.executable, "-c", code, "restyle", str(clip), "-o", str(output), "--prompt", OPTIONS.prompt]
    command += ["--quality", "draft", "--steps", "1", "--window", "4"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = done.stderr
    assert done.returncode == 130, told
    assert "finishing the current unit, then stopping; press Ctrl-C again to stop at once" in told
    assert "the same command goes on from there" in told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["out.mov.vedit"]
    assert restyle(request(clip, output)).units_kept >= 1
    assert np.array_equal(pixels(output), undisturbed)


def test_changed_settings_redo_what_they_touch(clip: Path, tmp_path: Path, sampled: list[tuple[int, int]]) -> None:
    output = tmp_path / "out.mov"
    again = OutputOptions(overwrite=True)
    restyle(request(clip, output, keep_work=True))
    whole = len(sampled)
    sampled.clear()
    # What comes behind the latents needs no sampling, nor does noise that is not drawn.
    behind = replace(OPTIONS, upscale="lanczos", seed=9)
    restyle(request(clip, output, keep_work=True, writing=replace(again, preset="web"), options=behind))
    assert sampled == []
    # A part that ends elsewhere shares the shot that it holds whole.
    restyle(request(clip, output, keep_work=True, writing=again, frames="#6.."))
    assert sampled == []
    restyle(request(clip, output, keep_work=True, writing=again, options=replace(OPTIONS, prompt="night")))
    assert len(sampled) == whole


@pytest.mark.parametrize(
    ("count", "kept"), [pytest.param(6, False, id="of the part"), pytest.param(FRAMES, True, id="of the whole clip")]
)
@pytest.mark.parametrize("named", ["control", "where", "mask", "region"])
def test_a_file_that_goes_with_the_part_is_another_one_under_another_part(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, kept: bool, named: str
) -> None:
    """Its frames lie elsewhere in the clip, though it is the same file and as long; one of the whole clip does not."""
    monkeypatch.setattr("vedit.render.prepare.load", load_once)
    folder = tmp_path / "maps"
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:04d}.png"), np.full((HEIGHT, WIDTH, 3), 20 * number + 40, np.uint8))
    file = folder / "%04d.png"
    mask = MaskSpec(files=(KeyedFile(path=file),))
    changes: dict[str, dict[str, Any]] = {
        "control": {"controls": (ControlSpec(kind="tile", source=file),)},
        "where": {"controls": (ControlSpec(kind="tile", mask=file),)},
        "mask": {"mask": mask},
        "region": {"regions": (RegionSpec(mask=mask, prompt="night"),)},
    }
    shots = tuple(
        Shot(number=number, frames=FrameRange(start=start, stop=stop))
        for number, (start, stop) in enumerate(((0, 3), (3, 6), (6, FRAMES)), 1)
    )
    names: list[tuple[str, ...]] = []
    for part in ("#0..#6", "#3..#9"):
        options = replace(OPTIONS, **{"controls": (), "short_side": 128, **changes[named]})
        job = made_job(request(clip, tmp_path / "out.mov", options=options, shots=shots, frames=part))
        (shot,) = (shot for shot in job.shots if shot.number == 2)
        with ExitStack() as stack:
            work = stack.enter_context(UnitStore(job.output.path))
            cache = stack.enter_context(ComputedCache(tmp_path / "cache"))
            steering = stack.enter_context(ConditioningSource(conditioning_of(job), cache))
            ((restyler,), _) = load_prepared((job,))
            ladder = MemoryLadder(MemoryBudget(batch=1, window=4), restyler.model, on_note=ignore_note)
            sampler = ShotSampler(job, restyler, steering, work, ladder, on_progress=ignore_progress, stop=never)
            names.append(sampler.keys(shot))
    assert (names[0] == names[1]) == kept


def test_a_damaged_unit_alone_is_made_again(
    clip: Path, tmp_path: Path, sampled: list[tuple[int, int]], undisturbed: np.ndarray[Any, Any]
) -> None:
    output = tmp_path / "out.mov"
    with pytest.raises(Interrupted):
        restyle(request(clip, output), stop=after(output, 2))
    unit = sorted((work_folder(output) / "units").iterdir())[0]
    unit.write_bytes(unit.read_bytes()[:-1])
    before = list(sampled)
    sampled.clear()
    restyle(request(clip, output))
    assert before[0] in sampled
    assert before[1] not in sampled
    assert np.array_equal(pixels(output), undisturbed)


def test_less_memory_is_a_smaller_window_said_and_remembered(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vedit.memory.SMALLEST_WINDOW", 2)
    before = sampling.restyle_window

    def tight(restyler: Any, shot: FrameRange, window: FrameRange, *rest: Any) -> Any:
        if len(window) * restyler.options.batch > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return before(restyler, shot, window, *rest)

    monkeypatch.setattr(sampling, "restyle_window", tight)
    told: list[str] = []
    output = tmp_path / "out.mov"
    result = restyle(request(clip, output), on_note=told.append)
    assert told[-1] == "out of memory with batch 1, window 4: going on with batch 1, window 2"
    assert told[-1] in result.notes
    monkeypatch.setattr(sampling, "restyle_window", before)
    asked = tmp_path / "asked.mov"
    restyle(request(clip, asked, options=replace(OPTIONS, window=2, overlap=0, batch=1)))
    assert np.array_equal(pixels(output), pixels(asked))


def test_a_batch_that_memory_lowers_begins_the_shot_anew(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampled: list[tuple[int, int]]
) -> None:
    """No shot has units of two batches in it, which are rounded otherwise; nor has one that goes on."""
    before = sampling.restyle_window

    def tight(restyler: Any, shot: FrameRange, window: FrameRange, *rest: Any) -> Any:
        if window.start and restyler.options.batch > 2:
            raise MemoryError
        return before(restyler, shot, window, *rest)

    monkeypatch.setattr(sampling, "restyle_window", tight)
    output, asked, told = tmp_path / "out.mov", tmp_path / "asked.mov", list[str]()
    with pytest.raises(Interrupted):
        restyle(request(clip, output), on_note=told.append, stop=after(output, 2))
    assert told[-1] == "out of memory with batch 8, window 4: going on with batch 2, window 4"
    restyle(request(clip, output), on_note=told.append)
    assert sampled.count((0, 4)) == 2, "once in either batch, and not again to go on"
    restyle(request(clip, asked, options=replace(OPTIONS, batch=2)))
    assert np.array_equal(pixels(output), pixels(asked))


def test_memory_that_runs_out_while_decoding_is_tiles(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampled: list[tuple[int, int]]
) -> None:
    """The units stay as they are; that tiles were used is in the record."""
    before = finishing.decoded

    def tight(job: Any, restyler: Any, *rest: Any) -> Any:
        if not restyler.model.codec.tiled:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return before(job, restyler, *rest)

    monkeypatch.setattr(finishing, "decoded", tight)
    output = tmp_path / "out.mov"
    notes = restyle(request(clip, output)).notes
    assert any(note.endswith("going on with batch 1, window 4, tiled autoencoder") for note in notes)
    assert len(sampled) == len(set(sampled)), "no window is sampled twice"
    record = json.loads(sidecar_path(output).read_text("utf-8"))
    assert record["used"]["tiled"] is True
    assert any("tiled" in note for note in record["notes"])


def test_no_memory_at_all_ends_in_one_line(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(sampling, "restyle_window", nothing)
    with pytest.raises(VeditError, match="out of memory even with batch 1, window 4"):
        restyle(request(clip, tmp_path / "out.mov"))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_what_is_finished(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: np.ndarray[Any, Any]
) -> None:
    output = tmp_path / "out.mov"
    sync, count = os.fsync, iter(range(100))

    def full(handle: int) -> None:
        if next(count) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr("vedit.store.unit_files.os.fsync", full)
    with pytest.raises(VeditError, match="No space left on device; free some space"):
        restyle(request(clip, output))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mov.vedit"]
    assert restyle(request(clip, output)).units_kept >= 1
    assert np.array_equal(pixels(output), undisturbed)


def test_tiles_and_offloading_change_nothing_but_how_sums_are_rounded() -> None:
    """The lower rungs really run: one picture, with the autoencoder tiled and resting on the host."""
    from vedit.models.load import load
    from vedit.models.resolve import resolve

    model = load(resolve("embedded"))
    noise = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    frames = torch.nn.functional.interpolate(noise, (480, 576), mode="bicubic").clamp(0, 1)  # several bands
    whole = model.codec.decode(model.codec.encode(frames))
    model.set_memory(batch=1, tiled=True, offloaded=True)
    tiled = model.codec.decode(model.codec.encode(frames))
    model.set_memory(batch=8, tiled=False, offloaded=False)
    torch.testing.assert_close(tiled, whole, rtol=0, atol=1e-4)
    torch.testing.assert_close(model.codec.decode(model.codec.encode(frames)), whole)
