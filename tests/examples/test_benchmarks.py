"""Published benchmarks: made-up folders in each layout, rendered by a tiny model, and looked for where scorers look."""

# The example is a script with its package beside it, on no checker's path.
# pyright: reportMissingImports=false

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from collections.abc import Callable, Generator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.loaded import small_renders
from vedit.errors import InputError
from vedit.testing.fakes import moving_frames

EXAMPLE = Path(__file__).parents[2] / "examples" / "benchmarks"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))

from published import clip_scores, item, measuring, placing, prompt_files, rendering, words  # noqa: E402
from published import five as five_layout  # noqa: E402

QUICK = ("--quality", "draft", "--device", "cpu", "--measure", "none")
Run = Callable[..., int]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmarks_run", EXAMPLE / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(script: ModuleType) -> Generator[Run]:
    """The script with the tiny model, by its words."""

    def called(layout: str, folder: Path, out: Path, *more: str) -> int:
        return script.main([layout, str(folder), str(out), *QUICK, *more])

    with small_renders():
        yield called


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
    from vedit.media.contract.identity import identity

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


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def picture(path: Path) -> Any:
    """(H, W, 3) levels."""
    with Image.open(path) as shown:
        return np.asarray(shown, np.float64)


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


def test_ssim_is_the_papers() -> None:
    """Beside scikit-image's under the same settings; 1 for a picture and itself."""
    metrics = pytest.importorskip("skimage.metrics", reason="scikit-image comes with the extra 'train'")
    generator = np.random.default_rng(0)
    a = generator.random((40, 50, 3), dtype=np.float32)
    b = np.clip(a + generator.normal(0, 0.2, a.shape), 0, 1).astype(np.float32)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    expected = metrics.structural_similarity(a, b, channel_axis=2, **options)
    assert measuring.ssim(a, b) == pytest.approx(expected, abs=2e-4)
    assert measuring.ssim(a, a) == pytest.approx(1, abs=1e-6)


def test_clip_scores_of_weights_that_are_here(tmp_path: Path, run: Run) -> None:
    """A tiny random CLIP under the name that the scorer's weights have: all pairs of frames, and 100 cosines."""
    import torch

    folder = tmp_path / "weights" / "clip-vit-large-patch14"
    write_tiny_clip(folder)
    assert clip_scores.on_this_machine("openai/clip-vit-large-patch14", tmp_path / "weights") == folder
    scores = clip_scores.ClipScores(folder)
    shown = [np.ascontiguousarray(f.transpose(1, 2, 0), np.float32) / 255 for f in moving_frames(3, 64, 64)]
    with torch.inference_mode():
        vectors = scores._pictures(shown).double()  # pyright: ignore[reportPrivateUsage]
    pairs = [float(vectors[a] @ vectors[b]) for a in range(3) for b in range(3) if a != b]
    assert scores.frames(shown) == pytest.approx(sum(pairs) / 6, abs=1e-6)
    assert scores.frames(shown[:1]) is None
    assert scores.frames([shown[0]] * 3) == pytest.approx(1, abs=1e-6)
    assert all(abs(value) <= 100.01 for value in scores.text(shown, "a man"))
    assert torch.is_grad_enabled()
    out = tmp_path / "out"
    assert run("tgve", tgve(tmp_path / "tgve"), out, "--limit", "2", "--weights", str(tmp_path / "weights")) == 0
    table = {row["prompts"]: row for row in rows(out / "vedit/tables/scores.csv")}
    assert table["all"]["count"] == "2"
    assert -100 <= float(table["all"]["clip_score_frame"]) <= 100
    assert table["all"]["pick_score"] == ""


def test_what_is_vedits_own_is_called_so(tmp_path: Path) -> None:
    layout = five_layout.Five()
    lines = words.told_of_needs(layout, {"psnr_unedit_part"}, {"motion_error", "edge_correlation"})
    assert lines[0] == "measured here, in FiVE-Bench's form: psnr_unedit_part"
    (line,) = [line for line in lines if "CoTracker3" in line]
    assert line.endswith("(0.1 GB), by which the scorer alone measures; instead there is vedit:motion_error")
    figure = {"value": 2.0, "source": 1.0, "unit": "px", "why": ""}
    nothing = {"value": None, "source": None, "unit": "px", "why": "nothing moves"}
    told = words.own_table([("a", {"motion_error": figure}), ("b", {"motion_error": nothing})], tmp_path / "own.csv")
    assert "  vedit:motion_error 2 (1)" in told
    assert [row["vedit:motion_error"] for row in rows(tmp_path / "own.csv")] == ["2", ""]


def write_tiny_clip(folder: Path) -> None:
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor

    from vedit.testing.tiny_sd import _tokenizer  # pyright: ignore[reportPrivateUsage]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        tokenizer = _tokenizer()
        marks = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        words = {**small, **marks, "vocab_size": len(tokenizer), "max_position_embeddings": 77}
        pictures = {**small, "image_size": 32, "patch_size": 16}
        CLIPModel(CLIPConfig(text_config=words, vision_config=pictures, projection_dim=8)).save_pretrained(folder)
    size = {"shortest_edge": 32}
    processor = CLIPImageProcessor(size=size, crop_size={"height": 32, "width": 32})
    CLIPProcessor(image_processor=processor, tokenizer=tokenizer).save_pretrained(folder)
