"""Names are listed without imports, duplicates are refused, and an unknown name gets its nearest neighbour."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from vedit import registry as module
from vedit.errors import InputError
from vedit.registry import Entry, Needs, Registry, load_preprocessor, pipelines, preprocessors


def test_the_built_in_preprocessors_are_listed() -> None:
    assert {"softedge", "tile", "canny", "luma", "flow", "depth", "pose", "segment"} <= {
        e.name for e in preprocessors()
    }
    assert all(entry.summary for entry in preprocessors())
    assert preprocessors()["depth"].needs.weights == ("depth-anything-v2-small",)
    assert preprocessors()["softedge-hed"].branch == "softedge"
    assert "restyle" in pipelines()


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from vedit.registry import preprocessors; list(preprocessors()); "
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
    registry.add_plugins("vedit.pipelines")
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
