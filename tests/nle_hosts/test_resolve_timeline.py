"""The Resolve script with a whole timeline: the format that goes out, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.nle_hosts.fake_resolve import MediaPool, Resolve, Timeline
from tests.nle_hosts.resolve_session import Session
from vedit.nle_hosts import resolve as script


def test_a_whole_timeline_goes_out_and_comes_back(session: Session) -> None:
    session.settings(result="timeline", folder=str(session.folder), quality="draft")
    (session.folder / "looks.toml").touch()
    before = session.snapshot()
    assert script.main(session.resolve) == 0
    exported, looks = session.folder / "Reel_1_cut_v001.fcpxml", session.folder / "looks.toml"
    result = session.folder / "Reel_1_cut_v001.vedit.fcpxml"
    (words,) = session.words
    assert words[:7] == ["/bin/vedit", "timeline", str(exported), "--edits", str(looks), "-o", str(result)]
    assert words[7:] == ["--any-media", "--json", "--progress=json", "--handles=8", "--quality=draft"]
    assert session.pool.timelines == ["Reel_1_cut_v001.vedit"]
    assert session.snapshot()[:2] == before[:2]
    assert script.main(session.resolve) == 0
    assert session.pool.timelines[1] == "Reel_1_cut_v002.vedit"


@pytest.mark.parametrize(
    ("has", "refused", "written"),
    [
        ({"EXPORT_FCPXML_1_10": "fcpxml 1.10", "EXPORT_FCPXML_1_13": "fcpxml 1.13"}, (), "fcpxml"),
        ({"EXPORT_FCPXML_1_9": "fcpxml 1.9", "EXPORT_FCP_7_XML": "xml"}, (), "fcpxml"),
        ({"EXPORT_OTIO": "otio", "EXPORT_FCP_7_XML": "xml"}, (), "otio"),
        ({"EXPORT_FCPXML_1_10": "fcpxml 1.10", "EXPORT_FCP_7_XML": "xml"}, ("fcpxml 1.10",), "xml"),
    ],
)
def test_a_timeline_goes_out_in_what_this_resolve_writes(
    session: Session, monkeypatch: pytest.MonkeyPatch, has: dict[str, str], refused: tuple[str, ...], written: str
) -> None:
    session.settings(result="timeline", folder=str(session.folder))
    monkeypatch.delattr(Resolve, "EXPORT_FCPXML_1_10")
    for name, value in has.items():
        monkeypatch.setattr(Resolve, name, value, raising=False)
    session.timeline.refused = refused
    assert script.main(session.resolve) == 0
    (words,) = session.words
    assert words[2].endswith(f"_v001.{written}") and words[words.index("-o") + 1].endswith(f".vedit.{written}")


def test_a_timeline_that_no_format_takes_is_said(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session.settings(result="timeline", folder=str(session.folder))
    session.timeline.refused = ("fcpxml 1.10",)
    assert script.main(session.resolve) == -1
    assert "did not export the timeline as EXPORT_FCPXML_1_10" in capsys.readouterr().out
    monkeypatch.delattr(Resolve, "EXPORT_FCPXML_1_10")
    assert script.main(session.resolve) == -1
    assert "exports none of EXPORT_FCPXML_1_14" in capsys.readouterr().out
    assert not session.words


def test_a_bundle_is_imported_by_what_is_in_it(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.settings(result="timeline", folder=str(session.folder))
    session.timeline.bundles = True
    asked: list[str] = []
    imported = type(session.pool).ImportTimelineFromFile

    def record(pool: MediaPool, path: str, options: dict[str, Any]) -> Timeline:
        asked.append(path)
        return imported(pool, path, options)

    monkeypatch.setattr(type(session.pool), "ImportTimelineFromFile", record)
    assert script.main(session.resolve) == 0
    assert asked == [str(session.folder / "Reel_1_cut_v001.vedit.fcpxml" / "Info.fcpxml")]
