"""JSON and TOML that come from outside, read with bounds on size and nesting.

Python's readers follow nesting by calling themselves, so deep text ends in a RecursionError, there or in whatever
walks the result; of dotted keys, which need no brackets, the TOML reader's time grows with the square of their length.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any, cast

from vedit.errors import InputError

DEEPEST = 200
"""Tables and lists in each other."""
LONGEST = 64 << 20
"""Characters."""

# Strings first, so that what stands in them is no structure; the last are comments. A string that never ends goes to
# the end of its line or of the text, and nothing is tried twice: the time grows with the length alone.
_TOML_TEXT = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"""|$)|'
    r"'''(?:[^']++|'(?!''))*+(?:'''|$)|"
    r'"(?:[^"\\\n]++|\\.)*+"?|'
    r"'[^'\n]*+'?|"
    r"#[^\n]*+",
    re.DOTALL,
)
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


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """TOML -> its tables. Raises InputError as `parse_json`."""
    _check_size(text, name)
    bare = _TOML_TEXT.sub("_", text)
    _check_depth(bare, name)
    if _DOTTED.search(bare):
        raise _too_deep(name)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{name} is no TOML: {error}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{name} is no TOML that can be read: a number in it is too long") from None


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
