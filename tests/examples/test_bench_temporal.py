"""The bench of steadiness: its table and sheets on made-up figures and frames, its switches, and a run in small."""

# The bench is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.support.clips import lossless
from tests.support.loaded import small_frames
from tests.support.scripts import load_script
from vedit.diffusion import carried_noise
from vedit.diffusion.noise import Drawn
from vedit.errors import InputError
from vedit.render import finish_shot
from vedit.testing.fakes import moving_frames
from vedit.testing.tiny_sd import write_tiny_sd

EXAMPLE = Path(__file__).parents[2] / "examples" / "bench_temporal"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from temporal import clips, document, peer, rendering, sheet, table, variants  # noqa: E402


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("bench_temporal/bench.py", "bench_temporal")


def figure(value: float | None, source: float | None, better: str = "lower", title: str = "Warp") -> dict[str, Any]:
    return {"title": title, "value": value, "source": source, "unit": "levels", "better": better}


def reports(values: Mapping[str, Mapping[str, float | None]]) -> list[tuple[str, str, dict[str, Any]]]:
    """Two clips under one look: variant -> clip -> warp error; the source's own is 1 and 3."""
    own = {"pan": 1.0, "head": 3.0}
    return [
        (clip, "night", {"label": variant, "figures": {"warp_error": figure(value, own[clip])}})
        for variant, by_clip in values.items()
        for clip, value in by_clip.items()
    ]


def test_the_table_is_of_means_and_marks_the_best() -> None:
    rows = table.rows_of(reports({"a": {"pan": 2, "head": 6}, "b": {"pan": 5, "head": None}}))
    (row,) = rows
    assert (row.mean("a"), row.mean("b"), row.mean(table.SOURCE)) == (4, 5, 2)
    assert (row.mean("a", clip="head"), row.mean("b", clip="head")) == (6, None)
    assert row.count("b") == 1
    lines = table.markdown(rows, {"a": "ours", "b": "theirs"}).splitlines()
    assert lines[0] == "| figure | source | ours | theirs |"
    assert lines[2] == "| Warp, levels `warp_error` (lower is better) | 2 | **4** | 5 |"
    assert "| 3 | 6 |  |" in table.markdown(rows, {"a": "ours", "b": "theirs"}, clip="head")


@pytest.mark.parametrize(
    ("better", "values", "best"),
    [
        ("lower", {"a": 1.0, "b": 2.0}, "a"),
        ("higher", {"a": 1.0, "b": 2.0}, "b"),
        ("neither", {"a": 1.0, "b": 2.0}, None),
        ("lower", {"a": 1.0, "b": 1.0}, None),
        ("lower", {"a": 1.0, "b": None}, None),
    ],
)
def test_the_best_is_only_where_there_is_one(better: str, values: dict[str, float | None], best: str | None) -> None:
    assert table.best_of(better, values) == best


def test_figures_are_found_by_their_names_whatever_metrics_there_are() -> None:
    names = (
        "outside_ssim",
        "ssim_structure",
        "anchoring_screen",
        "warp_error_long",
        "flicker_luma",
        "contrast_drift",
        "camera_path",
    )
    found = table.rows_of([("pan", "night", {"label": "a", "figures": {name: figure(1, 1) for name in names}})])
    assert [row.name for row in found] == [
        "warp_error_long",
        "flicker_luma",
        "anchoring_screen",
        "camera_path",
        "ssim_structure",
    ]
    assert table.lacking(found) == ["contrast"]
    assert table.lacking([]) == [group for group, _ in table.GROUPS]


def test_the_page_says_what_is_missing() -> None:
    rows = table.rows_of(reports({"ships": {"pan": 2, "head": 6}, "diffusers-fresh": {"pan": 5, "head": None}}))
    labels = {"ships": "vedit", "diffusers-fresh": "diffusers, fresh"}
    chosen = [clip for clip in clips.CLIPS if clip.name in ("pan", "head")]
    page = document.document(
        chosen, ["night"], {"dis": rows}, labels, run="2 frames.", sheets={"pan": "temporal/pan.jpg"}
    )
    assert "No metric that is installed measures: flicker, anchoring, contrast, motion, structure." in page
    assert "Not measurable in all results, so the mean of those where it is: warp_error." in page
    assert "written beside this page: `temporal/pan.jpg`. They are not kept" in page
    assert (
        "- **diffusers, fresh**: diffusers' ControlNet image-to-image, frame by frame, each from noise of its own."
        in page
    )
    nothing = table.rows_of(reports({"ships": {"pan": None, "head": None}}))
    page = document.document(chosen, ["night"], {"dis": nothing}, {"ships": "vedit"}, run="2 frames.", sheets={})
    assert "Not measurable in any result: warp_error." in page


def test_the_sheet_shows_where_the_clip_changes(tmp_path: Path) -> None:
    still = np.full((3, 80, 120), 60, np.uint8)
    frames = [still.copy() for _ in range(6)]
    for number, frame in enumerate(frames):
        frame[:, 50:60, 90 + 2 * number : 96 + 2 * number] = 250
    top, left = sheet.busiest(frames, 32)
    assert top <= 50
    assert top + 32 >= 60
    assert left <= 92
    assert left + 32 >= 106
    red = [np.stack([np.full((80, 120), level, np.uint8) for level in (220, 20, 20)])] * 6
    path = sheet.write_sheet(tmp_path / "s.jpg", frames, {"a": {"x": red, "y": frames}}, across=3)
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.shape[1] > 6 * sheet.CELL
    # The first cell of the second row is the result under the first look.
    blue, green, level = picture[picture.shape[0] // 2 + sheet.CELL // 2, sheet.CELL // 2].tolist()
    assert level > 180 > 60 > max(blue, green)


def test_a_sheet_is_small_enough_whatever_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = [np.random.default_rng(n).integers(0, 256, (3, 120, 120), np.uint8) for n in range(3)]
    monkeypatch.setattr(sheet, "LARGEST", 20_000)
    path = sheet.write_sheet(tmp_path / "s.jpg", noise, {"a": {"x": noise}, "b": {"x": noise}}, across=3)
    assert path.stat().st_size <= 20_000


def test_parts_are_off_only_inside_and_come_back_after_an_error() -> None:
    real = finish_shot.steadied, carried_noise.carried_on
    with pytest.raises(RuntimeError, match="in the midst"), variants.without("steady"):
        clips: list[Any] = [object(), object()]
        assert list(finish_shot.steadied(clips)) == clips
        raise RuntimeError("in the midst")
    with variants.without("carry"):
        assert finish_shot.steadied is real[0]
        drawn = Drawn(seed=1, channels=1, cell=8)
        first = carried_noise.first_noise(drawn, (16, 16), 0)
        frames = [torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(n)) for n in range(3)]
        scene = carried_noise.SceneNoise(drawn, variants.FrameRange(start=0, stop=3), lambda: frames)
        assert all(torch.equal(cells, first.cells(8)) for cells in scene(range(3)))
    assert (finish_shot.steadied, carried_noise.carried_on) == real
    with pytest.raises(ValueError, match="no part"), variants.without("sound"):
        pass


def test_rgb_is_written_without_loss(tmp_path: Path) -> None:
    from fractions import Fraction

    frames = [np.random.default_rng(n).integers(0, 256, (3, 30, 46), np.uint8) for n in range(3)]
    path = peer.write_rgb(list(frames), tmp_path / "a.mkv", Fraction(24000, 1001))
    found = clips.frames_of(path)
    assert all(np.array_equal(a, b) for a, b in zip(frames, found, strict=True))
    assert [one.name for one in tmp_path.iterdir()] == ["a.mkv"]


def test_clips_are_named_or_paths(tmp_path: Path) -> None:
    (tmp_path / "my.mp4").write_bytes(b"")
    for clip in (*clips.CLIPS, *clips.FURTHER_CLIPS):
        (tmp_path / clip.file).write_bytes(b"")
    found = clips.chosen_clips(["head", f"{tmp_path}/my.mp4#12"], tmp_path)
    assert [(one.name, one.start) for one in found] == [("head", 30), ("my", 12)]
    with pytest.raises(InputError, match="use pan, head, hands, walk"):
        clips.chosen_clips(["tail"], tmp_path)
    (tmp_path / clips.CLIPS[0].file).unlink()
    with pytest.raises(InputError, match="VEDIT_TEST_DATA"):
        clips.chosen_clips(["pan"], tmp_path)


def test_what_is_rendered_otherwise_lies_elsewhere(tmp_path: Path) -> None:
    usual = rendering.Rendering(
        work=tmp_path, frames=3, quality="draft", model="embedded", short_side=None, log=print, anew=("ships",)
    )
    clip = clips.CLIPS[0]
    others = [replace(usual, frames=4), replace(usual, model="m"), replace(usual, short_side=64)]
    folders = [usual.folder(clip), usual.folder(replace(clip, start=1)), *(one.folder(clip) for one in others)]
    assert len(set(folders)) == 5
    assert replace(usual, anew=()).folder(clip) == folders[0]


def test_a_run_in_small(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Random weights at 64 pixels: every column is rendered and written, and a second run renders nothing."""
    source = lossless(tmp_path / "clip.mkv", [frame.transpose(1, 2, 0) for frame in moving_frames(6, 64, 64)])
    model = write_tiny_sd(tmp_path / "m")
    words = [
        *("--clips", f"{source}#2", "--looks", "night", "--frames", "3", "--model", str(model)),
        *("--work", str(tmp_path / "work"), "--out", str(tmp_path / "out"), "--flow", "dis"),
        *("--variants", "ships", "no-steadying", "not-carried", "diffusers-fixed", "diffusers-fresh"),
    ]
    with small_frames():
        assert script.main(words) == 0
    page = (tmp_path / "out" / "temporal.md").read_text("utf-8")
    assert "3 frames of each clip by `m` at `draft`" in page
    assert (tmp_path / "out" / "temporal" / "clip.jpg").stat().st_size <= sheet.LARGEST
    (folder,) = (tmp_path / "work").iterdir()
    shown = {one: clips.frames_of(folder / "night" / f"{one}.mkv") for one in ("ships", "no-steadying")}
    # Every frame of a shot is steadied, the first too.
    assert not any(np.array_equal(shown["ships"][t], shown["no-steadying"][t]) for t in (0, 1, 2))
    kept = json.loads((folder / "night" / "figures-dis.json").read_text("utf-8"))
    assert [one["label"] for one in kept["reports"]] == [name for name in script.NAMES if name in words]
    capsys.readouterr()
    monkeypatch.setattr(rendering, "render", None)
    monkeypatch.setattr(rendering, "Peer", None)
    assert script.main(words) == 0
    assert "s a frame" not in capsys.readouterr().out
