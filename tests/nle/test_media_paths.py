"""Addresses in project files: which file is meant, and which may not be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vedit.media.reading.addresses import address_of, path_of
from vedit.nle.media_paths import MediaRules


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("project/clips/a b.mov", "project/A001.mov", "elsewhere/day1/c.mov", "elsewhere/secret.mov"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("file:///Volumes/x/a%20b.mov", "/Volumes/x/a b.mov"),
        ("file://localhost/x/%C3%A9.mov", "/x/é.mov"),
        ("FILE:/x/a.mov", "/x/a.mov"),
        ("file://localhost/D%3a/media/a.mov", "D:/media/a.mov"),
        ("file:///C:/media/a.mov", "C:/media/a.mov"),
        ("file://C:/media/a.mov", "C:/media/a.mov"),
        ("C:\\media\\100%.mov", "C:\\media\\100%.mov"),
        ("clips/100%25.mov", "clips/100%25.mov"),
    ],
)
def test_addresses_are_decoded(written: str, path: str) -> None:
    assert path_of(written) == path


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("http://127.0.0.1/a.mov", "http: addresses are not read"),
        ("concat:a|b", "concat:"),
        ("file://server/share/a.mov", "another machine (server)"),
        ("\\\\server\\share\\a.mov", "another machine"),
        ("//server/a.mov", "another machine"),
        ("file:////server/share/a.mov", "another machine (server)"),
        ("file:///%5C%5Cserver%5Cshare%5Ca.mov", "another machine (server)"),
        ("file:///a%00.mov", "not a path"),
        ("file://server/a%00.mov", "not a path"),
        ("file:///a%FF.mov", "UTF-8"),
        ("", "not a path"),
    ],
)
def test_other_addresses_are_refused(project: Path, written: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        path_of(written)
    located = MediaRules(base=project, anywhere=True).locate(written)
    assert located.path is None and why in located.problem


@pytest.mark.parametrize(
    "written",
    [
        "\\\\NAS\\projects\\day1\\c.mov",
        "//NAS/projects/day1/c.mov",
        "file://NAS/projects/day1/c.mov",
        "file:////NAS/projects/day1/c.mov",
        "file://NAS/projects/day%31/c.mov",
        "\\\\NAS\\day1\\c.mov",
        "\\\\?\\UNC\\NAS\\projects\\day1\\c.mov",
    ],
)
def test_media_on_a_share_is_looked_for_by_the_end_of_its_path(project: Path, written: str) -> None:
    elsewhere = project.parent / "elsewhere"
    (elsewhere / "c.mov").touch()
    located = MediaRules(base=project, folders=(elsewhere,)).locate(written)
    assert located.path == elsewhere / "day1" / "c.mov"
    assert "another machine" in MediaRules(base=project).locate(written).problem
    outside = written.replace("day1", "..").replace("day%31", "..").replace("c.mov", "secret.mov")
    assert MediaRules(base=elsewhere / "day1").locate(outside).path is None


def test_media_is_found_inside_the_project(project: Path) -> None:
    rules = MediaRules(base=project)
    inside = project / "clips" / "a b.mov"
    for written in (inside.as_uri(), str(inside), "clips/a b.mov", "./clips/a b.mov"):
        assert rules.locate(written).path == inside
    assert rules.locate("clips/none.mov").problem == "offline"


def test_media_outside_is_read_only_where_allowed(project: Path) -> None:
    secret = project.parent / "elsewhere" / "secret.mov"
    (project / "link.mov").symlink_to(secret)
    for written in (
        secret.as_uri(),
        "../elsewhere/secret.mov",
        "link.mov",
        f"file://{project}/%2e%2e/elsewhere/secret.mov",
    ):
        assert MediaRules(base=project).locate(written).problem == "outside the timeline's folder"
        assert MediaRules(base=project, folders=(secret.parent,)).locate(written).path is not None
        assert MediaRules(base=project, anywhere=True).locate(written).path is not None


def test_media_that_moved_is_found_by_the_end_of_its_path(project: Path) -> None:
    folder = project.parent / "elsewhere"
    rules = MediaRules(base=project, folders=(folder,))
    assert rules.locate("file:///Volumes/old/day1/c.mov").path == folder / "day1" / "c.mov"
    assert rules.locate("E:\\old\\day1\\c.mov").path == folder / "day1" / "c.mov"
    assert rules.locate("file:///Volumes/../../day1/../secret.mov").path == folder / "secret.mov"


def test_media_is_found_by_name(project: Path) -> None:
    rules = MediaRules(base=project)
    assert rules.locate_name(("", "A001.mov")).path == project / "A001.mov"
    assert rules.locate_name(("A001",)).path == project / "A001.mov"
    (project / "A001.mp4").touch()
    assert rules.locate_name(("A001",)).problem == "offline"
    assert rules.locate_name(("../elsewhere/secret.mov",)).path is None


@pytest.mark.parametrize(
    ("like", "address"),
    [
        ("file:///old.mov", "file:///m/a%20%28b%29.mov"),
        ("file://localhost/old.mov", "file://localhost/m/a%20%28b%29.mov"),
        ("/old.mov", "/m/a (b).mov"),
        ("", "file:///m/a%20%28b%29.mov"),
    ],
)
def test_new_addresses_are_of_the_old_ones_kind(like: str, address: str) -> None:
    path = Path("/m/a (b).mov")
    written = address_of(path, like=like)
    assert written.replace("(", "%28").replace(")", "%29") == address or written == address
    assert path_of(written) == str(path)


def test_addresses_round_trip() -> None:
    for name in ("é ü#?%;:&'\".mov", "100%25.mov", "日本.mov"):
        path = Path("/m") / name
        assert path_of(address_of(path, like="file:///x")) == str(path)
