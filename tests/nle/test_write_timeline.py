"""Where a new timeline may be written, and that it is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedit.errors import InputError
from vedit.nle.model import TimelineDocument
from vedit.nle.read import read_timeline, write_timeline

INFO = """<fcpxml version="1.10"><resources><format id="r1" frameDuration="1/25s"/></resources>
<project name="p"><sequence format="r1"><spine/></sequence></project></fcpxml>"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "cut.fcpxmld"
    (path / "Media").mkdir(parents=True)
    (path / "Info.fcpxml").write_text(INFO)
    (path / "Media" / "tracking.data").write_bytes(b"of a clip")
    return path


def test_a_bundle_is_copied_with_all_that_lies_in_it(bundle: Path) -> None:
    out = bundle.with_name("out.fcpxmld")
    for overwrite in (False, True):
        if overwrite:
            (out / "stale").touch()
        assert write_timeline(read_timeline(bundle), bundle, out, overwrite=overwrite) == out
        assert sorted(path.name for path in out.rglob("*")) == ["Info.fcpxml", "Media", "tracking.data"]
        assert (out / "Info.fcpxml").read_text() == INFO
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["cut.fcpxmld", "out.fcpxmld"]


def test_what_may_not_be_written_is_said(bundle: Path) -> None:
    folder = bundle.parent
    (folder / "link.fcpxmld").symlink_to(bundle)
    (folder / "file.fcpxmld").touch()
    document = read_timeline(bundle)
    for output, said in (
        (folder / "link.fcpxmld", "a symbolic link"),
        (bundle / "inner.fcpxmld", "lies in the timeline itself"),
        (folder / "none" / "out.fcpxmld", "does not exist"),
        (folder / "file.fcpxmld", "is a file"),
    ):
        with pytest.raises(InputError, match=said):
            write_timeline(document, bundle, output, overwrite=True)


class Unwritable:
    """A document that fails when it is written."""

    def __init__(self, document: TimelineDocument) -> None:
        self.timeline = document.timeline

    def relink(self, number: int, media: object) -> None:
        raise AssertionError

    def serialise(self) -> bytes:
        raise InputError("it cannot be written")


def test_an_error_leaves_what_was_there(bundle: Path) -> None:
    out = bundle.with_name("out.fcpxmld")
    write_timeline(read_timeline(bundle), bundle, out)
    with pytest.raises(InputError, match="cannot be written"):
        write_timeline(Unwritable(read_timeline(bundle)), bundle, out, overwrite=True)
    assert (out / "Info.fcpxml").read_text() == INFO
    assert len(list(bundle.parent.iterdir())) == 2


def test_a_full_disk_leaves_what_was_there(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    source, out = bundle.with_name("cut.fcpxml"), bundle.with_name("out.fcpxml")
    source.write_text(INFO)
    out.write_text("mine")
    before = sorted(bundle.parent.rglob("*"))
    monkeypatch.setattr("os.fsync", full)
    for old, new in ((source, out), (bundle, bundle.with_name("new.fcpxmld"))):
        with pytest.raises(OSError, match="No space"):
            write_timeline(read_timeline(old), old, new, overwrite=True)
    assert out.read_text() == "mine" and sorted(bundle.parent.rglob("*")) == before
