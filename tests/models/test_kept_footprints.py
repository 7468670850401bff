"""What was found out by building networks is found out once, for as long as nothing that decides it has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.support.clips import two_shots
from tests.support.lora_files import kohya_name, write_kohya
from vedit.errors import ModelError
from vedit.models import findings
from vedit.models.findings import FILE, found_before, keep, key_of
from vedit.models.footprint import Footprint, Scene
from vedit.models.kept_footprints import footprint_from, kept_footprint
from vedit.models.loading import Loading
from vedit.models.resolve import resolve
from vedit.models.source import ModelSource
from vedit.options.loras import LoraSpec
from vedit.options.request import RestyleOptions
from vedit.testing.tiny_sd import write_tiny_sd

SCENE = Scene(height=64, width=128, batch=4, window=12)
PROGRAM = """
import sys
from vedit.cli import main
code = main(sys.argv[1:], standalone_mode=False)
assert code == 0, code
print("diffusers" in sys.modules or "transformers" in sys.modules)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and a process that knows nothing."""
    monkeypatch.setenv("VEDIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VEDIT_CACHE_GB", raising=False)
    monkeypatch.setattr(findings, "_known", {})
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sd(tmp_path_factory.mktemp("kept") / "tiny", controls=("tile",))


class Counted:
    """A model's footprint, and how often it was found by running networks."""

    def __init__(self, folder: Path, *, scene: Scene = SCENE, kinds: tuple[str, ...] = ("tile",)) -> None:
        self.times = 0
        self.folder, self.scene, self.kinds = folder, scene, kinds

    def __call__(self) -> Footprint:
        source = ModelSource(base=str(self.folder))
        found = kept_footprint(source, self.kinds, self.scene, self._find)
        assert found is not None
        return found

    def _find(self) -> Footprint | None:
        from vedit.models.families.sd_footprint import footprint

        self.times += 1
        return footprint(ModelSource(base=str(self.folder)), self.kinds, self.scene)


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another process would begin."""
    monkeypatch.setattr(findings, "_known", {})


def test_a_second_process_finds_the_same_without_running_networks(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = Counted(tiny)
    first = ask()
    forget(monkeypatch)
    again = ask()
    assert (ask.times, again) == (1, first)
    assert list(again.weights) == list(first.weights), "in the order in which they are loaded"


def test_where_files_lie_does_not_matter_and_what_is_in_them_does(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Counted(tiny)()
    folder = Path(shutil.copytree(tiny, tmp_path / "copy"))
    moved = Counted(folder)
    moved()
    assert moved.times == 0
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor.half() for name, tensor in load_file(file).items()}, file)
    halved = moved()
    assert moved.times == 1
    assert 2 * halved.stored["unet"] == halved.weights["unet"]
    config = folder / "vae" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "scaling_factor": 0.5}), "utf-8")
    moved()
    assert moved.times == 2
    for scene in (
        replace(SCENE, height=128),
        replace(SCENE, loading=Loading(device="cuda")),
        replace(SCENE, injected=("features",)),
    ):
        other = Counted(folder, scene=scene)
        other()
        assert other.times == 1
    without = Counted(folder, kinds=())
    assert "controlnet:tile" not in without().weights
    monkeypatch.setattr(findings, "versions", lambda: (("diffusers", "another"),))
    moved()
    assert moved.times == 3


def test_what_became_damaged_is_refused_though_it_was_known(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "damaged"))
    ask = Counted(folder)
    ask()
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors.pop("conv_in.weight")
    save_file(tensors, file)
    with pytest.raises(ModelError, match=r"conv_in\.weight"):
        ask()


@pytest.mark.parametrize(
    "damage",
    [
        {"precision": 16},
        {"weights": {"unet": -1}},
        {"weights": {"unet": 1.5}},
        {"reader": None},
        {"encode": {"peak": 1}},
        {"decode": {"peak": 1, "work": {"convolutions": 1.0, "products": 0, "attention": 0, "moved": float("inf")}}},
        {"unpacked": {"unet": -1}},
        {"unpacked": 3},
        {"standing": "much"},
        {"block": -1},
        {"stored": {}},
        {"unheard_of": 1},
    ],
)
def test_what_is_no_footprint_is_not_believed(tiny: Path, damage: dict[str, Any]) -> None:
    told = json.loads(json.dumps(asdict(Counted(tiny)())))
    assert footprint_from(told) is not None
    assert footprint_from({**told, **damage}) is None
    assert footprint_from(None) is None


def test_a_damaged_table_is_written_anew(tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    (cache / FILE).write_text("{", "utf-8")
    ask = Counted(tiny)
    ask()
    forget(monkeypatch)
    ask()
    assert ask.times == 1


def test_nothing_is_kept_where_nothing_may_be(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEDIT_CACHE_GB", "0")
    key = key_of(["owner/name"])
    keep(key, True)
    assert found_before(key) is True
    forget(monkeypatch)
    assert found_before(key) is None
    assert not (cache / FILE).exists()


def test_a_second_plan_imports_neither_diffusers_nor_transformers(tiny: Path) -> None:
    plan = ["models", "plan", str(tiny), "--size", "128", "--json"]
    assert [apart(plan) for _ in range(2)] == ["True", "False"]


def test_nor_does_a_second_dry_run_with_a_lora(tiny: Path, tmp_path: Path) -> None:
    write_kohya(tmp_path / "lora.safetensors", tiny)
    words = ["restyle", str(two_shots(tmp_path / "in.mov")), "-p", "night", "--model", str(tiny), "--dry-run"]
    words += ["--lora", str(tmp_path / "lora.safetensors"), "--control", "none", "--quality", "draft"]
    assert [apart(words) for _ in range(2)] == ["True", "False"]


def test_a_lora_that_does_not_fit_is_refused_each_time(tiny: Path, tmp_path: Path) -> None:
    lora, model = tmp_path / "lora.safetensors", resolve(str(tiny))
    write_kohya(lora, tiny)
    options = RestyleOptions(prompt="night", loras=(LoraSpec(path=lora),))
    model.check_look(options)
    write_kohya(lora, tiny, name_of=lambda part, name: kohya_name(part, name) + "_elsewhere")
    for _ in range(2):
        with pytest.raises(ModelError, match="has no place"):
            model.check_look(options)


def apart(words: list[str]) -> str:
    """Whether the libraries that build networks were imported by a command in a process of its own."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]
