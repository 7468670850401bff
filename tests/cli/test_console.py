"""What the command line prints of names that come from anywhere."""

from __future__ import annotations

import json
import unicodedata
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.support.clips import two_shots
from vedit.cli.app import main
from vedit.cli.console import CELL, LONGEST, complain, json_text, note, printable, say, show, show_rows

STEERING = [
    chr(n) for n in (*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x200E, 0x202A, 0x202E, 0x2028, 0x2066, 0x2069, 0xFEFF)
]
HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp.exe\u2066\x00\rover\nvedit: all is well"


def harmless(text: str) -> bool:
    return all(unicodedata.category(sign) not in ("Cc", "Cf", "Zl", "Zp") for sign in text.replace("\n", ""))


def test_signs_that_steer_a_terminal_are_escaped() -> None:
    assert printable(HOSTILE).startswith(r"\x1b]0;owned\x07\x1b[31mred\x9b2J\u202egnp.exe\u2066\x00\x0dover\x0avedit")
    for sign in STEERING:
        assert harmless(printable(f"a{sign}b")), hex(ord(sign))
    assert printable(b"a\xff\xfeb.mp4".decode("utf-8", "surrogateescape")) == r"a\xff\xfeb.mp4"


@pytest.mark.parametrize(
    "text", ["Zoë's 東京 take.mp4", "می‌خواهم", "\U0001f468\u200d\U0001f469\u200d\U0001f467.mov", "50 % done", ""]
)
def test_letters_of_any_script_stay(text: str) -> None:
    assert printable(text) == text


def test_long_names_are_cut_in_the_middle() -> None:
    cut = printable("begin " + "n" * 100_000 + " end")
    assert len(cut) <= LONGEST + 3 and cut.startswith("begin n") and cut.endswith("n end") and "..." in cut
    assert len(printable("n" * 100_000, CELL)) == CELL + 3


def test_every_way_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    for write in (say, note, show, complain):
        write(HOSTILE)
    complain("short", remedy=HOSTILE)
    show_rows({"name": HOSTILE})
    print(json_text({"name": HOSTILE, "fine": "Zoë"}))  # noqa: T201
    out, err = capsys.readouterr()
    assert harmless(out) and harmless(err)
    # One line each: what a name holds begins no line of its own.
    assert len(err.splitlines()) == 4 and not any(line.startswith("vedit: all is well") for line in err.splitlines())
    assert json.loads(out[out.index("{") :]) == {"name": HOSTILE, "fine": "Zoë"}


@pytest.mark.parametrize(
    "words", [("probe",), ("shots",), ("identity", "-o", "out.mkv"), ("restyle", "--prompt", "night")]
)
def test_a_hostile_file(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "\x1b[2J\u202e4pm.mkv"
    with av.open("plain.mkv", "w") as output:
        stream = output.add_stream("mpeg4", rate=Fraction(25))
        stream.width = stream.height = 32
        stream.metadata["language"] = stream.metadata["title"] = "\x1b[31m\x9bK"
        frame = av.VideoFrame(32, 32, "yuv420p")
        output.mux([*stream.encode(frame), *stream.encode(None)])
    Path("plain.mkv").rename(name)
    more = ("--dry-run", "-o", "\x1b[5m.gif") if words[0] == "restyle" else ()
    main([words[0], name, *words[1:], *more], standalone_mode=False)
    out, err = capsys.readouterr()
    assert (out or err) and harmless(out) and harmless(err)
    main([words[0], "absent\x1b[2J.mkv", *words[1:]], standalone_mode=False)
    assert r"\x1b[2J" in (told := capsys.readouterr().err) and harmless(told)


def test_a_clip_name_of_100_kb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two_shots(tmp_path / "a.mp4", frames=4)
    cut = tmp_path / "cut.edl"
    head = "TITLE: cut\nFCM: NON-DROP FRAME\n\n001  AX V C 00:00:00:00 00:00:00:04 01:00:00:00 01:00:00:04\n"
    cut.write_text(f"{head}* FROM CLIP NAME: \x1b[31m{'n' * 20_000}.mov\n")
    main(["timeline", str(cut), "--rate", "25", "--list"], standalone_mode=False)
    out, err = capsys.readouterr()
    assert harmless(out + err) and max(map(len, (out + err).splitlines())) <= LONGEST + 3
