"""Names are listed without imports, duplicates are refused, and an unknown name gets its nearest neighbour."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from vedit.control_maps.listing import control_kinds
from vedit.errors import InputError, ModelError
from vedit.options.controls import branch, settled
from vedit.options.request import RestyleOptions
from vedit.registry import entry as module
from vedit.registry.entry import Entry, Needs, Registry
from vedit.registry.preprocessors import described, load_preprocessor, preprocessors
from vedit.registry.weights import WeightsInfo
from vedit.types import ControlSpec
from vedit.weights.store import FOLDER_VARIABLE, known_weights, local


def test_the_built_in_preprocessors_are_listed() -> None:
    assert {"softedge", "tile", "canny", "luma", "flow", "depth", "pose", "segment"} <= {
        e.name for e in preprocessors()
    }
    assert all(entry.summary for entry in preprocessors())
    assert preprocessors()["depth"].needs.weights == ("depth-anything-v2-small",)
    assert preprocessors()["softedge-hed"].branch == "softedge"


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from vedit.registry.preprocessors import preprocessors; list(preprocessors()); "
        "from vedit.registry.shot_detectors import shot_detectors; list(shot_detectors()); "
        "from vedit.registry.pipelines import pipelines; list(pipelines()); "
        "from vedit.registry.attention import attention_methods; list(attention_methods()); "
        "from vedit.registry.upscalers import upscalers; list(upscalers()); "
        "print([m for m in sys.modules if m in ('torch', 'cv2', 'transformers') or m.startswith('vedit.prepro')])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_duplicate_name_is_refused() -> None:
    registry = Registry("preprocessor")
    registry.add(Entry(name="canny", summary="", target="a:b"))
    with pytest.raises(InputError, match="two preprocessors are named 'canny': one of vedit and one of other"):
        registry.add(Entry(name="canny", summary="", target="c:d", origin="other"))
    assert registry["canny"].target == "a:b"
    assert len(registry) == 1


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no preprocessor is named 'cany'; did you mean 'canny'\? known: softedge"):
        preprocessors()["cany"]
    with pytest.raises(InputError, match="known: none"):
        Registry("pipeline")["x"]


def test_a_target_that_cannot_be_imported_names_the_remedy() -> None:
    with pytest.raises(InputError, match=r"'x' of lib cannot be loaded: .*no_such.*; reinstall lib"):
        Entry(name="x", summary="", target="no_such_module:f", origin="lib").load()
    with pytest.raises(InputError, match=r"pip install 'vedit\[nle\]'"):
        Entry(name="x", summary="", target="vedit.errors:nothing", needs=Needs(extra="nle")).load()


@dataclass
class FakePoint:
    name: str
    value: str
    dist: Any


def test_third_parties_plug_in_by_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    distribution = type("Dist", (), {"name": "vedit-sepia"})()
    points = [FakePoint(name="sepia", value="vedit.errors:InputError", dist=distribution)]

    def offered(*, group: str) -> list[FakePoint]:
        return points if group == "vedit.preprocessors" else []

    monkeypatch.setattr(module, "entry_points", offered)
    registry = Registry("preprocessor")
    registry.add_plugins("vedit.preprocessors")
    registry.add_plugins("vedit.shot_detectors")
    assert [(entry.name, entry.origin, entry.summary) for entry in registry] == [
        ("sepia", "vedit-sepia", "from vedit-sepia")
    ]
    assert registry["sepia"].load() is InputError
    points[0] = FakePoint(name="sepia", value="vedit.errors:InputError", dist=None)
    with pytest.raises(InputError, match="an unknown distribution"):
        registry.add_plugins("vedit.preprocessors")


def test_load_preprocessor() -> None:
    chunks = [torch.ones(2, 3, 2, 2), torch.ones(1, 3, 2, 2)]
    assert [len(maps) for maps in load_preprocessor("luma")(chunks)] == [2, 1]


SEPIA_WEIGHTS = WeightsInfo(
    name="sepia-net",
    repo="somebody/sepia",
    revision=None,
    size_bytes=1_000_000,
    licence="MIT",
    commercial=True,
    summary="sepia: a network",
)


def sepia(frames: torch.Tensor) -> torch.Tensor:
    """A plug-in's preprocessor: its maps are for the branch `tile`, and it takes weights of its own."""
    return frames


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An installed distribution that brings `sepia`, and one that is broken."""
    sepia.branch, sepia.needs = "tile", Needs(weights=("sepia-net",), short_side=512)  # pyright: ignore[reportFunctionMemberAccess]
    sepia.weights, sepia.summary = (SEPIA_WEIGHTS,), "brown"  # pyright: ignore[reportFunctionMemberAccess]
    distribution = type("Dist", (), {"name": "vedit-sepia"})()
    points = [
        FakePoint(name="sepia", value=f"{__name__}:sepia", dist=distribution),
        FakePoint(name="broken", value="no_such_module:f", dist=distribution),
    ]
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__, ModuleType(__name__)))
    monkeypatch.setattr(sys.modules[__name__], "sepia", sepia, raising=False)
    monkeypatch.setattr(module, "entry_points", lambda *, group: points if group == "vedit.preprocessors" else [])  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    preprocessors.cache_clear()
    yield
    preprocessors.cache_clear()


@pytest.mark.usefixtures("plugged_in")
def test_a_plug_in_names_its_branch_and_its_weights(tmp_path: Path) -> None:
    entry = described("sepia")
    assert (entry.branch, entry.summary, entry.origin, entry.needs.short_side) == ("tile", "brown", "vedit-sepia", 512)
    assert entry.weights == (SEPIA_WEIGHTS,)
    assert branch("sepia") == "tile"
    asked = RestyleOptions(controls=(ControlSpec(kind="sepia"),))
    assert settled(asked, ("tile",)) == asked
    with pytest.raises(InputError, match="no control branch for sepia; it has depth"):
        settled(asked, ("depth",))
    assert known_weights()[-1] == SEPIA_WEIGHTS
    with pytest.raises(ModelError, match=r"'sepia' needs the weights sepia-net \(1 MB, MIT\).*models pull sepia-net"):
        local("sepia-net")
    (tmp_path / "sepia-net").mkdir()
    (tmp_path / "sepia-net" / "model.safetensors").touch()
    assert local("sepia-net") == tmp_path / "sepia-net"
    assert [len(maps) for maps in load_preprocessor("sepia")([torch.ones(2, 3, 2, 2)])] == [2]


@pytest.mark.usefixtures("plugged_in")
def test_a_plug_in_that_is_broken_hinders_no_list() -> None:
    kinds = {kind.name: kind for kind in control_kinds()}
    assert (kinds["sepia"].branch, [needed.name for needed in kinds["sepia"].weights]) == ("tile", ["sepia-net"])
    assert kinds["broken"].origin == "vedit-sepia"
    with pytest.raises(InputError, match="'broken' of vedit-sepia cannot be loaded"):
        described("broken")


@pytest.mark.usefixtures("plugged_in")
def test_what_a_plug_in_says_is_of_the_right_kind() -> None:
    sepia.branch = 7  # pyright: ignore[reportFunctionMemberAccess]
    with pytest.raises(InputError, match="'sepia' of vedit-sepia says branch = 7, which is no str"):
        described("sepia")
