"""`vedit restyle --profile`: what the stages of a render took, beside its result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.clips import two_shots
from tests.support.loaded import small_renders
from vedit.cli.app import main

STAGES = {"plan", "load", "read", "to latents", "invert", "sample", "decode", "steady", "flow", "upsample", "encode"}


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    two_shots(tmp_path / "in.mov")
    said = ["restyle", str(tmp_path / "in.mov"), "-p", "woodcut", "--quality", "draft", "--range", "#0..#4"]
    return [*said, "--size", "64", "--profile", "-q", "-o", str(tmp_path / "out.mkv")]


def test_its_stages_take_all_of_a_render(words: list[str]) -> None:
    with small_renders():
        run = CliRunner().invoke(main, [*words, "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    stages = {one["stage"]: one for one in told["profile"]}
    assert STAGES | {"controls", "verify", "rest"} <= set(stages)
    whole = sum(one["seconds"] for one in told["profile"])
    assert whole == pytest.approx(told["seconds"], rel=0.2, abs=0.5)
    assert sum(one["share"] for one in told["profile"]) == pytest.approx(1)
    assert stages["rest"]["share"] < 0.5
    assert all(one["memory_bytes"] is None or one["memory_bytes"] > 0 for one in told["profile"])


def test_a_table_stands_under_the_result(words: list[str]) -> None:
    with small_renders():
        run = CliRunner().invoke(main, words)
    assert run.exit_code == 0, run.output
    head, *rows = run.stdout.splitlines()[1:]
    assert head.split() == ["stage", "seconds", "share", "memory"]
    assert rows[-1].startswith("all")
    assert "100.0 %" in rows[-1]


@pytest.mark.parametrize("instead", [["--dry-run"], ["--preview"], ["--count", "2"]])
def test_it_is_of_renders_alone(words: list[str], instead: list[str]) -> None:
    run = CliRunner().invoke(main, [*words, *instead])
    assert run.exit_code == 2
    assert f"--profile and {instead[0]} exclude each other" in run.output


def test_without_it_nothing_is_told(words: list[str]) -> None:
    with small_renders():
        run = CliRunner().invoke(main, [*(word for word in words if word != "--profile"), "--json"])
    assert "profile" not in json.loads(run.stdout)
