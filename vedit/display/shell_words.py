"""A command as a line to paste into a shell, whatever names are in it."""

from __future__ import annotations

import os
import shlex
import subprocess
import unicodedata
from collections.abc import Sequence


def shell_line(words: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """The words as one line, each of them quoted where it has to be.

    A name with letters that a page or a terminal would not show as they are (control signs, bytes that are no UTF-8,
    what turns the order of letters around) is written in ANSI-C quotes, $'...', as bash, zsh and POSIX.1-2024 have
    them.

    Args:
        words: program and arguments.
        windows: for the command prompt and PowerShell instead.
    """
    if windows:
        return subprocess.list2cmdline(words)
    return " ".join(_ansi_c(word) if any(map(_unshown, word)) else shlex.quote(word) for word in words)


def path_word(path: str) -> str:
    """A path that no program takes for an option."""
    return os.path.join(".", path) if path.startswith("-") else path  # noqa: PTH118 - pathlib would leave out the dot


def _unshown(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _ansi_c(word: str) -> str:
    told = "".join(
        "".join(f"\\{byte:03o}" for byte in os.fsencode(letter))
        if _unshown(letter)
        else f"\\{letter}"
        if letter in "\\'"
        else letter
        for letter in word
    )
    return f"$'{told}'"
