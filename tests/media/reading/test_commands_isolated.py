"""The commands that decode a clip open it in a process of its own first, as they will open it themselves."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.video.frame import VideoFrame
from click.testing import CliRunner

from vedit.cli.controls import controls_command
from vedit.cli.identity import identity_command
from vedit.cli.plan import plan_command
from vedit.cli.shots import shots_command
from vedit.cli.verify import verify_command
from vedit.errors import MediaError
from vedit.media.reading.isolate import check_file

FILM = {"rate": None, "track": None, "allow_huge": False}


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, isolated: None) -> list[tuple[str, dict[str, Any]]]:
    """What was checked, each ending in an error so that nothing goes on."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def check(path: Path, **options: Any) -> None:
        seen.append((path.name, options))
        if path.name != "fine.mp4":
            raise MediaError("stop")

    monkeypatch.setattr("vedit.media.reading.isolate.check_file", check)
    return seen


@pytest.mark.parametrize("rest", [["--rate", "24", "--track", "1", "--allow-huge"], []], ids=["told", "plain"])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (identity_command, ["-o", "out.mkv"]),
        (shots_command, []),
        (plan_command, ["-o", "out.toml"]),
        (controls_command, ["--kind", "tile", "-o", "out.mkv"]),
    ],
)
def test_the_source_comes_first(
    checked: list[tuple[str, dict[str, Any]]], command: Any, words: list[str], rest: list[str]
) -> None:
    ended = CliRunner().invoke(command, ["bad.mp4", *words, *rest])
    assert isinstance(ended.exception, MediaError)
    expected = {"rate": Fraction(24), "track": 1, "allow_huge": True} if rest else FILM
    assert checked == [("bad.mp4", expected)]


def test_verify_checks_both_and_the_rate_is_for_images(
    checked: list[tuple[str, dict[str, Any]]], tmp_path: Path
) -> None:
    (tmp_path / "fine.mp4").write_bytes(b"film")
    (tmp_path / "s_01.png").write_bytes(b"picture")
    ended = CliRunner().invoke(
        verify_command, [str(tmp_path / "fine.mp4"), str(tmp_path / "s_%02d.png"), "--rate", "24"]
    )
    assert isinstance(ended.exception, MediaError)
    assert checked == [("fine.mp4", FILM), ("s_%02d.png", FILM | {"rate": Fraction(24)})]


def test_control_maps_of_a_sequence_take_its_rate(tmp_path: Path) -> None:
    for number in range(3):
        drawn = np.full((48, 64, 3), 40 * number, np.uint8)
        VideoFrame.from_ndarray(drawn, format="rgb24").to_image().save(tmp_path / f"s_{number:02d}.png")
    output = tmp_path / "maps.mov"
    words = [str(tmp_path / "s_%02d.png"), "--kind", "tile", "-o", str(output), "--rate", "24", "--quiet"]
    ended = CliRunner().invoke(controls_command, [*words, "--interlaced", "weave"])
    assert ended.exception is None, ended.exception
    assert check_file(output).metadata.average_rate == 24
