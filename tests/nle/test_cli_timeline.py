"""`vedit timeline --list`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from vedit.cli import main

EDL = """TITLE: Cut
001  A001 V C 01:00:04:00 01:00:06:00 10:00:00:00 10:00:02:00
* FROM CLIP NAME: A001.mov
002  A002 V C 02:00:00:00 02:00:01:00 10:00:02:00 10:00:03:00
M2   A002       050.0                02:00:00:00
003  BL V C 00:00:00:00 00:00:01:00 10:00:03:00 10:00:04:00
"""


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    path = tmp_path / "cut.edl"
    path.write_text(EDL)
    return path


def test_the_list(cut: Path, tmp_path: Path) -> None:
    (tmp_path / "A001.mov").touch()
    done = CliRunner().invoke(main, ["timeline", str(cut), "--list", "--rate", "25"])
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.stdout.splitlines()[0] == "Cut: CMX 3600 EDL, 25 frames/s, 3 clips"
    assert lines[2] == [
        *("1", "V1", "A001.mov", "10:00:00:00..10:00:02:00", "01:00:04:00..01:00:06:00", str(tmp_path / "A001.mov"))
    ]
    assert lines[3][3:] == ["10:00:02:00..10:00:03:00", "02:00:00:00..02:00:02:00", "200", "%", "offline:", "A002"]
    assert lines[4][-3:] == ["black", "or", "bars"]


def test_json(cut: Path) -> None:
    done = CliRunner().invoke(main, ["timeline", str(cut), "--list", "--rate", "25", "--json"])
    told = json.loads(done.stdout)
    assert (told["rate"], told["start"], len(told["clips"])) == ("25/1", "36000/1", 3)
    assert told["clips"][0]["source"] == {"start": "3604/1", "duration": "2/1"}


def test_media_of_another_folder_is_read_only_when_named(cut: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("media")
    (folder / "A001.mov").touch()
    command = ["timeline", str(cut), "--list", "--rate", "25", "--json"]
    assert json.loads(CliRunner().invoke(main, command).stdout)["clips"][0]["media"]["path"] is None
    done = CliRunner().invoke(main, [*command, "--media", str(folder)])
    assert json.loads(done.stdout)["clips"][0]["media"]["path"] == str(folder / "A001.mov")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--list"], "does not tell its frame rate; give it: --rate 25"),
        (["--rate", "25"], "give --list, or --edits looks.toml"),
        (["--list", "--rate", "fast"], "--rate"),
        (["--list", "--media", "nowhere"], "nowhere"),
    ],
)
def test_errors_are_one_line(cut: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(main, ["timeline", str(cut), *arguments])
    assert done.exit_code == 2
    assert said in done.stderr and len(done.stderr.splitlines()) == 1


def test_listing_loads_nothing_heavy(cut: Path) -> None:
    program = (
        "import sys; from vedit.cli import main; "
        f"code = main(['timeline', {str(cut)!r}, '--list', '--rate', '25'], standalone_mode=False); "
        "heavy = {'torch', 'av', 'cv2', 'transformers', 'opentimelineio'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
