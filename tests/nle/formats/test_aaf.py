"""AAF: every object of the file stays as it is, but for the reference of the clip that is edited."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vedit.errors import InputError
from vedit.nle.model import NewMedia
from vedit.nle.read import read_timeline

aaf2 = pytest.importorskip("aaf2", reason="needs the extra nle")
NAME = "otio-aaf-adapter__one_clip.aaf"


def told(value: Any) -> Any:
    """An object's properties, and theirs, as plain values; what a weak reference names by its name."""
    if hasattr(value, "property_entries"):
        found: dict[str, Any] = {"class": type(value).__name__}
        for entry in value.properties():
            weak = "WeakRef" in type(entry).__name__
            found[entry.name] = str(entry.value.auid) if weak else told(entry.value)
        return found
    if isinstance(value, str | int | float | bytes | bool | Fraction) or value is None:
        return value
    if isinstance(value, dict):
        return {str(key): told(item) for key, item in value.items()}
    if hasattr(value, "values") and not isinstance(value, list):
        return [told(item) for item in value.values()]
    return [told(item) for item in value] if hasattr(value, "__iter__") else str(value)


def mobs(path: Path) -> dict[str, Any]:
    with aaf2.open(str(path), "r") as file:
        return {str(mob.mob_id): told(mob) for mob in file.content.mobs}


def differences(old: Any, new: Any, where: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        return [place for key in old for place in differences(old[key], new[key], f"{where}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [place for a, b in zip(old, new, strict=True) for place in differences(a, b, f"{where}[]")]
    return [] if old == new else [where]


def test_the_cut_is_read(timelines: Path) -> None:
    timeline = read_timeline(timelines / NAME).timeline
    (clip,) = timeline.clips
    assert (timeline.rate, timeline.start) == (24, 3600)
    assert (clip.name, clip.track, clip.record.duration * 24) == ("ppjoshm_1 (SIM1)", "V1", 10)
    # The tape's timecode, 01:00:04:05.
    assert clip.source is not None and clip.source.start * 24 == 86501
    assert clip.media is not None
    assert (clip.media.reel, clip.media.size, clip.media.rate) == ("ppjoshm_1.SIM1.02", (1920, 1080), 24)
    assert clip.media.problem == "on another machine (VSD)"
    assert [marker.name for marker in clip.markers] == ["ppjoshm_1.gt_1"]


def test_unedited_every_object_is_the_same(timelines: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.aaf"
    out.write_bytes(read_timeline(timelines / NAME).serialise())
    assert mobs(out) == mobs(timelines / NAME)


def test_an_edit_changes_one_reference_and_adds_two_mobs(timelines: Path, tmp_path: Path) -> None:
    document = read_timeline(timelines / NAME)
    rate = Fraction(24)
    path = Path("/m/new take.mov")
    document.relink(1, NewMedia(path=path, name="new take.mov", start=86501 / rate, frames=10, rate=rate))
    out = tmp_path / "out.aaf"
    out.write_bytes(document.serialise())
    before, after = mobs(timelines / NAME), mobs(out)
    places = [place for key in before for place in differences(before[key], after[key], before[key]["class"])]
    assert [place.rsplit(".", 1)[-1] for place in places] == ["SourceID"]
    added = {after[key]["class"] for key in after if key not in before}
    assert added == {"MasterMob", "SourceMob"} and len(after) == len(before) + 2
    old, new = document.timeline.clips[0], read_timeline(out).timeline.clips[0]
    assert (new.name, new.track, new.record, new.source, new.markers) == (
        *(old.name, old.track, old.record, old.source, old.markers),
    )
    assert new.media is not None and new.media.written == "file:///m/new%20take.mov"


def test_new_media_may_begin_later(timelines: Path, tmp_path: Path) -> None:
    document = read_timeline(timelines / NAME)
    (clip,) = document.timeline.clips
    assert clip.source is not None
    rate = Fraction(24)
    # Up to one frame less is forgiven where ranges lie between frames, so both ends are moved by less than that.
    media = NewMedia(path=Path("/m/n.mov"), name="n.mov", start=86501 / rate, frames=10, rate=rate)
    with pytest.raises(InputError, match="does not cover"):
        document.relink(1, NewMedia(path=media.path, name="n", start=86505 / rate, frames=6, rate=rate))
    document.relink(1, media)
    out = tmp_path / "out.aaf"
    out.write_bytes(document.serialise())
    assert read_timeline(out).timeline.clips[0].source == clip.source


@pytest.mark.parametrize("data", [b"", b"no AAF at all", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "cut.aaf"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"cut\.aaf cannot be read as AAF"):
        read_timeline(path)


def test_a_truncated_file_is_refused(timelines: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.aaf"
    path.write_bytes((timelines / NAME).read_bytes()[:150000])
    with pytest.raises(InputError, match=r"cut\.aaf"):
        read_timeline(path)
