"""The work folder: units come back to the last bit or not at all, one process at a time, nothing useless left."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vedit.errors import InputError
from vedit.store.unit_files import write_unit
from vedit.store.units import UnitStore, unit_key, work_folder

LATENTS = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
MACHINE = {"device": "cpu", "threads": 3}
KEY = unit_key({"source": "a", "frames": [0, 3]})


def kept(output: Path) -> Path:
    """A work folder with one unit in it, as a killed render leaves it."""
    with UnitStore(output) as work:
        work.put(KEY, LATENTS, frames=(0, 3), computed_on=MACHINE)
    return work_folder(output)


def test_a_unit_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    kept(tmp_path / "out.mp4")
    with UnitStore(tmp_path / "out.mp4") as work:
        assert work.kept == 1
        found = work.get(KEY)
        assert found is not None
        assert torch.equal(found, LATENTS)
        assert work.get(unit_key({"source": "b", "frames": [0, 3]})) is None


def test_a_result_leaves_nothing_and_a_failure_before_the_first_unit_neither(tmp_path: Path) -> None:
    with UnitStore(tmp_path / "out.mp4") as work:
        work.put(KEY, LATENTS, frames=(0, 3), computed_on=MACHINE)
        work.done()
    with pytest.raises(ZeroDivisionError), UnitStore(tmp_path / "other.mp4"):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_units_can_outlive_the_result(tmp_path: Path) -> None:
    stale = unit_key({"source": "old"})
    with UnitStore(tmp_path / "out.mp4") as work:
        work.put(KEY, LATENTS, frames=(0, 3), computed_on=MACHINE)
        work.put(stale, LATENTS, frames=(3, 6), computed_on=MACHINE)
        work.done(keep=frozenset([KEY]))
    with UnitStore(tmp_path / "out.mp4") as work:
        assert work.has(KEY)
        assert not work.has(stale)
    assert len(list((work_folder(tmp_path / "out.mp4") / "units").iterdir())) == 1


@pytest.mark.parametrize("harm", ["flip", "cut", "remove", "other"])
def test_a_damaged_unit_is_absent(tmp_path: Path, harm: str) -> None:
    folder = kept(tmp_path / "out.mp4")
    (unit,) = (folder / "units").iterdir()
    data = bytearray(unit.read_bytes())
    match harm:
        case "flip":
            data[-1] ^= 1
            unit.write_bytes(data)
        case "cut":
            unit.write_bytes(data[:-7])
        case "remove":
            unit.unlink()
        case _:
            save_file({"latents": LATENTS}, unit)  # it says nothing of itself
    with UnitStore(tmp_path / "out.mp4") as work:
        assert work.get(KEY) is None
        work.put(KEY, LATENTS, frames=(0, 3), computed_on=MACHINE)
        again = work.get(KEY)
        assert again is not None
        assert torch.equal(again, LATENTS)


def test_a_unit_that_another_process_puts_there_counts(tmp_path: Path) -> None:
    """Whether before the folder is opened or after a damaged list; and it is never taken for rubbish."""
    folder, other = kept(tmp_path / "out.mp4"), unit_key({"source": "b", "frames": [3, 6]})
    (folder / "manifest.json").write_text("{")
    write_unit(folder / "units", other, LATENTS + 1, frames=(3, 6), computed_on=MACHINE)
    for _ in range(2):
        with UnitStore(tmp_path / "out.mp4") as work:
            assert work.kept == 2
            for key, latents in ((KEY, LATENTS), (other, LATENTS + 1)):
                found = work.get(key)
                assert found is not None
                assert torch.equal(found, latents)


def test_a_unit_that_somebody_is_writing_is_left_alone(tmp_path: Path) -> None:
    folder = kept(tmp_path / "out.mp4") / "units"
    alive, dead = (folder / f".0000003-abc.{mark}.part.safetensors" for mark in ("0" * 8, "1" * 8))
    code = (
        "import sys, pathlib\nfrom vedit.media.writing.unfinished import hold\n"
        "path = pathlib.Path(sys.argv[1])\npath.touch()\nassert hold(path)\nprint('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    dead.write_bytes(b"half a unit")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(alive)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        with UnitStore(tmp_path / "out.mp4") as work:
            assert work.kept == 1
        assert alive.exists()
        assert not dead.exists()
        holder.kill()
        holder.wait()
    with UnitStore(tmp_path / "out.mp4"):
        assert not alive.exists()


@pytest.mark.parametrize("harm", ["", "flip", "escape", "list"])
def test_units_of_a_version_that_kept_a_list_go_on(tmp_path: Path, harm: str) -> None:
    folder = kept(tmp_path / "out.mp4")
    (unit,) = (folder / "units").iterdir()
    save_file({"latents": LATENTS}, unit)
    listed: dict[str, object] = {
        "file": unit.name,
        "sha256": hashlib.sha256(unit.read_bytes()).hexdigest(),
        "frames": [0, 3],
    }
    match harm:
        case "flip":
            listed["sha256"] = "0" * 64
        case "escape":
            unit.rename(tmp_path / "elsewhere.safetensors")
            listed["file"] = "../../elsewhere.safetensors"
        case "list":
            listed["frames"] = [0]
        case _:
            pass
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps({"format": 2, "computed on": MACHINE, "units": {KEY: listed}}), "utf-8")
    with UnitStore(tmp_path / "out.mp4") as work:
        found = work.get(KEY)
        assert (found is not None) == (not harm)
        if found is not None:
            assert torch.equal(found, LATENTS)
            assert work.computed_on == MACHINE


def test_what_a_killed_run_was_writing_is_cleared(tmp_path: Path) -> None:
    folder = kept(tmp_path / "out.mp4")
    (folder / ".out.1234.part.mp4").write_bytes(b"half a film")
    (folder / "units" / "0000003-abc.safetensors.part").write_bytes(b"half a unit")
    with UnitStore(tmp_path / "out.mp4") as work:
        assert work.kept == 1
        (unit,) = (folder / "units").iterdir()
        assert unit.suffix == ".safetensors"
        assert sorted(path.name for path in folder.iterdir()) == ["lock", "manifest.json", "units"]


def test_fresh_forgets(tmp_path: Path) -> None:
    kept(tmp_path / "out.mp4")
    with UnitStore(tmp_path / "out.mp4", fresh=True) as work:
        assert work.kept == 0
        assert work.get(KEY) is None


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    output = tmp_path / "out.mp4"
    code = (
        "import sys, pathlib\nfrom vedit.store.units import UnitStore\n"
        "with UnitStore(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(output)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(InputError, match="another vedit is rendering"), UnitStore(output):
            pass
        holder.kill()  # as `kill -9`: the lock dies with its process
        holder.wait()
    with UnitStore(output):
        pass


def test_a_folder_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    folder = work_folder(tmp_path / "out.mp4")
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="not a work folder"), UnitStore(tmp_path / "out.mp4"):
        pass
    assert (folder / "holiday.jpg").read_bytes() == b"mine"
    link = work_folder(tmp_path / "linked.mp4")
    link.symlink_to(tmp_path)
    with pytest.raises(InputError, match="in the way"), UnitStore(tmp_path / "linked.mp4"):
        pass


def test_links_inside_the_folder_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "mine.txt").write_text("mine")
    folder = work_folder(tmp_path / "out.mp4")
    folder.mkdir()
    (folder / "lock").touch()
    (folder / "units").symlink_to(victim)
    for fresh in (False, True):
        with pytest.raises(InputError, match="in the way"), UnitStore(tmp_path / "out.mp4", fresh=fresh):
            pass
    assert (victim / "mine.txt").read_text() == "mine"


def test_a_window_that_memory_made_smaller_is_remembered(tmp_path: Path) -> None:
    with UnitStore(tmp_path / "out.mp4") as work:
        work.set_sizes(0, asked=(24, 8), used=(12, 2))
        work.set_tiled()
        work.put(KEY, LATENTS, frames=(0, 3), computed_on=MACHINE)
    with UnitStore(tmp_path / "out.mp4") as work:
        assert work.sizes(0, (24, 8)) == (12, 2)
        assert work.tiled
        assert work.sizes(0, (16, 8)) == (16, 8), "another window was asked for"
        assert work.sizes(30, (24, 8)) == (24, 8)


def test_what_units_were_computed_on_is_in_them(tmp_path: Path) -> None:
    with UnitStore(tmp_path / "out.mp4") as work:
        assert work.computed_on is None
        assert work.precision is None
        work.put(KEY, LATENTS, frames=(0, 3), computed_on=MACHINE)
        work.set_precision("float32")
    (unit,) = (work_folder(tmp_path / "out.mp4") / "units").iterdir()
    with safe_open(unit, "pt") as file:
        assert json.loads(file.metadata()["computed on"]) == MACHINE
    with UnitStore(tmp_path / "out.mp4") as work:
        assert work.computed_on == MACHINE
        assert work.precision == "float32"
    manifest = work_folder(tmp_path / "out.mp4") / "manifest.json"
    for key, value in (("precision", "float8"), ("sampled in", {"0": [[1], [2]]})):
        told = json.loads(manifest.read_text("utf-8"))
        manifest.write_text(json.dumps({**told, key: value}), "utf-8")
        with UnitStore(tmp_path / "out.mp4") as work:
            assert work.precision is None or key != "precision", "what a user wrote there is not believed"
            assert work.sizes(0, (24, 8)) == (24, 8)
