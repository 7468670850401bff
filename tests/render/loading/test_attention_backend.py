"""`--attention-backend`: a setting of every way to a render, refused where there is no such kernel, and told apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.support.asked import LOOK, request_of
from vedit.cli.app import main
from vedit.edits.plan_file import read_plan
from vedit.errors import SettingError
from vedit.media.reading.read import open_video
from vedit.media.writing.sidecar import sidecar_path
from vedit.models.loading import Loading, check_attention
from vedit.options.request import RenderRequest
from vedit.render.recorded_request import as_asked, as_recorded
from vedit.render.run import restyle
from vedit.types import FrameRange


def words_of(clip: Path, folder: Path, kernel: str) -> list[str]:
    words = ["restyle", str(clip), "-p", "night", "--model", str(folder), "--control", "none", "--device", "cpu"]
    return [*words, "--attention-backend", kernel]


@pytest.mark.parametrize("dry", [True, False], ids=["dry run", "render"])
@pytest.mark.parametrize("kernel", ["efficient", "cudnn"])
def test_a_kernel_that_the_device_has_not_is_refused_before_a_frame_is_read(
    clip: Path, folder: Path, tmp_path: Path, kernel: str, dry: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scanned(*_: object) -> None:
        pytest.fail("the source was read")

    monkeypatch.setattr("vedit.render.settle._scanned", scanned)
    words = [*words_of(clip, folder, kernel), "-o", str(tmp_path / "out.mov"), *(["--dry-run"] if dry else [])]
    run = CliRunner().invoke(main, words)
    assert run.exit_code == 2
    assert f"attention_backend is {kernel}, and torch " in run.output
    assert "has no such kernel on cpu in float32; leave it out" in run.output
    assert list(tmp_path.iterdir()) == []
    plan = CliRunner().invoke(main, ["models", "plan", str(folder), "--device", "cpu", "--attention-backend", kernel])
    assert (plan.exit_code, "has no such kernel on cpu" in plan.output) == (2, True)


def test_a_family_that_picks_none_is_named() -> None:
    check_attention(Loading(), model="some", can=False)
    check_attention(Loading(attention_backend="math"), model="some", can=True)
    with pytest.raises(SettingError, match="the family of some picks no kernel"):
        check_attention(Loading(attention_backend="math"), model="some", can=False)


def test_frames_are_near_those_of_another_and_never_taken_for_them(clip: Path, folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.mkv"
    made = request_of(clip, folder, output)
    request = replace(made, writing=replace(made.writing, overwrite=True))
    found: list[np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = []
    for name in ("auto", "math"):
        asked = replace(request, attention_backend=name)
        # Over the work that the last has kept: nothing of it may be taken for that of this one.
        assert restyle(asked).units_kept == 0
        with open_video(output) as reader:
            found.append(reader.read(FrameRange(start=0, stop=4)).frames.astype(np.int64))
    assert restyle(asked).units_kept > 0
    assert np.abs(found[0] - found[1]).max() <= 1
    record = json.loads(sidecar_path(output).read_text("utf-8"))
    assert record["recipe"]["model_sha256"]["attention_backend"] == "math"
    assert '"attention_backend": "math"' in json.dumps(record)


def test_it_is_in_records_and_plans_and_on_the_command_line(clip: Path, folder: Path, tmp_path: Path) -> None:
    request = RenderRequest(source=clip, options=LOOK, output=tmp_path / "out.mkv", attention_backend="flash")
    told = as_recorded(request, tmp_path)
    assert as_asked(json.loads(json.dumps(told)), tmp_path).attention_backend == "flash"
    older = {key: each for key, each in told.items() if key != "attention_backend"}
    assert as_asked(older, tmp_path).attention_backend == "auto"
    with pytest.raises(SettingError, match="attention_backend"):
        RenderRequest(source=clip, options=LOOK, attention_backend="sage")  # pyright: ignore[reportArgumentType]
    run = CliRunner().invoke(main, [*words_of(clip, folder, "math"), "--dry-run"])
    assert run.exit_code == 0, run.output
    assert "on cpu, attention by math" in run.output
    file = tmp_path / "plan.toml"
    file.write_text(f'source = "{clip}"\nattention_backend = "math"\n[[shot]]\nnumber = 1\nframes = "#0..#24"\n')
    assert read_plan(file).top["attention_backend"] == "math"


def test_a_plan_of_a_model_counts_the_table_of_math(folder: Path) -> None:
    def told(*words: str) -> dict[str, object]:
        run = CliRunner().invoke(main, ["models", "plan", str(folder), "--size", "256", "--json", *words])
        assert run.exit_code == 0, run.output
        return json.loads(run.output)

    usual, table = told("--control", "none"), told("--control", "none", "--attention-backend", "math")
    assert (usual["attention_backend"], table["attention_backend"]) == ("auto", "math")
    peaks = [one["denoise"] for one in (usual, table)]
    assert isinstance(peaks[0], int) and isinstance(peaks[1], int) and peaks[1] > peaks[0]
