"""Published benchmarks: made-up folders in each layout, rendered by a tiny model, and looked for where scorers look."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.benchmarks import Run, five, frames, ivebench, picture, rows, run_script, tgve, vefx
from tests.support.loaded import small_renders
from vedit.errors import InputError

from published import item, placing, prompt_files, rendering  # isort: skip


@pytest.fixture
def run() -> Generator[Run]:
    """The script with the tiny model, by its words."""
    with small_renders():
        yield run_script


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def scored(out: Path) -> list[str]:
    """What a scorer can find: all but vedit's own folder."""
    return [name for name in names(out) if not name.startswith("vedit/")]


def test_five(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run("five", five(tmp_path / "five"), out) == 0
    # The scorer makes the name of the target prompt, cut to the length of save_dir without "3_".
    assert scored(out) == [f"0001_bus/3_a [blue] bus/{n:05d}.jpg" for n in (1, 2, 3)]
    with Image.open(out / scored(out)[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 64))
    table = rows(out / "vedit/tables/edit3_FiVE_evaluation_result_frame_stride8.csv")
    assert table[0]["file_id"] == "0"
    assert 5 < float(table[0]["vedit|psnr_unedit_part"]) < 60
    assert table[0]["vedit|structure_distance"] == "nan"
    means = rows(out / "vedit/tables/final_averaged_results.csv")[0]
    assert float(means["vedit|ssim_unedit_part"]) == pytest.approx(
        100 * float(table[0]["vedit|ssim_unedit_part"]), abs=1e-3
    )
    told = capsys.readouterr().out
    assert "five_acc: needs Qwen2.5-VL-7B-Instruct (16 GB), by which the scorer alone measures" in told
    assert "needs CLIP ViT-L/14 (1.7 GB), which is not on this machine" in told
    assert "vedit's own figures: none was measured" in told


def test_five_inside_its_masks(run: Run, tmp_path: Path) -> None:
    """With --masks all that changes outside is what JPEG does; the reading of masks is what is tested."""
    folder = five(tmp_path / "five")
    assert run("five", folder, tmp_path / "all") == 0
    assert run("five", folder, tmp_path / "masked", "--masks") == 0

    def off(out: str) -> float:
        found = next((tmp_path / out / "vedit/records").iterdir())
        return float(json.loads(found.read_text())["figures"]["psnr_unedit_part"])

    assert off("masked") > 35 > off("all")


def test_ivebench(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("ivebench", ivebench(tmp_path / "ive", tmp_path), out) == 0
    assert scored(out) == ["short.json", *(f"short/cat walk/{n:05d}.png" for n in range(3))]
    assert json.loads((out / "short.json").read_text())[0]["id"] == 7
    row = rows(out / "vedit/tables/short_eval_results.csv")[0]
    assert (row["video_id"], row["video_name"], row["category"]) == ("7", "cat walk.mp4", "style_editing")
    assert row["vtss_score"] == "-1"
    shown = [picture(path) for path in sorted((out / "short/cat walk").iterdir())]
    off = [np.abs(a - b).mean() for a, b in pairwise(shown)]
    assert float(row["temporal_flickering_score"]) == pytest.approx(1 - np.mean(off) / 255, abs=1e-6)


def test_vefx(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder = vefx(tmp_path / "vefx", tmp_path)
    assert run("vefx", folder, out) == 0
    assert scored(out) == ["0000_street_edited.mp4", "edits.csv"]
    row = rows(out / "edits.csv")[0]
    assert row["instruction"] == "make it snowy"
    assert Path(row["original_video"]) == (folder / "videos/street.mp4").resolve()
    assert Path(row["edited_video"]) == (out / "0000_street_edited.mp4").resolve()


def test_tgve(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("tgve", tgve(tmp_path / "tgve"), out) == 0
    kinds = ("background", "object", "style")  # the fourth prompt is empty
    assert scored(out) == [f"DAVIS_480p/stunt/{kind}/{n:05d}.jpg" for kind in kinds for n in range(3)]


def test_it_goes_on_where_it_stopped(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = tgve(tmp_path / "tgve"), tmp_path / "out"
    assert run("tgve", folder, out, "--limit", "1") == 0
    first = out / "DAVIS_480p/stunt/style/00000.jpg"
    seen = first.stat().st_mtime_ns
    assert run("tgve", folder, out) == 0
    assert first.stat().st_mtime_ns == seen
    assert (out / "DAVIS_480p/stunt/object/00002.jpg").is_file()
    # A folder that is not whole is rendered anew; what is whole is not.
    second = out / "DAVIS_480p/stunt/object/00001.jpg"
    second.unlink()
    rendered: list[str] = []
    real = rendering.vedit.restyle

    def counted(*args: Any, **given: Any) -> Any:
        rendered.append(given["prompt"])
        return real(*args, **given)

    monkeypatch.setattr(rendering.vedit, "restyle", counted, raising=False)
    assert run("tgve", folder, out) == 0
    assert rendered == ["a woman"]
    assert second.is_file()
    assert not list((out / "vedit/work").iterdir())


def test_other_settings_do_not_meet_in_one_folder(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = tgve(tmp_path / "tgve"), tmp_path / "out"
    assert run("tgve", folder, out, "--limit", "1") == 0
    capsys.readouterr()
    assert run("tgve", folder, out, "--seed", "4") == 2
    told = capsys.readouterr().err
    assert "holds results of other settings: seed 0" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("layout", "changes", "told"),
    [
        ("five", None, "edit1_FiVE.json"),
        ("five", {"video_name": "../../outside"}, "'../../outside', which is not the name of one"),
        ("five", {"target_prompt": "../../x", "save_dir": "3_../../x"}, "not the name of one file"),
        ("five", {"video_name": "0002_car"}, "has neither"),
        ("five", {"video_name": None}, "has no 'video_name'"),
        ("ivebench", None, "has no .json whose entries have 'src_video_name'"),
        ("ivebench", {"src_video_name": "../x.mp4"}, "not the name of one file"),
        ("ivebench", {"src_video_name": "dog.mp4"}, "names dog.mp4"),
        ("vefx", None, "has no prompts.json"),
        ("vefx", {"original": "../../etc/passwd"}, "which is not inside"),
        ("vefx", {"original": "/etc/passwd"}, "which is not inside"),
        ("vefx", {"instruction": ""}, "has no 'original' or no 'instruction'"),
        ("tgve", None, "has no LOVEU-TGVE-2023_Dataset.csv"),
        ("tgve", {"Video name": "a/../../b"}, "not the name of one file"),
    ],
)
def test_what_is_refused(
    layout: str,
    changes: dict[str, Any] | None,
    told: str,
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No prompt file, or one with hostile or missing names: one line with a remedy before anything is written."""
    folder = tmp_path / "bench"
    folder.mkdir()
    if changes is not None:
        with_tmp: dict[str, Callable[..., Path]] = {"ivebench": ivebench, "vefx": vefx}
        plain: dict[str, Callable[..., Path]] = {"five": five, "tgve": tgve}
        if layout in plain:
            plain[layout](folder, **changes)
        else:
            with_tmp[layout](folder, tmp_path, **changes)
    assert run(layout, folder, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert told in error
    assert "; " in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_spreadsheet_is_asked_for_as_csv(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "LOVEU-TGVE-2023_Dataset.xlsx").write_bytes(b"PK")
    assert run("tgve", tmp_path, tmp_path / "out") == 2
    assert "save its sheet as LOVEU-TGVE-2023_Dataset.csv" in capsys.readouterr().err


def test_a_link_that_leads_out_is_outside(tmp_path: Path) -> None:
    (tmp_path / "bench").mkdir()
    (tmp_path / "secret.mp4").write_bytes(b"")
    (tmp_path / "bench/a.mp4").symlink_to(tmp_path / "secret.mp4")
    with pytest.raises(InputError, match="not inside"):
        item.inside(tmp_path / "bench", "a.mp4", "prompts.json, entry 0")


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a\\b", "a\0b", "x" * 300])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="not the name of one"):
        item.one_name(text, "prompts.json, entry 0")


def test_prompt_files(tmp_path: Path) -> None:
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"instruction": "x"}\n\n{"instruction": "y"}\n', "utf-8")
    assert [entry["instruction"] for _, entry in prompt_files.read_entries(lines)] == ["x", "y"]
    table = tmp_path / "a.csv"
    table.write_bytes('\ufeffVideo name,b\n"x, y",2\n'.encode())
    assert prompt_files.read_entries(table) == [("a.csv, entry 0", {"Video name": "x, y", "b": "2"})]
    for text in ("[1]", "3", "[", '{"a": 1}'):
        (tmp_path / "a.json").write_text(text, "utf-8")
        with pytest.raises(InputError):
            prompt_files.read_entries(tmp_path / "a.json")


def test_pictures_get_their_numbers(tmp_path: Path) -> None:
    """Towards higher and towards lower numbers, none over another."""
    for first, wanted in ((1, 0), (0, 1), (5, 5)):
        folder = frames(tmp_path / f"{first}", first=first, count=3)
        (folder / "note.txt").write_text("", "utf-8")
        form = item.Pictures(suffix=".jpg", first=wanted)
        one = item.Item(name="a", source=folder, prompt="", place=("a", "b"), form=form)
        before = [path.read_bytes() for path in item.picture_files(folder)]
        placing.renumber(folder, one)
        assert names(folder) == [f"{wanted + n:05d}.jpg" for n in range(3)]
        assert [path.read_bytes() for path in item.picture_files(folder)] == before
