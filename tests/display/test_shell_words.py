"""Lines that a shell reads back as the very words, and that show on a page as they are."""

from __future__ import annotations

import os
import shutil
import subprocess
import unicodedata

import pytest

from vedit.display.shell_words import path_word, shell_line

NAMES = (
    "input.mp4",
    "my clip.mp4",
    'it\'s "the" one.mp4',
    "$HOME `id` $(id) !x.mp4",
    "a&b;c|d<e>f*g?h[i]{j,k}~#.mp4",
    "back\\slash\\.mp4",
    "two\nlines\tand\x1b[31mred.mp4",
    "turned \u202eround\u202c \\ it's.mp4",
    "caf\u00e9 \u6771\u4eac \U0001f3ac.mp4",
    os.fsdecode(b"latin \xe9\xff 7.mp4"),
    "",
)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("name", NAMES)
def test_bash_reads_the_words_back(name: str) -> None:
    line = shell_line(["printf", "%s\\0", "vedit", name, "--prompt", name], windows=False)
    done = subprocess.run(
        ["bash", "--norc", "-c", line], capture_output=True, check=True, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )
    assert done.stdout.split(b"\0")[:-1] == [b"vedit", os.fsencode(name), b"--prompt", os.fsencode(name)]
    assert not [letter for letter in line if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def test_plain_words_stay_plain() -> None:
    words = ["vedit", "restyle", "input.mp4", "--prompt", "an oil painting"]
    assert shell_line(words, windows=False) == "vedit restyle input.mp4 --prompt 'an oil painting'"
    assert shell_line(words, windows=True) == 'vedit restyle input.mp4 --prompt "an oil painting"'


def test_a_name_is_no_option() -> None:
    assert path_word("-o.mp4") == os.path.join(".", "-o.mp4")  # noqa: PTH118 - pathlib would leave out the dot
    assert path_word("clips/-o.mp4") == "clips/-o.mp4"
