"""`vedit evaluate` and `vedit compare` on the command line: what is shown, written, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clips import FRAMES, lossless, picture, two_shots
from tests.support.toy_metrics import only, toy
from vedit.cli import main
from vedit.registry.entry import Entry, Needs


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    monkeypatch.setenv("VEDIT_MODEL_DIR", "/nowhere")
    needy = replace(toy("steps", needs=Needs(weights=("depth-anything-v2-small",))), name="needy")
    broken = Entry(name="broken", summary="of a plug-in", target="absent_module:METRIC", origin="other")
    with only(toy("difference"), needy, broken):
        yield


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(two_shots(tmp_path_factory.mktemp("clip") / "in.mov"))


def vedit(*words: str) -> int:
    return main(words, standalone_mode=False)


QUICK: Sequence[str] = ("--quick", "--metric", "difference", "-q")


def test_figures_verdicts_and_files(clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(tmp_path / name) for name in ("r.json", "r.csv")]
    words = ("evaluate", clip, clip, *QUICK, "--json-file", files[0], "--csv", files[1])
    assert vedit(*words, "--require", "difference<1") == 0
    out, err = capsys.readouterr()
    assert "ok     timing and sound: Timing, sound and tags are the source's." in out
    assert "difference   0.000   0.000  levels  lower is better" in out
    assert out.splitlines()[-2:] == files and err == ""
    assert json.loads(Path(files[0]).read_text())["figures"]["difference"]["value"] == 0
    assert len(Path(files[1]).read_text().splitlines()) == 11
    assert vedit(*words) == 2, "files that are there are not replaced unasked"
    assert "r.json exists; use --overwrite" in capsys.readouterr().err
    assert vedit(*words, "--overwrite", "--json") == 0
    assert json.loads(capsys.readouterr().out)["quick"] is True


def test_a_requirement_that_is_not_met_is_exit_code_3(clip: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit("evaluate", clip, clip, *QUICK, "--require", "difference>1", "--require", "contract") == 3
    assert capsys.readouterr().err.splitlines() == ["vedit: not met: difference>1: 0.000 levels"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--require", "diference<1"), "did you mean 'difference'?"),
        (("--require", "difference is fine"), "is not a requirement"),
        (("--metric", "nothing"), "no metric is named 'nothing'"),
        (("--metric", "needy"), "the metric 'needy' needs the weights depth-anything-v2-small, which are not on this"),
        (("--range", "#4..#4"), "holds no frame"),
        (("--flow", "best"), "'best'"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(
    clip: str, more: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("evaluate", clip, clip, "--quick", "-q", *(() if "--metric" in more else ("--metric", "difference")))
    assert vedit(*words, *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_the_list_says_what_is_needed_and_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert vedit("evaluate", "--list") == 0
    out = capsys.readouterr().out
    assert "difference     ready" in out
    assert "needy          needs the weights depth-anything-v2-small" in out
    assert "absent_module" in out and "(from other)" in out
    assert "Difference from the source, levels; lower is better" in out


def test_compare_marks_the_best(clip: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    worse = lossless(tmp_path / "worse.mkv", [picture(0)] * FRAMES)
    assert vedit("compare", clip, str(worse), clip, *QUICK, "--labels", "a, b") == 0
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("difference"))
    assert row.split()[2] == "0.000*" and not row.split()[1].endswith("*")
    assert vedit("compare", clip, clip, *QUICK, "--labels", "a,b") == 2
    assert "1 results need as many names" in capsys.readouterr().err
    assert vedit("compare", clip, str(worse), clip, *QUICK, "--require", "difference<=0") == 3
    assert "not met: worse.mkv: difference<=0" in capsys.readouterr().err
