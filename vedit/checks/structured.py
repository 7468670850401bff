"""JSON and TOML that come from outside, read with bounds on size and nesting.

Python's readers follow nesting by calling themselves, so deep text ends in a RecursionError, there or in whatever
walks the result; of dotted keys, which need no brackets, the TOML reader's time grows with the square of their length.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, cast

from vedit.errors import InputError

DEEPEST = 200
"""Tables and lists in each other."""
LONGEST = 64 << 20
"""Characters."""

# What begins a string or a comment of TOML, and what ends each, or hides an end. Searched for one by one: a pattern of
# whole strings needs possessive groups, which early releases of Python 3.11 (3.11.2 is one) leave in the wrong place.
_OPENS = re.compile(r'"""|\'\'\'|["\'#]')
_ENDS = {
    '"""': re.compile(r'\\.|"{3,5}', re.DOTALL),
    "'''": re.compile(r"'{3,5}"),
    '"': re.compile(r'\\.|["\n]', re.DOTALL),
    "'": re.compile(r"['\n]"),
    "#": re.compile(r"\n"),
}
_JSON_TEXT = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_DOTTED = re.compile(rf"(?<![A-Za-z0-9_-])(?:[A-Za-z0-9_-]++[ \t]*+\.[ \t]*+){{{DEEPEST}}}")


def parse_json(text: str, name: str) -> Any:
    """JSON -> what it says.

    Args:
        text: the file's content.
        name: the file, as errors call it.

    Raises:
        InputError: it is no JSON, or larger or deeper nested than is read.
    """
    _check_size(text, name)
    _check_depth(_JSON_TEXT.sub("_", text), name)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{name}, line {error.lineno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name} is not JSON that can be read: a number in it is too long") from None


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """A file of TOML -> its tables. Raises InputError as `parse_json`, and where the file cannot be read."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{name} is no TOML: it is not UTF-8") from None
    return parse_toml(text, name)


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """TOML -> its tables. Raises InputError as `parse_json`."""
    _check_size(text, name)
    bare = _bare(text)
    _check_depth(bare, name)
    if _DOTTED.search(bare):
        raise _too_deep(name)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is no TOML: {error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name} is no TOML that can be read: a number in it is too long") from None


def _bare(text: str) -> str:
    """TOML with `_` in place of strings and comments; one without an end goes to that of its line or of the text."""
    kept, at = list[str](), 0
    while opened := _OPENS.search(text, at):
        kept += [text[at : opened.start()], "_"]
        at = _end(text, opened[0], opened.end())
    return "".join([*kept, text[at:]])


def _end(text: str, opened: str, at: int) -> int:
    """Where the string or comment ends that `opened` begins."""
    for found in _ENDS[opened].finditer(text, at):
        if found[0] == "\n":
            return found.start()
        if not found[0].startswith("\\"):
            return found.end()
    return len(text)


def _check_size(text: str, name: str) -> None:
    if len(text) > LONGEST:
        raise InputError(f"{name} is larger than {LONGEST >> 20} MiB", remedy="is it the file that you mean?")


def _check_depth(bare: str, name: str) -> None:
    """Raises InputError where brackets lie too deep in each other; `bare` holds no strings."""
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth += 1 if cast("str", bracket) in "[{" else -1
        if depth > DEEPEST:
            raise _too_deep(name)


def _too_deep(name: str) -> InputError:
    return InputError(f"{name} is nested too deep", remedy=f"at most {DEEPEST} tables or lists in each other are read")
