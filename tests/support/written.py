"""Text that is written from the settings' metadata, for what reads no metadata: type checkers, editors, other Pythons.

`VEDIT_WRITE_DOCS=1 make test ARGS="-n 0 tests/options/test_written.py"` writes it anew after a setting has changed.
"""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

from vedit.checks.bounds import end_text
from vedit.checks.setting import Setting, settings_of
from vedit.edits.plan_schema import plan_schema
from vedit.evaluation.chosen import load_metric
from vedit.media.output import OutputOptions
from vedit.options.request import RenderRequest, RestyleOptions
from vedit.options.table import HOLDERS
from vedit.registry.metrics import metrics

WIDTH = 120


def parameters(settings: Iterable[Setting]) -> list[str]:
    """A signature's lines, `strength: float = 1.0,` each."""
    return [f"{one.name}: {one.about.easier or one.annotation} = {_default(one)}," for one in settings]


def arguments(settings: Iterable[Setting], indent: int) -> list[str]:
    """The lines of `Args:`, indented."""
    return [
        line
        for one in settings
        for line in textwrap.wrap(
            f"{one.name}: {described(one)}",
            WIDTH,
            initial_indent=" " * indent,
            subsequent_indent=" " * (indent + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]


def described(one: Setting) -> str:
    """What an argument is: its range or its choices, then what it says."""
    if one.bound is not None:
        low, high = end_text(one.bound.low), one.bound.high
        before = f"{low} to {end_text(high)}: " if math.isfinite(high) else f"from {low} on: "
    else:
        words = [json.dumps(value) for value in one.values]
        if one.about.plugged is not None:
            words = [*map(json.dumps, one.about.choices), "a plug-in's"]
        before = f"{', '.join(words[:-1])} or {words[-1]}: " if words else ""
    unset = f"None is {one.about.unset}" if one.about.unset and _default(one) == "None" else ""
    text = one.said(one.about.python, unset)
    return before + (text if text[1].isupper() else text[0].lower() + text[1:])


def _default(one: Setting) -> str:
    if one.about.easier.endswith("| None"):
        return "None"
    return json.dumps(one.default) if isinstance(one.default, str) else repr(one.default)


def edit_text(text: str, options: type = RestyleOptions) -> str:
    """vedit/edits/edit.py with the settings of a look as the arguments of `Edit`."""
    settings = settings_of(options)
    signature = parameters(settings)
    lines = ["        self,", *(f"        {line}" for line in (signature[0], "*,", *signature[1:]))]
    text = _between(text, "    def __init__(\n", "    ) -> None:\n", lines)
    return _between(text, "        Args:\n", "\n        Raises:\n", arguments(settings, 12))


def api_text(text: str, *holders: type) -> str:
    """vedit/api.py with all settings of a render as the arguments of a call."""
    settings = {one.name: one for holder in holders or _CALL for one in settings_of(holder)}
    lines = [f"    {line}" for line in parameters(settings.values())]
    text = _between(text, "    source: RenderRequest | Path | str,\n    *,\n", "    side_by_side:", lines)
    return _between(text, "may stand beside it.\n", "        side_by_side:", arguments(settings.values(), 8))


_CALL = (RestyleOptions, RenderRequest, OutputOptions)


def host_text(_: str = "", *holders: type) -> str:
    """vedit/nle_hosts/settings.py: the settings that a host script hands on, which runs where vedit is not."""
    settings = [one for holder in holders or HOLDERS for one in settings_of(holder) if one.about.host]
    options = [f'    "{one.config_key}": "--{one.option}",' for one in settings]
    return "\n".join(
        [
            '"""The settings of a render that a host script hands on, written from the table of settings.',
            "",
            "By tests/support/written.py: change a setting where it is declared and write this anew.",
            '"""',
            "",
            "from __future__ import annotations",
            "",
            "from typing import Any",
            "",
            "SETTINGS = {",
            *options,
            "}",
            '"""The settings of a look that go to `vedit restyle`, and the option of each."""',
            "ABOUT: dict[str, dict[str, Any]] = {",
            *(f'    "{one.config_key}": {_about(one)},' for one in settings if not one.about.several),
            "}",
            '"""What each says, its default, its bounds and its choices."""',
            "",
        ]
    )


def _about(one: Setting) -> str:
    told: dict[str, object] = {"description": one.about.text, "default": one.default}
    if one.bound is not None:
        told |= {"min": one.bound.low, "max": one.bound.high}
    if one.values:
        told["choices"] = list(one.values)
    inner = ", ".join(f"{json.dumps(key)}: {_literal(value)}" for key, value in told.items())
    short = f"{{{inner}}}"
    if len(short) + len(one.config_key) + 9 <= WIDTH:
        return short
    return "\n".join(["{", *(line for key, value in told.items() for line in _entry(key, value)), "    }"])


def _entry(key: str, value: object) -> list[str]:
    line = f"        {json.dumps(key)}: {_literal(value)},"
    if len(line) <= WIDTH or not isinstance(value, str):
        return [line]
    parts = textwrap.wrap(value, WIDTH - 16, break_on_hyphens=False)
    texts = [f"{part} " if part is not parts[-1] else part for part in parts]
    return [f"        {json.dumps(key)}: (", *(f"            {_literal(text)}" for text in texts), "        ),"]


def _literal(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | list) else repr(value)


def schema_text(_: str = "") -> str:
    """vedit/plan.schema.json, as `vedit plan --schema` prints it."""
    return json.dumps(plan_schema(), indent=2) + "\n"


def _between(text: str, before: str, behind: str, lines: list[str]) -> str:
    head, found, rest = text.partition(before)
    assert found, f"{before!r} is not there"
    _, found, tail = rest.partition(behind)
    assert found, f"{behind!r} is not there"
    return "\n".join([head + before.removesuffix("\n"), *lines, behind]) + tail


def figures_text(text: str) -> str:
    """`docs/evaluate.md` with a row for each figure."""
    rows = ["| figure | what it says | unit | better | of the source itself | exactly |", "|---|---|---|---|---|---|"]
    for entry in metrics():
        if entry.origin != "vedit":
            continue
        for one in load_metric(entry).figures:
            ideal = "its own" if one.ideal is None else f"{one.ideal:g}"
            paper = f" {one.paper}." if one.paper else ""
            told = f"{one.variant.rstrip('.')}.{paper}".replace("|", "\\|")
            rows.append(f"| `{one.name}` | {one.title} | {one.unit} | {one.better} | {ideal} | {told} |")
    return _between(text, 'test_written.py" writes them anew -->\n', "<!-- /figures -->", rows)


WRITTEN: dict[str, Callable[[str], str]] = {
    "vedit/edits/edit.py": edit_text,
    "vedit/api.py": api_text,
    "vedit/nle_hosts/settings.py": host_text,
    "vedit/plan.schema.json": schema_text,
    "docs/evaluate.md": figures_text,
}
"""File -> its text from the text that it has."""
ROOT = Path(__file__).resolve().parents[2]
