"""Made-up folders in the layouts of published benchmarks, and the script that runs over them."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from tests.support.scripts import load_script
from vedit.media.contract.identity import identity
from vedit.testing.fakes import moving_frames

EXAMPLE = Path(__file__).parents[2] / "examples" / "benchmarks"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from published import placing  # noqa: E402

QUICK = ("--quality", "draft", "--device", "cpu", "--measure", "none")
Run = Callable[..., int]


@cache
def _script() -> ModuleType:
    return load_script("benchmarks/run.py", "benchmarks_run")


def run_script(layout: str, folder: Path, out: Path, *more: str) -> int:
    """The exit code of a draft without vedit's own figures."""
    return _script().main([layout, str(folder), str(out), *QUICK, *more])


def frames(folder: Path, *, first: int, count: int = 3, suffix: str = ".jpg", grey: bool = False) -> Path:
    """Numbered pictures of 64x64; grey: a mask whose left half is white."""
    folder.mkdir(parents=True)
    half = np.zeros((64, 64), np.uint8)
    half[:, :32] = 255
    for number, frame in enumerate(moving_frames(count, 64, 64)):
        shown = Image.fromarray(half if grey else np.ascontiguousarray(frame.transpose(1, 2, 0)))
        shown.save(folder / f"{first + number:05d}{suffix}", quality=95)
    return folder


def film(path: Path, tmp_path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    identity(frames(tmp_path / f"of {path.stem}", first=0, suffix=".png"), path)
    return path


def five(folder: Path, **changes: Any) -> Path:
    frames(folder / "images" / "0001_bus", first=1)
    frames(folder / "bmasks" / "0001_bus", first=1, grey=True)
    entry = {
        "video_name": "0001_bus",
        "editing_type_id": 3,
        "source_prompt": "a [red] bus on a road",
        "target_prompt": "a [blue] bus on a road",
        "save_dir": "3_a [blue] bus",
        **changes,
    }
    (folder / "edit_prompt").mkdir()
    (folder / "edit_prompt" / "edit3_FiVE.json").write_text(json.dumps([entry]), "utf-8")
    return folder


def ivebench(folder: Path, tmp_path: Path, **changes: Any) -> Path:
    film(folder / "short" / "cat walk.mp4", tmp_path)
    entry = {
        "id": 7,
        "src_video_name": "cat walk.mp4",
        "edit_prompt": "make it a drawing",
        "source_prompt": "a cat",
        "target_prompt": "a drawing of a cat",
        "category": "style_editing",
        "subcategory": "art",
        **changes,
    }
    (folder / "short.json").write_text(json.dumps([entry]), "utf-8")
    (folder / "other.json").write_text("{}", "utf-8")
    return folder


def vefx(folder: Path, tmp_path: Path, **changes: Any) -> Path:
    film(folder / "videos" / "street.mp4", tmp_path)
    entry = {"original": "videos/street.mp4", "instruction": "make it snowy", "category": "Weather", **changes}
    (folder / "prompts.json").write_text(json.dumps([entry]), "utf-8")
    return folder


def tgve(folder: Path, **changes: str) -> Path:
    frames(folder / "DAVIS_480p" / "480p_frames" / "stunt", first=0)
    columns = [
        "Video name",
        "Our GT caption",
        *(f"{kind} Caption" for kind in ("Style Change", "Object Change", "Background Change", "Multiple Changes")),
    ]
    line = dict(zip(columns, ["stunt", "a man", "a man, in oil", "a woman", "a man, in a wood", ""], strict=True))
    rows = [{"Video name": "DAVIS Videos:"}, line | changes, {}, {"Video name": "Youtube Videos:"}]
    placing.write_csv(folder / "LOVEU-TGVE-2023_Dataset.csv", columns, rows)
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def picture(path: Path) -> Any:
    """(H, W, 3) levels."""
    with Image.open(path) as shown:
        return np.asarray(shown, np.float64)
