"""What is written from the settings' metadata is as they say now."""

from __future__ import annotations

import os

import pytest

from tests.support.written import ROOT, WRITTEN


@pytest.mark.parametrize("name", WRITTEN)
def test_the_file_says_what_the_settings_say(name: str) -> None:
    path = ROOT / name
    there = path.read_text("utf-8") if path.exists() else ""
    text = WRITTEN[name](there)
    if os.environ.get("VEDIT_WRITE_DOCS", "") not in ("", "0"):
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, (
        'write it anew: VEDIT_WRITE_DOCS=1 make test ARGS="-n 0 tests/options/test_written.py"'
    )
