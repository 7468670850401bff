"""What is said where a word is no command: the nearest one, or the command for such a file."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest

from vedit.cli import main
from vedit.nle.read import FORMATS


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of an error in usage."""
    assert main(words, standalone_mode=False) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    return line


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["clip.mp4", "a clip.MOV", "shots/shot_%04d.exr", "nosuch.png", "/x/y", "it's.mkv"])
def test_a_clip_in_the_place_of_a_command(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    line = said(capsys, name)
    assert f'vedit restyle {shlex.quote(name)} --prompt "woodcut"' in line
    assert line.endswith(f"vedit probe {shlex.quote(name)}")


def test_the_options_behind_it_are_in_what_is_suggested(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, "clip.mp4", "--prompt", "pencil sketch", "-o", "out.mp4")
    assert "vedit restyle clip.mp4 --prompt 'pencil sketch' -o out.mp4;" in line


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("plan.toml", "vedit edit plan.toml"),
        ("out.mp4.vedit.json", "vedit again out.mp4.vedit.json"),
        *((f"cut{suffix}", f"vedit timeline cut{suffix} --list") for suffix in FORMATS),
    ],
)
def test_a_project_file_is_for_its_own_command(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    line = said(capsys, name)
    assert command in line and "restyle" not in line


def test_a_file_without_an_ending(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "footage").mkdir()
    assert "vedit restyle footage " in said(capsys, "footage")
    (folder / "restlye").mkdir()
    assert said(capsys, "restlye").endswith("did you mean vedit restyle?")


def groups(group: click.Group, path: str = "") -> list[tuple[str, str]]:
    """(path of a group, its command) for every command there is."""
    found: list[tuple[str, str]] = []
    for name, command in group.commands.items():
        found.append((path, name))
        if isinstance(command, click.Group):
            found += groups(command, f"{path} {name}".strip())
    return found


@pytest.mark.parametrize(("path", "name"), groups(main), ids=lambda part: str(part) or "vedit")
def test_two_letters_in_the_wrong_order(capsys: pytest.CaptureFixture[str], path: str, name: str) -> None:
    """Every command of every group is found from a slip of the finger."""
    taken = {command for at, command in groups(main) if at == path}
    slips = {name[:n] + name[n + 1] + name[n] + name[n + 2 :] for n in range(1, len(name) - 1)} - taken
    slips |= {f"{name}x"}
    for slip in sorted(slips):
        wanted = f"did you mean {' '.join(('vedit', *path.split(), name))}?"
        assert said(capsys, *path.split(), slip).endswith(wanted)


@pytest.mark.parametrize(
    ("word", "meant"), [("info", "probe"), ("help", "--help"), ("replay", "again"), ("RESTYLE", "restyle")]
)
def test_words_of_other_programs(capsys: pytest.CaptureFixture[str], word: str, meant: str) -> None:
    assert said(capsys, word, "clip.mp4").endswith(f"did you mean vedit {meant}?")


def test_a_word_that_is_near_to_nothing_gets_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    line = said(capsys, "qqqqqq")
    assert all(f" {name}" in line for name in main.commands)
    assert said(capsys, "models", "qqqqqq").endswith(
        "there are list, info, pull, where, search-local, verify, remove, plan"
    )
    assert said(capsys, "a\0b").startswith("vedit: error: there is no command")


def test_an_option_before_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "--prompt", "night", "clip.mp4").endswith("write vedit restyle ... --prompt")
    assert "No such option '--nosuch'" in said(capsys, "--nosuch", "clip.mp4")
