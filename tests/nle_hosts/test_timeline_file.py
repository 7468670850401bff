"""The script for Kdenlive, Premiere and Final Cut, installed and run as its users do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vedit.nle_hosts.install import install
from vedit.nle_hosts.places import Computer, places

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for vedit is a script with a first line")

STAND_IN = """#!{python} -SE
import json, sys
json.dump(sys.argv[1:], open({log!r}, "w"))
print(json.dumps({{"event": "progress", "stage": "sample", "done": 1, "total": 2}}), file=sys.stderr)
if {code}:
    print(json.dumps({{"event": "error", "message": "no look", "remedy": "write one"}}), file=sys.stderr)
    sys.exit({code})
print("{{}}")
"""


def script(tmp_path: Path, *, code: int = 0) -> Path:
    """The installed script of Kdenlive, which calls a stand-in that keeps its arguments in words.json."""
    command = tmp_path / "vedit"
    text = STAND_IN.format(python=sys.executable, log=str(tmp_path / "words.json"), code=code)
    command.write_text(text, "utf-8")
    command.chmod(0o755)
    (place,) = places("kdenlive", Computer(system="linux", home=tmp_path, environ={}))
    install(place, command)
    return place.folder / "vedit_timeline.py"


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-SE", *map(str, words)], capture_output=True, text=True, check=False, env={"PATH": ""}
    )


@pytest.mark.parametrize("name", ["cut.kdenlive", "cut.xml", "cut.fcpxml", "my cut.fcpxmld"])
def test_a_file_is_restyled_beside_itself(tmp_path: Path, name: str) -> None:
    installed, source = script(tmp_path), tmp_path / name
    source.touch()
    done = run(installed, source)
    assert done.returncode == 0, done.stderr
    output = tmp_path / f"{source.stem}.vedit{source.suffix}"
    words = json.loads((tmp_path / "words.json").read_text("utf-8"))
    assert words[:2] == ["timeline", str(source)]
    assert words[2:6] == ["--edits", str(installed.with_name("looks.toml")), "-o", str(output)]
    assert words[6:] == ["--json", "--progress=json"]
    assert f"vedit: {output}: " in done.stdout
    assert "sample: 1 of 2 frames" in done.stdout


def test_looks_beside_the_file_go_first(tmp_path: Path) -> None:
    installed, source = script(tmp_path), tmp_path / "cut.kdenlive"
    source.touch()
    (tmp_path / "looks.toml").touch()
    assert run(installed, source, "--media", "/footage", "--quality=draft").returncode == 0
    words = json.loads((tmp_path / "words.json").read_text("utf-8"))
    assert words[3] == str(tmp_path / "looks.toml")
    assert words[8:] == ["--media", "/footage", "--quality=draft"]


@pytest.mark.parametrize(("name", "message"), [("cut.mp4", "is none of .kdenlive"), ("", "is not there")])
def test_what_is_no_timeline(tmp_path: Path, name: str, message: str) -> None:
    installed, source = script(tmp_path), tmp_path / (name or "absent.xml")
    if name:
        source.touch()
    done = run(installed, source)
    assert (done.returncode, done.stderr) == (1, "")
    assert message in done.stdout


def test_vedits_own_words_are_shown(tmp_path: Path) -> None:
    installed, source = script(tmp_path, code=2), tmp_path / "cut.xml"
    source.touch()
    done = run(installed, source)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "vedit: no look; write one"
