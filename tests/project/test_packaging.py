"""What the wheel would hold, and that the two top-level folders cannot be loaded a second time under another name."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

import vedit

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS: dict[str, Any] = PROJECT["tool"]["setuptools"]
OUTSIDE = {"vedit.pipelines": "pipelines", "vedit.preprocessors": "preprocessors"}


def package_folders() -> set[str]:
    """Every folder with Python files in it that belongs to the package, by its dotted name."""
    names: set[str] = set()
    for package, folder in {"vedit": "vedit", **OUTSIDE}.items():
        base = ROOT / folder
        for path in base.rglob("*.py"):
            parts = path.parent.relative_to(base).parts
            if package == "vedit" and parts and parts[0] in OUTSIDE.values():
                continue
            names.add(".".join((package, *parts)))
    return names


def test_every_package_folder_is_listed() -> None:
    assert sorted(SETUPTOOLS["packages"]) == sorted(package_folders())


def test_the_wheel_has_one_top_level_package() -> None:
    assert {name.split(".")[0] for name in SETUPTOOLS["packages"]} == {"vedit"}
    assert SETUPTOOLS["package-dir"] == OUTSIDE


@pytest.mark.parametrize("name", list(OUTSIDE.values()))
def test_link_is_relative_and_leads_to_the_folder(name: str) -> None:
    link = ROOT / "vedit" / name
    assert link.is_symlink()
    assert str(link.readlink()) == f"../{name}"


@pytest.mark.parametrize("name", list(OUTSIDE.values()))
def test_top_level_import_is_refused(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert f"import vedit.{name}" in done.stderr.splitlines()[-1]


def test_package_data_holds_the_embedded_model() -> None:
    folder = ROOT / "vedit" / "embedded"
    patterns: list[str] = SETUPTOOLS["package-data"]["vedit.embedded"]
    shipped = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    present = {p for p in folder.rglob("*") if p.is_file() and p.suffix != ".py" and "__pycache__" not in p.parts}
    assert present <= shipped, f"not in package-data: {sorted(str(p) for p in present - shipped)}"


def test_package_data_holds_what_metrics_read() -> None:
    assert (ROOT / "vedit" / "evaluation" / "look_statistics.json").is_file()
    assert "look_statistics.json" in SETUPTOOLS["package-data"]["vedit.evaluation"]


def test_weights_are_safetensors_only() -> None:
    pickles = [p for suffix in ("bin", "ckpt", "pt", "pth", "pkl") for p in (ROOT / "vedit").rglob(f"*.{suffix}")]
    assert not pickles


def test_version_is_told_once() -> None:
    assert PROJECT["project"]["version"] == vedit.__version__


def test_command_is_installed() -> None:
    (script,) = entry_points(group="console_scripts", name="vedit")
    assert script.value == "vedit.cli:main"


def test_extras_keep_torchvision_out() -> None:
    """Next to a CPU torch a torchvision from the default registry breaks transformers and diffusers."""
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(item for name in extras if name != "controlnet-aux" for item in extras[name]),
    ]
    names = {re.split(r"[\[<>=!~; ]", item)[0] for item in wanted}
    assert not names & {"torchvision", "torchaudio", "controlnet-aux", "controlnet_aux", "mediapipe", "timm"}


def test_constraints_are_exact_and_cover_the_requirements() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if line[:1] not in ("#", "")]
    pinned = [re.fullmatch(r"([\w.-]+)==([\d.]+(?:rc\d+|\.post\d+)?)", line) for line in lines]
    assert all(pinned), [line for line, match in zip(lines, pinned, strict=True) if match is None]
    known = {_canonical(match[1]) for match in pinned if match}
    extras: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
    wanted = [
        *PROJECT["project"]["dependencies"],
        *(item for name in extras if name != "controlnet-aux" for item in extras[name]),
    ]
    names = {_canonical(re.split(r"[\[<>=!~; ]", item)[0]) for item in wanted} - {"vedit"}
    assert names <= known, f"not in constraints.txt: {sorted(names - known)}"


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
