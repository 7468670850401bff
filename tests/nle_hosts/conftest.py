"""What the tests of host scripts share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nle_hosts.resolve_session import Session
from vedit.nle_hosts import resolve as script
from vedit.nle_hosts import resolve_timeline


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    made = Session(tmp_path)
    monkeypatch.setattr(script, "Run", made.run)
    monkeypatch.setattr(resolve_timeline, "Run", made.run)
    monkeypatch.setattr(script, "script_folders", lambda: [tmp_path])
    monkeypatch.setattr(script, "find_vedit", lambda folders, setting: "/bin/vedit")  # pyright: ignore[reportUnknownLambdaType]
    return made
