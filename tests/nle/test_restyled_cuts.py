"""`vedit timeline` from end to end: three shots, real media, the embedded model, every format.

Every frame and every sample of the media says which one it is, also under the look, so that what the new cut shows at
each place can be read off the pictures themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from tests.nle import cuts
from tests.nle.cuts import SHOTS, Cut
from tests.nle.fcpxml_rules import violations
from tests.nle.footage import numbers_in, sample_at, timecode_of
from tests.nle.players import Played, play
from tests.nle.structure import changes, resolved_files
from vedit.cli import main
from vedit.media.timecode import add_frames, parse_timecode

NTSC, FILM = Fraction(30000, 1001), Fraction(24000, 1001)
LOOKS = f"""
[default]
quality = "draft"
steps = 2
start = "noise"

[[look]]
name = "{cuts.WASH}"
prompt = "watercolor painting"
clip = ["two", "three"]
"""
PLACES = [(0, 8), (8, 6), (14, 4)]
"""Where the shots lie in the cut, and how long they are, in frames."""
HANDLES = 2
RANGES = {"two": (18, 28), "three": (0, 7)}
"""Frames with handles; b.mov has only one before its shot."""
Written = tuple[str, Fraction, bool, str]
CUTS: list[Written] = [
    ("cut.fcpxml", NTSC, True, "00:59:59;20"),
    ("cut.fcpxmld", FILM, False, "01:00:00:00"),
    ("cut.xml", Fraction(25), False, "10:00:00:00"),
    ("cut.edl", NTSC, True, "00:59:59;20"),
    ("cut.kdenlive", Fraction(25), False, "10:00:00:00"),
    ("cut.otio", FILM, False, "01:00:00:00"),
    ("cut.aaf", Fraction(24), False, "01:00:00:00"),
]


def write_cut(cut: Cut, path: Path) -> None:
    kind = path.suffix
    if kind == ".aaf":
        pytest.importorskip("aaf2", reason="needs the extra nle")
        cuts.write_aaf(cut, path)
    elif kind == ".fcpxmld":
        path.mkdir()
        (path / "Info.fcpxml").write_text(cuts.fcpxml(cut, "1.10"), "utf-8")
        (path / "tracking.data").write_bytes(b"of a clip")
    else:
        writer = {".fcpxml": cuts.fcpxml, ".xml": cuts.xmeml, ".edl": cuts.edl, ".kdenlive": cuts.kdenlive}
        path.write_text(writer.get(kind, cuts.otio)(cut), "utf-8")


@pytest.fixture(autouse=True)
def one_model(small_embedded: None) -> None:
    """Loaded once for all renders of this file, which are small; what a picture says can still be read."""


@pytest.fixture
def footage(tmp_path: Path) -> Callable[[Fraction, bool, str], Cut]:
    def write(rate: Fraction, drop: bool, timecode: str) -> Cut:
        cut = Cut(folder=tmp_path, rate=rate, drop=drop, timecode=timecode)
        cut.write_media()
        (tmp_path / "looks.toml").write_text(LOOKS)
        return cut

    return write


def vedit(*words: str | Path) -> int:
    return main([str(word) for word in words], standalone_mode=False)


@cache
def numbers(path: Path) -> list[int]:
    return numbers_in(path)


def pictures(shots: list[Played]) -> list[list[int]]:
    return [numbers(shot.path)[shot.first : shot.first + shot.count] for shot in shots]


@pytest.mark.parametrize(("name", "rate", "drop", "timecode"), CUTS, ids=[name for name, _, _, _ in CUTS])
def test_the_new_cut_shows_the_same_moments(
    footage: Callable[[Fraction, bool, str], Cut],
    capsys: pytest.CaptureFixture[str],
    name: str,
    rate: Fraction,
    drop: bool,
    timecode: str,
) -> None:
    cut = footage(rate, drop, timecode)
    source, out = cut.folder / name, cut.folder / f"out{Path(name).suffix}"
    write_cut(cut, source)
    there = {path.name for path in cut.folder.iterdir()}
    before = play(source, rate)
    assert [(shot.record, shot.count) for shot in before] == PLACES
    assert pictures(before) == [list(range(start, start + count)) for _, _, start, count in SHOTS]

    words = ["timeline", source, "--edits", cut.folder / "looks.toml", "-o", out, "--handles", str(HANDLES), "--json"]
    rated = ["--rate", str(rate)] if name.endswith(".edl") else []
    assert vedit(*words, *rated) == 0
    told = json.loads(capsys.readouterr().out)

    after = play(out, rate)
    assert [(shot.record, shot.count) for shot in after] == PLACES
    assert pictures(after) == pictures(before)
    assert [shot.path for shot in after] == [
        cut.folder / "a.mov",
        cut.folder / "a.wash.18-27.vedit.mov",
        cut.folder / "b.wash.0-6.vedit.mov",
    ]
    for old, new, (shot, media, _, _) in zip(before[1:], after[1:], SHOTS[1:], strict=True):
        first, stop = RANGES[shot]
        assert numbers(new.path) == list(range(first, stop)), "handles and all"
        assert (new.first, old.first - new.first) == (old.first - first, first)
        begins = add_frames(timecode if media == "a.mov" else f"00:00:00{';' if drop else ':'}00", first, rate)
        assert timecode_of(new.path) == begins
        assert new.clock in (None, parse_timecode(begins, rate)), "the cut and the file tell the same time"
        for frame in range(new.count):
            heard, was = (sample_at(shot.path, (shot.first + frame) / rate) for shot in (new, old))
            assert abs(heard - was) <= 1, "a frame begins between two samples"
        assert 5 < difference(old, new) < 60, "a look was given, and not noise"
    sides = [(render["handles"], render["used"]) for render in told["renders"]]
    assert sides == [([2, 2], [20, 26]), ([1, 2], [1, 5])]
    for render in told["renders"]:
        recorded = json.loads(Path(f"{render['output']}.vedit.json").read_text())["recipe"]["purpose"]
        assert recorded["handles"] == render["handles"]
    assert json.loads(Path(f"{out}.vedit.json").read_text())["renders"] == told["renders"]
    results = {shot.path.name for shot in after[1:]}
    assert {path.name for path in cut.folder.iterdir()} - there == {
        *results,
        *(f"{result}.vedit.json" for result in results),
        *(out.name, f"{out.name}.vedit.json"),
    }
    check_the_rest(source, out)


def difference(old: Played, new: Played) -> float:
    """How far, on average, the pixels of a shot's first picture are from what they were, in levels of 255."""

    def picture(shot: Played) -> np.ndarray:
        with av.open(str(shot.path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number == shot.first:
                    return frame.to_ndarray(format="rgb24").astype(float)
        raise AssertionError

    return float(np.abs(picture(old) - picture(new)).mean())


def check_the_rest(source: Path, out: Path) -> None:
    """Sound, titles, markers and names are what they were."""
    kind = source.suffix
    if kind == ".fcpxmld":
        assert (out / "tracking.data").read_bytes() == b"of a clip"
        source, out = source / "Info.fcpxml", out / "Info.fcpxml"
    if kind in (".fcpxml", ".fcpxmld"):
        assert list(violations(out.read_bytes())) == []
        differing = changes(source.read_bytes(), out.read_bytes())
        found = [(change.kind, change.path.split("[")[0], change.name) for change in differing]
        assert sorted(found) == [
            *[("added", "resources", "asset")] * 2,
            *[("attribute", "library", "ref")] * 2,
        ]
    elif kind == ".xml":
        old, new = resolved_files(source.read_bytes()), resolved_files(out.read_bytes())
        assert [item for item in old if old[item] != new[item]] == ["two-video", "three-video"]
    elif kind == ".kdenlive":
        lines = [set(path.read_text().splitlines()) for path in (source, out)]
        assert all("_a" not in line and "title" not in line for line in lines[0] - lines[1])
    elif kind == ".otio":
        old, new = (json.loads(path.read_text())["tracks"]["children"] for path in (source, out))
        assert old[1] == new[1]
        for a, b in zip(old[0]["children"], new[0]["children"], strict=True):
            assert {**a, "media_references": None} == {**b, "media_references": None}
    elif kind == ".edl":
        pairs = zip(source.read_text().splitlines(), out.read_text().splitlines(), strict=True)
        assert [a for a, b in pairs if a != b] == ["* FROM CLIP NAME: a.mov", "* FROM CLIP NAME: b.mov"]
